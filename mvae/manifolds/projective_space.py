"""Real projective space, the sphere with antipodes made one point."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds.checks import check_dim
from mvae.manifolds.manifold import Manifold
from mvae.manifolds.sphere import Sphere


@dataclasses.dataclass(frozen=True)
class ProjectiveSpace(Manifold):
    """RP^d = S^d / {1, -1}, the lines through the origin of R^(d+1): z and -z, |z| = 1, are one point.

    `distance` and `log` see the point whichever of its two representatives is given; `project`, `exp` and
    `uniform` return one of them. The cut locus of a line is the lines at a right angle to it; there `log` and
    the derivative of `distance` are those of the representative of w that was given.

    >>> space, z = ProjectiveSpace(dim=2), jnp.array([0.0, 0.0, 1.0])
    >>> float(space.distance(z, -z))
    0.0

    Args:
        dim: Dimension d.

    Raises:
        ValueError: If `dim` is not an integer of at least 1.
    """

    dim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_dim(self.dim))

    @property
    def cover(self) -> Sphere:
        """Unit sphere S^d, whose points are the representatives."""
        return Sphere(self.dim)

    @property
    def ambient_dim(self) -> int:
        """Dimension d + 1."""
        return self.dim + 1

    @property
    def log_volume(self) -> float:
        """Logarithm of half the volume of S^d."""
        return self.cover.log_volume - math.log(2)

    @property
    def volume(self) -> float:
        """Half the volume of S^d; 0 where that underflows (d in the hundreds)."""
        return self.cover.volume / 2

    def nearest_representative(
        self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]
    ) -> Float[Array, "*batch n"]:
        """Returns w or -w, whichever is nearer to z; w at a right angle."""
        z, w = self._pair(("z", "w"), z, w)
        return jnp.where(jnp.sum(z * w, axis=-1, keepdims=True) < 0, -w, w)

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns x / |x|, the representative on the side of x, by the rule of `Sphere` at the origin."""
        return self.cover.project(x)

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns v - <z, v> z."""
        return self.cover.to_tangent(z, v)

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns cos|v| z + sin|v| v / |v|, the representative that follows z without a jump."""
        return self.cover.exp(z, v)

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the shortest tangent vector at z that `exp` takes to w or -w."""
        z, w = self._ends(z, w)
        return self.cover.log_unchecked(z, self.nearest_representative(z, w))

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns the angle of the two lines, at most pi/2, with derivative 0 along the sphere at w = +-z."""
        z, w = self._ends(z, w)
        return self.cover.distance_unchecked(z, self.nearest_representative(z, w))

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns d (d - 1)."""
        return self.cover.scalar_curvature(z)

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws representatives from the uniform distribution of the sphere."""
        return self.cover.uniform(key, shape)

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether | |x| - 1 | <= atol."""
        return self.cover.contains(x, atol)

    def _off(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        return self.cover._off(x)

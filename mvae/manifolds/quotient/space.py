"""A manifold modulo a finite group of isometries."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds.manifold import Manifold
from mvae.manifolds.quotient.groups import Group, generated_by

_PROBES = 16  # points that a group is tried on
_OFF = 1e-3


class QuotientSpace(Manifold):
    """M / G: the orbits of a finite group of isometries of a manifold M, the cover, as points.

    A point is given by any of its representatives, points of M. `distance` and `log` see the point whichever of them
    is given; `project`, `exp` and `uniform` return one. Elements act on the ambient space of M as orthogonal matrices.

    Where elements have fixed points the quotient has a boundary (reflections) or cone points: geodesics, and walks,
    are reflected there. Laplacian and heat kernel are those with vanishing normal derivative.

    Attributes:
        cover: The manifold M, whose points are the representatives.
        group: The `Group` G.
    """

    cover: Any
    group: Any

    @property
    def ambient_dim(self) -> int:
        """That of the cover."""
        return self.cover.ambient_dim

    @property
    def log_volume(self) -> float:
        """Logarithm of the volume of the cover over the number of elements."""
        return self.cover.log_volume - math.log(self.group.order)

    @property
    def volume(self) -> float:
        """Volume of the cover over the number of elements."""
        return self.cover.volume / self.group.order

    def orbit(self, w: Float[Array, "*batch n"]) -> Float[Array, "order *batch n"]:
        """Representatives of points: the images g w under all elements.

        Args:
            w: Points of the cover, (..., n).

        Returns:
            Points of the cover, (order, ..., n), w first.
        """
        return orbit(self.group, self._points("w", w))

    def nearest_representative(
        self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]
    ) -> Float[Array, "*batch n"]:
        """Returns the g w that is nearest to z; of several the first, in the order of the group."""
        z, w = jnp.broadcast_arrays(*self._pair(("z", "w"), z, w))
        images = self.orbit(w)
        distances = self.cover.distance(jax.lax.stop_gradient(z), jax.lax.stop_gradient(images))
        nearest = jnp.argmin(distances, axis=0)[None, ..., None]
        return jnp.take_along_axis(images, nearest, axis=0)[0]

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns the projection onto the cover."""
        return self.cover.project(self._points("x", x))

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the tangent part at the representative z."""
        return self.cover.to_tangent(z, v)

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the end of the geodesic of the cover, the representative that follows z without a jump."""
        return self.cover.exp(z, v)

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the shortest tangent vector at z that `exp` takes to a representative of w.

        Where two are as near, it is that of the first, and derivatives are those of that one.
        """
        z, w = self._ends(z, w)
        return self.cover.log(z, self.nearest_representative(z, w))

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns the least distance of z from a g w; the derivative is that of the nearest."""
        z, w = self._ends(z, w)
        return self.cover.distance(z, self.nearest_representative(z, w))

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns that of the cover."""
        return self.cover.scalar_curvature(z)

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws representatives from the uniform distribution of the cover."""
        return self.cover.uniform(key, shape)

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether the cover contains the points up to atol."""
        return self.cover.contains(x, atol)

    @property
    def _size(self) -> float:
        return self.cover._size

    def _off(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        return self.cover._off(x)


def orbit(group: Group, x: Float[Array, "*batch n"]) -> Float[Array, "order *batch n"]:
    """Images of vectors of the ambient space under all elements of a group, (order, ..., n)."""
    matrices = jnp.asarray(group.array, x.dtype)
    return jnp.einsum("gij,...j->g...i", matrices, x, precision=jax.lax.Precision.HIGHEST)


@dataclasses.dataclass(frozen=True)
class Quotient(QuotientSpace):
    """M / G for a manifold M and a finite group G of isometries of it.

    >>> import numpy as np
    >>> from mvae.manifolds.sphere import Sphere
    >>> half_sphere = Quotient(Sphere(2), np.diag([1.0, 1.0, -1.0]))
    >>> half_sphere.group.order, round(half_sphere.volume / math.pi, 6)
    (2, 2.0)

    Args:
        cover: The manifold M.
        group: A `Group`, or orthogonal matrices that generate it, (n, n) or (k, n, n).

    Raises:
        ValueError: If the matrices are not orthogonal, of another size than M's ambient space, generate more than 1000
            elements, or move M.
    """

    cover: Manifold
    group: Any

    def __post_init__(self) -> None:
        if not isinstance(self.cover, Manifold):
            raise ValueError(f"cover must be a manifold, got {self.cover!r}")
        if not isinstance(self.group, Group):
            given = jnp.asarray(self.group)
            object.__setattr__(self, "group", generated_by(*(self.group if given.ndim == 3 else [self.group])))
        if self.group.size != self.cover.ambient_dim:
            raise ValueError(
                f"group must act on the {self.cover.ambient_dim} ambient coordinates of {self.cover!r}, got matrices "
                f"of size {self.group.size}"
            )
        with jax.ensure_compile_time_eval():
            images = orbit(self.group, self.cover.uniform(jax.random.key(0), (_PROBES,)))
            if not jnp.all(self.cover.contains(images, _OFF * self.cover._size)):
                raise ValueError(f"group must map {self.cover!r} to itself, got an element that moves it")
        object.__setattr__(self, "dim", self.cover.dim)

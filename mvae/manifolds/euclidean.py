"""Euclidean space."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_dim
from mvae.manifolds.manifold import Manifold


@dataclasses.dataclass(frozen=True)
class Euclidean(Manifold):
    """R^d with its flat metric.

    It has no uniform distribution: the standard normal N(0, I) takes its place as reference distribution and as prior.

    >>> Euclidean(3).volume
    inf

    Args:
        dim: Dimension d.

    Raises:
        ValueError: If `dim` is not an integer of at least 1.
    """

    dim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_dim(self.dim))

    @property
    def ambient_dim(self) -> int:
        """Dimension d."""
        return self.dim

    @property
    def log_volume(self) -> float:
        """Infinity."""
        return math.inf

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns x."""
        return self._points("x", x)

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns v, broadcast against z."""
        z, v = self._pair(("z", "v"), z, v)
        return jnp.broadcast_to(v, jnp.broadcast_shapes(z.shape, v.shape))

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns z + v."""
        z, v = self._pair(("z", "v"), z, v)
        return z + v

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns w - z."""
        z, w = self._pair(("z", "w"), z, w)
        return w - z

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns |w - z|, with derivative 0 at w = z."""
        z, w = self._pair(("z", "w"), z, w)
        return safe_math.norm(w - z)

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns zeros."""
        return self._constant(z, 0.0)

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws from N(0, I), the distribution that stands in for the uniform one, which does not exist."""
        return jax.random.normal(key, (*shape, self.dim))

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether all coordinates are finite."""
        del atol
        return jnp.all(jnp.isfinite(self._points("x", x)), axis=-1)

    def check_on(self, name: str, x: Float[Array, "*batch n"]) -> None:
        """Refuses nothing: every point is on the space."""
        self._points(name, x)

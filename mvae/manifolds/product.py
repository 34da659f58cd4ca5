"""Products of manifolds."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_points
from mvae.manifolds.manifold import Manifold


@dataclasses.dataclass(frozen=True)
class Product(Manifold):
    """M_1 x M_2 x ... with the sum of the metrics; a point is its factors' points, one after the other.

    A product with a Euclidean factor has infinite volume, and its reference distribution is the product of the uniform
    distributions of the closed factors with the standard normal one of the others.

    >>> from mvae.manifolds.euclidean import Euclidean
    >>> from mvae.manifolds.sphere import Sphere
    >>> cylinder = Product((Sphere(dim=1), Euclidean(dim=1)))
    >>> cylinder.dim, cylinder.ambient_dim
    (2, 3)

    Args:
        factors: The manifolds M_1, M_2, ..., products among them too.

    Raises:
        ValueError: If `factors` is empty or holds anything but manifolds.
    """

    factors: tuple[Manifold, ...]

    def __post_init__(self) -> None:
        try:
            factors = tuple(self.factors)
        except TypeError:
            raise ValueError(f"factors must be a tuple of manifolds, got {self.factors!r}") from None
        if not factors or not all(isinstance(factor, Manifold) for factor in factors):
            raise ValueError(f"factors must be one manifold or more, got {self.factors!r}")
        object.__setattr__(self, "factors", factors)
        object.__setattr__(self, "dim", sum(factor.dim for factor in factors))

    @property
    def ambient_dim(self) -> int:
        """Sum of the ambient dimensions of the factors."""
        return sum(factor.ambient_dim for factor in self.factors)

    @property
    def log_volume(self) -> float:
        """Sum over the factors."""
        return math.fsum(factor.log_volume for factor in self.factors)

    @property
    def volume(self) -> float:
        """Product of the volumes of the factors."""
        return math.prod(factor.volume for factor in self.factors)

    def split(self, x: Float[Array, "*batch n"]) -> tuple[Float[Array, "*batch _"], ...]:
        """Cuts points, or vectors, of the ambient space into those of the factors.

        Args:
            x: Points of the ambient space, (..., n).

        Returns:
            For each factor an array (..., m) with m its ambient dimension.
        """
        x = self._points("x", x)
        ends = list(itertools.accumulate(factor.ambient_dim for factor in self.factors))
        return tuple(x[..., start:end] for start, end in zip([0, *ends], ends, strict=False))

    def join(self, parts: tuple[Float[Array, "*batch _"], ...]) -> Float[Array, "*batch n"]:
        """Undoes `split`.

        Args:
            parts: For each factor an array (..., m) with m its ambient dimension.

        Returns:
            Points of the ambient space, (..., n).
        """
        if len(parts) != len(self.factors):
            raise ValueError(f"parts must be {len(self.factors)} arrays, got {len(parts)}")
        checked = (
            check_points(f"parts[{i}]", part, factor.ambient_dim)
            for i, (factor, part) in enumerate(zip(self.factors, parts, strict=True))
        )
        return jnp.concatenate(tuple(checked), axis=-1)

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns the projection of each factor's part."""
        return self.join(tuple(factor.project(part) for factor, part in self._each(x)))

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the tangent part on each factor."""
        z, v = self._pair(("z", "v"), z, v)
        return self.join(tuple(factor.to_tangent(*parts) for factor, *parts in self._each(z, v)))

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the ends of the geodesics of the factors."""
        z, v = self._pair(("z", "v"), z, v)
        return self.join(tuple(factor.exp(*parts) for factor, *parts in self._each(z, v)))

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the `log` of each factor, by its rule on its cut locus."""
        z, w = self._pair(("z", "w"), z, w)
        return self.join(tuple(factor.log(*parts) for factor, *parts in self._each(z, w)))

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns the root of the sum of the squared distances, with derivative 0 at w = z."""
        z, w = self._pair(("z", "w"), z, w)
        return safe_math.norm(jnp.stack([factor.distance(*parts) for factor, *parts in self._each(z, w)], axis=-1))

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns the sum over the factors."""
        return sum((factor.scalar_curvature(part) for factor, part in self._each(z)), self._constant(z, 0.0))

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws from the distribution of each factor, independently."""
        keys = jax.random.split(key, len(self.factors))
        return self.join(tuple(factor.uniform(k, shape) for factor, k in zip(self.factors, keys, strict=True)))

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether every factor contains its part up to atol."""
        return jnp.all(jnp.stack([factor.contains(part, atol) for factor, part in self._each(x)]), axis=0)

    def check_on(self, name: str, x: Float[Array, "*batch n"]) -> None:
        """Refuses points whose part is off a factor, by the rule and in the words of the factor."""
        for factor, part in self._each(x):
            factor.check_on(name, part)

    def _each(self, *arrays: Float[Array, "*#batch n"]) -> Iterator[tuple[Any, ...]]:
        """Yields each factor with its part of each array."""
        return zip(self.factors, *(self.split(x) for x in arrays), strict=True)

"""Squared Euclidean distances by products of matrices, and by differences where those cancel."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds.checks import widened

EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators
FEW_COORDINATES = 8  # so few differences cost no more than a product of matrices
CERTAIN = 2.0**-10  # relative error up to which a distance from a product is taken


def rounding_of_product(num_coordinates: int, dtype: jnp.dtype) -> float:
    """Returns a bound of the error of |x|² + |y|² - 2 <x, y>, over |x|² + |y|²."""
    return (4 + math.sqrt(num_coordinates)) * float(jnp.finfo(dtype).eps)


def squared_distances(x: Float[Array, "n d"]) -> Float[Array, "n n"]:
    """Returns |x_i - x_j|², 0 on the diagonal, with a relative error of 0.1 % at most.

    For points of many coordinates it is |x_i|² + |x_j|² - 2 <x_i, x_j> of the centred points, which has an absolute
    error of a few units of rounding of |x_i|² + |x_j|². Where that may be more than 0.1 % of a distance, as it is in
    clusters that are much smaller than the cloud, all are computed from differences, at some ten times the cost.

    Args:
        x: Points, one a row, in any unit of length.
    """
    x = widened(x)
    diagonal = jnp.eye(len(x), dtype=bool)
    if x.shape[1] <= FEW_COORDINATES:
        return _by_differences(x, x)
    centred = x - jnp.mean(x, axis=0)
    gram = jnp.matmul(centred, centred.T, precision=EXACT)
    squares = jnp.diagonal(gram)
    sums = squares[:, None] + squares[None, :]
    distances = jnp.where(diagonal, 0, jnp.maximum(sums - 2 * gram, 0))
    uncertain = rounding_of_product(x.shape[1], x.dtype) * sums > CERTAIN * distances
    return unless_cancelled(distances, uncertain & ~diagonal, x, x)


def unless_cancelled(
    distances: Float[Array, "m k"], uncertain: Bool[Array, "m k"], x: Float[Array, "m d"], y: Float[Array, "k d"]
) -> Float[Array, "m k"]:
    """Returns squared distances from a product of matrices, or those from differences if one of them is uncertain."""
    cancelled = _any_of_all(jax.lax.stop_gradient(uncertain))
    return jax.lax.cond(cancelled, lambda: _by_differences(x, y), lambda: distances)


def _by_differences(x: Float[Array, "m d"], y: Float[Array, "k d"]) -> Float[Array, "m k"]:
    if x.shape[1] <= FEW_COORDINATES:
        return _few_differences(x, y)
    return jax.lax.map(lambda point: jnp.sum((point - y) ** 2, axis=-1), x)


@jax.jit
def _few_differences(x: Float[Array, "m d"], y: Float[Array, "k d"]) -> Float[Array, "m k"]:
    return jnp.sum((x[:, None] - y) ** 2, axis=-1)


@jax.custom_batching.custom_vmap
def _any_of_all(flags: Bool[Array, "..."]) -> Bool[Array, ""]:
    """Whether one is true, of all elements of a batch: so a branch is still one under vmap, not both computed."""
    return jnp.any(flags)


@_any_of_all.def_vmap
def _any_of_batch(axis_size: int, in_batched: list[bool], flags: Bool[Array, "..."]) -> tuple[Bool[Array, ""], bool]:
    del axis_size, in_batched
    return _any_of_all(flags), False

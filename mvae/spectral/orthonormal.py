"""Orthonormal functions from samples of linearly independent ones."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from mvae.spectral.checks import check_finite, check_points

_EXACT = jax.lax.Precision.HIGHEST


class Orthonormal(NamedTuple):
    """Orthonormalised columns and how they came about.

    Attributes:
        values: Y T.
        transform: T, upper triangular, for further rows of the same functions.
        rank: Number of independent columns; where it is below D, the dependent columns of values and transform are 0.
        fallback: Whether Cholesky's factor was too inaccurate, so that the columns were taken one by one.
    """

    values: Float[Array, "n D"]
    transform: Float[Array, "D D"]
    rank: Int[Array, ""]
    fallback: Bool[Array, ""]


def orthonormalize(y: Float[Array, "n D"], *, weights: Float[Array, " n"] | None = None) -> Orthonormal:
    """Returns Y T with Σ_i w_i (Y T)_ij (Y T)_ik / Σ_i w_i = δ_jk, T upper triangular with a positive diagonal.

    That is the mean over the rows: (Y T)ᵀ(Y T) / n = I without weights, so that columns have the mean square 1, as
    the modes of `diffusion_map` do with π for weights. T comes from Cholesky's factor of the Gram matrix of the
    columns, each scaled to mean square 1, applied twice, which is accurate to rounding as long as each column is
    independent of those before it by more than the root of 1000 roundings (1 % in float32). Else `fallback` is true
    and the columns are made orthogonal one by one, twice each, with the same result. A column that is dependent to 100
    roundings gets 0. Both ways have derivatives, a dependent column the derivative 0. Under vmap both are computed.

    >>> import jax.numpy as jnp
    >>> orthonormalize(jnp.array([[1.0, 0.0], [1.0, 4.0]])).values.round(3).tolist()
    [[1.0, -1.0], [1.0, 1.0]]

    Args:
        y: Y, values of D functions, a row for each point.
        weights: w, not negative; None for equal ones.

    Raises:
        ValueError: For y not a matrix of floats, fewer rows than columns, or weights of another shape; outside of
            compiled code also for numbers that are not finite, negative or vanishing weights, or dependent columns.

    Source: [yamamoto2015]; SpectralNet [li2020, Sec. 4] takes one such step.
    """
    y = check_points("y", y)
    if y.shape[0] < y.shape[1]:
        raise ValueError(f"y must have as many rows as columns or more, got shape {y.shape}")
    weights = jnp.ones(len(y), y.dtype) if weights is None else jnp.asarray(weights, y.dtype)
    if weights.shape != y.shape[:1]:
        raise ValueError(f"weights must have the shape {y.shape[:1]}, got {weights.shape}")
    check_finite("weights", weights)
    valid = jnp.all(weights >= 0) & (jnp.sum(weights) > 0)
    if not isinstance(valid, Tracer) and not bool(valid):
        raise ValueError(f"weights must be not negative and not all 0, got a least of {float(jnp.min(weights))}")
    found = _orthonormalize(y, weights / jnp.sum(weights))
    if not isinstance(found.rank, Tracer) and int(found.rank) < y.shape[1]:
        dependent = jnp.flatnonzero(jnp.diagonal(found.transform) == 0).tolist()
        raise ValueError(f"y must have independent columns, got rank {int(found.rank)}: columns {dependent} depend")
    return found


@jax.jit
def _orthonormalize(y: Float[Array, "n D"], weights: Float[Array, " n"]) -> Orthonormal:
    product = functools.partial(jnp.matmul, precision=_EXACT)
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(y), axis=0))
    y = y / jnp.where(largest > 0, largest, 1)  # so that no square leaves the range of the dtype
    squares = product(weights, y**2)
    scale = jax.lax.rsqrt(jnp.where(squares > 0, squares, 1))
    y = y * scale
    gram = product(y.T, weights[:, None] * y)
    pivots = jnp.diagonal(jnp.linalg.cholesky(jax.lax.stop_gradient(gram)))
    certain = jnp.all(pivots**2 > 1000 * jnp.finfo(y.dtype).eps)  # false for NaN too

    def by_cholesky() -> tuple[Array, Array]:
        # Where the branch is not taken, under vmap, its derivative must still be finite.
        first = _inverse_factor(jnp.where(certain, gram, jnp.eye(len(gram), dtype=gram.dtype)))
        once = product(y, first)
        nearly = product(once.T, weights[:, None] * once)
        second = _inverse_factor(jnp.where(certain, nearly, jnp.eye(len(gram), dtype=gram.dtype)))
        return product(once, second), product(first, second)

    values, transform = jax.lax.cond(certain, by_cholesky, lambda: _one_by_one(y, weights))
    rank = jnp.sum(jnp.diagonal(transform) > 0)
    back = scale / jnp.where(largest > 0, largest, 1)
    return Orthonormal(values, back[:, None] * transform, rank, ~certain)


def _inverse_factor(gram: Float[Array, "D D"]) -> Float[Array, "D D"]:
    """R⁻¹ for gram = Rᵀ R, R upper triangular."""
    lower = jnp.linalg.cholesky(gram)
    return jax.scipy.linalg.solve_triangular(lower, jnp.eye(len(gram), dtype=gram.dtype), lower=True).T


def _one_by_one(y: Float[Array, "n D"], weights: Float[Array, " n"]) -> tuple[Float[Array, "n D"], Float[Array, "D D"]]:
    """Gram and Schmidt's way, each column twice; columns of mean square 1."""
    product = functools.partial(jnp.matmul, precision=_EXACT)
    size = y.shape[1]

    def column(index: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        values, transform = state
        rest, combination = y[:, index], jnp.eye(size, dtype=y.dtype)[index]
        for _ in range(2):
            parts = product(values.T, weights * rest)
            rest, combination = rest - product(values, parts), combination - product(transform, parts)
        square = product(weights, rest**2)
        independent = square > (100 * jnp.finfo(y.dtype).eps) ** 2
        inverse = jnp.where(independent, jax.lax.rsqrt(jnp.where(independent, square, 1)), 0)
        return values.at[:, index].set(inverse * rest), transform.at[:, index].set(inverse * combination)

    return jax.lax.fori_loop(0, size, column, (jnp.zeros_like(y), jnp.zeros((size, size), y.dtype)))

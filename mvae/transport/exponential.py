"""The action exp(A) z of the matrix exponential, for many small dense matrices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from mvae.manifolds import safe_math
from mvae.manifolds.checks import in_float32
from mvae.manifolds.value_checks import check_traced, checks_are_traced
from mvae.transport.batch_last import matmul, matvec
from mvae.transport.checks import check_broadcast, check_last, check_matrix

SQUARINGS = 10
MAX_NORM = 2.0**SQUARINGS


@in_float32
def expm_action(matrix: Float[Array, "*#batch d d"], z: Float[Array, "*#batch d"]) -> Float[Array, "*batch d"]:
    """Returns exp(A) z.

    Scaling and squaring: exp(A) = T(A / 2^k)^(2^k), where the scaled matrix has 1-norm at most 1 and T is the Taylor
    polynomial of degree 12 (float32) or 20 (float64), whose first two derivatives are exact to rounding too. All of it
    are products of matrices, so that derivatives, forward and reverse and mixed, hold at repeated eigenvalues, at A = 0
    and for defective A. The cost does not depend on A.

    >>> import jax.numpy as jnp
    >>> quarter_turn = jnp.array([[0.0, -jnp.pi / 2], [jnp.pi / 2, 0.0]])
    >>> [round(float(x), 5) + 0.0 for x in expm_action(quarter_turn, jnp.array([1.0, 0.0]))]
    [0.0, 1.0]

    Args:
        matrix: A, (..., d, d), meant for d up to about 10.
        z: Points, (..., d); leading axes broadcast.

    Returns:
        Points, (..., d), with a relative error of some units of rounding times max(1, |A|_1) times |exp|A||/|exp A|, as
        for any method of this kind. Where the exact result is too large for the dtype: infinite or NaN.

    Raises:
        ValueError: For wrong shapes or dtypes, or a 1-norm above `MAX_NORM` = 1024, where rounding would spoil the
            result; under `jax.jit`, where values are not known, the result is then NaN, and
            `mvae.manifolds.check_values` finds it.

    Source: [higham2008, Sec. 10.3].
    """
    matrix = check_matrix("matrix", matrix)
    z = check_last("z", z, matrix.shape[-1])
    batch = check_broadcast(matrix=matrix.shape[:-2], z=z.shape[:-1])
    dtype = jnp.result_type(matrix, z)
    _check_norm(matrix)
    return _broadcast_actions(batch, matrix.astype(dtype), z.astype(dtype))


@functools.partial(safe_math.inlined, static_argnums=0)
def _broadcast_actions(
    batch: tuple[int, ...], matrix: Float[Array, "*#batch d d"], z: Float[Array, "*#batch d"]
) -> Float[Array, "*batch d"]:
    size = z.shape[-1]
    matrices = jnp.broadcast_to(matrix, (*batch, size, size)).reshape(-1, size, size)
    points = jnp.broadcast_to(z, (*batch, size)).reshape(-1, size)
    return _actions(jnp.moveaxis(matrices, 0, -1), points.T).T.reshape(*batch, size)


@safe_math.inlined
def one_norm(matrices: Float[Array, "d d *B"]) -> Float[Array, "*B"]:
    """Largest column sum of absolute values, rows on the first axis; constant under differentiation."""
    return jnp.max(jnp.sum(jnp.abs(jax.lax.stop_gradient(matrices)), axis=0), axis=0)


def _check_norm(matrix: Float[Array, "*batch d d"]) -> None:
    norm = one_norm(jnp.moveaxis(matrix, (-2, -1), (0, 1)))
    message = f"matrix must have a 1-norm of at most {MAX_NORM:g}, got {{value:.6g}}"
    if not isinstance(norm, Tracer):
        if norm.size and not np.all(np.asarray(norm) <= MAX_NORM):
            raise ValueError(message.format(value=np.max(np.asarray(norm))))
    elif checks_are_traced():
        check_traced(norm <= MAX_NORM, norm, message)


@jax.jit
def _actions(matrices: Float[Array, "d d B"], points: Float[Array, "d B"]) -> Float[Array, "d B"]:
    """exp(A) z with the problems on the last axis."""
    norm = one_norm(matrices)
    doublings = jnp.clip(jnp.ceil(jnp.log2(jnp.maximum(norm, 1))), 0, SQUARINGS).astype(jnp.int32)
    scaled = matrices * jnp.ldexp(jnp.ones((), matrices.dtype), -doublings)
    exponential = jax.lax.fori_loop(0, SQUARINGS, functools.partial(_square, doublings), _taylor(scaled))
    return jnp.where(norm <= MAX_NORM, matvec(exponential, points), jnp.nan)


def _square(
    doublings: Int[Array, " B"], step: Int[Array, ""] | int, matrices: Float[Array, "d d B"]
) -> Float[Array, "d d B"]:
    return jnp.where(step < doublings, matmul(matrices, matrices), matrices)


def _taylor(matrices: Float[Array, "d d B"]) -> Float[Array, "d d B"]:
    """Σ_k A^k / k! for |A|_1 <= 1, by Horner's rule."""
    # A loop, not its body written out: XLA would merge the products and compute the inner ones many times over.
    degree = 12 if matrices.dtype.itemsize <= 4 else 20
    identity = jnp.eye(len(matrices), dtype=matrices.dtype)[:, :, None]

    def horner(step: Int[Array, ""], total: Float[Array, "d d B"]) -> Float[Array, "d d B"]:
        return identity + matmul(matrices, total) / (degree - step)

    return jax.lax.fori_loop(0, degree, horner, jnp.broadcast_to(identity, matrices.shape))

"""Transported points with their derivatives in all coefficients, in one Taylor recurrence."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mvae.transport.batch_last import matmul, matvec
from mvae.transport.exponential import one_norm

_STEP = 2.0  # size of the matrix in one Taylor step


class Tangents(NamedTuple):
    """A point and its derivatives, the problems on the last axis.

    Attributes:
        point: exp(A(c)) z.
        jacobian: Its derivative in c_m in column m.
    """

    point: Float[Array, "d B"]
    jacobian: Float[Array, "d M B"]


def generator(operators: Float[Array, "M d d"], coefficients: Float[Array, "M B"]) -> Float[Array, "d d B"]:
    """A(c) = Σ_m c_m Ψ_m, the problems on the last axis."""
    flat = operators.reshape(len(operators), -1)
    product = jnp.matmul(flat.T, coefficients, precision=jax.lax.Precision.HIGHEST)
    return product.reshape(*operators.shape[1:], -1)


def transport_tangents(
    operators: Float[Array, "M d d"], coefficients: Float[Array, "M B"], z: Float[Array, "d B"], max_norm: float
) -> Tangents:
    """Returns exp(A) z, A = Σ_m c_m Ψ_m, and its derivatives in c: NaN where |A|_1 > `max_norm`.

    In s steps exp(A / s) of a Taylor series each. The terms w_k = A^k z / k!
    and their derivatives V_k in all c_m at once obey

        w_k = A w_(k-1) / k,    V_k = (A V_(k-1) + [Ψ_1 w_(k-1), …, Ψ_M w_(k-1)]) / k.

    Its loops are as long as the largest |A|_1 demands: forward mode alone can differentiate it.
    """
    matrices = generator(operators, coefficients)
    norm = one_norm(matrices)
    good = norm <= max_norm
    matrices = jnp.where(good, matrices, 0)
    steps, size, bound = _plan(matrices)
    matrices = matrices / steps
    rows = jnp.swapaxes(operators, 0, 1).reshape(-1, len(z)) / steps  # row (i, m) is row i of Ψ_m
    shape = (len(z), len(operators), z.shape[-1])
    least = jnp.finfo(z.dtype).eps / 4

    def term(carry: tuple) -> tuple:
        k, bound, (w, v), total = carry
        driven = jnp.matmul(rows, w, precision=jax.lax.Precision.HIGHEST).reshape(shape)
        series = Tangents(matvec(matrices, w) / k, (matmul(matrices, v) + driven) / k)
        return k + 1, bound * size / k, series, jax.tree.map(jnp.add, total, series)

    def step(_: Int[Array, ""], start: Tangents) -> Tangents:
        one = jnp.ones((), z.dtype)
        return jax.lax.while_loop(lambda carry: carry[1] > least, term, (one, bound, start, start))[-1]

    start = Tangents(z, jnp.zeros(shape, z.dtype))
    found = jax.lax.fori_loop(0, steps.astype(jnp.int32), step, start)
    return jax.tree.map(lambda leaf: jnp.where(good, leaf, jnp.nan), found)


def _plan(matrices: Float[Array, "d d B"]) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Returns the number s of steps, a number a and a factor f, with |(A / s)^k|_1 <= f a^k for all k and problems.

    a is the largest |A⁴|_1^(1/4) / s, which for most matrices is about half of |A|_1 / s, and at most `_STEP`.
    """
    square = matmul(matrices, matrices)
    size = jnp.max(one_norm(matmul(square, square))) ** 0.25
    norm = jnp.max(one_norm(matrices))
    size = jnp.maximum(jnp.maximum(size, norm / 8), jnp.finfo(norm.dtype).tiny)
    steps = jnp.maximum(jnp.ceil(size / _STEP), 1)
    return steps, size / steps, jnp.maximum(norm / size, 1) ** 3

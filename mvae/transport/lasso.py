"""Quadratic functions plus an l1 norm, minimised by an active set."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mvae.transport.batch_last import cholesky_solve, matvec


def subgradient(
    gradient: Float[Array, "M B"], x: Float[Array, "M B"], l1_weight: Float[Array, "..."] | float
) -> Float[Array, "M B"]:
    """Element of least size of ∂(f + λ|.|_1) at x, where `gradient` is that of f; zero at a minimum.

    Entry m is g_m + λ sign(x_m) where x_m ≠ 0 and else g_m brought towards zero by λ.
    """
    shrunk = jnp.sign(gradient) * jnp.maximum(jnp.abs(gradient) - l1_weight, 0)
    return jnp.where(x == 0, shrunk, gradient + l1_weight * jnp.sign(x))


def lasso_descent(
    hessian: Float[Array, "M M B"],
    gradient: Float[Array, "M B"],
    start: Float[Array, "M B"],
    l1_weight: Float[Array, "..."] | float,
    num_steps: Int[Array, ""] | int,
) -> Float[Array, "M B"]:
    """Lowers ½ (x - s)ᵀ H (x - s) + gᵀ (x - s) + λ|x|_1 from x = s, the problems on the last axis.

    Each step goes towards the minimiser for the present signs and stops where the first coordinate meets zero, which
    then leaves the set; once a step arrives, the coordinate that violates its condition most joins with the sign that
    lowers the function. No step raises it, zeros are exact, and from a start with the right signs one step is enough.

    Args:
        hessian: H, positive definite; a problem where rounding says otherwise stays where it is.
        gradient: g, the gradient of the quadratic part at the start.
        start: s, whose zeros and signs are the first active set.
        l1_weight: λ, one for all problems or one for each.
        num_steps: Steps, whether needed or not.

    Source: [lee2006] (feature-sign search), with the first crossing in the place of a search along the segment.
    """
    identity = jnp.eye(len(start), dtype=start.dtype)[:, :, None]

    def step(_: Int[Array, ""], carry: tuple) -> tuple:
        x, signs, arrived = carry
        slope = gradient + matvec(hessian, x - start)
        signs = jnp.where(arrived, _join(slope, signs, l1_weight), signs)
        active = signs != 0
        reduced = jnp.where(active[:, None] & active[None, :], hessian, identity)
        move = cholesky_solve(reduced, jnp.where(active, -(slope + l1_weight * signs), 0))
        good = jnp.all(jnp.isfinite(move), axis=0)
        move = jnp.where(good, move, 0)
        # A coordinate that has just joined starts at zero and moves the way of its sign.
        crosses = active & (move * signs < 0)
        reach = jnp.where(crosses, -x / jnp.where(crosses, move, 1), jnp.inf)
        first = jnp.min(reach, axis=0)
        leaves = crosses & (reach == first) & (first < 1)
        x = jnp.where(leaves, 0, x + jnp.minimum(first, 1) * move)
        return x, jnp.where(leaves, 0, signs), good & (first >= 1)

    carry = (start, jnp.sign(start), jnp.zeros(start.shape[-1], bool))
    return jax.lax.fori_loop(0, num_steps, step, carry)[0]


def _join(
    slope: Float[Array, "M B"], signs: Float[Array, "M B"], l1_weight: Float[Array, "..."] | float
) -> Float[Array, "M B"]:
    excess = jnp.where(signs == 0, jnp.abs(slope) - l1_weight, -1)
    worst = (excess == jnp.max(excess, axis=0)) & (excess > 0)
    return jnp.where(worst, -jnp.sign(slope), signs)

"""Binet's function, what Stirling's formula leaves of log Γ, and its derivatives."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds.checks import in_float32

_SHIFT = {4: 3, 8: 8}  # by bytes of the dtype: from here on the series is exact, to 1e-9 and 1e-16
_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)


@in_float32
def binet(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns J(x) = log Γ(x) - (x - 1/2) log x + x - log(2π) / 2 for x > 0.

    From 8 on, in float32 from 3 on, by its asymptotic series Σ_k B_2k / (2k (2k - 1) x^(2k - 1)), with Bernoulli
    numbers B (NIST Digital Library of Mathematical Functions, 5.11.1), below by
    J(x) - J(x + 1) = (x + 1/2) log(1 + 1/x) - 1. It falls as 1 / (12 x), so sums in which the large parts of log Γ
    cancel on paper lose nothing to rounding; its derivative is ψ(x) - log x + 1 / (2x).

    >>> round(float(binet(jnp.array(1.0))), 5)  # 1 - log(2π) / 2
    0.08106

    Args:
        x: Positive numbers, (...).

    Returns:
        J(x), (...).
    """
    x = jnp.asarray(x)
    shift = _SHIFT[x.dtype.itemsize]
    small = x < shift
    steps = jnp.where(small, x, 1)[..., None] + jnp.arange(shift, dtype=x.dtype)
    climb = jnp.sum((steps + 0.5) * jnp.log1p(1 / steps) - 1, axis=-1)
    large = jnp.where(small, x + shift, x)
    tail = jnp.zeros_like(x)
    for coefficient in reversed(_SERIES):
        tail = tail / large**2 + coefficient
    return tail / large + jnp.where(small, climb, 0)

"""Ratios of gamma functions half-integers apart, without the difference of two large logarithms."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds.checks import in_float32

_SHIFT = 8  # the series below is used from here on, where its error is 1e-14
_SERIES = (-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432, 691 / 180224)


def _log_half_step(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log Γ(x + 1/2) - log Γ(x) for x > 0: recurrence up to x + 8, from there Stirling's series.

    The coefficient of x^-j is (2^-j - 2) B_(j+1) / (j (j + 1)) for odd j, with Bernoulli numbers B (NIST Digital
    Library of Mathematical Functions, 5.11.8).
    """
    steps = x[..., None] + jnp.arange(_SHIFT, dtype=x.dtype)
    large = x + _SHIFT
    tail = jnp.zeros_like(x)
    for coefficient in reversed(_SERIES):
        tail = tail / large**2 + coefficient
    return 0.5 * jnp.log(large) + tail / large - jnp.sum(jnp.log1p(0.5 / steps), axis=-1)


@in_float32
def log_gamma_ratio(x: Float[Array, "..."], num_halves: int) -> Float[Array, "..."]:
    """Returns log Γ(x + m/2) - log Γ(x) for a whole number m.

    It is Σ_{i < k} log(x + i), and for odd m one step by a half from x + k, where k = ⌊m/2⌋. The error is a few
    roundings of the result, and derivatives are as exact; lgamma(x + m/2) - lgamma(x) has the roundings of lgamma(x),
    in float32 5e-3 at x = 10^4.

    >>> round(float(log_gamma_ratio(jnp.array(0.5), 1)), 4)  # 1 / Γ(1/2)
    -0.5724

    Args:
        x: Positive numbers, (...).
        num_halves: m, zero or more.

    Returns:
        Logarithms, (...).

    Raises:
        ValueError: If m is negative.
    """
    if num_halves < 0:
        raise ValueError(f"num_halves must be zero or more, got {num_halves}")
    x = jnp.asarray(x)
    whole, odd = divmod(num_halves, 2)
    result = jnp.sum(jnp.log(x[..., None] + jnp.expand_dims(jnp.arange(whole, dtype=x.dtype), range(x.ndim))), axis=-1)
    return result + _log_half_step(x + whole) if odd else result

"""The Beta distribution on (0, 1), and products of it over the last axis: density, KL to the uniform one, samples.

p(z) = z^(a - 1) (1 - z)^(b - 1) / B(a, b), a, b > 0; c = a + b throughout. Accuracy is tested for a and b from 0.01
to 10⁴. With J of `binet`, log Γ(c) - log Γ(a) - log Γ(b) has no large terms that cancel in rounding: in float32 the
difference of three lgammas is wrong by 0.01 at a = b = 10⁴.

Source: the posterior of [golikov2018, Sec. 4].
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.distributions.beta_pathwise import with_pathwise_derivative
from mvae.distributions.binet import binet
from mvae.manifolds.checks import in_float32, is_half

_LOG_2PI = math.log(2 * math.pi)


@in_float32
def beta_log_prob(
    a: Float[Array, "*#batch n"], b: Float[Array, "*#batch n"], z: Float[Array, "*#batch n"]
) -> Float[Array, "*batch"]:
    """Log density Σ_i (a_i - 1) log z_i + (b_i - 1) log(1 - z_i) - log B(a_i, b_i).

    Computed as the deviance from the mean m = a / c,
    a log(z / m) + b log((1 - z) / (1 - m)) - log(z (1 - z)) + (log(a b / c) - log 2π) / 2 + J(c) - J(a) - J(b).

    Args:
        a: First parameters, positive, (..., n).
        b: Second parameters, positive, (..., n).
        z: Points of (0, 1)^n, (..., n); at 0 or 1 the value is infinite or not a number.

    Returns:
        Log densities, (...).
    """
    a, b, z = jnp.broadcast_arrays(a, b, z)
    c = a + b
    off = jnp.where(z < 0.5, z - a / c, b / c - (1 - z))  # from the nearer end, where numbers are finer
    deviance = a * _log_ratio(off, z, a / c) + b * _log_ratio(-off, 1 - z, b / c)
    normaliser = 0.5 * (jnp.log(a) + jnp.log(b / c) - _LOG_2PI) + binet(c) - binet(a) - binet(b)
    return jnp.sum(deviance - jnp.log(z) - jnp.log1p(-z) + normaliser, axis=-1)


def _log_ratio(off: Float[Array, "..."], x: Float[Array, "..."], y: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns log(x / y), given x - y too, which says more where x is near y."""
    near = jnp.abs(off) < 0.5 * y
    return jnp.where(near, jnp.log1p(jnp.where(near, off, 0) / y), jnp.log(jnp.where(near, 1, x)) - jnp.log(y))


@in_float32
def beta_kl_to_uniform(a: Float[Array, "*#batch n"], b: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
    """KL to the uniform distribution on (0, 1)^n in nats, minus the entropy.

      Σ (a - 1) ψ(a) + (b - 1) ψ(b) - (c - 2) ψ(c) - log B(a, b)
        = Σ (3 log c - log a - log b - log 2π - 1) / 2 + G(a, 1) + G(b, 1) - G(c, 2),
      G(x, k) = k / (2x) + (x - k) J'(x) - J(x).

    At a = b = 1 it vanishes to second order; within rounding of that, 10⁻⁶ in float32, it may be negative.

    Args:
        a: First parameters, positive, (..., n).
        b: Second parameters, positive, (..., n).

    Returns:
        KL, (...).
    """
    a, b = jnp.broadcast_arrays(a, b)
    c = a + b
    logs = 1.5 * jnp.log(c) - 0.5 * jnp.log(a) - 0.5 * jnp.log(b) - 0.5 * (_LOG_2PI + 1)
    return jnp.sum(logs + _entropy_part(a, 1) + _entropy_part(b, 1) - _entropy_part(c, 2), axis=-1)


def _entropy_part(x: Float[Array, "..."], k: int) -> Float[Array, "..."]:
    value, slope = jax.jvp(binet, (x,), (jnp.ones_like(x),))
    return k / (2 * x) + (x - k) * slope - value


def sample_beta(
    key: Key[Array, ""], a: Float[Array, "*#batch"], b: Float[Array, "*#batch"], shape: tuple[int, ...] = ()
) -> Float[Array, "..."]:
    """Draws from Beta(a, b), differentiable in a and b.

    z = 1 / (1 + exp(-y)), y the difference of the logarithms of two gamma variates. The derivative is the implicit
    one, dz/da = -(∂F/∂a) / p(z) with the distribution function F: a function of z, a and b alone, so that mean
    derivatives of f(z) are derivatives of the mean with no more noise than z brings. `jax.random.beta` differentiates
    the two variates instead, which is right in the mean too, but noisier and slower.

    Draws are held in [tiny, 1 - eps / 2], the least and greatest number in (0, 1) of the dtype with its logarithms
    finite, and have derivative 0 where held. That touches distributions with much of their mass next to 0 or 1 alone:
    next to 1 float32 has no finer steps than 6·10⁻⁸, and Beta(a, b) gives about (6·10⁻⁸)^b to what lies beyond.

    Args:
        key: Source of the draws.
        a: First parameters, positive, (...).
        b: Second parameters, positive, (...), in the dtype of a.
        shape: Leading axes of the result.

    Returns:
        Numbers in (0, 1), (*shape, ...); NaN where a or b is not a positive number.

    Raises:
        ValueError: For a dtype of 16 bits.
    """
    a, b = jnp.broadcast_arrays(a, b)
    if is_half(a) or is_half(b):
        raise ValueError(f"a and b must be float32 or float64, got {a.dtype}: 16 bits have few numbers next to 1")
    a, b = jnp.broadcast_to(a, (*shape, *a.shape)), jnp.broadcast_to(b, (*shape, *b.shape))
    log_gammas = _log_gamma_variates(key, jax.lax.stop_gradient(jnp.stack([a, b])))
    z = jax.nn.sigmoid(with_pathwise_derivative(log_gammas[0] - log_gammas[1], a, b))
    limits = jnp.finfo(z.dtype)
    return jnp.clip(z, float(limits.tiny), 1 - float(limits.epsneg))


def _log_gamma_variates(key: Key[Array, ""], alpha: Float[Array, "..."]) -> Float[Array, "..."]:
    """Logarithms of gamma variates by the rejection of [marsaglia2000], in whole batches.

    A round accepts each entry with a chance above 0.95, and another follows while any entry waits: some three rounds
    for a thousand. `jax.random.loggamma` has a key and a loop for every entry, at four times the cost. Below alpha = 1
    the variate is that of alpha + 1 times U^(1 / alpha). Where alpha is not a positive number the variate is NaN, and
    no round waits for it.
    """
    key_rounds, key_boost = jax.random.split(key)
    valid = (alpha > 0) & jnp.isfinite(alpha)
    d = jnp.where(alpha < 1, alpha + 1, alpha) - 1 / 3
    scale = 1 / (3 * jnp.sqrt(d))
    tiny = float(jnp.finfo(alpha.dtype).tiny)

    def another(state):
        round_index, log_v, accepted = state
        key_normal, key_uniform = jax.random.split(jax.random.fold_in(key_rounds, round_index))
        x = jax.random.normal(key_normal, alpha.shape, alpha.dtype)
        log_u = jnp.log(jax.random.uniform(key_uniform, alpha.shape, alpha.dtype, minval=tiny))
        positive = scale * x > -1
        proposed = 3 * jnp.log1p(jnp.where(positive, scale * x, 0))
        accept = positive & (log_u < x**2 / 2 + d * (proposed - jnp.expm1(proposed)))
        return round_index + 1, jnp.where(accepted, log_v, proposed), accepted | accept

    start = (jnp.int32(0), jnp.zeros_like(alpha), ~valid)
    _, log_v, _ = jax.lax.while_loop(lambda state: ~jnp.all(state[2]), another, start)
    boost = jax.random.exponential(key_boost, alpha.shape, alpha.dtype) / alpha
    return jnp.where(valid, jnp.log(d) + log_v - jnp.where(alpha < 1, boost, 0), jnp.nan)

"""The density of a randomly transported point with its coefficients integrated out, by importance sampling."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.methods.vaells.transport_density import TransportDistribution
from mvae.models.likelihood import LOG_TWO_PI
from mvae.transport import transport


def log_marginal_density(
    key: Key[Array, ""],
    distribution: TransportDistribution,
    operators: Float[Array, "M d d"],
    location: Float[Array, "*#batch d"],
    z: Float[Array, "*#batch d"],
    coefficients: Float[Array, "*batch M"],
    *,
    num_draws: int,
) -> Float[Array, "*batch"]:
    """Estimates log q(z | μ) = log ∫ N(z; exp(Σ_m c_m Ψ_m) μ, γ² I) Laplace(c; 0, b) dc, in nats.

    (1/K) Σ_k N(z; T(c_k) μ, γ² I) q(c_k)/r(c_k) with c_k from r = ½ Laplace(0, b) + ½ N(c*, S), where c* are inferred
    coefficients, J the derivative of T(c) μ there and S = (JᵀJ/γ² + I/(2b²))⁻¹. The weights are at most twice the
    largest value of N, and the estimate of the density, not of its logarithm, has no bias. Unlike the largest value of
    the integrand, in whose place it stands, the integral is a normalised density.

    Args:
        key: Source of the draws.
        distribution: γ and b.
        operators: Ψ.
        location: μ, (..., d).
        z: Points, (..., d).
        coefficients: c*, (..., M).
        num_draws: K, rounded up to an even number.

    Raises:
        ValueError: If num_draws is less than 1.
    """
    if num_draws < 1:
        raise ValueError(f"num_draws must be at least 1, got {num_draws}")
    half = -(-num_draws // 2)
    laplace_key, normal_key = jax.random.split(key)
    size, b = len(operators), distribution.laplace_scale
    batch = coefficients.shape[:-1]

    def moved(c: Float[Array, "*batch M"]) -> Float[Array, "*batch d"]:
        return transport(operators, c, location)

    directions = jnp.broadcast_to(
        jnp.eye(size, dtype=z.dtype)[(slice(None), *(None,) * len(batch))], (size, *batch, size)
    )
    jacobian = jax.vmap(lambda v: jax.jvp(moved, (coefficients,), (v,))[1])(directions)
    precision = jnp.einsum("i...d,j...d->...ij", jacobian, jacobian, precision="highest") / distribution.noise_scale**2
    precision += jnp.eye(size, dtype=z.dtype) / (2 * b**2)
    lower = jnp.linalg.cholesky(precision)
    log_det = jnp.sum(jnp.log(jnp.diagonal(lower, axis1=-2, axis2=-1)), axis=-1)
    normal = jax.random.normal(normal_key, (half, *batch, size), z.dtype)
    steps = jax.scipy.linalg.solve_triangular(
        jnp.broadcast_to(jnp.swapaxes(lower, -1, -2), (half, *batch, size, size)), normal[..., None], lower=False
    )[..., 0]
    drawn = jnp.concatenate([b * jax.random.laplace(laplace_key, normal.shape, z.dtype), coefficients + steps])
    white = jnp.einsum("...ji,k...j->k...i", lower, drawn - coefficients, precision="highest")
    log_normal = -0.5 * jnp.sum(white**2, axis=-1) + log_det - 0.5 * size * LOG_TWO_PI
    log_laplace = -jnp.sum(jnp.abs(drawn), axis=-1) / b - size * math.log(2 * b)
    residual = z - moved(drawn)
    log_noise = -0.5 * jnp.sum(residual**2, axis=-1) / distribution.noise_scale**2
    log_noise -= z.shape[-1] * (0.5 * LOG_TWO_PI + math.log(distribution.noise_scale))
    log_weights = log_noise + log_laplace - jnp.logaddexp(log_normal, log_laplace) + math.log(2.0)
    return logsumexp(log_weights, axis=0) - math.log(2 * half)

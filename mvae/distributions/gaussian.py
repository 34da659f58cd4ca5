"""Gaussian distributions with independent coordinates: density, samples, KL to the standard normal distribution."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Key


class GaussianPosterior(NamedTuple):
    """N(location, diag(variance)): the distribution q(z | x).

    Attributes:
        location: Means, (..., d).
        variance: Variance of each coordinate, (..., d).
    """

    location: Float[Array, "... d"]
    variance: Float[Array, "... d"]


def sample_gaussian(key: Key[Array, ""], q: GaussianPosterior, shape: tuple[int, ...] = ()) -> Float[Array, "... d"]:
    """Returns m + √v ε with ε from N(0, I), (*shape, ..., d)."""
    noise = jax.random.normal(key, (*shape, *q.location.shape), q.location.dtype)
    return q.location + jnp.sqrt(q.variance) * noise


def gaussian_log_prob(q: GaussianPosterior, z: Float[Array, "... d"]) -> Float[Array, "..."]:
    """Returns log N(z; m, diag v) = Σ_i log N(z_i; m_i, v_i); leading axes broadcast."""
    return jnp.sum(norm.logpdf(z, q.location, jnp.sqrt(q.variance)), axis=-1)


def gaussian_kl(q: GaussianPosterior) -> Float[Array, "..."]:
    """Returns KL(N(m, diag v) ‖ N(0, I)) = ½ Σ_i (v_i + m_i² - 1 - log v_i), in nats."""
    m, v = q
    return 0.5 * jnp.sum(v + m**2 - 1 - jnp.log(v), axis=-1)


def gaussian_log_ratio(q: GaussianPosterior, z: Float[Array, "... d"]) -> Float[Array, "..."]:
    """Returns log N(z; 0, I) - log N(z; m, diag v), in nats."""
    return jnp.sum(norm.logpdf(z) - norm.logpdf(z, q.location, jnp.sqrt(q.variance)), axis=-1)

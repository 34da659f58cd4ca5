"""The usual VAE: a Gaussian posterior with one variance for each direction (Kingma & Welling 2014)."""

import dataclasses

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from mvae.methods.gaussian import GaussianConfig, GaussianPosterior, Prior, gaussian_model
from mvae.models.model import Model


@dataclasses.dataclass(frozen=True, kw_only=True)
class VAEConfig(GaussianConfig):
    """Everything that makes a VAE apart from the data: what `GaussianConfig` has."""


def gaussian_kl(posterior: GaussianPosterior) -> Float[Array, "..."]:
    """Returns KL(N(m, diag v) ‖ N(0, I)) = ½ Σ_i (v_i + m_i² - 1 - log v_i), in nats."""
    m, v = posterior
    return 0.5 * jnp.sum(v + m**2 - 1 - jnp.log(v), axis=-1)


def gaussian_log_ratio(q: GaussianPosterior, z: Float[Array, "... d"]) -> Float[Array, "..."]:
    """Returns log N(z; 0, I) - log N(z; m, diag v), in nats."""
    return jnp.sum(norm.logpdf(z) - norm.logpdf(z, q.location, jnp.sqrt(q.variance)), axis=-1)


def vae(config: VAEConfig) -> Model:
    """Builds the VAE; with β ≠ 1 the β-VAE, with a capacity the one of Burgess et al. 2018 (arXiv:1804.03599).

    In `LossTerms`, `time` is the mean variance of the posterior.

    Args:
        config: The typed configuration.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    standard_normal = Prior(
        init=lambda key, batch: {},
        kl=lambda params, q, z: gaussian_kl(q),
        log_ratio=lambda params, q, z: gaussian_log_ratio(q, z),
        sample=lambda params, key, num: jax.random.normal(key, (num, config.dim)),
    )
    return gaussian_model(config, lambda encode: standard_normal)

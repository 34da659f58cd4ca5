"""A method of one's own: an autoencoder whose posteriors are independent Laplace distributions on R^d.

    python -m mvae.main --config=examples/laplace.py --workdir=runs/laplace

The ELBO, the importance weights, training and figures are those of every autoencoder. Run time on two CPU cores: a
minute.
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import stats

from mvae.methods import METHODS, Method, euclidean, one_stage
from mvae.models import Drawn, Latent, VariationalConfig, autoencoder
from mvae.nets import Head
from mvae.runs import default_config


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaplaceConfig(VariationalConfig):
    """Beside what `VariationalConfig` has, the scale of every coordinate of the posterior at initialisation."""

    initial_scale: float = 0.2


class LaplacePosterior(NamedTuple):
    """The density Π exp(-|z_i - m_i| / s_i) / 2 s_i, with m the location and s the scale."""

    location: jax.Array
    scale: jax.Array


def kl(params, q, drawn):
    """KL(q ‖ N(0, I)) = Σ (m² + 2 s²) / 2 + log(2π) / 2 - 1 - log 2s."""
    terms = (q.location**2 + 2 * q.scale**2 + math.log(2 * math.pi)) / 2 - 1 - jnp.log(2 * q.scale)
    return jnp.sum(terms, -1)


def draw(key, q, shape=()):
    z = q.location + q.scale * jax.random.laplace(key, (*shape, *q.location.shape))
    return Drawn(z, z)


def log_ratio(params, q, drawn):
    return jnp.sum(stats.norm.logpdf(drawn.z) - stats.laplace.logpdf(drawn.z, q.location, q.scale), -1)


def laplace(config, networks=None):
    heads = {"location": Head(config.dim), "log_scale": Head(config.dim, math.log(config.initial_scale))}
    latent = Latent(
        manifold=config.manifold,
        heads=heads,
        posterior=lambda params, outputs: LaplacePosterior(outputs["location"], jnp.exp(outputs["log_scale"])),
        draw=draw,
        kl=kl,
        log_ratio=log_ratio,
        sample_prior=lambda params, key, num: jax.random.normal(key, (num, config.dim)),
        terms=lambda q: {"scale": jnp.mean(q.scale, -1)},
    )
    return autoencoder(config, lambda encode: latent, networks)


METHODS["laplace"] = Method(
    "laplace",
    LaplaceConfig,
    lambda inputs: one_stage(laplace, inputs),
    latent=euclidean,
    model=lambda config, num_train, networks: laplace(config, networks),
)


def get_config():
    return default_config("laplace", data="simple_picture:size=16", manifold="euclidean:2")

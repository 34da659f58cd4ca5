"""The usual VAE: a Gaussian posterior with one variance for each direction (Kingma & Welling 2014)."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Key

from mvae.manifolds import Euclidean
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params
from mvae.models.variational import VariationalConfig
from mvae.nets import build_nets

Apply = Callable[..., Any]


class GaussianPosterior(NamedTuple):
    """N(location, diag(variance)): the law q(z | x).

    Attributes:
        location: Means, (..., d).
        variance: Variance of each coordinate, (..., d).
    """

    location: Float[Array, "... d"]
    variance: Float[Array, "... d"]


@dataclasses.dataclass(frozen=True)
class VAEConfig(VariationalConfig):
    """Everything that makes a VAE apart from the data, beside what `VariationalConfig` has.

    Attributes:
        dim: Dimension d of the latent space.
        initial_variance: Variance of the posterior at initialisation, the same for every picture and direction.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    dim: int
    initial_variance: float

    def __post_init__(self):
        if self.dim < 1:
            raise ValueError(f"dim must be at least 1, got {self.dim}")
        if not (math.isfinite(self.initial_variance) and self.initial_variance > 0):
            raise ValueError(f"initial_variance must be a positive number, got {self.initial_variance}")
        super().__post_init__()


def gaussian_kl(posterior: GaussianPosterior) -> Float[Array, "..."]:
    """Returns KL(N(m, diag v) ‖ N(0, I)) = ½ Σ_i (v_i + m_i² - 1 - log v_i), in nats."""
    m, v = posterior
    return 0.5 * jnp.sum(v + m**2 - 1 - jnp.log(v), axis=-1)


def vae(config: VAEConfig) -> Model:
    """Builds the VAE; with β ≠ 1 the β-VAE, with a capacity the one of Burgess et al. 2018 (arXiv:1804.03599).

    In `LossTerms`, `time` is the mean variance of the posterior.

    Args:
        config: The typed configuration.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    encoder, decoder = build_nets(
        config.net,
        config.encoder_widths,
        config.decoder_widths,
        config.image_shape,
        ambient_dim=config.dim,
        initial_log_time=math.log(config.initial_variance),
        num_times=config.dim,
    )
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, decoder_key = jax.random.split(key)
        return {
            "encoder": encoder.init(encoder_key, batch["image"][:1]),
            "decoder": decoder.init(decoder_key, jnp.zeros((1, config.dim))),
            "likelihood": likelihood.params,
        }

    def encode(params: Params, image: Array) -> GaussianPosterior:
        location, log_variance = encoder_apply(params["encoder"], image)
        return GaussianPosterior(location, jnp.exp(log_variance))

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def sample_posterior(key: Key[Array, ""], q: GaussianPosterior, shape: tuple[int, ...] = ()) -> Array:
        noise = jax.random.normal(key, (*shape, *q.location.shape), q.location.dtype)
        return q.location + jnp.sqrt(q.variance) * noise

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        image = batch["image"]
        q = encode(params, image)
        output = decoder_apply(params["decoder"], sample_posterior(key, q))
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        kl = gaussian_kl(q)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        loss = config.loss(reconstruction, kl, step)
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, jnp.mean(q.variance, axis=-1))

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        image = batch["image"]
        q = encode(params, image)
        z = sample_posterior(key, q, (num_samples,))
        output = decoder_apply(params["decoder"], z.reshape(-1, config.dim))
        tiled = jnp.broadcast_to(image, (num_samples, *image.shape)).reshape(output.shape)
        log_likelihoods = likelihood.log_prob(params["likelihood"], tiled, output).reshape(num_samples, -1)
        log_ratios = jnp.sum(norm.logpdf(z) - norm.logpdf(z, q.location, jnp.sqrt(q.variance)), axis=-1)
        return logsumexp(log_likelihoods + log_ratios, axis=0) - math.log(num_samples)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num h w c"]:
        return decode(params, jax.random.normal(key, (num, config.dim)))

    manifold = Euclidean(config.dim)
    return Model(manifold, init, encode, decode, sample_posterior, loss_terms, log_likelihood, sample)

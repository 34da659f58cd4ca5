"""Hyperspherical VAE (Davidson et al. 2018, arXiv:1804.00891) with a power spherical posterior."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.distributions.power_spherical import power_spherical_kl, power_spherical_log_prob, sample_power_spherical
from mvae.manifolds import Sphere
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params
from mvae.models.objective import VariationalConfig
from mvae.nets import build_nets

Apply = Callable[..., Any]


class PowerSphericalPosterior(NamedTuple):
    """Power spherical law: the law q(z | x).

    Attributes:
        location: Centres μ, points of the unit sphere, (..., n).
        concentration: κ, (...); near μ the law is normal with variance 2 / κ in each tangent direction.
    """

    location: Float[Array, "... n"]
    concentration: Float[Array, "..."]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SVAEConfig(VariationalConfig):
    """Everything that makes a hyperspherical VAE apart from the data, beside what `VariationalConfig` has.

    Attributes:
        dim: Dimension d of the latent sphere, of radius 1 in R^(d+1).
        initial_concentration: Concentration κ of the posterior at initialisation, the same for every picture. From
            there log κ is the output of a linear layer, unbounded on both sides.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    dim: int
    initial_concentration: float = 3.0

    def __post_init__(self):
        if self.dim < 1:
            raise ValueError(f"dim must be at least 1, got {self.dim}")
        if not (math.isfinite(self.initial_concentration) and self.initial_concentration > 0):
            raise ValueError(f"initial_concentration must be a positive number, got {self.initial_concentration}")
        super().__post_init__()


def svae(config: SVAEConfig) -> Model:
    """Builds the hyperspherical VAE: uniform prior on S^d, power spherical posterior with one concentration.

    loss(x) = -E_{z ~ q(x)}[log p(x | z)] + β KL(q(x) ‖ uniform), or with a capacity β |KL - C|. Davidson et al. have
    von Mises-Fisher posteriors, whose samples are drawn by rejection, with a term of the gradient to correct for it;
    those of De Cao & Aziz 2020 (arXiv:2006.04437) need neither, and their KL is a sum of elementary functions.

    In `LossTerms`, `time` is the mean squared chord from the location per tangent direction, E|z - μ|²/d = 2 / (κ + d),
    which for large κ is the variance in each direction, as it is for the time of a diffusion.

    Args:
        config: The typed configuration.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    manifold = Sphere(config.dim)
    encoder, decoder = build_nets(
        config.net,
        config.encoder_widths,
        config.decoder_widths,
        config.event_shape,
        ambient_dim=manifold.ambient_dim,
        initial_log_time=math.log(config.initial_concentration),
    )
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, decoder_key = jax.random.split(key)
        return {
            "encoder": encoder.init(encoder_key, batch["x"][:1]),
            "decoder": decoder.init(decoder_key, jnp.zeros((1, manifold.ambient_dim))),
            "likelihood": likelihood.params,
        }

    def encode(params: Params, image: Array) -> PowerSphericalPosterior:
        point, log_concentration = encoder_apply(params["encoder"], image)
        return PowerSphericalPosterior(manifold.project(point), jnp.exp(log_concentration[:, 0]))

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def sample_posterior(key: Key[Array, ""], q: PowerSphericalPosterior, shape: tuple[int, ...] = ()) -> Array:
        location = jnp.broadcast_to(q.location, (*shape, *q.location.shape))
        return sample_power_spherical(key, location, jnp.broadcast_to(q.concentration, location.shape[:-1]))

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        image = batch["x"]
        q = encode(params, image)
        output = decoder_apply(params["decoder"], sample_posterior(key, q))
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        kl = power_spherical_kl(q.concentration, config.dim)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        loss = config.loss(reconstruction, kl, step)
        spread = 2 / (q.concentration + config.dim)
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, spread)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        image = batch["x"]
        q = encode(params, image)
        z = sample_posterior(key, q, (num_samples,))
        output = decoder_apply(params["decoder"], z.reshape(-1, manifold.ambient_dim))
        tiled = jnp.broadcast_to(image, (num_samples, *image.shape)).reshape(output.shape)
        log_likelihoods = likelihood.log_prob(params["likelihood"], tiled, output).reshape(num_samples, -1)
        log_ratios = -manifold.log_volume - power_spherical_log_prob(*q, z)
        return logsumexp(log_likelihoods + log_ratios, axis=0) - math.log(num_samples)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        return decode(params, manifold.uniform(key, (num,)))

    return Model(manifold, init, encode, decode, sample_posterior, loss_terms, log_likelihood, sample)

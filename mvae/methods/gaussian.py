"""What the VAEs with a Gaussian posterior share: networks, posterior, bound and likelihood, given a prior."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Euclidean
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params
from mvae.models.objective import VariationalConfig
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianConfig(VariationalConfig):
    """Latent space and posterior, beside what `VariationalConfig` has.

    Attributes:
        dim: Dimension d of the latent space.
        initial_variance: Variance of the posterior at initialisation, the same for every picture and direction.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    dim: int
    initial_variance: float = 0.1

    def __post_init__(self):
        if self.dim < 1:
            raise ValueError(f"dim must be at least 1, got {self.dim}")
        if not (math.isfinite(self.initial_variance) and self.initial_variance > 0):
            raise ValueError(f"initial_variance must be a positive number, got {self.initial_variance}")
        super().__post_init__()


class Prior(NamedTuple):
    """The law p(z) of a latent-variable model, which may have parameters of its own.

    Attributes:
        init: (key, batch) -> its parameters, entries beside "encoder", "decoder" and "likelihood".
        kl: (params, posterior, z) -> KL(q(z | x) ‖ p(z)) or an unbiased estimate of it from z, one draw of the
            posterior, (b,), in nats.
        log_ratio: (params, posterior, z) -> log p(z) - log q(z | x), (...), in nats.
        sample: (params, key, num) -> draws, (num, d).
    """

    init: Callable[[Key[Array, ""], Batch], dict[str, Array]]
    kl: Callable[[Params, GaussianPosterior, Array], Float[Array, " b"]]
    log_ratio: Callable[[Params, GaussianPosterior, Array], Float[Array, "..."]]
    sample: Callable[[Params, Key[Array, ""], int], Float[Array, "num d"]]


Encode = Callable[[Params, Array], GaussianPosterior]


def sample_gaussian(key: Key[Array, ""], q: GaussianPosterior, shape: tuple[int, ...] = ()) -> Float[Array, "... d"]:
    """Returns m + √v ε with ε from N(0, I), (*shape, ..., d)."""
    noise = jax.random.normal(key, (*shape, *q.location.shape), q.location.dtype)
    return q.location + jnp.sqrt(q.variance) * noise


def gaussian_model(config: GaussianConfig, make_prior: Callable[[Encode], Prior]) -> Model:
    """Builds the VAE with the posterior N(m(x), diag v(x)) and a prior.

    In `LossTerms`, `time` is the mean variance of the posterior.

    Args:
        config: The typed configuration.
        make_prior: Returns the prior, given the encoder as (params, image) -> posterior.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder", "likelihood" and those of the prior.
    """
    encoder, decoder = build_nets(
        config.net,
        config.encoder_widths,
        config.decoder_widths,
        config.event_shape,
        ambient_dim=config.dim,
        initial_log_time=math.log(config.initial_variance),
        num_times=config.dim,
    )
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()

    def encode(params: Params, image: Array) -> GaussianPosterior:
        location, log_variance = encoder_apply(params["encoder"], image)
        return GaussianPosterior(location, jnp.exp(log_variance))

    prior = make_prior(encode)

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, decoder_key = jax.random.split(key)
        nets = {
            "encoder": encoder.init(encoder_key, batch["x"][:1]),
            "decoder": decoder.init(decoder_key, jnp.zeros((1, config.dim))),
            "likelihood": likelihood.params,
        }
        return nets | prior.init(jax.random.fold_in(key, 0), batch)

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        image = batch["x"]
        q = encode(params, image)
        z = sample_gaussian(key, q)
        output = decoder_apply(params["decoder"], z)
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        kl = prior.kl(params, q, z)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        loss = config.loss(reconstruction, kl, step)
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, jnp.mean(q.variance, axis=-1))

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        image = batch["x"]
        q = encode(params, image)
        z = sample_gaussian(key, q, (num_samples,))
        output = decoder_apply(params["decoder"], z.reshape(-1, config.dim))
        tiled = jnp.broadcast_to(image, (num_samples, *image.shape)).reshape(output.shape)
        log_likelihoods = likelihood.log_prob(params["likelihood"], tiled, output).reshape(num_samples, -1)
        return logsumexp(log_likelihoods + prior.log_ratio(params, q, z), axis=0) - math.log(num_samples)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        return decode(params, prior.sample(params, key, num))

    return Model(Euclidean(config.dim), init, encode, decode, sample_gaussian, loss_terms, log_likelihood, sample)

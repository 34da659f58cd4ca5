"""ΔVAE: the posterior is Brownian motion on the latent manifold (dvae.md)."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae import diffusion
from mvae.diffusion import is_expansion, kl_to_uniform, log_heat_kernel, log_prior, random_walk
from mvae.manifolds import Manifold, ProjectiveSpace
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params, Posterior
from mvae.models.objective import VariationalConfig
from mvae.models.principal_start import fit_principal_head
from mvae.models.spectral_start import fit_spectral_head
from mvae.nets import build_nets
from mvae.nets.head import HEAD

KL_METHODS = ("exact", "asymptotic")
SAMPLERS = ("walk", "exact")
ENCODER_INITS = ("random", "principal", "spectral")
Apply = Callable[..., Any]  # flax's own annotation allows for mutable collections, which there are none of here


@dataclasses.dataclass(frozen=True, kw_only=True)
class DVAEConfig(VariationalConfig):
    """Everything that makes a ΔVAE apart from the data, beside what `VariationalConfig` has.

    Attributes:
        manifold: The latent space; Euclidean space makes the usual VAE with one variance for all directions.
        sampler: What draws from the posterior: "walk", the projection walk of the paper, or "exact", one step
            with the law of Brownian motion itself, where the manifold has it.
        num_walk_steps: Steps N of the walk.
        kl: "exact" or "asymptotic", see `mvae.diffusion.kl_to_uniform`.
        encoder_init: Where the encoder's last layer starts: "random"; "principal", fitted to the principal components
            of a batch, see `fit_principal_head`; or "spectral", fitted to its diffusion map, see `fit_spectral_head`.
        initial_time: Diffusion time at initialisation, the same for every picture. From there log t is
            the output of a linear layer, unbounded on both sides.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    manifold: Manifold
    sampler: str = "walk"
    num_walk_steps: int = 10
    kl: str = "exact"
    encoder_init: str = "principal"
    initial_time: float = 0.05

    def __post_init__(self):
        if self.kl not in KL_METHODS:
            raise ValueError(f"kl must be one of {', '.join(KL_METHODS)}, got {self.kl!r}")
        if self.encoder_init not in ENCODER_INITS:
            raise ValueError(f"encoder_init must be one of {', '.join(ENCODER_INITS)}, got {self.encoder_init!r}")
        if not (math.isfinite(self.initial_time) and self.initial_time > 0):
            raise ValueError(f"initial_time must be a positive number, got {self.initial_time}")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        if self.num_walk_steps < 1:
            raise ValueError(f"num_walk_steps must be at least 1, got {self.num_walk_steps}")
        super().__post_init__()


def dvae(config: DVAEConfig) -> Model:
    """Builds the ΔVAE.

    loss(x) = -E_{z ~ q(x)}[log p(x | z)] + β KL(q(x) ‖ prior), where q(x) is Brownian motion from z(x) for the
    time t(x), drawn by a projection walk, and the prior is uniform (standard normal on Euclidean space). With a
    capacity C, which rises during training, the last term is β |KL(q(x) ‖ prior) - C| (hyperspherical_dvae.md, Eq. 2).
    `log_likelihood` raises NotImplementedError where the density of the posterior is not known, on `Implicit`
    manifolds and products with one.

    Args:
        config: The typed configuration.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    manifold = config.manifold
    encoder, decoder = build_nets(
        config.net,
        config.encoder_widths,
        config.decoder_widths,
        config.event_shape,
        ambient_dim=manifold.ambient_dim,
        initial_log_time=math.log(config.initial_time),
        even=isinstance(manifold, ProjectiveSpace),
    )
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, head_key, decoder_key = jax.random.split(key, 3)
        encoder_params: Params = encoder.init(encoder_key, batch["x"][:1])
        if config.encoder_init != "random":
            image = batch["x"]
            hidden = encoder_apply(encoder_params, image, method=encoder.hidden)
            if config.encoder_init == "principal":
                kernel, bias = fit_principal_head(head_key, manifold, hidden)
            else:
                kernel, bias = fit_spectral_head(head_key, manifold, hidden, image)
            head = {"kernel": jnp.pad(kernel, ((0, 0), (0, 1))), "bias": jnp.pad(bias, (0, 1))}
            encoder_params = {"params": {**encoder_params["params"], HEAD: head}}
        decoder_params = decoder.init(decoder_key, jnp.zeros((1, manifold.ambient_dim)))
        return {"encoder": encoder_params, "decoder": decoder_params, "likelihood": likelihood.params}

    def encode(params: Params, image: Array) -> Posterior:
        point, log_time = encoder_apply(params["encoder"], image)
        return Posterior(manifold.project(point), jnp.exp(log_time[:, 0]))

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def sample_posterior(key: Key[Array, ""], q: Posterior, shape: tuple[int, ...] = ()) -> Array:
        location = jnp.broadcast_to(q.location, (*shape, *q.location.shape))
        time = jnp.broadcast_to(q.time, location.shape[:-1])
        if config.sampler == "exact":
            return diffusion.sample(key, manifold, location, time)
        return random_walk(key, manifold, location, time, num_steps=config.num_walk_steps)

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        image = batch["x"]
        q = encode(params, image)
        output = decoder_apply(params["decoder"], sample_posterior(key, q))
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        kl = kl_to_uniform(manifold, q.time, q.location, method=config.kl)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        loss = config.loss(reconstruction, kl, step)
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, q.time)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        if is_expansion(manifold):
            raise NotImplementedError(
                f"no log-likelihood on {manifold!r}: it needs the density of the posterior, and the heat kernel is "
                "known there as an expansion for small times only"
            )
        image = batch["x"]
        q = encode(params, image)
        z = sample_posterior(key, q, (num_samples,))
        output = decoder_apply(params["decoder"], z.reshape(-1, manifold.ambient_dim))
        tiled = jnp.broadcast_to(image, (num_samples, *image.shape)).reshape(output.shape)
        log_likelihoods = likelihood.log_prob(params["likelihood"], tiled, output)
        log_weights = (
            log_likelihoods.reshape(num_samples, -1)
            + log_prior(manifold, z)
            - log_heat_kernel(manifold, q.time, q.location, z)
        )
        return logsumexp(log_weights, axis=0) - math.log(num_samples)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        return decode(params, manifold.uniform(key, (num,)))

    return Model(manifold, init, encode, decode, sample_posterior, loss_terms, log_likelihood, sample)

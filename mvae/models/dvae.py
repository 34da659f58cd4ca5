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
from mvae.models.head_init import fit_principal_head
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params, Posterior
from mvae.models.spectral_init import fit_spectral_head
from mvae.nets import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder
from mvae.nets.head import HEAD

KL_METHODS = ("exact", "asymptotic")
SAMPLERS = ("walk", "exact")
ENCODER_INITS = ("random", "principal", "spectral")
NETS = ("mlp", "conv", "circular_conv")
Apply = Callable[..., Any]  # flax's own annotation allows for mutable collections, which there are none of here


@dataclasses.dataclass(frozen=True)
class DVAEConfig:
    """Everything that makes a ΔVAE apart from the data.

    Attributes:
        manifold: The latent space; Euclidean space makes the usual VAE with one variance for all directions.
        image_shape: (height, width, channels).
        net: "mlp"; "conv", layers of 4 × 4 filters with stride 2; or "circular_conv", the same for pictures that
            are periodic.
        encoder_widths: Widths of the hidden layers of the encoder, for convolutions their channels.
        decoder_widths: The same of the decoder, from the latent space on.
        likelihood: One of `mvae.models.likelihood.LIKELIHOODS`.
        sampler: What draws from the posterior: "walk", the projection walk of the paper, or "exact", one step
            with the law of Brownian motion itself, where the manifold has it.
        num_walk_steps: Steps N of the walk.
        kl: "exact" or "asymptotic", see `mvae.diffusion.kl_to_uniform`.
        encoder_init: Where the encoder's last layer starts: "random"; "principal", fitted to the principal components
            of a batch, see `fit_principal_head`; or "spectral", fitted to its diffusion map, see `fit_spectral_head`.
        initial_time: Diffusion time at initialisation, the same for every picture. From there log t is
            the output of a linear layer, unbounded on both sides.
        beta: Weight of the KL, or of its distance from the capacity.
        min_capacity: Capacity C at step 0, in nats.
        max_capacity: Capacity that C rises to, linearly; None for no capacity.
        capacity_steps: Steps over which it rises; needed with a `max_capacity`.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    manifold: Manifold
    image_shape: tuple[int, int, int]
    net: str
    encoder_widths: tuple[int, ...]
    decoder_widths: tuple[int, ...]
    likelihood: str
    sampler: str
    num_walk_steps: int
    kl: str
    encoder_init: str
    initial_time: float
    beta: float
    min_capacity: float
    max_capacity: float | None
    capacity_steps: int | None

    def __post_init__(self):
        if self.net not in NETS:
            raise ValueError(f"net must be one of {', '.join(NETS)}, got {self.net!r}")
        for name in ("encoder_widths", "decoder_widths"):
            widths = getattr(self, name)
            if not widths or any(width < 1 for width in widths):
                raise ValueError(f"{name} must be one or more positive widths, got {widths}")
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}, got {self.likelihood!r}")
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
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise ValueError(f"beta must be zero or more, got {self.beta}")
        if not (math.isfinite(self.min_capacity) and self.min_capacity >= 0):
            raise ValueError(f"min_capacity must be zero or more, got {self.min_capacity}")
        if self.max_capacity is not None and not self.min_capacity <= self.max_capacity < math.inf:
            raise ValueError(f"max_capacity must be at least min_capacity, got {self.max_capacity}")
        if self.capacity_steps is not None and self.capacity_steps < 1:
            raise ValueError(f"capacity_steps must be at least 1, got {self.capacity_steps}")

    def capacity(self, step: Array | int | None) -> Array | float:
        """Capacity C at a step, in nats; the final one for None.

        Raises:
            ValueError: If no capacity is set, or it rises over an unknown number of steps.
        """
        if self.max_capacity is None:
            raise ValueError("capacity needs max_capacity")
        if step is None:
            return self.max_capacity
        if self.capacity_steps is None:
            raise ValueError("capacity needs capacity_steps, the steps over which it rises")
        risen = jnp.minimum(step / self.capacity_steps, 1.0)
        return self.min_capacity + risen * (self.max_capacity - self.min_capacity)


def _nets(config: DVAEConfig) -> tuple[MLPEncoder | ConvEncoder, MLPDecoder | ConvDecoder]:
    """Returns encoder and decoder; the decoder is even where latent points are known up to their sign."""
    ambient_dim, log_time = config.manifold.ambient_dim, math.log(config.initial_time)
    even = isinstance(config.manifold, ProjectiveSpace)
    if config.net == "mlp":
        encoder = MLPEncoder(config.encoder_widths, ambient_dim, log_time)
        return encoder, MLPDecoder(config.decoder_widths, config.image_shape, even)
    padding = "CIRCULAR" if config.net == "circular_conv" else "SAME"
    encoder = ConvEncoder(config.encoder_widths, ambient_dim, log_time, padding)
    return encoder, ConvDecoder(config.decoder_widths, config.image_shape, even, padding)


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
    encoder, decoder = _nets(config)
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, head_key, decoder_key = jax.random.split(key, 3)
        encoder_params: Params = encoder.init(encoder_key, batch["image"][:1])
        if config.encoder_init != "random":
            image = batch["image"]
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
        return Posterior(manifold.project(point), jnp.exp(log_time))

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def sample_posterior(key: Key[Array, ""], q: Posterior, shape: tuple[int, ...] = ()) -> Array:
        location = jnp.broadcast_to(q.location, (*shape, *q.location.shape))
        time = jnp.broadcast_to(q.time, location.shape[:-1])
        if config.sampler == "exact":
            return diffusion.sample(key, manifold, location, time)
        return random_walk(key, manifold, location, time, num_steps=config.num_walk_steps)

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        image = batch["image"]
        q = encode(params, image)
        output = decoder_apply(params["decoder"], sample_posterior(key, q))
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        kl = kl_to_uniform(manifold, q.time, q.location, method=config.kl)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        excess = kl if config.max_capacity is None else jnp.abs(kl - config.capacity(step))
        loss = reconstruction + config.beta * excess
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, q.time)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        if is_expansion(manifold):
            raise NotImplementedError(
                f"no log-likelihood on {manifold!r}: it needs the density of the posterior, and the heat kernel is "
                "known there as an expansion for small times only"
            )
        image = batch["image"]
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

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num h w c"]:
        return decode(params, manifold.uniform(key, (num,)))

    return Model(manifold, init, encode, decode, sample_posterior, loss_terms, log_likelihood, sample)

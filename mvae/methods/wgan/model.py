"""Wasserstein GAN with gradient penalty [gulrajani2017], a baseline without an encoder."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Manifold
from mvae.manifolds.safe_math import norm
from mvae.models.autoencoder import Networks
from mvae.models.model import Batch, Model, Params, lacking
from mvae.nets import NETS, Head, build_decoder, build_encoder

PRIORS: dict[str, Callable[..., Array]] = {
    "normal": jax.random.normal,
    "uniform": lambda key, shape: jax.random.uniform(key, shape, minval=-1.0, maxval=1.0),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class WGANConfig:
    """Everything that makes a Wasserstein GAN apart from the data.

    Attributes:
        manifold: The latent space, R^d.
        event_shape: Shape of an example.
        net: As in `VariationalConfig`.
        encoder_widths: Widths of the hidden layers of the critic, for convolutions their channels: the encoder of a
            VAE, with one output.
        decoder_widths: The same of the generator, from the latent space on.
        prior: "normal", N(0, I), or "uniform", on [-1, 1)^d.
        gradient_penalty: λ, weight of (|∇D| - 1)².
        num_critic_steps: Steps of the critic before each of the generator.

    Raises:
        ValueError: For a value out of range, naming it.
    """

    needs: ClassVar[Mapping[str, Any]] = {"optimizer.encoder_warmup_steps": 0}  # what other entries must be

    manifold: Manifold
    event_shape: tuple[int, ...]
    net: str = "mlp"
    encoder_widths: tuple[int, ...] = (512, 512, 512)
    decoder_widths: tuple[int, ...] = (512, 512)
    prior: str = "normal"
    gradient_penalty: float = 10.0
    num_critic_steps: int = 5

    def __post_init__(self):
        if self.net not in NETS:
            raise ValueError(f"net must be one of {', '.join(NETS)}, got {self.net!r}")
        for name in ("encoder_widths", "decoder_widths"):
            widths = getattr(self, name)
            if not widths or any(width < 1 for width in widths):
                raise ValueError(f"{name} must be one or more positive widths, got {widths}")
        if self.num_critic_steps < 1:
            raise ValueError(f"num_critic_steps must be at least 1, got {self.num_critic_steps}")
        if self.prior not in PRIORS:
            raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {self.prior!r}")
        if not (math.isfinite(self.gradient_penalty) and self.gradient_penalty >= 0):
            raise ValueError(f"gradient_penalty must be zero or more, got {self.gradient_penalty}")

    @property
    def dim(self) -> int:
        """Dimension d of the latent space."""
        return self.manifold.dim


class CriticTerms(NamedTuple):
    """What the critic's loss is made of, each per example, (b,).

    Attributes:
        loss: What it minimises, -`wasserstein` + λ `penalty`.
        wasserstein: D(x) - D(G(z)), whose mean estimates the Wasserstein-1 distance of data and samples from below,
            as far as D has slopes of at most 1.
        penalty: (|∇D(x̂)| - 1)².
    """

    loss: Float[Array, " b"]
    wasserstein: Float[Array, " b"]
    penalty: Float[Array, " b"]


class WGAN(NamedTuple):
    """The model, and what its training needs beside it.

    Attributes:
        model: The noun `Model`.
        num_critic_steps: Steps of the critic before each of the generator.
        critic_terms: (params, key, x) -> CriticTerms, with samples of the generator drawn from the key.
        generator_loss: (params, key, num) -> -D(G(z)) of so many draws, (num,).
    """

    model: Model
    num_critic_steps: int
    critic_terms: Callable[[Params, Key[Array, ""], Array], CriticTerms]
    generator_loss: Callable[[Params, Key[Array, ""], int], Float[Array, " num"]]


def gradient_penalty(
    critic: Callable[[Array], Float[Array, " b"]],
    real: Float[Array, "b *event"],
    generated: Float[Array, "b *event"],
    share: Float[Array, " b"],
) -> Float[Array, " b"]:
    """Returns (|∇D(x̂)| - 1)² at x̂ = s x + (1 - s) x̃, between each example and a sample.

    Args:
        critic: D, examples -> scores, each of its own example alone.
        real: x.
        generated: x̃.
        share: s in [0, 1].

    Source: [gulrajani2017, Eq. 3].
    """
    weight = share.reshape(-1, *[1] * (real.ndim - 1))
    between = weight * real + (1 - weight) * generated
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(between)
    return (norm(gradient.reshape(len(gradient), -1)) - 1) ** 2


def wgan(config: WGANConfig, networks: Networks | None = None) -> WGAN:
    """Builds the Wasserstein GAN.

    The critic maximises E D(x) - E D(G(z)) - λ E(|∇D| - 1)², the generator E D(G(z)). The networks are those of the
    VAEs: the critic is the encoder with one output, and the generator the decoder, whose last layer does not start at
    zero as there, since then all samples were the same and no gradient would reach its other layers.

    The model decodes and samples. It has neither encoder nor density: its `encode`, `sample_posterior`, `loss_terms`
    and `log_likelihood` raise NotImplementedError with the reason.

    Args:
        config: The typed configuration.
        networks: A user's own; its encoder is the critic's network.

    Returns:
        Model and losses; the parameters are a dict with "critic" and "decoder".
    """
    own = networks or Networks()
    critic = build_encoder(config.net, config.encoder_widths, {"score": Head(1)}, own.encoder)
    generator = build_decoder(config.net, config.decoder_widths, config.event_shape, own.decoder, zero_output=False)

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        critic_key, generator_key = jax.random.split(key)
        return {
            "critic": critic.init(critic_key, batch["x"][:1]),
            "decoder": generator.init(generator_key, jnp.zeros((1, config.dim))),
        }

    def score(params: Params, x: Array) -> Float[Array, " b"]:
        return critic.outputs(params["critic"], x)["score"][:, 0]

    def decode(params: Params, z: Array) -> Array:
        return generator.apply(params["decoder"], z)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        return decode(params, PRIORS[config.prior](key, (num, config.dim)))

    def critic_terms(params: Params, key: Key[Array, ""], x: Array) -> CriticTerms:
        sample_key, share_key = jax.random.split(key)
        generated = sample(params, sample_key, len(x))
        share = jax.random.uniform(share_key, (len(x),), x.dtype)
        wasserstein = score(params, x) - score(params, generated)
        penalty = gradient_penalty(lambda between: score(params, between), x, generated, share)
        return CriticTerms(config.gradient_penalty * penalty - wasserstein, wasserstein, penalty)

    def generator_loss(params: Params, key: Key[Array, ""], num: int) -> Float[Array, " num"]:
        return -score(params, sample(params, key, num))

    lacks = {
        "encoder": "a GAN has no encoder",
        "bound": "a GAN has neither a posterior nor a bound",
        "log_likelihood": "a GAN has no density",
    }
    model = Model(
        manifold=config.manifold,
        init=init,
        encode=lacking(lacks["encoder"]),
        decode=decode,
        sample_posterior=lacking(lacks["encoder"]),
        loss_terms=lacking(lacks["bound"]),
        log_likelihood=lacking(lacks["log_likelihood"]),
        sample=sample,
        lacks=lacks,
    )
    return WGAN(model, config.num_critic_steps, critic_terms, generator_loss)

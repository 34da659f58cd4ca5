"""The usual VAE: a Gaussian posterior with one variance for each direction [kingma2014]."""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.distributions.gaussian import GaussianPosterior, gaussian_kl, gaussian_log_ratio, sample_gaussian
from mvae.methods.method import Method, MethodInputs, MethodOutputs, euclidean, one_stage
from mvae.models.autoencoder import Drawn, Latent, Networks, autoencoder
from mvae.models.model import Model, Params
from mvae.models.objective import VariationalConfig
from mvae.nets import Head


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianConfig(VariationalConfig):
    """A Gaussian posterior on R^d, beside what `VariationalConfig` has.

    Attributes:
        initial_variance: Variance of the posterior at initialisation, the same for every example and direction.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    initial_variance: float = 0.1

    def __post_init__(self):
        if not (math.isfinite(self.initial_variance) and self.initial_variance > 0):
            raise ValueError(f"initial_variance must be a positive number, got {self.initial_variance}")
        super().__post_init__()


@dataclasses.dataclass(frozen=True, kw_only=True)
class VAEConfig(GaussianConfig):
    """Everything that makes a VAE apart from the data: what `GaussianConfig` has."""


def gaussian_latent(
    config: GaussianConfig,
    kl: Callable[[Params, GaussianPosterior, Drawn], Float[Array, " b"]],
    log_ratio: Callable[[Params, GaussianPosterior, Drawn], Float[Array, "*shape b"]],
    sample_prior: Callable[[Params, Key[Array, ""], int], Float[Array, "num d"]],
) -> Latent:
    """Builds the family N(m(x), diag v(x)) with a prior; see `Latent` for the functions.

    The encoder's heads are "location", m, and "log_variance".
    """

    def posterior(params: Params, outputs: dict[str, Array]) -> GaussianPosterior:
        del params
        return GaussianPosterior(outputs["location"], jnp.exp(outputs["log_variance"]))

    def draw(key: Key[Array, ""], q: GaussianPosterior, shape: tuple[int, ...] = ()) -> Drawn:
        z = sample_gaussian(key, q, shape)
        return Drawn(z, z)

    heads = {"location": Head(config.dim), "log_variance": Head(config.dim, math.log(config.initial_variance))}
    return Latent(
        manifold=config.manifold,
        heads=heads,
        posterior=posterior,
        draw=draw,
        kl=kl,
        log_ratio=log_ratio,
        sample_prior=sample_prior,
        terms=lambda q: {"variance": jnp.mean(q.variance, axis=-1)},
    )


def vae(config: VAEConfig, networks: Networks | None = None) -> Model:
    """Builds the VAE; with β ≠ 1 the β-VAE, with a capacity the one of [burgess2018].

    The term "variance" is the mean variance of the posterior.

    Args:
        config: The typed configuration.
        networks: A user's own.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    latent = gaussian_latent(
        config,
        kl=lambda params, q, drawn: gaussian_kl(q),
        log_ratio=lambda params, q, drawn: gaussian_log_ratio(q, drawn.z),
        sample_prior=lambda params, key, num: jax.random.normal(key, (num, config.dim)),
    )
    return autoencoder(config, lambda encode: latent, networks)


def _build(inputs: MethodInputs) -> MethodOutputs:
    return one_stage(vae, inputs)


METHOD = Method(
    "vae",
    VAEConfig,
    _build,
    latent=euclidean,
    traceable=True,
    conditional=True,
    model=lambda config, num_train, networks: vae(config, networks),
)

"""Hyperspherical VAE [davidson2018] with a power spherical posterior."""

import dataclasses
import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.distributions.power_spherical import power_spherical_kl, power_spherical_log_prob, sample_power_spherical
from mvae.manifolds import Manifold, Sphere
from mvae.methods.method import Method, MethodInputs, MethodOutputs, one_stage
from mvae.models.autoencoder import Drawn, Latent, Networks, autoencoder
from mvae.models.model import Model, Params
from mvae.models.objective import VariationalConfig
from mvae.nets import Head


class PowerSphericalPosterior(NamedTuple):
    """Power spherical distribution: the distribution q(z | x).

    Attributes:
        location: Centres μ, points of the unit sphere, (..., n).
        concentration: κ, (...); near μ the distribution is normal with variance 2 / κ in each tangent direction.
    """

    location: Float[Array, "... n"]
    concentration: Float[Array, "..."]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SVAEConfig(VariationalConfig):
    """Everything that makes a hyperspherical VAE apart from the data, beside what `VariationalConfig` has.

    Attributes:
        initial_concentration: Concentration κ of the posterior at initialisation, the same for every example. From
            there log κ is the output of a linear layer, unbounded on both sides.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    initial_concentration: float = 3.0

    def __post_init__(self):
        if not (math.isfinite(self.initial_concentration) and self.initial_concentration > 0):
            raise ValueError(f"initial_concentration must be a positive number, got {self.initial_concentration}")
        super().__post_init__()


def svae(config: SVAEConfig, networks: Networks | None = None) -> Model:
    """Builds the hyperspherical VAE: uniform prior on S^d, power spherical posterior with one concentration.

    loss(x) = -E_{z ~ q(x)}[log p(x | z)] + β KL(q(x) ‖ uniform), or with a capacity β |KL - C|. The posteriors of
    [davidson2018] are von Mises-Fisher distributions, whose samples are drawn by rejection, with a term of the gradient
    to correct for it; those of [decao2020] need neither, and their KL is a sum of elementary functions.

    The term "spread" is the mean squared chord from the location per tangent direction, E|z - μ|²/d = 2 / (κ + d),
    which for large κ is the variance in each direction, as it is for the time of a diffusion.

    Args:
        config: The typed configuration; its manifold is a sphere of radius 1.
        networks: A user's own.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    manifold = config.manifold

    def posterior(params: Params, outputs: dict[str, Array]) -> PowerSphericalPosterior:
        del params
        return PowerSphericalPosterior(
            manifold.project(outputs["location"]), jnp.exp(outputs["log_concentration"][:, 0])
        )

    def draw(key: Key[Array, ""], q: PowerSphericalPosterior, shape: tuple[int, ...] = ()) -> Drawn:
        location = jnp.broadcast_to(q.location, (*shape, *q.location.shape))
        z = sample_power_spherical(key, location, jnp.broadcast_to(q.concentration, location.shape[:-1]))
        return Drawn(z, z)

    latent = Latent(
        manifold=manifold,
        heads={
            "location": Head(manifold.ambient_dim),
            "log_concentration": Head(1, math.log(config.initial_concentration)),
        },
        posterior=posterior,
        draw=draw,
        kl=lambda params, q, drawn: power_spherical_kl(q.concentration, config.dim),
        log_ratio=lambda params, q, drawn: (
            -manifold.log_volume - power_spherical_log_prob(q.location, q.concentration, drawn.z)
        ),
        sample_prior=lambda params, key, num: manifold.uniform(key, (num,)),
        terms=lambda q: {"spread": 2 / (q.concentration + config.dim)},
    )
    return autoencoder(config, lambda encode: latent, networks)


def _unit_sphere(manifold: Manifold) -> Manifold:
    """The sphere of radius 1 of the manifold's dimension, if it is one or asked for in its place."""
    return manifold if isinstance(manifold, Sphere) and manifold.radius == 1 else Sphere(manifold.dim)


def _build(inputs: MethodInputs) -> MethodOutputs:
    return one_stage(svae, inputs)


METHOD = Method(
    "svae",
    SVAEConfig,
    _build,
    latent=_unit_sphere,
    traceable=True,
    conditional=True,
    model=lambda config, num_train, networks: svae(config, networks),
)

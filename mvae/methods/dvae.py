"""ΔVAE: the posterior is Brownian motion on the latent manifold [perezrey2019]."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae import diffusion
from mvae.diffusion import is_expansion, kl_to_uniform, log_heat_kernel, log_prior, random_walk, sample
from mvae.errors import UsageError
from mvae.manifolds import Manifold, symmetry_group
from mvae.methods.coordinate_report import COORDINATE
from mvae.methods.method import Method, MethodInputs, MethodOutputs, completed, one_stage, traceable
from mvae.models.autoencoder import Drawn, Latent, Networks, Start, autoencoder, build_core
from mvae.models.coordinate_start import (
    COORDINATE_INITS,
    NUM_STEPS,
    check_coordinate,
    coordinate_stage,
    known_angle,
    prepare_coordinate,
)
from mvae.models.location import Location, location, of_cover, target
from mvae.models.model import Batch, Model, Params, given
from mvae.models.objective import VariationalConfig
from mvae.models.optimizer import adam
from mvae.models.pose_location import bodies  # noqa: F401 -- registers where poses lie
from mvae.models.principal_start import fit_principal_head
from mvae.models.spectral_start import fit_spectral_head
from mvae.models.stage import Stage, gradient_stage
from mvae.models.traced import with_values
from mvae.nets import Encoder, Head

KL_METHODS = ("exact", "asymptotic", "sampled")
SAMPLERS = ("walk", "exact")
LOCATIONS = ("embedded", "projected")
ENCODER_INITS = ("random", "principal", "spectral", *COORDINATE_INITS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DVAEConfig(VariationalConfig):
    """Everything that makes a ΔVAE apart from the data, beside what `VariationalConfig` has.

    On Euclidean space it is the usual VAE with one variance for all directions.

    Attributes:
        sampler: What draws from the posterior: "walk", the projection walk of the paper, or "exact", one step
            with the distribution of Brownian motion itself, where the manifold has it.
        num_walk_steps: Steps N of the walk.
        kl: "exact" or "asymptotic", see `mvae.diffusion.kl_to_uniform`; or "sampled", log q(z | x) - log p(z) at the
            draw of the sampler "exact", an unbiased estimate where the heat kernel is known.
        location: How the encoder's output becomes a point: "embedded", by an embedding of the space itself where one is
            known, see `mvae.models.location.location`; or "projected" onto the ambient space's points, which for a
            quotient are those of its cover.
        encoder_init: Where the encoder's last layer starts: "random"; "principal", fitted to the principal components
            of a batch, see `fit_principal_head`; or "spectral", fitted to its diffusion map, see `fit_spectral_head`.
            Or "cohomology", on a circle, flat torus, projective space, cylinder, Möbius band or Klein bottle: all its
            layers learn a coordinate of the training set for some steps, in a stage of their own, see
            `with_coordinate`.
            Or "silhouettes", on SO(3): the coordinate is the rotation of a body in its views, see `view_rotations`.
            Let the decoder learn alone after that, by `encoder_warmup_steps` of the optimizer.
        initial_time: Diffusion time at initialisation, the same for every example. From there log t is
            the output of a linear layer, unbounded on both sides.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    sampler: str = "walk"
    num_walk_steps: int = 10
    kl: str = "exact"
    location: str = "embedded"
    encoder_init: str = "principal"
    initial_time: float = 0.05

    def __post_init__(self):
        if self.kl not in KL_METHODS:
            raise ValueError(f"kl must be one of {', '.join(KL_METHODS)}, got {self.kl!r}")
        if self.kl == "sampled" and self.sampler != "exact":
            raise ValueError(
                f"kl = 'sampled' needs sampler = 'exact', got {self.sampler!r}: a walk's density is not known"
            )
        if self.location not in LOCATIONS:
            raise ValueError(f"location must be one of {', '.join(LOCATIONS)}, got {self.location!r}")
        if self.encoder_init not in ENCODER_INITS:
            raise ValueError(f"encoder_init must be one of {', '.join(ENCODER_INITS)}, got {self.encoder_init!r}")
        check_coordinate(self.manifold, self.encoder_init)
        if self.encoder_init in COORDINATE_INITS and self.location == "projected" and symmetry_group(self.manifold):
            raise ValueError(
                f"location = 'projected' cannot go with encoder_init = {self.encoder_init!r} on {self.manifold!r}: no "
                "continuous map to its cover has the coordinate; use embedded"
            )
        if not (math.isfinite(self.initial_time) and self.initial_time > 0):
            raise ValueError(f"initial_time must be a positive number, got {self.initial_time}")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        if self.num_walk_steps < 1:
            raise ValueError(f"num_walk_steps must be at least 1, got {self.num_walk_steps}")
        super().__post_init__()


class BrownianPosterior(NamedTuple):
    """Brownian motion started at `location`, observed at `time`: the distribution q(z | x).

    Attributes:
        location: Points of the manifold, (..., n).
        time: Diffusion time t > 0, variance per tangent direction, (...).
    """

    location: Float[Array, "... n"]
    time: Float[Array, "..."]


def brownian_motion(config: DVAEConfig) -> Latent:
    """Builds the family: Brownian motion from z(x) for the time t(x), prior uniform (standard normal on R^d).

    z(x) is the encoder's location, taken to the manifold as `location_of` says, and log t(x) its head "log_time".
    """
    manifold, where = config.manifold, location_of(config)

    def posterior(params: Params, outputs: dict[str, Array]) -> BrownianPosterior:
        del params
        return BrownianPosterior(where.retract(outputs["location"]), jnp.exp(outputs["log_time"][:, 0]))

    def draw(key: Key[Array, ""], q: BrownianPosterior, shape: tuple[int, ...] = ()) -> Drawn:
        location = jnp.broadcast_to(q.location, (*shape, *q.location.shape))
        time = jnp.broadcast_to(q.time, location.shape[:-1])
        if config.sampler == "exact":
            z = diffusion.sample(key, manifold, location, time)
        else:
            z = random_walk(key, manifold, location, time, num_steps=config.num_walk_steps)
        return Drawn(z, z)

    def log_ratio(params: Params, q: BrownianPosterior, drawn: Drawn) -> Array:
        del params
        return log_prior(manifold, drawn.z) - log_heat_kernel(manifold, q.time, q.location, drawn.z)

    def kl(params: Params, q: BrownianPosterior, drawn: Drawn) -> Array:
        if config.kl == "sampled":
            return -log_ratio(params, q, drawn)
        return kl_to_uniform(manifold, q.time, q.location, method=config.kl)

    reason = missing_density(manifold)
    return Latent(
        manifold=manifold,
        heads={"location": Head(where.size), "log_time": Head(1, math.log(config.initial_time))},
        posterior=posterior,
        draw=draw,
        kl=kl,
        log_ratio=log_ratio,
        sample_prior=lambda params, key, num: manifold.uniform(key, (num,)),
        terms=lambda q: {"time": q.time},
        symmetry=symmetry_group(manifold),
        lacks={} if reason is None else {"log_likelihood": reason},
    )


def location_of(config: DVAEConfig) -> Location:
    """Returns how the encoder's output becomes a point of the manifold."""
    return (location if config.location == "embedded" else of_cover)(config.manifold)


def missing_density(manifold: Manifold) -> str | None:
    """Returns why the density of Brownian motion is not known on a manifold; None where it is."""
    needs = f"no log-likelihood on {manifold!r}: it needs the density of the posterior, and "
    if is_expansion(manifold):
        return f"{needs}the heat kernel is known there as an expansion for small times only"
    z = jax.ShapeDtypeStruct((manifold.ambient_dim,), jnp.float32)
    try:
        jax.eval_shape(lambda z: log_heat_kernel(manifold, 1.0, z, z), z)
    except NotImplementedError as error:
        return f"{needs}there is {error}"
    return None


def encoder_start(config: DVAEConfig) -> Start:
    """Returns where the encoder's last layer starts; before it learns a coordinate, as it is."""

    def start(key: Key[Array, ""], encoder: Encoder, params: Params, batch: Batch) -> Params:
        if config.encoder_init in ("random", *COORDINATE_INITS):
            return params
        x = batch["x"]
        hidden = encoder.hidden(params, x, **given(config.given, batch))
        space = target(config.manifold, location_of(config))
        if config.encoder_init == "principal":
            return encoder.with_location(params, *fit_principal_head(key, space, hidden))
        return encoder.with_location(params, *fit_spectral_head(key, space, hidden, x))

    return start


def dvae(config: DVAEConfig, networks: Networks | None = None) -> Model:
    """Builds the ΔVAE.

    loss(x) = -E_{z ~ q(x)}[log p(x | z)] + β KL(q(x) ‖ prior), where q(x) is Brownian motion from z(x) for the
    time t(x), drawn by a projection walk, and the prior is uniform (standard normal on Euclidean space). With a
    capacity C, which rises during training, the last term is β |KL(q(x) ‖ prior) - C|
    [perezrey2019b, Eq. 2]. The log-likelihood is lacking where the density of the posterior is not known: on
    `Implicit` manifolds, those without a heat kernel, and products with one.

    Args:
        config: The typed configuration.
        networks: A user's own.

    Returns:
        The model; its parameters are a dict with "encoder", "decoder" and "likelihood".
    """
    latent = brownian_motion(config)
    return autoencoder(config, lambda encode: latent, networks, start=encoder_start(config))


def _check_densities(config: DVAEConfig) -> None:
    """Raises if the manifold lacks what the objective needs; the results say if they lack the log-likelihood."""
    z = jax.ShapeDtypeStruct((config.manifold.ambient_dim,), jnp.float32)
    try:
        if config.kl == "sampled":
            jax.eval_shape(lambda z: log_heat_kernel(config.manifold, 1.0, z, z), z)
        else:
            jax.eval_shape(lambda z: kl_to_uniform(config.manifold, 1.0, z, method=config.kl), z)
        if config.sampler == "exact":
            jax.eval_shape(lambda z: sample(jax.random.key(0), config.manifold, z, 1.0), z)
    except NotImplementedError as error:
        raise UsageError(f"config.manifold, config.model: {error}") from error


def _build(inputs: MethodInputs) -> MethodOutputs:
    _check_densities(inputs.config)
    return _two_stages(inputs) if inputs.config.encoder_init in COORDINATE_INITS else one_stage(dvae, inputs)


def _two_stages(inputs: MethodInputs) -> MethodOutputs:
    """The encoder learns the coordinate; then all is trained."""
    config = completed(inputs)
    first_steps = NUM_STEPS[config.encoder_init]

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        own, rates = with_values(config, "model", values), with_values(inputs.optimizer, "optimizer", values)
        model = dvae(own, inputs.networks)
        encoder = build_core(own, brownian_motion(own).heads, inputs.networks).encoder
        first = coordinate_stage(
            lambda params, batch: encoder.outputs(params["encoder"], batch["x"], **given(own.given, batch))["location"],
            lambda key, batch, previous: model.init(key, batch),
            adam(dataclasses.replace(rates, encoder_warmup_steps=0), first_steps),
            first_steps,
            known_angle(inputs.dataset) if own.manifold.dim == 1 else None,
        )
        second = gradient_stage(
            "train",
            inputs.num_steps,
            lambda key, batch, previous: model.init(key, batch) if previous is None else previous.params,
            model.loss_terms,
            adam(rates, inputs.num_steps),
        )
        return model, (first, second)

    return traceable(at)


METHOD = Method(
    "dvae",
    DVAEConfig,
    _build,
    prepare=prepare_coordinate,
    traceable=True,
    conditional=True,
    reports=(COORDINATE,),
    model=lambda config, num_train, networks: dvae(config, networks),
)

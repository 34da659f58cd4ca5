"""VAE on a reparametrised manifold, with or without a group-action encoder [golikov2018]."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.manifolds import FlatTorus, Sphere
from mvae.methods.er.group_action import group_action
from mvae.methods.er.reparametrization import Reparametrization, ReparametrizationConfig, reparametrization
from mvae.models.autoencoder import Drawn, Latent, Networks, autoencoder, build_core
from mvae.models.coordinate_start import check_coordinate
from mvae.models.model import Batch, Model, Params
from mvae.models.objective import VariationalConfig
from mvae.nets import Head

FROZEN = ("reparametrization",)
ENCODER_INITS = ("random", "cohomology")


class ReparametrizedPosterior(NamedTuple):
    """The distribution of g · f(z_hid), z_hid from q: the distribution q(z | x).

    Attributes:
        location: g · f(mean of q), projected onto the manifold, (..., m).
        hidden: q, the distribution on Z_hid.
        element: g, or None where there is no group.
        map: Parameters of f.
    """

    location: Float[Array, "... m"]
    hidden: Any
    element: Any
    map: Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class ERConfig(VariationalConfig):
    """Everything that makes such a VAE apart from the data, beside what `VariationalConfig` has.

    Attributes:
        hidden: Distribution on Z_hid: "beta" on the cube, or "gaussian".
        group: Whether the encoder outputs a group element too, which acts on f(z_hid).
        initial_variance: Variance of each coordinate of the posterior on Z_hid at initialisation.
        reparametrization: How f is had.
        encoder_init: "random"; or "cohomology", on a circle or flat torus with a group: the encoder learns a coordinate
            of the training set for some steps, in a stage of its own, before the decoder learns, see `with_coordinate`.
            Its group element takes it round the torus; without a group it would tear.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    hidden: str = "beta"
    group: bool = False
    initial_variance: float = 0.05
    reparametrization: ReparametrizationConfig = dataclasses.field(default_factory=ReparametrizationConfig)
    encoder_init: str = "random"

    def __post_init__(self):
        if self.encoder_init not in ENCODER_INITS:
            raise ValueError(f"encoder_init must be one of {', '.join(ENCODER_INITS)}, got {self.encoder_init!r}")
        if self.encoder_init == "cohomology":
            check_coordinate(self.manifold, self.encoder_init)
            if not isinstance(self.manifold, Sphere | FlatTorus):
                raise ValueError(f"encoder_init = 'cohomology' needs a circle or a flat torus, got {self.manifold!r}")
            if not self.group:
                raise ValueError("encoder_init = 'cohomology' needs group = True, by which encoders go round a torus")
        if not (math.isfinite(self.initial_variance) and self.initial_variance > 0):
            raise ValueError(f"initial_variance must be a positive number, got {self.initial_variance}")
        super().__post_init__()


class ER(NamedTuple):
    """The model, and what its training needs beside it.

    Attributes:
        model: The noun `Model`; its parameters are a dict with "encoder", "decoder", "likelihood" and
            "reparametrization".
        reparametrization: The map of the first stage.
        start: (key, batch, parameters of the map) -> parameters of the model.
    """

    model: Model
    reparametrization: Reparametrization
    start: Callable[[Key[Array, ""], Batch, Params], Params]


def er(config: ERConfig, networks: Networks | None = None) -> ER:
    """Builds the VAE.

    z = g(x) · f(z_hid) with z_hid from q(z_hid | x), f frozen, and

        loss(x) = -E[log p(x | z)] + β KL(q(z_hid | x) ‖ p(z_hid)),

    or with a capacity β |KL - C|. The KL on the manifold is the one on Z_hid wherever f is one to one. g is a
    deterministic function of x: the bound and the likelihood stay right as far as the group keeps the distribution of
    f(z_hid), which isometries do of the uniform distribution; `mvae.evaluation.reparametrization_quality` says how near
    a learned f is to it.

    A learned variance of the likelihood starts at that of the first batch.

    The term "variance" is the mean variance of the posterior's coordinates in Z_hid.

    Source: [golikov2018, Secs. 2 and 3].

    Raises:
        NotImplementedError: For an exact map or a group that this manifold does not have, naming it.
        ValueError: For a distribution or an initial variance that there is not.
    """
    lifted = reparametrization(config.reparametrization, config.manifold, config.hidden)
    latent = reparametrized(config, lifted)
    core = build_core(config, latent.heads, networks)

    def start(key: Key[Array, ""], batch: Batch, first: Params) -> Params:
        encoder_key, decoder_key = jax.random.split(key)
        return {
            "encoder": core.encoder.init(encoder_key, batch["x"][:1]),
            "decoder": core.decoder.init(decoder_key, jnp.zeros((1, config.manifold.ambient_dim))),
            "likelihood": core.likelihood.start(batch["x"]),
            "reparametrization": first,
        }

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        first_key, second_key = jax.random.split(key)
        return start(second_key, batch, lifted.init(first_key))

    model = autoencoder(config, lambda encode: latent, networks)
    capabilities = {**model.capabilities, "reparametrization": lifted}
    return ER(dataclasses.replace(model, init=init, capabilities=capabilities), lifted, start)


def reparametrized(config: ERConfig, lifted: Reparametrization) -> Latent:
    """Builds the family g · f(z_hid), z_hid from q(z_hid | x).

    The encoder's heads are "location" and "log_scale" of q(z_hid | x) and, with a group, "element".
    """
    manifold, distribution = config.manifold, lifted.distribution
    action = group_action(manifold) if config.group else None
    heads = {"location": Head(manifold.dim)}
    if action is not None:
        heads["element"] = Head(action.num_outputs)
    heads["log_scale"] = Head(manifold.dim, distribution.initial_log_scale(config.initial_variance))

    def moved(element: Any, z: Float[Array, "... m"]) -> Float[Array, "... m"]:
        return z if action is None else action.act(element, z)

    def posterior(params: Params, outputs: dict[str, Array]) -> ReparametrizedPosterior:
        hidden = distribution.posterior(outputs["location"], outputs["log_scale"])
        element = None if action is None else action.element(outputs["element"])
        first = params["reparametrization"]
        location = manifold.project(moved(element, lifted.apply(first, distribution.mean(hidden))))
        return ReparametrizedPosterior(location, hidden, element, first)

    def draw(key: Key[Array, ""], q: ReparametrizedPosterior, shape: tuple[int, ...] = ()) -> Drawn:
        z_hid = distribution.sample(key, q.hidden, shape)
        return Drawn(moved(q.element, lifted.apply(q.map, z_hid)), z_hid)

    return Latent(
        manifold=manifold,
        heads=heads,
        posterior=posterior,
        draw=draw,
        kl=lambda params, q, drawn: distribution.kl(q.hidden),
        log_ratio=lambda params, q, drawn: distribution.log_ratio(q.hidden, drawn.code),
        sample_prior=lambda params, key, num: lifted.apply(
            params["reparametrization"], distribution.prior(key, (num,))
        ),
        terms=lambda q: {"variance": jnp.mean(distribution.variance(q.hidden), axis=-1)},
    )

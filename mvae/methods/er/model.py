"""VAE on a reparametrised manifold, with or without a group-action encoder (er.md)."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Manifold
from mvae.methods.er.group_action import GroupAction, group_action
from mvae.methods.er.reparametrization import Reparametrization, ReparametrizationConfig, reparametrization
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params
from mvae.models.objective import VariationalConfig
from mvae.nets import build_nets

Apply = Callable[..., Any]
FROZEN = ("reparametrization",)


class ReparametrizedPosterior(NamedTuple):
    """The law of g · f(z_hid), z_hid from q: the law q(z | x).

    Attributes:
        location: g · f(mean of q), projected onto the manifold, (..., m).
        hidden: q, the law on Z_hid.
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
        manifold: M.
        hidden: Law on Z_hid: "beta" on the cube, or "gaussian".
        group: Whether the encoder puts out a group element too, which acts on f(z_hid).
        initial_variance: Variance of each coordinate of the posterior on Z_hid at initialisation.
        reparametrization: How f is had.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    manifold: Manifold
    hidden: str = "beta"
    group: bool = False
    initial_variance: float = 0.05
    reparametrization: ReparametrizationConfig = dataclasses.field(default_factory=ReparametrizationConfig)

    def __post_init__(self):
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


def er(config: ERConfig) -> ER:
    """Builds the VAE.

    z = g(x) · f(z_hid) with z_hid from q(z_hid | x), f frozen, and

        loss(x) = -E[log p(x | z)] + β KL(q(z_hid | x) ‖ p(z_hid)),

    or with a capacity β |KL - C|. The KL on the manifold is the one on Z_hid wherever f is one to one. g is a
    deterministic function of x: the bound and the likelihood stay right as far as the group keeps the law of f(z_hid),
    which isometries do of the uniform law; `mvae.evaluation.reparametrization_quality` says how near a learned f is to
    it.

    A learned variance of the likelihood starts at that of the first batch.

    In `LossTerms`, `time` is the mean variance of the posterior's coordinates in Z_hid.

    Source: er.md, sections 2 and 3.

    Raises:
        NotImplementedError: For an exact map or a group that this manifold does not have, naming it.
        ValueError: For a law or an initial variance that there is not.
    """
    manifold = config.manifold
    lifted = reparametrization(config.reparametrization, manifold, config.hidden)
    law = lifted.law
    action = group_action(manifold) if config.group else None
    encoder, decoder = build_nets(
        config.net,
        config.encoder_widths,
        config.decoder_widths,
        config.event_shape,
        ambient_dim=manifold.dim + (0 if action is None else action.num_outputs),
        initial_log_time=law.initial_log_scale(config.initial_variance),
        num_times=manifold.dim,
    )
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()

    def start(key: Key[Array, ""], batch: Batch, first: Params) -> Params:
        encoder_key, decoder_key = jax.random.split(key)
        return {
            "encoder": encoder.init(encoder_key, batch["x"][:1]),
            "decoder": decoder.init(decoder_key, jnp.zeros((1, manifold.ambient_dim))),
            "likelihood": likelihood.fit(batch["x"]),
            "reparametrization": first,
        }

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        first_key, second_key = jax.random.split(key)
        return start(second_key, batch, lifted.init(first_key))

    def encode(params: Params, image: Array) -> ReparametrizedPosterior:
        output, log_scale = encoder_apply(params["encoder"], image)
        hidden = law.posterior(output[:, : manifold.dim], log_scale)
        element = None if action is None else action.element(output[:, manifold.dim :])
        first = params["reparametrization"]
        location = manifold.project(_moved(action, element, lifted.apply(first, law.mean(hidden))))
        return ReparametrizedPosterior(location, hidden, element, first)

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def sample_hidden(key: Key[Array, ""], q: ReparametrizedPosterior, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Draws of z_hid and where they go."""
        z_hid = law.sample(key, q.hidden, shape)
        return z_hid, _moved(action, q.element, lifted.apply(q.map, z_hid))

    def sample_posterior(key: Key[Array, ""], q: ReparametrizedPosterior, shape: tuple[int, ...] = ()) -> Array:
        return sample_hidden(key, q, shape)[1]

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        image = batch["x"]
        q = encode(params, image)
        output = decoder_apply(params["decoder"], sample_posterior(key, q))
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        kl = law.kl(q.hidden)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        spread = jnp.mean(law.variance(q.hidden), axis=-1)
        return LossTerms(config.loss(reconstruction, kl, step), -(reconstruction + kl), reconstruction, kl, mse, spread)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        image = batch["x"]
        q = encode(params, image)
        z_hid, z = sample_hidden(key, q, (num_samples,))
        output = decoder_apply(params["decoder"], z.reshape(-1, manifold.ambient_dim))
        tiled = jnp.broadcast_to(image, (num_samples, *image.shape)).reshape(output.shape)
        log_likelihoods = likelihood.log_prob(params["likelihood"], tiled, output).reshape(num_samples, -1)
        return logsumexp(log_likelihoods + law.log_ratio(q.hidden, z_hid), axis=0) - math.log(num_samples)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        return decode(params, lifted.apply(params["reparametrization"], law.prior(key, (num,))))

    model = Model(
        manifold,
        init,
        encode,
        decode,
        sample_posterior,
        loss_terms,
        log_likelihood,
        sample,
        reparametrization=lifted,
    )
    return ER(model, lifted, start)


def _moved(action: GroupAction | None, element: Any, z: Float[Array, "... m"]) -> Float[Array, "... m"]:
    return z if action is None else action.act(element, z)

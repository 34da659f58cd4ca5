"""VAELLS: transport operators, learned with the networks, are posterior and prior of the latent space [connor2021]."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.methods.vaells.anchors import ANCHOR_CHOICES, choose_anchors
from mvae.methods.vaells.transport_density import (
    COEFFICIENT_GRADIENTS,
    Draw,
    Explained,
    TransportDistribution,
    draw,
    drawn_by,
    log_densities,
)
from mvae.methods.vaells.transport_marginal import log_marginal_density
from mvae.models.autoencoder import Networks, build_core
from mvae.models.model import Batch, LossTerms, Model, Params, lacking
from mvae.models.objective import VariationalConfig
from mvae.nets import Head
from mvae.transport import Pairs, infer_jointly


class TransportPosterior(NamedTuple):
    """The distribution of exp(Σ_m c_m Ψ_m) μ + γ ε.

    Attributes:
        location: μ, (..., d).
        operators: Ψ, shared by all of them.
    """

    location: Float[Array, "... d"]
    operators: Float[Array, "M d d"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlternatingConfig:
    """Who learns when, and how fast the operators do.

    Attributes:
        warm_up_steps: Steps of the networks as an autoencoder with noise, without operators.
        operator_warm_up_steps: Steps of the operators alone, after that; 0 for none, as published.
        network_steps: Steps of networks and anchors in each turn.
        operator_steps: Steps of the operators in each turn.
        network_rate: Factor on the learning rate of the networks after the warm-up.
        operator_rate: Rate of the operators' gradient descent at first.
        max_operator_rate: Its upper bound.
        operator_factor: On a step that does not lower the loss, which is undone, the rate is multiplied by it; on one
            that does, divided.

    Raises:
        ValueError: For a value out of range, naming it.
    """

    warm_up_steps: int = 500
    operator_warm_up_steps: int = 1000
    network_steps: int = 20
    operator_steps: int = 20
    network_rate: float = 1.0
    operator_rate: float = 4e-4
    max_operator_rate: float = 0.1
    operator_factor: float = 0.95

    def __post_init__(self):
        for name, least in (
            ("warm_up_steps", 1),
            ("operator_warm_up_steps", 0),
            ("network_steps", 1),
            ("operator_steps", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not (math.isfinite(self.network_rate) and self.network_rate > 0):
            raise ValueError(f"network_rate must be a positive number, got {self.network_rate}")
        if not 0 < self.operator_rate <= self.max_operator_rate < math.inf:
            raise ValueError(f"operator_rate must lie in (0, max_operator_rate], got {self.operator_rate}")
        if not 0 < self.operator_factor < 1:
            raise ValueError(f"operator_factor must lie in (0, 1), got {self.operator_factor}")

    def num_network_steps(self, num_steps: int) -> int:
        """Returns how many of so many steps of the alternating stage are the networks'."""
        rounds, rest = divmod(max(num_steps - self.operator_warm_up_steps, 0), self.network_steps + self.operator_steps)
        return rounds * self.network_steps + min(rest, self.network_steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VAELLSConfig(VariationalConfig):
    """Everything that makes a VAELLS apart from the data, beside what `VariationalConfig` has.

    Attributes:
        num_operators: M.
        initial_operator_scale: Standard deviation of the operators' entries at initialisation.
        operator_penalty: η, weight of ½ Σ_m |Ψ_m|_F².
        num_classes: How many classes have anchors of their own.
        num_anchors: N_a, anchors per class.
        anchors: Where anchors come from: "random", examples of each class drawn from the first batch; "even", examples
            of each class spread evenly over batch["parameter"]; "batch", each example brings its own, batch["anchors"].
        learn_anchors: Whether those that belong to a class are trained; those of a batch never are.
        posterior: γ, b and λ of q(z | x).
        prior: The same of p(z).
        num_restarts: Random starts of each inference.
        max_iterations: Steps of each start at most.
        coefficient_gradient: "fixed", derivatives with inferred coefficients held fixed, as published, or "implicit",
            with the coefficients moving along. The same where λ is γ²/b.
        training: Who learns when.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    beta: float = 0.03
    num_operators: int = 1
    initial_operator_scale: float = 0.05
    operator_penalty: float = 0.01
    num_classes: int = 1
    num_anchors: int = 3
    anchors: str = "random"
    learn_anchors: bool = True
    posterior: TransportDistribution = dataclasses.field(
        default_factory=lambda: TransportDistribution(laplace_scale=0.05)
    )
    prior: TransportDistribution = dataclasses.field(default_factory=TransportDistribution)
    num_restarts: int = 2
    max_iterations: int = 50
    coefficient_gradient: str = "fixed"
    training: AlternatingConfig = dataclasses.field(default_factory=AlternatingConfig)

    def __post_init__(self):
        counts = ("num_operators", "num_classes", "num_anchors", "num_restarts", "max_iterations")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("initial_operator_scale", "operator_penalty"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be zero or more, got {getattr(self, name)}")
        if self.anchors not in ANCHOR_CHOICES:
            raise ValueError(f"anchors must be one of {', '.join(ANCHOR_CHOICES)}, got {self.anchors!r}")
        if self.coefficient_gradient not in COEFFICIENT_GRADIENTS:
            known = ", ".join(COEFFICIENT_GRADIENTS)
            raise ValueError(f"coefficient_gradient must be one of {known}, got {self.coefficient_gradient!r}")
        super().__post_init__()


class Sampled(NamedTuple):
    """One draw of the posterior for each example, with the coefficients that explain it.

    Attributes:
        drawn: Points, (b, d), and the numbers that they were drawn by.
        posterior_coefficients: c from the example to z, (b, M).
        prior_coefficients: c from each anchor of its class to z, (b, N_a, M).
        converged: Share of the inferences that converged.
    """

    drawn: Draw
    posterior_coefficients: Float[Array, "b M"]
    prior_coefficients: Float[Array, "b N M"]
    converged: Float[Array, ""]


class VAELLS(NamedTuple):
    """The model, and what its training needs beside it.

    Attributes:
        model: The noun `Model`.
        infer: (params, key, batch) -> Sampled.
        terms: (params, batch, sampled, step) -> LossTerms of the very draws of `sampled`, which `infer` returned.
        warm_up_terms: (params, key, batch, step) -> LossTerms without any transport: z = μ + γ ε and no KL.
        penalty: Params -> (η/2) Σ_m |Ψ_m|_F².
    """

    model: Model
    infer: Callable[[Params, Key[Array, ""], Batch], Sampled]
    terms: Callable[..., LossTerms]
    warm_up_terms: Callable[..., LossTerms]
    penalty: Callable[[Params], Float[Array, ""]]


def vaells(config: VAELLSConfig, networks: Networks | None = None, *, marginal_draws: int = 0) -> VAELLS:
    """Builds the VAELLS.

    loss(x) = -E[log p(x | z)] + β E[log q(z | x) - log p(z)], where z is x's encoding transported by random
    coefficients, plus noise; q(z | x) is its density by the inferred coefficients, and the prior is the mean of the
    same density over the anchors of x's class [connor2021, Eqs. 5 to 9]. β is the variance σ² of p(x | z), the loss
    being σ² times the published one and the reconstruction that of unit variance. Training adds β times `penalty`.

    In `LossTerms`, `kl` is log q(z | x) - log p(z) of one draw; the term "squared_move" is |z - μ|² / d.
    `log_likelihood` is that given the class.

    Args:
        config: The typed configuration.
        networks: A user's own.
        marginal_draws: If not 0, `log_likelihood` has the densities of posterior and prior with their coefficients
            integrated out, by so many draws, see `log_marginal_density`, in place of the largest values.

    Returns:
        The model, whose parameters are a dict with "encoder", "decoder", "likelihood", "operators", (M, d, d), and,
        unless each example brings its own, "anchors", (K, N_a, *event).
    """
    core = build_core(config, {"location": Head(config.dim)}, networks)
    own_anchors = config.anchors == "batch"
    limits: dict[str, Any] = {"num_restarts": config.num_restarts, "max_iterations": config.max_iterations}

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, decoder_key, operator_key, anchor_key = jax.random.split(key, 4)
        shape = (config.num_operators, config.dim, config.dim)
        params = {
            "encoder": core.encoder.init(encoder_key, batch["x"][:1]),
            "decoder": core.decoder.init(decoder_key, jnp.zeros((1, config.dim))),
            "likelihood": core.likelihood.start(batch["x"]),
            "operators": config.initial_operator_scale * jax.random.normal(operator_key, shape),
        }
        if not own_anchors:
            params["anchors"] = choose_anchors(
                anchor_key,
                batch["x"],
                batch["label"],
                batch["parameter"] if config.anchors == "even" else None,
                num_classes=config.num_classes,
                num_anchors=config.num_anchors,
            )
        return params

    def locate(params: Params, x: Array) -> Float[Array, "b d"]:
        return core.encoder.outputs(params["encoder"], x)["location"]

    def encode(params: Params, x: Array) -> TransportPosterior:
        return TransportPosterior(locate(params, x), params["operators"])

    def encode_grouped(params: Params, x: Float[Array, "b N *event"]) -> Float[Array, "b N d"]:
        return locate(params, x.reshape(-1, *x.shape[2:])).reshape(*x.shape[:2], config.dim)

    def encode_anchors(params: Params, batch: Batch) -> Float[Array, "b N d"]:
        """Encodings of the anchors of each example."""
        anchors = batch["anchors"] if own_anchors else params["anchors"]
        if not own_anchors and not config.learn_anchors:
            anchors = jax.lax.stop_gradient(anchors)
        found = encode_grouped(params, anchors)
        return found if own_anchors else found[batch["label"]]

    def sample_posterior(key: Key[Array, ""], q: TransportPosterior, shape: tuple[int, ...] = ()) -> Array:
        return draw(key, config.posterior, q.operators, q.location, shape).z

    def infer_both(key: Key[Array, ""], operators: Array, location: Array, anchors: Array, drawn: Draw) -> Sampled:
        """Inferences for draws (..., b) from locations (b, d) and anchors (b, N, d)."""
        posterior_key, prior_key = jax.random.split(key)
        from_location = Pairs(posterior_key, location, drawn.z, config.posterior.weight, drawn.coefficients)
        from_anchors = Pairs(prior_key, anchors, drawn.z[..., None, :], config.prior.weight)
        own, prior = infer_jointly(operators, (from_location, from_anchors), **limits)
        converged = jnp.mean(jnp.concatenate([own.converged.ravel(), prior.converged.ravel()]))
        return Sampled(drawn, own.coefficients, prior.coefficients, converged)

    def log_ratio(operators: Array, location: Array, anchors: Array, z: Array, own: Array, prior: Array) -> Array:
        """Returns log q(z | x) - log p(z), given the coefficients."""
        groups = (
            Explained(config.posterior, location, z, own),
            Explained(config.prior, anchors, z[..., None, :], prior),
        )
        log_q, from_anchors = log_densities(operators, groups, gradient=config.coefficient_gradient)
        return log_q - logsumexp(from_anchors, axis=-1) + math.log(from_anchors.shape[-1])

    def marginal_log_ratio(
        key: Key[Array, ""], operators: Array, location: Array, anchors: Array, found: Sampled
    ) -> Float[Array, "*s b"]:
        """Returns log q(z | x) - log p(z), coefficients integrated out."""
        own_key, prior_key = jax.random.split(key)
        z, own, prior = found.drawn.z, found.posterior_coefficients, found.prior_coefficients
        count = {"num_draws": marginal_draws}
        log_q = log_marginal_density(own_key, config.posterior, operators, location, z, own, **count)
        from_anchors = log_marginal_density(
            prior_key, config.prior, operators, anchors, z[..., None, :], prior, **count
        )
        return log_q - logsumexp(from_anchors, axis=-1) + math.log(from_anchors.shape[-1])

    def infer_batch(params: Params, key: Key[Array, ""], batch: Batch) -> Sampled:
        draw_key, inference_key = jax.random.split(key)
        params = jax.lax.stop_gradient(params)
        q = encode(params, batch["x"])
        drawn = draw(draw_key, config.posterior, q.operators, q.location)
        return infer_both(inference_key, q.operators, q.location, encode_anchors(params, batch), drawn)

    def assemble(params: Params, batch: Batch, location: Array, z: Array, kl: Array, step: Any) -> LossTerms:
        moved = jnp.mean((z - location) ** 2, axis=-1)
        return core.terms(params, batch["x"], z, kl, step, {"squared_move": moved})

    def terms(params: Params, batch: Batch, sampled: Sampled, step: Array | None = None) -> LossTerms:
        q = encode(params, batch["x"])
        drawn = sampled.drawn
        z = drawn_by(config.posterior, q.operators, q.location, drawn.coefficients, drawn.noise)
        kl = log_ratio(
            q.operators,
            q.location,
            encode_anchors(params, batch),
            z,
            sampled.posterior_coefficients,
            sampled.prior_coefficients,
        )
        return assemble(params, batch, q.location, z, kl, step)

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        return terms(params, batch, infer_batch(params, key, batch), step)

    def warm_up_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        location = locate(params, batch["x"])
        z = location + config.posterior.noise_scale * jax.random.normal(key, location.shape, location.dtype)
        return assemble(params, batch, location, z, jnp.zeros(len(location), location.dtype), step)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        draw_key, inference_key = jax.random.split(key)
        q = encode(params, batch["x"])
        anchors = encode_anchors(params, batch)
        drawn = draw(draw_key, config.posterior, q.operators, q.location, (num_samples,))
        found = infer_both(inference_key, q.operators, q.location, anchors, drawn)
        if marginal_draws:
            ratio = marginal_log_ratio(jax.random.fold_in(key, 2), q.operators, q.location, anchors, found)
        else:
            own, prior = found.posterior_coefficients, found.prior_coefficients
            ratio = log_ratio(q.operators, q.location, anchors, found.drawn.z, own, prior)
        return core.log_likelihood(params, batch["x"], found.drawn.z, -ratio)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        anchor_key, draw_key = jax.random.split(key)
        anchors = params["anchors"].reshape(-1, *config.event_shape)
        rows = jax.random.randint(anchor_key, (num,), 0, len(anchors))
        location = locate(params, anchors)[rows]
        return core.decode(params, draw(draw_key, config.prior, params["operators"], location).z)

    def penalty(params: Params) -> Float[Array, ""]:
        return 0.5 * config.operator_penalty * jnp.sum(params["operators"] ** 2)

    reason = "no samples without data: each example brings the anchors of its own prior"
    capabilities = {"operators": lambda params: params["operators"], **core.likelihood.capabilities}
    if not own_anchors:
        capabilities["anchors"] = lambda params: encode_grouped(params, params["anchors"])
    model = Model(
        manifold=config.manifold,
        init=init,
        encode=encode,
        decode=core.decode,
        sample_posterior=sample_posterior,
        loss_terms=loss_terms,
        log_likelihood=log_likelihood,
        sample=lacking(reason) if own_anchors else sample,
        capabilities=capabilities,
        lacks={"sample": reason} if own_anchors else {},
        columns=("anchors",) if own_anchors else ("label",),
    )
    return VAELLS(model, infer_batch, terms, warm_up_terms, penalty)

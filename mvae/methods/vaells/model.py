"""VAELLS: transport operators, learned with the networks, are posterior and prior of the latent space (vaells.md)."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Euclidean
from mvae.methods.vaells.anchors import ANCHOR_CHOICES, choose_anchors
from mvae.methods.vaells.transport_density import COEFFICIENT_GRADIENTS, TransportLaw, draw, infer, log_density
from mvae.methods.vaells.transport_marginal import log_marginal_density
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Batch, LossTerms, Model, Params
from mvae.models.objective import VariationalConfig
from mvae.nets import build_nets

Apply = Callable[..., Any]  # flax's own annotation allows for mutable collections, which there are none of here


class TransportPosterior(NamedTuple):
    """The law of exp(Σ_m c_m Ψ_m) μ + γ ε.

    Attributes:
        location: μ, (..., d).
        operators: Ψ, shared by all of them.
    """

    location: Float[Array, "... d"]
    operators: Float[Array, "M d d"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class VAELLSConfig(VariationalConfig):
    """Everything that makes a VAELLS apart from the data, beside what `VariationalConfig` has.

    Attributes:
        dim: Dimension d of the latent space.
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

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    dim: int
    beta: float = 0.03
    num_operators: int = 1
    initial_operator_scale: float = 0.05
    operator_penalty: float = 0.01
    num_classes: int = 1
    num_anchors: int = 3
    anchors: str = "random"
    learn_anchors: bool = True
    posterior: TransportLaw = dataclasses.field(default_factory=lambda: TransportLaw(laplace_scale=0.05))
    prior: TransportLaw = dataclasses.field(default_factory=TransportLaw)
    num_restarts: int = 2
    max_iterations: int = 50
    coefficient_gradient: str = "fixed"

    def __post_init__(self):
        counts = ("dim", "num_operators", "num_classes", "num_anchors", "num_restarts", "max_iterations")
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
        z: Points, (b, d).
        posterior_coefficients: c from the example to z, (b, M).
        prior_coefficients: c from each anchor of its class to z, (b, N_a, M).
        converged: Share of the inferences that converged.
    """

    z: Float[Array, "b d"]
    posterior_coefficients: Float[Array, "b M"]
    prior_coefficients: Float[Array, "b N M"]
    converged: Float[Array, ""]


class VAELLS(NamedTuple):
    """The model, and what its training needs beside it.

    Attributes:
        model: The noun `Model`.
        infer: (params, key, batch) -> Sampled.
        terms: (params, key, batch, coefficients, step) -> LossTerms, where `coefficients` is what `infer` returned for
            the same key.
        warm_up_terms: (params, key, batch, step) -> LossTerms without any transport: z = μ + γ ε and no KL.
        penalty: params -> (η/2) Σ_m |Ψ_m|_F².
    """

    model: Model
    infer: Callable[[Params, Key[Array, ""], Batch], Sampled]
    terms: Callable[..., LossTerms]
    warm_up_terms: Callable[..., LossTerms]
    penalty: Callable[[Params], Float[Array, ""]]


def vaells(config: VAELLSConfig, *, marginal_draws: int = 0) -> VAELLS:
    """Builds the VAELLS.

    loss(x) = -E[log p(x | z)] + β E[log q(z | x) - log p(z)], where z is x's encoding transported by random
    coefficients, plus noise; q(z | x) is its density by the inferred coefficients, and the prior is the mean of the
    same density over the anchors of x's class (vaells.md, Eqs. 5 to 9). β is the variance σ² of p(x | z), the loss
    being σ² times the published one and the reconstruction that of unit variance. Training adds β times `penalty`.

    In `LossTerms`, `kl` is log q(z | x) - log p(z) of one draw and `time` the squared distance of z from μ, over d.
    `log_likelihood` is that given the class.

    Args:
        config: The typed configuration.
        marginal_draws: If not 0, `log_likelihood` has the densities of posterior and prior with their coefficients
            integrated out, by so many draws, see `log_marginal_density`, in place of the largest values.

    Returns:
        The model, whose parameters are a dict with "encoder", "decoder", "likelihood", "operators", (M, d, d), and,
        unless each example brings its own, "anchors", (K, N_a, h, w, c).
    """
    encoder, decoder = build_nets(
        config.net,
        config.encoder_widths,
        config.decoder_widths,
        config.event_shape,
        ambient_dim=config.dim,
        initial_log_time=0.0,
        num_times=0,
    )
    encoder_apply: Apply = encoder.apply
    decoder_apply: Apply = decoder.apply
    likelihood = LIKELIHOODS[config.likelihood]()
    own_anchors = config.anchors == "batch"
    limits: dict[str, Any] = {"num_restarts": config.num_restarts, "max_iterations": config.max_iterations}

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        encoder_key, decoder_key, operator_key, anchor_key = jax.random.split(key, 4)
        shape = (config.num_operators, config.dim, config.dim)
        params = {
            "encoder": encoder.init(encoder_key, batch["x"][:1]),
            "decoder": decoder.init(decoder_key, jnp.zeros((1, config.dim))),
            "likelihood": likelihood.params,
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

    def locate(params: Params, image: Array) -> Float[Array, "b d"]:
        return encoder_apply(params["encoder"], image)[0]

    def encode(params: Params, image: Array) -> TransportPosterior:
        return TransportPosterior(locate(params, image), params["operators"])

    def encode_anchors(params: Params, batch: Batch) -> Float[Array, "b N d"]:
        """Encodings of the anchors of each example."""
        images = batch["anchors"] if own_anchors else params["anchors"]
        if not own_anchors and not config.learn_anchors:
            images = jax.lax.stop_gradient(images)
        found = locate(params, images.reshape(-1, *images.shape[2:])).reshape(*images.shape[:2], config.dim)
        return found if own_anchors else found[batch["label"]]

    def decode(params: Params, z: Array) -> Array:
        return likelihood.mean(decoder_apply(params["decoder"], z))

    def sample_posterior(key: Key[Array, ""], q: TransportPosterior, shape: tuple[int, ...] = ()) -> Array:
        return draw(key, config.posterior, q.operators, q.location, shape).z

    def infer_both(key: Key[Array, ""], operators: Array, location: Array, anchors: Array, drawn: Any) -> Sampled:
        """Inferences for draws (..., b) from locations (b, d) and anchors (b, N, d)."""
        posterior_key, prior_key = jax.random.split(key)
        z, start = drawn
        own = infer(posterior_key, config.posterior, operators, location, z, initial=start, **limits)
        prior = infer(prior_key, config.prior, operators, anchors, z[..., None, :], **limits)
        converged = jnp.mean(jnp.concatenate([own.converged.ravel(), prior.converged.ravel()]))
        return Sampled(z, own.coefficients, prior.coefficients, converged)

    def log_ratio(operators: Array, location: Array, anchors: Array, z: Array, own: Array, prior: Array) -> Array:
        """Returns log q(z | x) - log p(z), given the coefficients."""
        gradient = config.coefficient_gradient
        log_q = log_density(config.posterior, operators, location, z, own, gradient=gradient)
        from_anchors = log_density(config.prior, operators, anchors, z[..., None, :], prior, gradient=gradient)
        return log_q - logsumexp(from_anchors, axis=-1) + math.log(from_anchors.shape[-1])

    def marginal_log_ratio(
        key: Key[Array, ""], operators: Array, location: Array, anchors: Array, found: Sampled
    ) -> Float[Array, "*s b"]:
        """Returns log q(z | x) - log p(z), coefficients integrated out."""
        own_key, prior_key = jax.random.split(key)
        z, own, prior = found.z, found.posterior_coefficients, found.prior_coefficients
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
        image = batch["x"]
        output = decoder_apply(params["decoder"], z)
        reconstruction = -likelihood.log_prob(params["likelihood"], image, output)
        mse = jnp.mean((image - likelihood.mean(output)) ** 2, axis=tuple(range(1, image.ndim)))
        moved = jnp.mean((z - location) ** 2, axis=-1)
        loss = config.loss(reconstruction, kl, step)
        return LossTerms(loss, -(reconstruction + kl), reconstruction, kl, mse, moved)

    def terms(
        params: Params, key: Key[Array, ""], batch: Batch, coefficients: Sampled, step: Array | None = None
    ) -> LossTerms:
        draw_key, _ = jax.random.split(key)
        q = encode(params, batch["x"])
        z = draw(draw_key, config.posterior, q.operators, q.location).z
        kl = log_ratio(
            q.operators,
            q.location,
            encode_anchors(params, batch),
            z,
            coefficients.posterior_coefficients,
            coefficients.prior_coefficients,
        )
        return assemble(params, batch, q.location, z, kl, step)

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        return terms(params, key, batch, infer_batch(params, key, batch), step)

    def warm_up_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        location = locate(params, batch["x"])
        z = location + config.posterior.noise_scale * jax.random.normal(key, location.shape, location.dtype)
        return assemble(params, batch, location, z, jnp.zeros(len(location), location.dtype), step)

    def log_likelihood(params: Params, key: Key[Array, ""], batch: Batch, num_samples: int) -> Float[Array, " b"]:
        draw_key, inference_key = jax.random.split(key)
        image = batch["x"]
        q = encode(params, image)
        anchors = encode_anchors(params, batch)
        drawn = draw(draw_key, config.posterior, q.operators, q.location, (num_samples,))
        found = infer_both(inference_key, q.operators, q.location, anchors, drawn)
        output = decoder_apply(params["decoder"], found.z.reshape(-1, config.dim))
        tiled = jnp.broadcast_to(image, (num_samples, *image.shape)).reshape(output.shape)
        log_likelihoods = likelihood.log_prob(params["likelihood"], tiled, output).reshape(num_samples, -1)
        if marginal_draws:
            ratio = marginal_log_ratio(jax.random.fold_in(key, 2), q.operators, q.location, anchors, found)
        else:
            own, prior = found.posterior_coefficients, found.prior_coefficients
            ratio = log_ratio(q.operators, q.location, anchors, found.z, own, prior)
        return logsumexp(log_likelihoods - ratio, axis=0) - math.log(num_samples)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        if own_anchors:
            raise NotImplementedError("no samples without data: each example brings the anchors of its own prior")
        anchor_key, draw_key = jax.random.split(key)
        images = params["anchors"].reshape(-1, *config.event_shape)
        rows = jax.random.randint(anchor_key, (num,), 0, len(images))
        location = locate(params, images)[rows]
        return decode(params, draw(draw_key, config.prior, params["operators"], location).z)

    def penalty(params: Params) -> Float[Array, ""]:
        return 0.5 * config.operator_penalty * jnp.sum(params["operators"] ** 2)

    model = Model(Euclidean(config.dim), init, encode, decode, sample_posterior, loss_terms, log_likelihood, sample)
    return VAELLS(model, infer_batch, terms, warm_up_terms, penalty)

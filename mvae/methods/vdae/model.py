"""VDAE: an autoencoder around a learned diffusion map, whose posterior is one step of the random walk [li2020]."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from mvae.methods.vdae.latent_walk import latent_walk
from mvae.methods.vdae.spectral_net import SpectralNet, SpectralNetConfig, spectral_net
from mvae.models.autoencoder import Networks, build_core
from mvae.models.model import Batch, LossTerms, Model, Params, lacking
from mvae.models.objective import VariationalConfig
from mvae.nets import CovarianceNet
from mvae.spectral import local_covariance

FROZEN = ("encoder", "reference")  # parameters that the second stage leaves alone
SAMPLE_NOISES = ("none", "likelihood")
LANES = 128


class WalkPosterior(NamedTuple):
    """One step of the walk, q(z' | x) = N(ψ(x), L L').

    Attributes:
        location: ψ(x), (..., D).
        factor: L, lower triangular, (..., D, D).
    """

    location: Float[Array, "... D"]
    factor: Float[Array, "... D D"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class VDAEConfig(VariationalConfig):
    """Everything that makes a VDAE apart from the data, beside what `VariationalConfig` has.

    `encoder_widths` of that one are the hidden layers of the covariance network.

    Attributes:
        spectral: The first stage.
        num_neighbors: Points whose covariance Σ* is, the nearest of ψ(x); None for those in a ball.
        radius: δ, radius of that ball in diffusion coordinates; None for nearest neighbours.
        step_scale: α of Eq. 7: the walk aims at the covariance α Σ*.
        covariance_floor: This share of the mean eigenvalue is added to α Σ*, which has next to no extent across the
            manifold of codes, and none at all where neighbours are fewer than coordinates.
        walk_steps: Steps of the walk behind a sample.
        sample_noise: "none", a step goes to the mean of p(x | z), or "likelihood", it is drawn from p(x | z).

    Raises:
        ValueError: For a value out of range, naming it.
    """

    needs: ClassVar[Mapping[str, Any]] = {"optimizer.encoder_warmup_steps": 0}  # what other entries must be

    encoder_widths: tuple[int, ...] = (256, 256)
    decoder_widths: tuple[int, ...] = (256, 256, 256)
    spectral: SpectralNetConfig = dataclasses.field(default_factory=SpectralNetConfig)
    num_neighbors: int | None = 50
    radius: float | None = None
    step_scale: float = 1.0
    covariance_floor: float = 1e-3
    walk_steps: int = 10
    sample_noise: str = "none"

    def __post_init__(self):
        if self.walk_steps < 1:
            raise ValueError(f"walk_steps must be at least 1, got {self.walk_steps}")
        if (self.num_neighbors is None) == (self.radius is None):
            raise ValueError(f"give num_neighbors or radius, got {self.num_neighbors} and {self.radius}")
        if self.num_neighbors is not None and self.num_neighbors < 2:
            raise ValueError(f"num_neighbors must be at least 2, got {self.num_neighbors}")
        for name in ("radius", "step_scale", "covariance_floor"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number, got {value}")
        if self.sample_noise not in SAMPLE_NOISES:
            raise ValueError(f"sample_noise must be one of {', '.join(SAMPLE_NOISES)}, got {self.sample_noise!r}")
        if self.sample_noise == "likelihood" and not self.likelihood.startswith("gaussian"):
            raise ValueError(f"sample_noise = 'likelihood' needs a Gaussian likelihood, got {self.likelihood!r}")
        if self.max_capacity is not None:
            raise ValueError(f"max_capacity must be None: the KL of a VDAE is between steps, got {self.max_capacity}")
        super().__post_init__()


class VDAE(NamedTuple):
    """The model, and what its training needs beside it.

    Attributes:
        model: The noun `Model`.
        spectral: The network of the first stage.
        start: (key, batch, parameters of the first stage) -> parameters of the model. The examples of the batch, the
            first ones of the training set, are those among which neighbours are sought from then on.
    """

    model: Model
    spectral: SpectralNet
    start: Callable[[Key[Array, ""], Batch, Params], Params]


def step_kl(factor: Float[Array, "... D D"], inverse: Float[Array, "... D D"]) -> Float[Array, "..."]:
    """Returns KL(N(m, C) ‖ N(m, S)) = ½ (tr S⁻¹C - D + log |S| / |C|), in nats.

    Args:
        factor: L with C = L L', lower triangular.
        inverse: The inverse of the same of S, see `lower_inverse`: S stays while C learns.

    Source: [li2020, Eq. 7], which lacks the ½.
    """
    ratio = jnp.matmul(inverse, factor, precision="highest")
    return 0.5 * (jnp.sum(ratio**2, axis=(-2, -1)) - factor.shape[-1]) - _half_log_det(inverse) - _half_log_det(factor)


def lower_inverse(factor: Float[Array, "... D D"]) -> Float[Array, "... D D"]:
    """Returns inverses of lower triangular matrices by forward substitution, a row of all of them at a time.

    Those of LAPACK, a matrix at a time, share out many matrices among threads and may then wait for each other for
    ever (jaxlib 0.10 on CPU).
    """
    rows = jnp.eye(factor.shape[-1], dtype=factor.dtype)

    def substitute(index: Int[Array, ""], inverse: Array) -> Array:
        row = factor[..., index, :]
        found = rows[index] - jnp.einsum("...j,...jk->...k", row, inverse, precision="highest")
        return inverse.at[..., index, :].set(found / row[..., index, None])

    return jax.lax.fori_loop(0, len(rows), substitute, jnp.zeros_like(factor))


def _half_log_det(factor: Float[Array, "... D D"]) -> Float[Array, "..."]:
    return jnp.sum(jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)


def vdae(config: VDAEConfig, num_points: int, networks: Networks | None = None) -> VDAE:
    """Builds the VDAE.

    The encoder is a diffusion map ψ learned in a stage of its own and fixed thereafter. q(z' | x) = N(ψ(x), C(x)) is
    one step of a random walk; the decoder turns z' into a neighbour of x:

        loss(x) = -log p(x' | z') + β KL(N(ψ(x), C) ‖ N(ψ(x), α Σ*)),  x' = argmin over y ≠ x of |ψ(y) - z'|

    with Σ* the covariance of the codes around ψ(x) [li2020, Eqs. 5 to 7]. Neighbours are sought among the first
    `init_batch_size` training examples, not in the batch: in a small batch the nearest example is far, and the decoder
    then learns averages over that distance.

    Against the paper: Eq. 7 with its ½; C from a network of ψ(x), by its Cholesky factor. Against the code published
    with it: Σ* is the covariance, about its mean; the trace, not the nuclear norm; x itself is excluded; one nearest
    neighbour.

    In `LossTerms`, `kl` is that of the two steps, `mse` the squared error of x'; the term "step_variance" is tr C / D.
    `elbo` is the local evidence lower bound, Eq. 5.

    Args:
        config: The typed configuration.
        num_points: Training examples, the points of the graph.
        networks: A user's own; its encoder is the network of the diffusion map.

    Returns:
        The model; its parameters are a dict with "encoder" (the first stage's), "decoder", "likelihood", "covariance"
        and "reference", the examples among which neighbours are sought, their codes and the inverse factors of α Σ*.
    """
    own = networks or Networks()
    spectral = spectral_net(config.spectral, config.dim, config.event_shape, num_points, own.encoder)
    core = build_core(config, {}, own)
    covariance = CovarianceNet(config.encoder_widths, config.dim)
    covariance_apply: Callable[..., Any] = covariance.apply

    def start(key: Key[Array, ""], batch: Batch, first: Params) -> Params:
        decoder_key, covariance_key = jax.random.split(key)
        encoder = spectral.fit(first, batch)
        code = spectral.embed(encoder, batch["x"])
        target = step_factor(config, code)
        scale = jnp.sqrt(jnp.mean(jnp.sum(target**2, axis=(1, 2))) / config.dim)
        return {
            "encoder": encoder,
            "decoder": core.decoder.init(decoder_key, jnp.zeros((1, config.dim))),
            "likelihood": core.likelihood.start(batch["x"]),
            "covariance": covariance.init(covariance_key, code[:1]),
            "reference": {
                "x": batch["x"],
                "code": code,
                "inverse": lower_inverse(target),
                "scale": scale,
            },
        }

    def init(key: Key[Array, ""], batch: Batch) -> Params:
        first_key, second_key = jax.random.split(key)
        return start(second_key, batch, spectral.init(first_key, batch))

    def encode(params: Params, x: Array) -> WalkPosterior:
        location = spectral.embed(params["encoder"], x)
        unit = covariance_apply(params["covariance"], location)
        return WalkPosterior(location, params["reference"]["scale"] * unit)

    def sample_posterior(key: Key[Array, ""], q: WalkPosterior, shape: tuple[int, ...] = ()) -> Array:
        noise = jax.random.normal(key, (*shape, *q.location.shape), q.location.dtype)
        return q.location + jnp.einsum("...ij,...j->...i", q.factor, noise, precision="highest")

    def loss_terms(params: Params, key: Key[Array, ""], batch: Batch, step: Array | None = None) -> LossTerms:
        reference = params["reference"]
        q = encode(params, batch["x"])
        z = sample_posterior(key, q)
        found = nearest_code(reference["code"], z, batch.get("index"))  # examples that are new have none
        flat = reference["x"].reshape(len(reference["x"]), -1)
        neighbor = flat[found].reshape(batch["x"].shape)
        # While all examples of training are in the reference, they know their place in it.
        known = step is not None and len(reference["code"]) == num_points
        place = batch["index"] if known else nearest_code(reference["code"], q.location)
        kl = step_kl(q.factor, reference["inverse"][place])
        trace = jnp.sum(q.factor**2, axis=(1, 2)) / config.dim
        return core.terms(params, neighbor, z, kl, step, {"step_variance": trace})

    def observe(params: Params, key: Key[Array, ""], mean: Array) -> Array:
        deviation = jnp.exp(params["likelihood"].get("log_std", jnp.zeros(())))
        return mean + deviation * jax.random.normal(key, mean.shape, mean.dtype)

    def walk(params: Params, key: Key[Array, ""], x: Array, num_steps: int) -> Array:
        noise = (lambda key, mean: observe(params, key, mean)) if config.sample_noise == "likelihood" else None
        return latent_walk(model, params, key, x, num_steps, observe=noise)

    def sample(params: Params, key: Key[Array, ""], num: int) -> Float[Array, "num *event"]:
        seed_key, walk_key = jax.random.split(key)
        seeds = params["reference"]["x"]
        rows = jax.random.randint(seed_key, (num,), 0, len(seeds))
        x = seeds.reshape(len(seeds), -1)[rows].reshape(num, *config.event_shape)
        return walk(params, walk_key, x, config.walk_steps)[-1]

    reason = "the prior of a VDAE is the stationary distribution of its walk, whose density is not known"
    model = Model(
        manifold=config.manifold,
        init=init,
        encode=encode,
        decode=core.decode,
        sample_posterior=sample_posterior,
        loss_terms=loss_terms,
        log_likelihood=lacking(reason),
        sample=sample,
        capabilities={"walk": walk, **core.likelihood.capabilities},
        lacks={"log_likelihood": reason},
    )
    return VDAE(model, spectral, start)


def nearest_code(
    codes: Float[Array, "r D"], z: Float[Array, "b D"], excluded: Int[Array, " b"] | None = None
) -> Int[Array, " b"]:
    """Returns which of the codes is nearest to each z.

    The minimum is taken over blocks first, for each place in a block, which vectorises: five times faster on CPU than
    one minimum along the row.

    Args:
        codes: Where to look.
        z: Points.
        excluded: For each z the code that may not be chosen; a number of r or more stands for none.
    """
    num, lanes = len(codes), min(LANES, len(codes))
    squares = jnp.sum(codes**2, axis=1) - 2 * jnp.matmul(z, codes.T, precision=jax.lax.Precision.HIGHEST)
    if excluded is not None:
        squares = squares.at[jnp.arange(len(z)), excluded].set(jnp.inf, mode="drop")
    padded = jnp.pad(squares, ((0, 0), (0, -num % lanes)), constant_values=jnp.inf).reshape(len(z), -1, lanes)
    lane = jnp.argmin(jnp.min(padded, axis=1), axis=1)
    block = jnp.argmin(jnp.take_along_axis(padded, lane[:, None, None], axis=2)[:, :, 0], axis=1)
    return block * lanes + lane


def step_factor(config: VDAEConfig, codes: Float[Array, "r D"]) -> Float[Array, "r D D"]:
    """Returns Cholesky factors of α Σ* + ε I around each code, ε the floor times the mean eigenvalue of α Σ*.

    Where all neighbours are copies of one example Σ* has no extent: ε is then that of the mean of all Σ*.
    """
    around = local_covariance(codes, num_neighbors=config.num_neighbors, radius=config.radius)
    around = config.step_scale * around
    level = jnp.trace(around, axis1=1, axis2=2) / codes.shape[1]
    mean = jnp.maximum(jnp.mean(level), jnp.finfo(codes.dtype).tiny ** 0.5)
    level = jnp.where(level > jnp.finfo(codes.dtype).eps ** 2 * mean, level, mean)
    floor = config.covariance_floor * level[:, None, None] * jnp.eye(codes.shape[1])
    return jnp.linalg.cholesky(around + floor)

"""f: Z_hid → M ⊂ R^m that carries a distribution to the uniform one: learned by a Wasserstein autoencoder, or exact."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.manifolds import Euclidean, Manifold, uniform_map
from mvae.methods.er.hidden_distribution import HIDDEN_DISTRIBUTIONS, HiddenDistribution
from mvae.models.model import Params
from mvae.nets import SmoothMLP

SCALES = (0.01, 0.1, 1.0)  # of the kernel, times its base
_EXACT = jax.lax.Precision.HIGHEST
KINDS = ("learned", "exact")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReparametrizationConfig:
    """How f is had; all but the first two are of the learned one.

    Attributes:
        kind: "learned", the decoder of a Wasserstein autoencoder, or "exact", the closed form of `uniform_map`.
        project: Whether f ends with the projection onto M.
        widths: Hidden layers of f, and of the encoder beside it.
        mmd_weight: λ, weight of the MMD between codes and the prior of Z_hid.
        manifold_weight: Weight of the MMD between f(z), z from the prior, and uniform points of M, which the published
            objective does not have.
        batch_size: Points drawn in each step.
        num_steps: Steps of the stage.
        learning_rate: Of Adam; it falls to zero along half a cosine.

    Raises:
        ValueError: For a value out of range, naming it.
    """

    kind: str = "learned"
    project: bool = False
    widths: tuple[int, ...] = (128, 128)
    mmd_weight: float = 10.0
    manifold_weight: float = 30.0
    batch_size: int = 128
    num_steps: int = 4000
    learning_rate: float = 3e-3

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not self.widths or any(width < 1 for width in self.widths):
            raise ValueError(f"widths must be one or more positive widths, got {self.widths}")
        for name in ("mmd_weight", "manifold_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be zero or more, got {getattr(self, name)}")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, got {self.batch_size}")
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a positive number, got {self.learning_rate}")


class AutoencoderTerms(NamedTuple):
    """What the first stage minimises, `loss`, and its parts; numbers.

    `reconstruction` is E|z - f(e(z))|², in squared units of R^m; `latent_mmd` and `manifold_mmd` are the unbiased
    estimates of MMD², the latter None where it has no weight.
    """

    loss: Float[Array, ""]
    reconstruction: Float[Array, ""]
    latent_mmd: Float[Array, ""]
    manifold_mmd: Float[Array, ""] | None


class Reparametrization(NamedTuple):
    """A distribution on Z_hid and the map from there to the manifold.

    Attributes:
        distribution: Prior and posteriors on Z_hid.
        init: Key -> parameters: {"map", "encoder"}, or {} of an exact map.
        apply: (parameters, z_hid (..., d)) -> f(z_hid), (..., m).
        loss: (parameters, key) -> AutoencoderTerms; None for an exact map.
    """

    distribution: HiddenDistribution
    init: Callable[[Key[Array, ""]], Params]
    apply: Callable[[Params, Array], Array]
    loss: Callable[[Params, Key[Array, ""]], AutoencoderTerms] | None


def inverse_multiquadric_mmd(
    x: Float[Array, "n d"], y: Float[Array, "n d"], base: float | Float[Array, ""]
) -> Float[Array, ""]:
    """Returns the unbiased MMD² of two samples of one size with k(a, b) = mean over s of s c / (s c + |a - b|²).

    Args:
        x: Points.
        y: Points.
        base: c > 0, in squared units of the points; `SCALES` are the values of s.

    Source: [tolstikhin2018, Alg. 2, Sec. 4].
    """
    n = x.shape[0]

    def kernel_sum(a: Array, b: Array) -> Array:
        squares = (
            jnp.sum(a**2, axis=1)[:, None] + jnp.sum(b**2, axis=1)[None] - 2 * jnp.matmul(a, b.T, precision=_EXACT)
        )
        squares = jnp.maximum(squares, 0.0)
        return jnp.sum(sum(scale * base / (scale * base + squares) for scale in SCALES)) / len(SCALES)

    within = kernel_sum(x, x) + kernel_sum(y, y) - 2 * n
    return within / (n * (n - 1)) - 2 * kernel_sum(x, y) / n**2


def reparametrization(config: ReparametrizationConfig, manifold: Manifold, distribution: str) -> Reparametrization:
    """Builds the reparametrisation of a manifold.

    A learned f is the decoder of a Wasserstein autoencoder of uniform points z of M,

        E|z - f(e(z))|² + λ MMD²(e(z), p(z_hid)) [+ μ MMD²(f(z_hid), z)],

    whose first term keeps f one to one and whose second has f carry p(z_hid) to the uniform distribution
    [golikov2018, Sec. 2.2].
    An exact one is `uniform_map`, after the distribution function of the normal distribution where Z_hid is R^d. Of
    Euclidean space f is the identity, either way: its latent variable is Z_hid itself.

    Args:
        config: How.
        manifold: M, of dimension d in R^m.
        distribution: One of `HIDDEN_DISTRIBUTIONS`.

    Raises:
        NotImplementedError: If an exact map is asked for that is not known.
        ValueError: For another distribution.
    """
    if distribution not in HIDDEN_DISTRIBUTIONS:
        raise ValueError(f"hidden must be one of {', '.join(HIDDEN_DISTRIBUTIONS)}, got {distribution!r}")
    hidden = HIDDEN_DISTRIBUTIONS[distribution](manifold.dim)
    if isinstance(manifold, Euclidean):
        return Reparametrization(hidden, lambda key: {}, lambda params, z: z, None)
    if config.kind == "exact":
        exact = uniform_map(manifold)
        to_cube = jax.scipy.stats.norm.cdf if distribution == "gaussian" else lambda z: z
        return Reparametrization(hidden, lambda key: {}, lambda params, z: exact(to_cube(z)), None)
    return _learned(config, manifold, hidden, centre=0.5 if distribution == "beta" else 0.0)


def _learned(
    config: ReparametrizationConfig, manifold: Manifold, hidden: HiddenDistribution, centre: float
) -> Reparametrization:
    forward = SmoothMLP(config.widths, manifold.ambient_dim)
    backward = SmoothMLP(config.widths, manifold.dim)
    forward_apply: Callable[..., Any] = forward.apply
    backward_apply: Callable[..., Any] = backward.apply

    def init(key: Key[Array, ""]) -> Params:
        forward_key, backward_key = jax.random.split(key)
        return {
            "map": forward.init(forward_key, jnp.zeros((1, manifold.dim))),
            "encoder": backward.init(backward_key, jnp.zeros((1, manifold.ambient_dim))),
        }

    def plain(params: Params, z: Array) -> Array:
        return forward_apply(params["map"], 2 * (z - centre) if centre else z)

    def loss(params: Params, key: Key[Array, ""]) -> AutoencoderTerms:
        point_key, code_key, second_key = jax.random.split(key, 3)
        point = manifold.uniform(point_key, (config.batch_size,))
        drawn = hidden.prior(code_key, (config.batch_size,))
        code = hidden.squash(backward_apply(params["encoder"], point))
        reconstruction = jnp.mean(jnp.sum((point - plain(params, code)) ** 2, axis=-1))
        latent = inverse_multiquadric_mmd(code, drawn, _spread(drawn))
        total = reconstruction + config.mmd_weight * latent
        if config.manifold_weight == 0:
            return AutoencoderTerms(total, reconstruction, latent, None)
        again = manifold.uniform(second_key, (config.batch_size,))
        onto = inverse_multiquadric_mmd(plain(params, drawn), again, _spread(again))
        return AutoencoderTerms(total + config.manifold_weight * onto, reconstruction, latent, onto)

    def apply(params: Params, z: Array) -> Array:
        return manifold.project(plain(params, z)) if config.project else plain(params, z)

    return Reparametrization(hidden, init, apply, loss)


def _spread(points: Float[Array, "n d"]) -> Float[Array, ""]:
    """Mean squared distance of two points, twice the summed variances."""
    return 2 * jnp.sum(jnp.var(points, axis=0))

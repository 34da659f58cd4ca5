"""The distributions on Z_hid, the space behind a reparametrised manifold: prior, posterior, KL and draws."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mvae.distributions.beta import beta_kl_to_uniform, beta_log_prob, sample_beta
from mvae.distributions.gaussian import GaussianPosterior, gaussian_kl, gaussian_log_ratio, sample_gaussian

BETA, GAUSSIAN = "beta", "gaussian"
LEAST, GREATEST = 0.05, 1e7  # parameters of a Beta posterior
_LOG_LARGEST = 80.0  # exp of it is finite in float32: an infinite kappa has derivative NaN where a and b are held


class HiddenDistribution(NamedTuple):
    """A prior p on Z_hid, of independent coordinates, and the family of its posteriors q.

    Attributes:
        name: Its name in `HIDDEN_DISTRIBUTIONS`.
        posterior: (location in R^d, log scale), both (..., d), as an encoder puts them out -> q.
        initial_log_scale: Variance of q at location 0 -> the log scale that has it; raises ValueError for a variance
            that the family does not reach.
        mean: q -> its mean, (..., d).
        variance: q -> variance of each coordinate, (..., d).
        sample: (key, q, shape) -> draws, (*shape, ..., d), differentiable in q.
        kl: q -> KL(q ‖ p), (...), in nats.
        log_ratio: (q, z) -> log p(z) - log q(z), (...), in nats.
        prior: (key, shape) -> draws of p, (*shape, d).
        squash: R^d -> Z_hid, smooth and onto its interior.
    """

    name: str
    posterior: Callable[[Array, Array], Any]
    initial_log_scale: Callable[[float], float]
    mean: Callable[[Any], Float[Array, "... d"]]
    variance: Callable[[Any], Float[Array, "... d"]]
    sample: Callable[..., Float[Array, "... d"]]
    kl: Callable[[Any], Float[Array, "..."]]
    log_ratio: Callable[[Any, Array], Float[Array, "..."]]
    prior: Callable[[Key[Array, ""], tuple[int, ...]], Float[Array, "... d"]]
    squash: Callable[[Array], Array]


class BetaPosterior(NamedTuple):
    """Independent Beta(a_i, b_i) on [0, 1].

    Attributes:
        a: (..., d), positive.
        b: (..., d), positive.
    """

    a: Float[Array, "... d"]
    b: Float[Array, "... d"]


def beta_hidden(dim: int) -> HiddenDistribution:
    """Uniform prior on [0, 1]^d, posteriors Beta(κ m, κ (1 - m)) with mean m = σ(location) and κ = exp(log scale).

    κ = 2 and m = ½ is the prior itself. The variance is m (1 - m) / (κ + 1). Both parameters are held in
    [`LEAST`, `GREATEST`]: below, draws are 0 or 1 in float32; above, they are all one number.

    Source: [golikov2018, Sec. 4].
    """

    def posterior(location: Array, log_scale: Array) -> BetaPosterior:
        # The smaller of m and 1 - m is computed as such: 1 - σ(x) would lose it.
        kappa = jnp.exp(jnp.minimum(log_scale, _LOG_LARGEST))
        shapes = (kappa * jax.nn.sigmoid(location), kappa * jax.nn.sigmoid(-location))
        return BetaPosterior(*(jnp.clip(shape, LEAST, GREATEST) for shape in shapes))

    def initial_log_scale(variance: float) -> float:
        if not 0 < variance < 0.25:
            raise ValueError(f"initial_variance of a distribution on [0, 1] must lie in (0, 1/4), got {variance}")
        return math.log(0.25 / variance - 1)

    def mean(q: BetaPosterior) -> Array:
        return q.a / (q.a + q.b)

    def variance(q: BetaPosterior) -> Array:
        total = q.a + q.b
        return (q.a / total) * (q.b / total) / (total + 1)

    return HiddenDistribution(
        name=BETA,
        posterior=posterior,
        initial_log_scale=initial_log_scale,
        mean=mean,
        variance=variance,
        sample=lambda key, q, shape=(): sample_beta(key, q.a, q.b, shape),
        kl=lambda q: beta_kl_to_uniform(q.a, q.b),
        log_ratio=lambda q, z: -beta_log_prob(q.a, q.b, z),
        prior=lambda key, shape: jax.random.uniform(key, (*shape, dim)),
        squash=jax.nn.sigmoid,
    )


def gaussian_hidden(dim: int) -> HiddenDistribution:
    """Prior N(0, I) on R^d, posteriors N(location, diag exp(log scale))."""

    def initial_log_scale(variance: float) -> float:
        return math.log(variance)

    return HiddenDistribution(
        name=GAUSSIAN,
        posterior=lambda location, log_scale: GaussianPosterior(location, jnp.exp(log_scale)),
        initial_log_scale=initial_log_scale,
        mean=lambda q: q.location,
        variance=lambda q: q.variance,
        sample=sample_gaussian,
        kl=gaussian_kl,
        log_ratio=gaussian_log_ratio,
        prior=lambda key, shape: jax.random.normal(key, (*shape, dim)),
        squash=lambda x: x,
    )


HIDDEN_DISTRIBUTIONS: dict[str, Callable[[int], HiddenDistribution]] = {BETA: beta_hidden, GAUSSIAN: gaussian_hidden}

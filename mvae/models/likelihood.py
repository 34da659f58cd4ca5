"""Likelihoods p(x | z) of an example given the output of the decoder."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from mvae.manifolds import safe_math
from mvae.models.model import Params

LOG_TWO_PI = 1.8378770664093453
LEAST_STD = 1e-4  # of a feature, so that one that is constant has a density
LEAST_MEAN = 1e-4  # of a count, where a feature is zero in all examples that are shown at the start


def _as_it_is(x: Array, size: Array | float) -> Array:
    del size
    return x


class Likelihood(NamedTuple):
    """A family of distributions of an example, indexed by the decoder's output.

    The size factor s of an example is what its counts are in proportion to, such as the time of observation or the
    depth of sequencing; 1 for all where none is known. Families that are not of counts do without it.

    Attributes:
        mean: (params, decoder output, s) -> mean of x, in units of x.
        log_prob: (params, x, decoder output, s) -> log density summed over entries of x, (b,), in nats.
        fit: x -> parameters of the scale of these examples, where training starts; empty where the family has none.
        learns_std: Whether the parameters have "log_std", the log of one standard deviation for all entries.
        seen: (x, s) -> what the encoder is given in place of x.
        counts: Whether x are counts, whole numbers from 0 on.
    """

    mean: Callable[..., Array]
    log_prob: Callable[..., Float[Array, " b"]]
    fit: Callable[[Array], dict[str, Array]] = lambda x: {}
    learns_std: bool = False
    seen: Callable[[Array, Array | float], Array] = _as_it_is
    counts: bool = False

    def start(self, x: Array, size: Array | float = 1.0) -> dict[str, Array]:
        """Returns the parameters where training starts, given the first examples and their size factors.

        They are of the scale of the data: from a variance far above it, the decoder has little to tell at first, the
        KL term collapses the posterior, and a degree that the encoder has is lost.
        """
        return self.fit(x / _beside(size, x) if self.counts else x)

    @property
    def capabilities(self) -> dict[str, Callable[[Params], Array]]:
        """What a model with this likelihood can be asked: "likelihood_std" where one is learned; see `Model`."""
        if not self.learns_std:
            return {}
        return {"likelihood_std": lambda params: jnp.exp(params["likelihood"]["log_std"])}


def _of_rows(log_prob: Callable[..., Array]) -> Callable[..., Float[Array, " b"]]:
    """Decorates a log density of rows of entries, (b, k): it takes examples of any shape, and parameters of theirs.

    XLA's loops over short last axes, such as the channels of an image, do one number at a time.
    """

    def rows(x: Array) -> Array:
        return x.reshape(x.shape[0], math.prod(x.shape[1:])) if x.ndim else x

    @functools.wraps(log_prob)
    def of_examples(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        return log_prob(jax.tree.map(rows, params), rows(x), rows(output), size)

    return of_examples


def gaussian() -> Likelihood:
    """Unit variance, the papers' choice: log p = -(D/2) log 2π - |x - m|²/2 with D entries of x."""

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        del params, size
        squares = jnp.sum((x - output) ** 2, axis=1)
        return -0.5 * squares - 0.5 * LOG_TWO_PI * math.prod(x.shape[1:])

    return Likelihood(mean=lambda params, output, size=1.0: output, log_prob=log_prob)


def gaussian_sigmoid() -> Likelihood:
    """Unit variance around a mean in (0, 1), m = 1/(1 + e^(-ℓ)) for decoder output ℓ."""
    plain = gaussian()

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        return plain.log_prob(params, x, jax.nn.sigmoid(output), size)

    return Likelihood(mean=lambda params, output, size=1.0: jax.nn.sigmoid(output), log_prob=log_prob)


def gaussian_learned_variance() -> Likelihood:
    """One variance σ² for all entries, learned: log p = -(D/2) log 2πσ² - |x - m|²/(2σ²)."""

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        del size
        log_std = params["log_std"]
        squares = jnp.sum((x - output) ** 2, axis=1)
        return -0.5 * squares * jnp.exp(-2 * log_std) - (0.5 * LOG_TWO_PI + log_std) * math.prod(x.shape[1:])

    def fit(x: Array) -> dict[str, Array]:
        """The deviation of an entry from its mean over the examples; 1 where all examples are one."""
        variance = jnp.mean(jnp.var(x, axis=0))
        return {"log_std": 0.5 * jnp.log(jnp.where(variance > 0, variance, 1.0))}

    return Likelihood(mean=lambda params, output, size=1.0: output, log_prob=log_prob, fit=fit, learns_std=True)


def gaussian_feature_variance() -> Likelihood:
    """A variance of its own for each entry, learned: log p = Σ_i -½ log 2πσ_i² - (x_i - m_i)²/(2σ_i²).

    σ_i² = e^(2 a_i) + 10^-8, with a_i from the first examples; so σ_i is at least `LEAST_STD` in units of x.
    """

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        del size
        variance = jnp.exp(2 * params["log_feature_std"]) + LEAST_STD**2
        terms = (x - output) ** 2 / variance + jnp.log(variance)
        return -0.5 * jnp.sum(terms, axis=1) - 0.5 * LOG_TWO_PI * math.prod(x.shape[1:])

    def fit(x: Array) -> dict[str, Array]:
        """The deviation of each entry from its mean over the examples."""
        return {"log_feature_std": 0.5 * jnp.log(jnp.var(x, axis=0, keepdims=True) + LEAST_STD**2)}

    return Likelihood(mean=lambda params, output, size=1.0: output, log_prob=log_prob, fit=fit)


def bernoulli() -> Likelihood:
    """Decoder output ℓ as log odds: log p = Σ x log σ(ℓ) + (1 - x) log σ(-ℓ), for entries in [0, 1]."""

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        del params, size
        # x ℓ - log(1 + e^ℓ), the difference of like numbers first
        terms = (x * output - jnp.maximum(output, 0)) - jnp.log1p(jnp.exp(-jnp.abs(output)))
        return jnp.sum(terms, axis=1)

    return Likelihood(mean=lambda params, output, size=1.0: jax.nn.sigmoid(output), log_prob=log_prob)


def _beside(size: Array | float, x: Array) -> Array:
    """Size factors, (b,) or a number, that broadcast against x, (b, *event)."""
    size = jnp.asarray(size, x.dtype)
    return size.reshape(*size.shape, *(1,) * (x.ndim - size.ndim))


def _log_mean(params: Params, output: Array, size: Array | float) -> Array:
    """Log s + b + ℓ, the log of the mean count: (b, *event)."""
    return output + params["log_rate"] + jnp.log(_beside(size, output))


def _mean_count(params: Params, output: Array, size: Array | float = 1.0) -> Array:
    return jnp.exp(_log_mean(params, output, size))


def _log_counts(x: Array, size: Array | float) -> Array:
    """log(1 + x / s), what an encoder of counts is given."""
    return jnp.log1p(x / _beside(size, x))


def _fitted_rates(x: Array) -> dict[str, Array]:
    """The log of the mean count of each entry over the examples."""
    return {"log_rate": jnp.log(jnp.maximum(jnp.mean(x, axis=0, keepdims=True), LEAST_MEAN))}


@safe_math.inlined
def like_rows(x: Float[Array, "b *event"]) -> Float[Array, "b *event"]:
    """Returns for each row of counts another one of nearly the same means, whose noise is independent of its own.

    Each half of the entries is that of the row nearest by log(1 + x) of the other half: by the same half, rows would be
    near whose noise is alike. Where there is one entry it is that of the next row, which any row is like.
    """
    flat = x.reshape(x.shape[0], -1)
    if min(flat.shape) < 2:
        return jnp.roll(x, 1, axis=0)

    def nearest(columns: Array) -> Array:
        logs = jnp.log1p(columns)
        logs = logs - jnp.mean(logs, axis=0, keepdims=True)
        products = jnp.matmul(logs, logs.T, precision=jax.lax.Precision.HIGHEST)
        apart = jnp.diagonal(products)[None, :] - 2 * products  # less |logs_i|², the same for all of a row
        return jnp.argmin(jnp.where(jnp.eye(len(logs), dtype=bool), jnp.inf, apart), axis=1)

    even = (jnp.arange(flat.shape[1]) % 2 == 0)[None]
    return jnp.where(even, flat[nearest(flat[:, 1::2])], flat[nearest(flat[:, ::2])]).reshape(x.shape)


def poisson() -> Likelihood:
    """Counts with mean m = s e^(b + ℓ): log p = Σ x log m - m - log x!, with s the size factor and b_i learned.

    b starts at the log of the mean counts, so that the decoder starts at the mean of the data.
    """

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        log_mean = _log_mean(params, output, size)
        return jnp.sum(x * log_mean - jnp.exp(log_mean) - gammaln(x + 1), axis=1)

    return Likelihood(mean=_mean_count, log_prob=log_prob, fit=_fitted_rates, seen=_log_counts, counts=True)


def negative_binomial() -> Likelihood:
    """Counts with mean m = s e^(b + ℓ) and variance m + m²/r_i, the inverse dispersions r_i > 0 and b_i learned.

        log p = Σ log Γ(x + r) - log Γ(r) - log x! + r log(r / (r + m)) + x log(m / (r + m)).

    It tends to the Poisson distribution as r → ∞. r starts at the value of the moments of pairs of like rows among the
    first examples, `like_rows`, within [0.1, 1000]: those of all rows would count as noise what the means vary by.
    """

    @_of_rows
    def log_prob(params: Params, x: Array, output: Array, size: Array | float = 1.0) -> Array:
        log_mean, log_r = _log_mean(params, output, size), params["log_inverse_dispersion"]
        r = jnp.exp(log_r)
        terms = gammaln(x + r) - gammaln(r) - gammaln(x + 1)
        # log(r / (r + m)) and log(m / (r + m)), neither of which may overflow
        terms += r * jax.nn.log_sigmoid(log_r - log_mean) + x * jax.nn.log_sigmoid(log_mean - log_r)
        return jnp.sum(terms, axis=1)

    def fit(x: Array) -> dict[str, Array]:
        """Mean counts, and r of rows x, y of nearly equal means: E ½(x - y)² = E m + E m²/r, E m² = E x y."""
        like = like_rows(x)
        mean, within = jnp.mean(x, axis=0, keepdims=True), jnp.mean((x - like) ** 2, axis=0, keepdims=True) / 2
        excess = jnp.maximum(within - mean, 1e-3 * mean)
        r = jnp.where(mean > 0, jnp.mean(x * like, axis=0, keepdims=True) / jnp.where(mean > 0, excess, 1.0), 1.0)
        return _fitted_rates(x) | {"log_inverse_dispersion": jnp.log(jnp.clip(r, 0.1, 1e3))}

    return Likelihood(mean=_mean_count, log_prob=log_prob, fit=fit, seen=_log_counts, counts=True)


LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "gaussian": gaussian,
    "gaussian_learned_variance": gaussian_learned_variance,
    "gaussian_feature_variance": gaussian_feature_variance,
    "gaussian_sigmoid": gaussian_sigmoid,
    "bernoulli": bernoulli,
    "poisson": poisson,
    "negative_binomial": negative_binomial,
}

"""Likelihoods p(x | z) of a picture given the output of the decoder."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.models.model import Params

LOG_TWO_PI = 1.8378770664093453


class Likelihood(NamedTuple):
    """A family of laws of a picture, indexed by the decoder's output.

    Attributes:
        params: Initial parameters of the family itself (empty where it has none).
        mean: decoder output -> mean picture.
        log_prob: (params, picture, decoder output) -> log density summed over pixels, (b,), in nats.
        fit: pictures -> initial parameters of the scale of the pictures, where the family has parameters.
    """

    params: dict[str, Array]
    mean: Callable[[Array], Array]
    log_prob: Callable[[Params, Array, Array], Float[Array, " b"]]
    fit: Callable[[Array], dict[str, Array]] = lambda pictures: {}

    @property
    def capabilities(self) -> dict[str, Callable[[Params], Array]]:
        """What a model with this likelihood can be asked: "likelihood_std" where it is learned; see `Model`."""
        if "log_std" not in self.params:
            return {}
        return {"likelihood_std": lambda params: jnp.exp(params["likelihood"]["log_std"])}


def _pixel_axes(x: Array) -> tuple[int, ...]:
    return tuple(range(1, x.ndim))


def gaussian() -> Likelihood:
    """Unit variance, the paper's choice: log p = -(D/2) log 2π - |x - m|²/2 with D pixels."""

    def log_prob(params: Params, x: Array, output: Array) -> Array:
        del params
        squares = jnp.sum((x - output) ** 2, axis=_pixel_axes(x))
        return -0.5 * squares - 0.5 * LOG_TWO_PI * math.prod(x.shape[1:])

    return Likelihood(params={}, mean=lambda output: output, log_prob=log_prob)


def gaussian_sigmoid() -> Likelihood:
    """Unit variance around a mean in (0, 1), m = 1/(1 + e^(-ℓ)) for decoder output ℓ."""
    plain = gaussian()

    def log_prob(params: Params, x: Array, output: Array) -> Array:
        return plain.log_prob(params, x, jax.nn.sigmoid(output))

    return Likelihood(params={}, mean=jax.nn.sigmoid, log_prob=log_prob)


def gaussian_learned_variance() -> Likelihood:
    """One variance σ² for all pixels, learned: log p = -(D/2) log 2πσ² - |x - m|²/(2σ²)."""

    def log_prob(params: Params, x: Array, output: Array) -> Array:
        log_std = params["log_std"]
        squares = jnp.sum((x - output) ** 2, axis=_pixel_axes(x))
        return -0.5 * squares * jnp.exp(-2 * log_std) - (0.5 * LOG_TWO_PI + log_std) * math.prod(x.shape[1:])

    def fit(pictures: Array) -> dict[str, Array]:
        """The deviation of a pixel from its mean over the pictures; 1 where all pictures are one."""
        variance = jnp.mean(jnp.var(pictures, axis=0))
        return {"log_std": 0.5 * jnp.log(jnp.where(variance > 0, variance, 1.0))}

    return Likelihood({"log_std": jnp.zeros(())}, mean=lambda output: output, log_prob=log_prob, fit=fit)


def bernoulli() -> Likelihood:
    """Decoder output ℓ as log odds: log p = Σ x log σ(ℓ) + (1 - x) log σ(-ℓ), for pixels in [0, 1]."""

    def log_prob(params: Params, x: Array, output: Array) -> Array:
        del params
        terms = x * jax.nn.log_sigmoid(output) + (1 - x) * jax.nn.log_sigmoid(-output)
        return jnp.sum(terms, axis=_pixel_axes(x))

    return Likelihood(params={}, mean=jax.nn.sigmoid, log_prob=log_prob)


LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "gaussian": gaussian,
    "gaussian_learned_variance": gaussian_learned_variance,
    "gaussian_sigmoid": gaussian_sigmoid,
    "bernoulli": bernoulli,
}

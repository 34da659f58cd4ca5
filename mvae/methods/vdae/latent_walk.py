"""The random walk x → z → x' of an autoencoder, which generates by being run [li2020, Alg. 2]."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy import special

from mvae.models.model import Model, Params

MIXED_LEVEL = 0.01


def latent_walk(
    model: Model,
    params: Params,
    key: Key[Array, ""],
    x: Float[Array, "b *event"],
    num_steps: int,
    *,
    observe: Callable[[Key[Array, ""], Array], Array] | None = None,
) -> Float[Array, "t b *event"]:
    """Returns the paths of b chains, x_{t+1} = decode(z_{t+1}) with z_{t+1} from q(z | x_t); jit-able.

    Args:
        model: The model, or any other with `encode`, `sample_posterior` and `decode`.
        params: Its parameters.
        key: Source of the draws.
        x: x_0, the seeds of the chains.
        num_steps: N.
        observe: (key, mean of p(x | z)) -> x; None for the mean itself.

    Returns:
        x_0 to x_N, (N + 1, b, *event).
    """

    def step(x: Array, key: Key[Array, ""]) -> tuple[Array, Array]:
        latent_key, noise_key = jax.random.split(key)
        z = model.sample_posterior(latent_key, model.encode(params, x))
        following = model.decode(params, z)
        following = following if observe is None else observe(noise_key, following)
        following = following.astype(x.dtype)  # parameters may be of another precision
        return following, following

    _, path = jax.lax.scan(step, x, jax.random.split(key, num_steps))
    return jnp.concatenate([x[None], path])


def seed_share(codes: Float[Array | np.ndarray, "t s m d"]) -> np.ndarray:
    """Returns how much of the variance of codes the seed of their chain explains, 0 to 1, one number a step.

    The share is Σ_j between-seed variance / Σ_j total variance over the coordinates j: 1 at the seeds, and
    (s - 1)/(s m - 1) on average once all chains follow one distribution.

    Args:
        codes: Codes of m chains from each of s seeds, after 0, 1, … steps.

    Returns:
        The shares, (t,).
    """
    codes = np.asarray(codes, np.float64)
    means = codes.mean(axis=2)
    grand = means.mean(axis=1, keepdims=True)
    between = ((means - grand) ** 2).sum(axis=(1, 2)) * codes.shape[2]
    total = ((codes - grand[:, :, None]) ** 2).sum(axis=(1, 2, 3))
    return between / np.maximum(total, np.finfo(float).tiny)


def mixing_steps(codes: Float[Array | np.ndarray, "t s m d"]) -> int | None:
    """Returns after how many steps chains have forgotten their seeds, None if they have not.

    That is the first step from which on `seed_share` stays below the 99 % quantile it has for m chains from each of s
    seeds with one distribution, F/(F + (s m - s)/(s - 1)) with F from the F distribution of s - 1 and s m - s degrees
    of freedom: exact for one Gaussian coordinate, and too wide for several.

    Args:
        codes: As in `seed_share`, with at least two seeds and two chains of each.

    Raises:
        ValueError: For fewer.
    """
    _, seeds, chains, _ = codes.shape
    if seeds < 2 or chains < 2:
        raise ValueError(f"mixing needs two seeds and two chains of each, got {seeds} and {chains}")
    between, within = seeds - 1, seeds * (chains - 1)
    quantile = special.fdtri(between, within, 1 - MIXED_LEVEL)
    above = np.flatnonzero(seed_share(codes) > quantile / (quantile + within / between))
    first = 0 if len(above) == 0 else int(above[-1]) + 1
    return first if first < len(codes) else None

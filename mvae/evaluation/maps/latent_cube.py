"""The hidden latent space Z_hid of the reparametrisation [golikov2018]: a cube, or R^n seen as one by quantiles."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LATENTS = ("uniform", "normal")
_TAIL = 1e-3  # of a normal coordinate, cut off on both sides where the cube's faces are meant


def check_latent(latent: str) -> None:
    """Raises `ValueError` unless `latent` is the name of a distribution, "uniform" or "normal"."""
    if latent not in LATENTS:
        raise ValueError(f"latent must be one of {', '.join(LATENTS)}, got {latent!r}")


def from_cube(latent: str, u: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
    """Point of Z_hid whose coordinates have the given quantiles.

    >>> from_cube("normal", jnp.array([0.5])).tolist()
    [0.0]

    Args:
        latent: "uniform" on [0, 1]^n or "normal", N(0, I) on R^n.
        u: Quantiles in [0, 1], (..., n).

    Returns:
        Points, (..., n); infinite at quantiles 0 and 1 of the normal distribution.
    """
    return u if latent == "uniform" else jax.scipy.special.ndtri(u)


def log_prior(latent: str, z: Float[Array, " n"]) -> Float[Array, ""]:
    """Logarithm of the density at one point within the cube, or of R^n."""
    return 0 * z[0] if latent == "uniform" else jnp.sum(jax.scipy.stats.norm.logpdf(z))


def face_quantiles(latent: str) -> tuple[float, float]:
    """Quantiles of two opposite faces: 0 and 1, and for the normal distribution 0.001 and 0.999."""
    return (0.0, 1.0) if latent == "uniform" else (_TAIL, 1 - _TAIL)

"""Checks of arguments that the functions of this folder share."""

import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from mvae.manifolds.checks import DTYPES, widened


def check_points(name: str, x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Returns x as an array, one of 16 bits in float32, which is the dtype of all that is made of it.

    Finiteness is checked outside of compiled code alone, which cannot look at numbers.

    Raises:
        ValueError: If x is not a matrix of finite floats with a row and a column or more.
    """
    x = jnp.asarray(x)
    if x.ndim != 2 or 0 in x.shape or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name} must be floats of shape (n, d), got {x.dtype} {x.shape}")
    if x.dtype not in DTYPES:
        raise ValueError(f"{name} must have one of the dtypes {', '.join(map(str, DTYPES))}, got {x.dtype}")
    x = widened(x)
    check_finite(name, x)
    return x


def check_finite(name: str, x: Array) -> None:
    """Raises ValueError if a number of x is not finite; does nothing in compiled code."""
    finite = jnp.isfinite(x)
    if isinstance(finite, Tracer):  # of constants in compiled code too
        return
    if not bool(jnp.all(finite)):
        raise ValueError(f"{name} must be finite, got {int(jnp.sum(~finite))} numbers of {x.size} that are not")


def check_count(name: str, value: int, most: int, meaning: str) -> None:
    """Raises ValueError unless value lies in [1, most]; `meaning` says what bounds it."""
    if not 1 <= value <= most:
        raise ValueError(f"{name} must lie in [1, {most}] with {meaning}, got {value}")


def check_bandwidth(bandwidth: float | None) -> None:
    """Raises ValueError unless the bandwidth is None or a positive number."""
    if bandwidth is not None and not 0 < bandwidth < float("inf"):
        raise ValueError(f"bandwidth must be positive, got {bandwidth}")

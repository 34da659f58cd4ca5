"""Trace-time checks; each failure is a `ValueError` that names the argument and what was given."""

import math
import operator

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds.half_precision import DTYPES


def check_dim(dim: int) -> int:
    """Returns `dim` as an `int`; raises `ValueError` unless it is an integer of at least 1."""
    try:
        value = operator.index(dim)
    except TypeError:
        raise ValueError(f"dim must be an integer, got {dim!r}") from None
    if isinstance(dim, bool) or value < 1:
        raise ValueError(f"dim must be an integer of at least 1, got {dim!r}")
    return value


def check_radius(radius: float) -> float:
    """Returns `radius` as a `float`; raises `ValueError` unless it is positive and finite."""
    try:
        value = float(radius)
    except (TypeError, ValueError):
        raise ValueError(f"radius must be a number, got {radius!r}") from None
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"radius must be positive and finite, got {radius!r}")
    return value


def check_points(name: str, x: Float[Array, "*batch n"], size: int) -> Float[Array, "*batch n"]:
    """Returns `x` as an array; raises `ValueError` unless it is real floating with a last axis of `size`."""
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must have a floating dtype, got {array.dtype}")
    if array.dtype not in DTYPES:
        raise ValueError(f"{name} must have one of the dtypes {', '.join(map(str, DTYPES))}, got {array.dtype}")
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"{name} must have a last axis of size {size}, got shape {array.shape}")
    return array


def check_pair(
    names: tuple[str, str], z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"], size: int
) -> tuple[Float[Array, "*#batch n"], Float[Array, "*#batch n"]]:
    """Returns both arrays in their common dtype; raises `ValueError` unless they broadcast."""
    z = check_points(names[0], z, size)
    w = check_points(names[1], w, size)
    try:
        jnp.broadcast_shapes(z.shape, w.shape)
    except ValueError:
        raise ValueError(f"{names[0]} and {names[1]} must broadcast, got shapes {z.shape} and {w.shape}") from None
    dtype = jnp.result_type(z, w)
    return z.astype(dtype), w.astype(dtype)

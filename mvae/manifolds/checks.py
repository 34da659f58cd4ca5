"""Trace-time checks, each failure a `ValueError` that names the argument and what was given; arrays of 16 bits.

The numerics of the geometry are made for the rounding of float32 and float64. bfloat16 and float16 are dtypes to store
arrays in: they are computed with in float32, and results are given back in the dtype that arguments came in.
"""

import functools
import inspect
import math
import operator
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

HALVES = (jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float16))
DTYPES = (*HALVES, jnp.dtype(jnp.float32), jnp.dtype(jnp.float64))

P = ParamSpec("P")
R = TypeVar("R")


def is_half(x: Any) -> bool:
    """Whether something is an array of 16-bit floats."""
    return isinstance(x, jax.Array | np.ndarray | np.generic) and x.dtype in HALVES


def widened(x: Any) -> Any:
    """Returns an array of 16-bit floats in float32, anything else as it is."""
    return jnp.asarray(x).astype(jnp.float32) if is_half(x) else x


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function of arrays: it gets those of 16 bits in float32, and its floats are rounded to their dtype.

    Where one of `z` and `w`, points of `self` or of `manifold`, has 16 bits, it is refused if it is further off the
    manifold than its rounding explains, else projected: what is computed is exact for the points that were meant. The
    dtype of the result is that which the arrays promote to; where one is wider, or two of 16 bits differ, it stays
    float32. For arguments without arrays of 16 bits nothing changes.

    >>> @in_float32
    ... def third(x):
    ...     return (x.dtype, x / 3)
    >>> [str(part) for part in third(jnp.array(1.0, jnp.bfloat16))]
    ['float32', '0.333984']
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wide(*args: P.args, **kwargs: P.kwargs) -> R:
        if not any(map(is_half, (*args, *kwargs.values()))):
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        space = given.get("manifold", given.get("self"))
        dtypes = [
            x.dtype for name, x in given.items() if _is_floating(x) and name != "t"
        ]  # a time takes that of points
        for name, x in given.items():
            if is_half(x):
                given[name] = _on(space, name, x) if name in ("z", "w") and hasattr(space, "check_on") else widened(x)
        dtype = jnp.result_type(*dtypes) if dtypes else jnp.dtype(jnp.float32)
        result = function(*bound.args, **bound.kwargs)
        if dtype not in HALVES:
            return result
        return jax.tree.map(lambda leaf: leaf.astype(dtype) if _is_floating(leaf) else leaf, result)

    return wide


def _is_floating(x: Any) -> bool:
    return isinstance(x, jax.Array | np.ndarray | np.generic) and jnp.issubdtype(x.dtype, jnp.floating)


def _on(space: Any, name: str, x: Any) -> jax.Array:
    """The point that 16 bits stand for."""
    x = jnp.asarray(x)
    if x.shape[-1:] != (space.ambient_dim,):
        return widened(x)  # for the function to refuse
    space.check_on(name, x)
    return space.project(widened(x))


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

"""Trace-time checks of operators, coefficients and points; each failure is a `ValueError` that names the argument."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds.checks import DTYPES


def check_floats(name: str, x: Float[Array, "..."], least_rank: int) -> Float[Array, "..."]:
    """Returns `x` as an array; raises `ValueError` unless it is real floating with at least `least_rank` axes."""
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must have a floating dtype, got {array.dtype}")
    if array.dtype not in DTYPES:
        raise ValueError(f"{name} must have one of the dtypes {', '.join(map(str, DTYPES))}, got {array.dtype}")
    if array.ndim < least_rank:
        raise ValueError(f"{name} must have at least {least_rank} axes, got shape {array.shape}")
    return array


def check_matrix(name: str, matrix: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Returns `matrix`; raises `ValueError` unless its last two axes are equal and not empty."""
    matrix = check_floats(name, matrix, 2)
    if matrix.shape[-1] != matrix.shape[-2] or not matrix.shape[-1]:
        raise ValueError(f"{name} must be square matrices on the last two axes, got shape {matrix.shape}")
    return matrix


def check_operators(operators: Float[Array, "M d d"]) -> Float[Array, "M d d"]:
    """Returns the operators; raises `ValueError` unless they are M >= 1 square matrices."""
    operators = check_matrix("operators", operators)
    if operators.ndim != 3 or not len(operators):
        raise ValueError(f"operators must have shape (M, d, d) with M >= 1, got {operators.shape}")
    return operators


def check_last(name: str, x: Float[Array, "*batch n"], size: int) -> Float[Array, "*batch n"]:
    """Returns `x`; raises `ValueError` unless its last axis has the given size."""
    x = check_floats(name, x, 1)
    if x.shape[-1] != size:
        raise ValueError(f"{name} must have a last axis of size {size}, got shape {x.shape}")
    return x


def check_broadcast(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the common shape; raises `ValueError` with the names and shapes unless there is one."""
    try:
        return jnp.broadcast_shapes(*shapes.values())
    except ValueError:
        given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"leading axes must broadcast, got {given}") from None


def check_at_least(name: str, value: float, least: float, *, strict: bool = False) -> None:
    """Raises `ValueError` unless `value` is a finite number of at least (or, strictly, above) `least`."""
    good = math.isfinite(value) and (value > least if strict else value >= least)
    if not good:
        raise ValueError(f"{name} must be {'above' if strict else 'at least'} {least}, got {value!r}")


def check_count(name: str, value: int) -> None:
    """Raises `ValueError` unless `value` is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")

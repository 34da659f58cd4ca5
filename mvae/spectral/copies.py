"""Rows of a point cloud that repeat others."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

_SALTS = (0x9E3779B9, 0x85EBCA6B)


def first_copies(x: Float[Array, "n d"]) -> Int[Array, " n"]:
    """Returns for each row the number of the first row that is equal to it: its own where no earlier one is.

    Rows are compared by two sums of 32 bits over their entries, each with pseudo-random weights: two rows that differ
    count as equal once in about 2⁶⁴ pairs. Zeros are equal whatever their signs. Can be compiled; costs O(n d).

    >>> import jax.numpy as jnp
    >>> first_copies(jnp.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0], [-0.0, 1.0]])).tolist()
    [0, 1, 0, 1]

    Args:
        x: Points, one a row, without NaN.
    """
    first, second = (_sums(jax.lax.stop_gradient(x), salt) for salt in _SALTS)
    order = jnp.lexsort((second, first))  # stable: of equal rows the first one comes first
    first, second = first[order], second[order]
    begins = jnp.concatenate([jnp.ones(1, bool), (first[1:] != first[:-1]) | (second[1:] != second[:-1])])
    begin = jax.lax.cummax(jnp.where(begins, jnp.arange(len(order)), 0))
    return jnp.zeros(len(order), order.dtype).at[order].set(order[begin])


def is_first(x: Float[Array, "n d"]) -> Bool[Array, " n"]:
    """Returns whether no earlier row is equal to a row: true for one row of each distinct point."""
    return first_copies(x) == jnp.arange(len(x))


class Distinct(NamedTuple):
    """The distinct points of a cloud, on the host.

    Attributes:
        rows: Row of x of each of m distinct points, the first one that has it.
        place: For each row of x, which of the m points it is.
        counts: How many rows of x each point has.
    """

    rows: Int[np.ndarray, " m"]
    place: Int[np.ndarray, " n"]
    counts: Int[np.ndarray, " m"]


def distinct_points(x: Float[Array, "n d"]) -> Distinct:
    """Returns the distinct points of a cloud.

    Raises:
        ValueError: If all rows are one point.
    """
    first = np.asarray(first_copies(x))
    rows, place, counts = np.unique(first, return_inverse=True, return_counts=True)
    if len(rows) < 2:
        raise ValueError(f"x must have two distinct points or more, got {len(x)} copies of one")
    return Distinct(rows, place.reshape(-1), counts)


def _sums(x: Float[Array, "n d"], salt: int) -> Array:
    """Sums of the bits of rows, as unsigned integers modulo 2³², each entry mixed before and weighed."""
    wide = x.dtype.itemsize >= 4
    bits = jax.lax.bitcast_convert_type(jnp.where(x == 0, 0, x), jnp.uint32 if wide else jnp.uint16)
    bits = bits.astype(jnp.uint32).reshape(len(x), math.prod(bits.shape[1:]))
    place = jnp.arange(bits.shape[1], dtype=jnp.uint32)
    return jnp.sum(_mixed(bits ^ _mixed(place + jnp.uint32(salt))), axis=1, dtype=jnp.uint32)


def _mixed(bits: Array) -> Array:
    """A permutation of 32 bits in which each depends on all [MurmurHash3's finaliser]."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)

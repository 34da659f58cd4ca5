"""Exact nearest neighbours in Euclidean space, in blocks on the device."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from mvae.spectral.checks import check_count, check_finite, check_points

_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators
_SPARE = 8  # candidates beyond k: they keep rounding from changing places around the k-th
_BLOCK_NUMBERS = 2**24  # numbers that the largest temporary of a block may hold


class Neighbors(NamedTuple):
    """The nearest points, the nearest first.

    Attributes:
        indices: Rows of x. Of equally distant ones the smaller index comes first.
        distances: How far they lie, in the unit of x.
    """

    indices: Int[Array, "m k"]
    distances: Float[Array, "m k"]


def nearest_neighbors(
    x: Float[Array, "n d"], k: int, *, queries: Float[Array, "m d"] | None = None, block_size: int | None = None
) -> Neighbors:
    """Returns the k points of x that are nearest to each query, among x itself with the point itself left out.

    Candidates, a few more than k, come from |q|² + |x|² - 2 <q, x> of the centred points, each lessened by a bound of
    its rounding; their distances are then computed from differences, which keeps those of close points accurate. Where
    the bound cannot exclude that a point beyond the candidates is nearer, as in clusters that are much smaller than the
    cloud, all distances of that query are computed from differences.

    The point itself is left out by its index: copies of it stay, at distance 0. The result is constant under
    differentiation; in compiled code k and block_size are static.

    >>> import jax.numpy as jnp
    >>> found = nearest_neighbors(jnp.array([[0.0], [1.0], [3.0]]), 1)
    >>> found.indices[:, 0].tolist(), found.distances[:, 0].tolist()
    ([1, 0, 1], [1.0, 1.0, 2.0])

    Args:
        x: Points, one a row.
        k: From 1 to n, or to n - 1 without queries.
        queries: Points, one a row; None for those of x, each without itself.
        block_size: Queries that are worked on at once; None for what keeps the memory near 64 MB in float32.

    Raises:
        ValueError: For wrong shapes or dtypes, k or block_size out of range; outside of compiled code also for numbers
            that are not finite, or whose squared distances are not.
    """
    x = check_points("x", x)
    own = queries is None
    targets = x if own else check_points("queries", queries).astype(x.dtype)
    if targets.shape[1] != x.shape[1]:
        raise ValueError(f"queries must have the {x.shape[1]} columns of x, got shape {targets.shape}")
    available = len(x) - own
    check_count("k", k, available, f"{len(x)} points" + " of which each leaves itself out" * own)
    if block_size is None:
        largest = max(len(x), min(k + _SPARE, available) * x.shape[1])
        block_size = min(1024, len(targets), max(1, _BLOCK_NUMBERS // largest))
    if block_size < 1:
        raise ValueError(f"block_size must be positive, got {block_size}")
    found = _search(jax.lax.stop_gradient(x), jax.lax.stop_gradient(targets), k=k, own=own, block_size=block_size)
    check_finite("distances between the points of x", found.distances)
    return found


@functools.partial(jax.jit, static_argnames=("k", "own", "block_size"))
def _search(x: Float[Array, "n d"], queries: Float[Array, "m d"], *, k: int, own: bool, block_size: int) -> Neighbors:
    mean = jnp.mean(x, axis=0)
    centred = x - mean
    squares = jnp.sum(centred**2, axis=1)
    # A product of d terms is off by about √d units of rounding of |q| |x|, at most (|q|² + |x|²) / 2.
    slack = (4 + math.sqrt(x.shape[1])) * float(jnp.finfo(x.dtype).eps)
    candidates = min(k + _SPARE, len(x) - own)

    def block(items: tuple[Array, Array]) -> tuple[Array, Array]:
        rows, points = items
        moved = points - mean
        sums = jnp.sum(moved**2, axis=1)[:, None] + squares[None, :]
        least = (1 - slack) * sums - 2 * jnp.matmul(moved, centred.T, precision=_EXACT)
        least = jnp.where(rows[:, None] == jnp.arange(len(x)), jnp.inf, least) if own else least
        bounds, chosen = _smallest(least, candidates)
        exact = jnp.sum((points[:, None, :] - x[chosen]) ** 2, axis=-1)
        exact, chosen = (leaf[:, :k] for leaf in jax.lax.sort((exact, chosen), num_keys=2))
        certain = (exact[:, -1] <= bounds[:, -1]) | (exact[:, -1] == 0)
        if candidates == len(x) - own:
            return exact, chosen
        return _settle(x, points, rows if own else jnp.full_like(rows, -1), certain, (exact, chosen))

    padding = -len(queries) % block_size
    rows = jnp.minimum(jnp.arange(len(queries) + padding, dtype=jnp.int32), len(queries) - 1)
    blocks = (rows.reshape(-1, block_size), queries[rows].reshape(-1, block_size, x.shape[1]))
    squared, indices = (leaf.reshape(-1, k)[: len(queries)] for leaf in jax.lax.map(block, blocks))
    return Neighbors(indices, jnp.sqrt(squared))


def _smallest(values: Float[Array, "b n"], k: int) -> tuple[Float[Array, "b k"], Int[Array, "b k"]]:
    """The k smallest of each row in ascending order, and where they are.

    They lie in those k groups of columns whose smallest entries are smallest; to look there alone is several times
    faster than top_k of whole rows.
    """
    num, columns = values.shape
    group = max(1, math.isqrt(columns // k))
    if group < 4:
        found, indices = jax.lax.top_k(-values, k)
        return -found, indices
    padded = jnp.pad(values, ((0, 0), (0, -columns % group)), constant_values=jnp.inf).reshape(num, -1, group)
    _, groups = jax.lax.top_k(-jnp.min(padded, axis=-1), k)
    kept = jnp.take_along_axis(padded, groups[:, :, None], axis=1).reshape(num, -1)
    found, places = jax.lax.top_k(-kept, k)
    indices = jnp.take_along_axis(groups, places // group, axis=1) * group + places % group
    return -found, indices


def _settle(
    x: Float[Array, "n d"],
    points: Float[Array, "b d"],
    left_out: Int[Array, " b"],
    certain: Bool[Array, " b"],
    found: tuple[Float[Array, "b k"], Int[Array, "b k"]],
) -> tuple[Float[Array, "b k"], Int[Array, "b k"]]:
    """Searches again, by differences from all of x, for those queries whose neighbours are not certain."""

    def again(point: Array, index: Array, kept: tuple[Array, Array]) -> tuple[Array, Array]:
        squared = jnp.sum((point - x) ** 2, axis=1)
        squared = jnp.where(jnp.arange(len(x)) == index, jnp.inf, squared)
        exact, chosen = _smallest(squared[None], kept[0].shape[-1])
        exact, chosen = jax.lax.sort((exact[0], chosen[0]), num_keys=2)
        return exact, chosen

    def one(row: tuple[Array, Array, Array, tuple[Array, Array]]) -> tuple[Array, Array]:
        point, index, sure, kept = row
        return jax.lax.cond(sure, lambda: kept, lambda: again(point, index, kept))

    rows = (points, left_out, certain, found)
    return jax.lax.cond(jnp.all(certain), lambda: found, lambda: jax.lax.map(one, rows))

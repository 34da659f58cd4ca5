"""Nearest neighbours in Euclidean space: exact, in blocks on the device, or nearly all of them by inverted lists."""

import functools
import logging
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from mvae.spectral.checks import check_count, check_finite, check_points

LOGGER = logging.getLogger(__name__)

_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators
_SPARE = 8  # candidates beyond k: they keep rounding from changing places around the k-th
_BLOCK_NUMBERS = 2**24  # numbers that the largest temporary of a block may hold

# Bounds from the leading principal axes: from so many rows and columns on, with axes that leave so little of the
# variance, and only while they certify most of a first share of the queries.
_MANY_ROWS, _MANY_COLUMNS = 4096, 64
_LEFT = 0.04
_SAMPLE = 1024
_MOST_UNCERTAIN = 0.3
_MANY_AXES = 2048  # columns, and then rows of the sample, whose products of all pairs are decomposed at most
_MANY_QUERIES = 100_000  # whose time is estimated before they are searched for


class Neighbors(NamedTuple):
    """The nearest points, the nearest first.

    Attributes:
        indices: Rows of x. Of equally distant ones the smaller index comes first.
        distances: How far they lie, in the unit of x.
    """

    indices: Int[Array, "m k"]
    distances: Float[Array, "m k"]


def nearest_neighbors(
    x: Float[Array, "n d"],
    k: int,
    *,
    queries: Float[Array, "m d"] | None = None,
    block_size: int | None = None,
    recall: float | None = None,
) -> Neighbors:
    """Returns the k points of x that are nearest to each query, among x itself with the point itself left out.

    Candidates, a few more than k, come from |q|² + |x|² - 2 <q, x> of the centred points, each lessened by a bound of
    its rounding; their distances are then computed from differences, which keeps those of close points accurate. Where
    the bound cannot exclude that a point beyond the candidates is nearer, as in clusters that are much smaller than the
    cloud, all distances of that query are computed from differences.

    Many points of many coordinates are compared by their leading principal coordinates y first. With r the length of
    what these leave out, |q - x|² is at least |y_q - y_x|² + (r_q - r_x)², a bound that costs a fraction; the few
    queries for which it does not settle who the neighbours are, are compared in full. The result is the same.

    The cost grows as n m. With a recall, most of the points are never looked at: they are sorted into some 4 √n cells,
    and only the cells near a query are searched, as many as it takes for that share of the true neighbours of 1000
    points to be found [johnson2021]. This needs the package faiss, on the host.

    The point itself is left out by its index: copies of it stay, at distance 0. The result is constant under
    differentiation; in compiled code k and block_size are static, and there are no bounds and no recall.

    >>> import jax.numpy as jnp
    >>> found = nearest_neighbors(jnp.array([[0.0], [1.0], [3.0]]), 1)
    >>> found.indices[:, 0].tolist(), found.distances[:, 0].tolist()
    ([1, 0, 1], [1.0, 1.0, 2.0])

    Args:
        x: Points, one a row.
        k: From 1 to n, or to n - 1 without queries.
        queries: Points, one a row; None for those of x, each without itself.
        block_size: Queries that are worked on at once; None for what keeps the memory near 64 MB in float32.
        recall: Share of the neighbours that must be found, in (0, 1); None for all of them.

    Raises:
        ValueError: For wrong shapes or dtypes, k, block_size or recall out of range, a recall in code that is being
            compiled; outside of it also for numbers that are not finite, or whose squared distances are not.
        ImportError: With a recall, if faiss is not installed.
    """
    x = check_points("x", x)
    own = queries is None
    targets = x if own else check_points("queries", queries).astype(x.dtype)
    if targets.shape[1] != x.shape[1]:
        raise ValueError(f"queries must have the {x.shape[1]} columns of x, got shape {targets.shape}")
    available = len(x) - own
    check_count("k", k, available, f"{len(x)} points" + " of which each leaves itself out" * own)
    if block_size is not None and block_size < 1:
        raise ValueError(f"block_size must be positive, got {block_size}")
    if recall is not None and not 0 < recall < 1:
        raise ValueError(f"recall must lie between 0 and 1, got {recall}; None finds all neighbours")
    compiled = isinstance(x, Tracer) or isinstance(targets, Tracer)
    if recall is not None and compiled:
        raise ValueError("recall must be None in code that is being compiled")
    x, targets = jax.lax.stop_gradient((x, targets))
    left_out = jnp.arange(len(x), dtype=jnp.int32) if own else jnp.full(len(targets), -1, jnp.int32)
    if recall is not None:
        from mvae.spectral.inverted_lists import by_inverted_lists  # here, since it imports this module

        found = by_inverted_lists(x, targets, left_out, k, own=own, recall=recall)
    elif compiled or len(x) < _MANY_ROWS or x.shape[1] < _MANY_COLUMNS:
        found = in_full(x, targets, left_out, k, own=own, block_size=block_size)
    else:
        found = _by_bounds(x, targets, left_out, k, own=own, block_size=block_size)
    check_finite("distances between the points of x", found.distances)
    return found


def in_full(
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    left_out: Int[Array, " m"],
    k: int,
    *,
    own: bool,
    block_size: int | None,
) -> Neighbors:
    """Compares all coordinates. Left out is one row of x for each query, or -1 if the queries are not of x."""
    size = _size_of_block(x, queries, min(k + _SPARE, len(x) - own), block_size)
    search = functools.partial(_search, x, k=k, own=own, block_size=size)
    if not isinstance(queries, Tracer):
        _say_time(lambda: search(queries[:_SAMPLE], left_out[:_SAMPLE]), len(x), len(queries))
    return search(queries, left_out)


def _say_time(search: Callable[[], Any], num: int, num_queries: int) -> None:
    """Says in the log how long a search of many rows will take, from one of a few of them, before it begins."""
    if num_queries < _MANY_QUERIES:
        return
    jax.block_until_ready(search())  # compiles
    began = time.perf_counter()
    jax.block_until_ready(search())
    minutes = (time.perf_counter() - began) * num_queries / _SAMPLE / 60
    if minutes > 1:
        LOGGER.info(
            "exact neighbours of %d rows among %d take about %.0f minutes; with a recall, a part is looked at",
            num_queries,
            num,
            minutes,
        )


def _size_of_block(x: Array, queries: Array, candidates: int, block_size: int | None) -> int:
    if block_size is not None:
        return block_size
    return min(1024, len(queries), max(1, _BLOCK_NUMBERS // max(len(x), candidates * x.shape[1])))


def _slack(x: Array) -> float:
    """Bound of the rounding of |q|² + |x|² - 2 <q, x> over |q|² + |x|²: a product of d terms is off by about √d."""
    return (4 + math.sqrt(x.shape[1])) * float(jnp.finfo(x.dtype).eps)


@functools.partial(jax.jit, static_argnames=("k", "own", "block_size"))
def _search(
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    left_out: Int[Array, " m"],
    *,
    k: int,
    own: bool,
    block_size: int,
) -> Neighbors:
    mean = jnp.mean(x, axis=0)
    centred = x - mean
    squares = jnp.sum(centred**2, axis=1)
    candidates = min(k + _SPARE, len(x) - own)

    def block(items: tuple[Array, Array]) -> tuple[Array, Array]:
        rows, points = items
        moved = points - mean
        sums = jnp.sum(moved**2, axis=1)[:, None] + squares[None, :]
        least = (1 - _slack(x)) * sums - 2 * jnp.matmul(moved, centred.T, precision=_EXACT)
        (exact, chosen), certain = _of_candidates(x, points, rows, least, k, candidates)
        if candidates == len(x) - own:
            return exact, chosen
        return _settle(x, points, rows, certain | (exact[:, -1] == 0), (exact, chosen))

    squared, indices = in_blocks(block, (left_out, queries), block_size)
    return Neighbors(indices, jnp.sqrt(squared))


def _of_candidates(
    x: Float[Array, "n d"],
    points: Float[Array, "b d"],
    left_out: Int[Array, " b"],
    least: Float[Array, "b n"],
    k: int,
    num: int,
) -> tuple[tuple[Float[Array, "b k"], Int[Array, "b k"]], Bool[Array, " b"]]:
    """The k nearest of the points of the smallest bounds of squared distances, and whether no other is nearer."""
    least = jnp.where(left_out[:, None] == jnp.arange(len(x)), jnp.inf, least)
    bounds, chosen = _smallest(least, num)
    exact = jnp.sum((points[:, None, :] - x[chosen]) ** 2, axis=-1)
    exact, chosen = (leaf[:, :k] for leaf in jax.lax.sort((exact, chosen), num_keys=2))
    return (exact, chosen), exact[:, -1] <= bounds[:, -1]


def in_blocks(block: Callable[..., Any], rows: tuple[Array, ...], block_size: int) -> Any:
    """Maps blocks of rows; the last is filled up with copies of the last row."""
    num = len(rows[0])
    padded = jnp.minimum(jnp.arange(num + -num % block_size, dtype=jnp.int32), num - 1)
    blocks = tuple(leaf[padded].reshape(-1, block_size, *leaf.shape[1:]) for leaf in rows)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:num], jax.lax.map(block, blocks))


def _by_bounds(
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    left_out: Int[Array, " m"],
    k: int,
    *,
    own: bool,
    block_size: int | None,
) -> Neighbors:
    """Compares the leading principal coordinates, and all coordinates for the queries that this does not settle."""
    axes = _leading_axes(x)
    candidates = min(4 * k + 2 * _SPARE, len(x) - own)

    def bounded(queries: Array, left_out: Array) -> tuple[Array, Array, Array]:
        size = _size_of_block(x, queries, candidates, block_size)
        return _search_leading(x, axes, queries, left_out, k=k, candidates=candidates, block_size=size)

    full = functools.partial(in_full, x, k=k, own=own, block_size=block_size)
    if 2 * axes.shape[1] > x.shape[1]:
        return full(queries, left_out)
    some = np.linspace(0, len(queries) - 1, min(_SAMPLE, len(queries)), dtype=np.int32)
    if np.mean(np.asarray(bounded(queries[some], left_out[some])[-1])) < 1 - _MOST_UNCERTAIN:
        return full(queries, left_out)
    _say_time(lambda: bounded(queries[some], left_out[some]), len(x), len(queries))
    indices, distances, certain = bounded(queries, left_out)
    return with_settled(Neighbors(indices, distances), certain, queries, left_out, full)


def with_settled(
    found: Neighbors,
    certain: Bool[Array, " m"],
    queries: Float[Array, "m d"],
    left_out: Int[Array, " m"],
    search: Callable[[Array, Array], Neighbors],
) -> Neighbors:
    """Returns neighbours with those of the queries that are not certain searched for again."""
    again = np.flatnonzero(~np.asarray(certain))
    if not len(again):
        return found
    padded = np.resize(again, max(64, 1 << (len(again) - 1).bit_length()))  # few sizes are compiled
    settled = search(queries[padded], left_out[padded])
    return Neighbors(*(old.at[padded].set(new) for old, new in zip(found, settled, strict=True)))


def _leading_axes(x: Float[Array, "n d"]) -> Float[Array, "d p"]:
    """The principal axes, as many as leave a small share of the variance of a sample, orthonormal to rounding."""
    wide = x.shape[1] > _MANY_AXES
    some = x[:: max(1, len(x) // (_MANY_AXES if wide else 10_000))]
    some = some - jnp.mean(some, axis=0)
    # Of the two products that have the same leading eigenvalues, the smaller one.
    product = jnp.matmul(some, some.T, precision=_EXACT) if wide else jnp.matmul(some.T, some, precision=_EXACT)
    variances, axes = jnp.linalg.eigh(product)
    left = np.cumsum(np.maximum(np.asarray(variances, np.float64), 0))
    num = len(left) - int(np.searchsorted(left, _LEFT * left[-1]))
    axes = axes[:, -min(num + -num % 16, len(left)) :]
    return jnp.linalg.qr(jnp.matmul(some.T, axes, precision=_EXACT))[0] if wide else axes


@functools.partial(jax.jit, static_argnames=("k", "candidates", "block_size"))
def _search_leading(
    x: Float[Array, "n d"],
    axes: Float[Array, "d p"],
    queries: Float[Array, "m d"],
    left_out: Int[Array, " m"],
    *,
    k: int,
    candidates: int,
    block_size: int,
) -> tuple[Int[Array, "m k"], Float[Array, "m k"], Bool[Array, " m"]]:
    """Neighbours by the bound from y and r, their distances, and for which queries they are certain."""
    mean = jnp.mean(x, axis=0)
    slack = 4 * _slack(x)  # of squares and products, of y and of axes that are orthonormal to rounding

    def reduced(points: Array) -> tuple[Array, Array]:
        moved = points - mean
        squares, y = jnp.sum(moved**2, axis=1), jnp.matmul(moved, axes, precision=_EXACT)
        rest = jnp.maximum(squares - jnp.sum(y**2, axis=1), 0) + slack * squares  # not less than r²
        return squares, jnp.concatenate([y, jnp.sqrt(rest)[:, None]], axis=1)

    squares, coordinates = reduced(x)

    def block(items: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        rows, points = items
        own_squares, own_coordinates = reduced(points)
        sums = own_squares[:, None] + squares[None, :]
        least = (1 - slack) * sums - 2 * jnp.matmul(own_coordinates, coordinates.T, precision=_EXACT)
        (exact, chosen), certain = _of_candidates(x, points, rows, least, k, candidates)
        return chosen, jnp.sqrt(exact), certain

    return in_blocks(block, (left_out, queries), block_size)


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

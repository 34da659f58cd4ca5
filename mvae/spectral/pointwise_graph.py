"""A graph on a point cloud kept as four numbers a point, so that any few points know the edges between them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.manifolds.checks import widened
from mvae.spectral.checks import check_count, check_points
from mvae.spectral.copies import Distinct, distinct_points
from mvae.spectral.distances import CERTAIN, EXACT, FEW_COORDINATES, rounding_of_product, unless_cancelled
from mvae.spectral.neighbors import nearest_neighbors
from mvae.spectral.sparse_affinity import SparseAffinity, sparse_gaussian_affinity

BLOCK = 256
_NO_EDGE = 100.0  # s_i s_j: the kernel of points further apart is below 1e-43


class PointwiseGraph(NamedTuple):
    """What a point has to know of the whole cloud for its edges to others to be computed from the two of them alone.

    The graph has the affinities K_ij = exp(-|x_i - x_j|² / (s_i s_j)) where |x_i - x_j| ≤ max(r_i, r_j), else 0, with
    their density divided out, W_ij = K_ij / (p_i p_j), and their total scaled to Σ_ij W_ij = n².

    Attributes:
        scale: s_i, the distance to a near neighbour.
        radius: r_i, the distance to the last neighbour that has an edge; infinite in a complete graph.
        density: p_i, proportional to (Σ_j K_ij)^α.
        weight: Σ_j W_ij / n, of mean 1: n times the stationary distribution of the random walk.
    """

    scale: Float[Array, " n"]
    radius: Float[Array, " n"]
    density: Float[Array, " n"]
    weight: Float[Array, " n"]


def pointwise_graph(
    x: Float[Array, "n d"], *, num_neighbors: int | None = None, scale_neighbor: int = 10, alpha: float = 1.0
) -> PointwiseGraph:
    """Returns the graph of a point cloud; it costs O(n²) once and keeps nothing of that size.

    Rows that repeat a point weigh as many as they are, and count once among the neighbours of others; neighbours are at
    most as many as there are other points.

    Args:
        x: Points, one a row.
        num_neighbors: Edges join two points of which one is among so many nearest of the other; None for all pairs.
        scale_neighbor: Which neighbour gives a point its scale.
        alpha: α in [0, 1], how much of the density is divided out.

    Raises:
        ValueError: If x is no matrix of finite floats, all of it is one point, or an argument is out of range.

    Source: [coifman2006]; local scales after [zelnikmanor2004].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
    x = check_points("x", x)
    others = f"{len(x)} points of which each leaves itself out"
    check_count("scale_neighbor", scale_neighbor, len(x) - 1, others)
    if num_neighbors is not None:
        check_count("num_neighbors", num_neighbors, len(x) - 1, others)
    distinct = distinct_points(x)
    most = len(distinct.rows) - 1
    cloud = x if most + 1 == len(x) else x[distinct.rows]
    if num_neighbors is not None:
        affinity = sparse_gaussian_affinity(
            cloud, num_neighbors=min(num_neighbors, most), scale_neighbor=min(scale_neighbor, most)
        )
        return graph_of_neighbors(affinity, alpha=alpha, dtype=x.dtype, distinct=distinct)
    scale = nearest_neighbors(cloud, min(scale_neighbor, most)).distances[:, -1][distinct.place]
    density = _complete_sums(x, scale, jnp.ones_like(scale)) ** alpha
    sums = _complete_sums(x, scale, density)
    return _scaled(scale, jnp.full_like(scale, jnp.inf), density, sums)


def graph_of_neighbors(
    affinity: SparseAffinity, *, alpha: float, dtype: Any, distinct: Distinct | None = None
) -> PointwiseGraph:
    """Returns the same of a graph of neighbours that is at hand, as arrays of a dtype on the device.

    Args:
        affinity: The graph.
        alpha: α in [0, 1], how much of the density is divided out.
        dtype: Of the arrays.
        distinct: Of the cloud, if the graph is that of its distinct points; None for that of all rows.
    """
    num = len(affinity.scales)
    counts, place = (np.ones(num), np.arange(num)) if distinct is None else (distinct.counts, distinct.place)
    density = np.asarray(affinity.matrix @ counts).ravel() ** alpha
    sums = np.asarray(affinity.matrix @ (counts / density)).ravel() / density
    columns = (affinity.scales, affinity.radii, density, sums)
    return _scaled(*(jnp.asarray(each[place], dtype) for each in columns))


def _scaled(scale: Array, radius: Array, density: Array, sums: Array) -> PointwiseGraph:
    """The graph with a total of n², from sums Σ_j W_ij of another unit."""
    mean = jnp.mean(sums)
    return PointwiseGraph(scale, radius, density * jnp.sqrt(mean / len(sums)), sums / mean)


def pair_affinities(x: Float[Array, "m d"], graph: PointwiseGraph) -> Float[Array, "m m"]:
    """Returns W_ij between some points of the cloud, `graph` having the rows of these points."""
    return cross_affinities(x, graph, x, graph)


def cross_affinities(
    x: Float[Array, "m d"],
    graph: PointwiseGraph,
    y: Float[Array, "k d"],
    other: PointwiseGraph,
) -> Float[Array, "m k"]:
    """Returns W_ij between points x and points y of the cloud, each with their rows of the graph.

    Args:
        x: Points, one a row.
        graph: Their rows.
        y: Points.
        other: Their rows.
    """
    x, y = widened(x), widened(y)
    scales = graph.scale[:, None] * other.scale
    squares = _between(x, y, scales)
    kernel = jnp.exp(-squares / scales)
    reach = jnp.maximum(graph.radius[:, None], other.radius)
    # A neighbour at the very radius has to be within it, whichever way its distance was rounded.
    near = squares <= reach**2 * (1 + 64 * jnp.finfo(squares.dtype).eps)
    return jnp.where(near, kernel, 0) / (graph.density[:, None] * other.density)


def _between(x: Float[Array, "m d"], y: Float[Array, "k d"], scales: Float[Array, "m k"]) -> Float[Array, "m k"]:
    """|x_i - y_j|²: from differences for points of few coordinates, where neighbours may be very near, else by Gram.

    But for those, too, where the product of matrices may be off by more than a thousandth of s_i s_j between points
    that are near enough to have an edge.
    """
    if x.shape[1] <= FEW_COORDINATES:
        return jnp.sum((x[:, None] - y) ** 2, axis=-1)
    centre = jnp.mean(y, axis=0)
    moved_x, moved_y = x - centre, y - centre
    gram = jnp.matmul(moved_x, moved_y.T, precision=EXACT)
    sums = jnp.sum(moved_x**2, axis=1)[:, None] + jnp.sum(moved_y**2, axis=1)
    squares = jnp.maximum(sums - 2 * gram, 0)
    error = rounding_of_product(x.shape[1], x.dtype) * sums
    uncertain = (error > CERTAIN * scales) & (squares - error < _NO_EDGE * scales)
    return unless_cancelled(squares, uncertain, x, y)


def graph_sums(
    x: Float[Array, "n d"], graph: PointwiseGraph, values: Float[Array, "n k"] | None = None
) -> Float[Array, "n k"]:
    """Returns Σ_j W_ij v_j for every point i, in blocks of rows; without values Σ_j W_ij, (n, 1)."""
    x, num = widened(x), len(x)
    if values is None:
        values = jnp.ones((num, 1), x.dtype)
    size = min(BLOCK, num)
    starts = jnp.minimum(jnp.arange(-(-num // size)) * size, num - size)

    def block(start: Array) -> Array:
        rows = start + jnp.arange(size)
        edges = cross_affinities(x[rows], PointwiseGraph(*(leaf[rows] for leaf in graph)), x, graph)
        return jnp.matmul(edges, values, precision=EXACT)

    blocks = jax.lax.map(block, starts)
    # The last block reaches back to the one before, so that all are of one size.
    rest = num - (len(starts) - 1) * size
    whole = blocks[:-1].reshape(-1, values.shape[1])
    return jnp.concatenate([whole, blocks[-1][size - rest :]])


@jax.jit
def _complete_sums(x: Float[Array, "n d"], scale: Float[Array, " n"], density: Float[Array, " n"]) -> Array:
    """Σ_j K_ij / (p_i p_j) over all points."""
    return graph_sums(x, PointwiseGraph(scale, jnp.full_like(scale, jnp.inf), density, scale))[:, 0]

"""Gaussian affinities of neighbours alone, for clouds whose full matrix would not fit in memory."""

from typing import NamedTuple

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from mvae.spectral.checks import check_bandwidth, check_count, check_points
from mvae.spectral.copies import distinct_points
from mvae.spectral.neighbors import Neighbors, nearest_neighbors

SCALE_NEIGHBOR = 10  # the dense affinity's default


class SparseAffinity(NamedTuple):
    """A symmetric graph of neighbours and what its weights were made of, on the host.

    Attributes:
        matrix: W in compressed rows, float64, with sorted columns.
        scales: s_i.
        radii: r_i, the distance of the farthest neighbour that x_i chose itself.
    """

    matrix: scipy.sparse.csr_array
    scales: Float[np.ndarray, " n"]
    radii: Float[np.ndarray, " n"]


def sparse_gaussian_affinity(
    x: Float[Array, "n d"],
    *,
    num_neighbors: int,
    scale_neighbor: int | None = None,
    bandwidth: float | None = None,
    neighbors: Neighbors | None = None,
) -> SparseAffinity:
    """Returns W_ij = exp(-|x_i - x_j|² / (s_i s_j)) where j is among the k nearest of i, or i among those of j.

    W is 1 on the diagonal and 0 elsewhere; with k = n - 1 it is `gaussian_affinity`. Rows that repeat a point count
    once among the neighbours of others, have weight 1 between each other, and each has the links of all; neighbours are
    at most as many as there are other points. W is a matrix of scipy, not of jax: how many pairs the union has depends
    on the points, so that it cannot be made in compiled code, and scipy's solvers and graph algorithms take it as it
    is. The search for neighbours, which is nearly all the work, runs on the device.

    Args:
        x: Points, one a row.
        num_neighbors: k, from 1 to n - 1.
        scale_neighbor: Which neighbour's distance is the local scale s_i, from 1 to k; None for the 10th, or the k-th
            if k is smaller.
        bandwidth: One scale for all points, in units of length, in place of the local ones.
        neighbors: What `nearest_neighbors(x, k)` returned, if that is at hand.

    Raises:
        ValueError: For x not a matrix of finite floats, or all copies of one point; numbers out of range; neighbours of
            points that repeat; x in code that is being compiled.

    Source: [zelnikmanor2004, Eq. 3]; the symmetric graph of neighbours as in [belkin2003, Sec. 2].
    """
    if isinstance(x, Tracer):
        raise ValueError("x must be numbers: the number of links depends on them, which compiled code cannot have")
    x = check_points("x", x)
    n = len(x)
    check_count("num_neighbors", num_neighbors, n - 1, f"{n} points of which each leaves itself out")
    scale_neighbor = min(SCALE_NEIGHBOR, num_neighbors) if scale_neighbor is None else scale_neighbor
    check_count("scale_neighbor", scale_neighbor, num_neighbors, f"num_neighbors = {num_neighbors}")
    check_bandwidth(bandwidth)
    distinct = distinct_points(x)
    if len(distinct.rows) < n:
        if neighbors is not None:
            raise ValueError(f"neighbors must be left out where x repeats points, as {n - len(distinct.rows)} rows do")
        most = len(distinct.rows) - 1
        of_distinct = sparse_gaussian_affinity(
            x[distinct.rows],
            num_neighbors=min(num_neighbors, most),
            scale_neighbor=min(scale_neighbor, most),
            bandwidth=bandwidth,
        )
        return _repeated(of_distinct, distinct.place)
    neighbors = nearest_neighbors(x, num_neighbors) if neighbors is None else neighbors
    if neighbors.indices.shape != (n, num_neighbors):
        raise ValueError(f"neighbors must have the shape {(n, num_neighbors)}, got {neighbors.indices.shape}")
    indices, distances = np.asarray(neighbors.indices), np.asarray(neighbors.distances, np.float64)
    scales = distances[:, scale_neighbor - 1].copy() if bandwidth is None else np.full(n, float(bandwidth))
    return SparseAffinity(_weights(indices, distances, scales), scales, distances[:, -1].copy())


def _repeated(affinity: SparseAffinity, place: Int[np.ndarray, " n"]) -> SparseAffinity:
    """The graph of rows, given that of the distinct points and which of them each row is."""
    matrix = scipy.sparse.csr_array(affinity.matrix[place][:, place])
    matrix.sort_indices()
    return SparseAffinity(matrix, affinity.scales[place], affinity.radii[place])


def _weights(
    indices: Int[np.ndarray, "n k"], distances: Float[np.ndarray, "n k"], scales: Float[np.ndarray, " n"]
) -> scipy.sparse.csr_array:
    """The symmetric matrix; a pair that chose each other counts once."""
    n, k = indices.shape
    rows = np.repeat(np.arange(n), k)
    columns = indices.ravel().astype(np.int64)
    values = np.exp(-(distances.ravel() ** 2) / (scales[rows] * scales[columns]))
    directed = scipy.sparse.csr_array((values, (rows, columns)), shape=(n, n))
    matrix = scipy.sparse.csr_array(directed.maximum(directed.T) + scipy.sparse.eye_array(n))
    matrix.sort_indices()
    return matrix


def connected_components(affinity: Array | np.ndarray | scipy.sparse.csr_array) -> Int[np.ndarray, " n"]:
    """Returns the number of each point's part of the graph, from 0; two points with a positive weight share theirs.

    >>> connected_components(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
    [0, 0, 1]

    Args:
        affinity: W, symmetric, a matrix of numpy or jax or compressed rows of scipy.

    Raises:
        ValueError: If W is not a square matrix of finite numbers that are not negative.
    """
    graph = affinity if isinstance(affinity, scipy.sparse.csr_array) else np.asarray(affinity)
    shape = tuple(graph.shape or ())
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"affinity must be a square matrix, got shape {shape}")
    graph = scipy.sparse.csr_array(graph)
    if not (np.isfinite(graph.data).all() and (graph.data >= 0).all()):
        raise ValueError("affinity must hold finite numbers that are not negative")
    graph.eliminate_zeros()
    _, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return labels

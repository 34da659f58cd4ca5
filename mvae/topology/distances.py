"""Distances of a cloud and its landmarks, few points far from each other that stand for all of it.

And distances that see the manifold: scaled locally, along a graph of neighbours, between blurred images.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from mvae.errors import check_count
from mvae.manifolds import Manifold

ROUNDING = 1e-6  # of the size of the cloud: points nearer than that are one

Row = Callable[[int], Float[np.ndarray, " n"]]


def farthest_points(row: Row, num: int, rounding: float) -> tuple[Int[np.ndarray, " num"], Float[np.ndarray, "num n"]]:
    """Returns indices of landmarks and their distances from all points.

    Each landmark is the point farthest from those before it [gonzalez1985], the first is point 0; there are fewer
    than `num` where the points run out.

    Args:
        row: Index of a point -> its distances from all points.
        num: Number of landmarks.
        rounding: Distance below which two points are one.
    """
    chosen, rows = [0], [row(0)]
    nearest = rows[0]
    while len(chosen) < num and nearest.max() > rounding:
        chosen.append(int(nearest.argmax()))
        rows.append(row(chosen[-1]))
        nearest = np.minimum(nearest, rows[-1])
    return np.array(chosen), np.stack(rows)


def between(chosen: Int[np.ndarray, " num"], rows: Float[np.ndarray, "num n"]) -> Float[np.ndarray, "num num"]:
    """Returns the distances between landmarks, exactly symmetric and zero on the diagonal."""
    distances = rows[:, chosen]
    distances = np.maximum(distances, distances.T)
    np.fill_diagonal(distances, 0)
    return distances


def rows_of_matrix(name: str, distances: ArrayLike, setting: str) -> tuple[Row, int, float]:
    """Returns row, number of points and largest distance of a matrix of distances; `setting` is what makes it one.

    Raises:
        ValueError: For a matrix that is none of distances.
    """
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix of distances where {setting}, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite")
    size = float(matrix.max(initial=0))
    if matrix.min(initial=0) < 0 or np.abs(matrix - matrix.T).max(initial=0) > ROUNDING * size:
        raise ValueError(f"{name} must hold distances, symmetric and not negative, where {setting}")
    if np.abs(np.diagonal(matrix)).max(initial=0) > ROUNDING * size:
        raise ValueError(f"{name} must have zeros on the diagonal where {setting}")
    return matrix.__getitem__, len(matrix), size


def rows_of_points(manifold: Manifold, z: ArrayLike) -> tuple[Row, int, float]:
    """Returns row, number of points and size of a cloud on a manifold, by the manifold's distance."""
    points = jnp.asarray(z)
    if points.ndim != 2 or points.shape[-1] != manifold.ambient_dim:
        raise ValueError(f"z must have shape (n, {manifold.ambient_dim}), got {points.shape}")
    if not jnp.isfinite(points).all():
        raise ValueError("z must be finite")
    manifold.check_on("z", points)
    distances = jax.jit(lambda z, i: manifold.distance(z, z[i]))
    return lambda i: np.asarray(distances(points, i), np.float64), len(points), float(jnp.abs(points).max(initial=0))


def rows_of_data(name: str, x: ArrayLike) -> tuple[Row, int, float]:
    """Returns row, number of points and size of data of any shape (n, *event), by Euclidean distance.

    Raises:
        ValueError: For no axis of events, or values that are not finite.
    """
    data = np.asarray(x)
    if data.ndim < 2:
        raise ValueError(f"{name} must have shape (n, *event), got {data.shape}")
    data = np.asarray(data.reshape(len(data), -1), np.float64)
    if not np.isfinite(data).all():
        raise ValueError(f"{name} must be finite, got {np.count_nonzero(~np.isfinite(data))} entries that are not")
    data = data - data.mean(axis=0) if len(data) else data
    squares = np.einsum("ij,ij->i", data, data)

    def row(i: int) -> Float[np.ndarray, " n"]:
        # one product with a matrix; rounding, 1e-8 of the size of the cloud, is far below ROUNDING
        distances = np.sqrt(np.maximum(squares + squares[i] - 2 * (data @ data[i]), 0))
        distances[i] = 0
        return distances

    return row, len(data), float(np.sqrt(squares.max(initial=0)))


def scaled_distances(distances: ArrayLike, *, num_neighbors: int = 2) -> Float[np.ndarray, "n n"]:
    """Returns distances in units of the local spacing of the points, D_ij / √(s_i s_j) [zelnikmanor2004].

    s_i is the distance of point i from its neighbour of rank `num_neighbors`, not counting copies of it. Where some
    views of an object differ much from the next and others little, one scale does not link all neighbours; scaled
    distances do. They need not obey the triangle inequality, which Vietoris-Rips complexes do not ask for.

    Args:
        distances: Symmetric, (n, n).
        num_neighbors: Rank of the neighbour.

    Raises:
        ValueError: For a matrix that is none of distances, or fewer distinct points than neighbours.
    """
    rank = check_count("num_neighbors", num_neighbors, 1)
    row, n, _ = rows_of_matrix("distances", distances, "they are given as such")
    matrix = np.array([row(i) for i in range(n)]).reshape(n, n)
    away = np.sort(np.where(matrix > 0, matrix, np.inf), axis=1)
    if n <= rank or np.isinf(away[:, rank - 1]).any():
        raise ValueError(f"distances must leave each point {rank} others that are not copies of it (num_neighbors)")
    scale = away[:, rank - 1]
    return matrix / np.sqrt(scale[:, None] * scale[None, :])


def geodesic_distances(
    x: ArrayLike, *, num_neighbors: int = 8, sources: ArrayLike | None = None
) -> Float[np.ndarray, "s n"]:
    """Returns lengths of the shortest paths along the graph that joins each point to its nearest neighbours.

    They tend to distances within the manifold as points get denser [tenenbaum2000], so that a class is
    no longer hidden where the manifold comes near itself; a single link across such a place spoils them.

    Args:
        x: Data, (n, *event), compared by Euclidean distance.
        num_neighbors: Neighbours of each point; links hold both ways.
        sources: Indices of the points to measure from, (s,), such as landmarks; all by default, which takes n² numbers.

    Raises:
        ValueError: For a wrong shape, values that are not finite, or a graph in parts, which no path joins.
    """
    data = np.asarray(x, np.float64)
    if data.ndim < 2:
        raise ValueError(f"x must have shape (n, *event), got {data.shape}")
    data, n = data.reshape(len(data), -1), len(data)
    if not np.isfinite(data).all():
        raise ValueError("x must be finite")
    num = check_count("num_neighbors", num_neighbors, 1)
    if num >= n:
        raise ValueError(f"num_neighbors must be below the number of points, {n}, got {num}")
    found = KDTree(data).query(data, num + 1)
    # explicit zeros are no links to scipy: copies of a point are as near as can be said
    near, index = np.maximum(np.asarray(found[0])[:, 1:], np.finfo(float).tiny), np.asarray(found[1])[:, 1:]
    links = (near.ravel(), (np.repeat(np.arange(n), num), index.ravel()))
    graph = csr_array(links, shape=(n, n))
    parts, _ = connected_components(graph, directed=False)
    if parts > 1:
        raise ValueError(f"x falls into {parts} parts that no path joins: raise num_neighbors above {num}")
    chosen = np.arange(n) if sources is None else np.asarray(sources)
    return np.asarray(dijkstra(graph, directed=False, indices=chosen))


def blurred_images(images: ArrayLike, width: float, *, periodic: bool = False) -> Float[np.ndarray, "n *event"]:
    """Returns images blurred by a Gaussian, each by itself, so that they move smoothly where their content does.

    Translates of an image whose details are finer than their steps have nothing in common; blurred ones do.

    Args:
        images: (n, height, width) or (n, height, width, channels).
        width: Standard deviation in pixels.
        periodic: Whether images go on at their opposite sides, or by their last pixels.

    Raises:
        ValueError: For a wrong shape or a width below 0.
    """
    images = np.asarray(images, np.float64)
    if images.ndim not in (3, 4):
        raise ValueError(f"images must have shape (n, height, width[, channels]), got {images.shape}")
    if not (np.isfinite(width) and width >= 0):
        raise ValueError(f"width must be a number of pixels from 0 on, got {width}")
    # never along the first axis: that would tell which images follow each other
    sigma = (0, width, width, 0)[: images.ndim]
    return gaussian_filter(images, sigma, mode="wrap" if periodic else "nearest")

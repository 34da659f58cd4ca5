"""Landmarks: few points of a cloud, far from each other, that stand for all of it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

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

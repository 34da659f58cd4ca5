"""What the measures of point sets share: checks and shapes."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


def flat_rows(name: str, x: ArrayLike, least: int) -> Float[np.ndarray, "n d"]:
    """Returns points as rows of a matrix in float64, images with their pixels in a row.

    Args:
        name: Name of the argument in messages.
        x: Points, (n, ...).
        least: Least number of points.

    Raises:
        ValueError: For no axis beside that of the points, fewer points, or values that are not finite.
    """
    points = np.asarray(x)
    if points.ndim < 2 or points.size == 0:
        raise ValueError(f"{name} must have shape (n, ...), not empty, got {points.shape}")
    if len(points) < least:
        raise ValueError(f"{name} must have {least} points or more, got {len(points)}")
    points = points.reshape(len(points), -1).astype(np.float64)
    if not np.isfinite(points).all():
        raise ValueError(f"{name} must be finite")
    return points


def flat_pair(x: ArrayLike, y: ArrayLike, least: int) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
    """Returns two sets of points of one space as `flat_rows` does.

    Raises:
        ValueError: For what `flat_rows` refuses, and for points of different shapes.
    """
    rows = flat_rows("x", x, least), flat_rows("y", y, least)
    if rows[0].shape[1] != rows[1].shape[1]:
        raise ValueError(f"y must have points of {rows[0].shape[1]} entries as x has, got {rows[1].shape[1]}")
    return rows

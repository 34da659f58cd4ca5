"""Winding numbers of maps between tori, given on a periodic grid of angles."""

import numpy as np
from jaxtyping import Float, Int


def _steps(angles: Float[np.ndarray, "loops points d"]) -> Float[np.ndarray, "loops points d"]:
    """Shortest way, in [-pi, pi), from each point of a closed loop to the next."""
    return (np.roll(angles, -1, axis=1) - angles + np.pi) % (2 * np.pi) - np.pi


def _turns(angles: Float[np.ndarray, "loops points d"]) -> Int[np.ndarray, "loops d"]:
    """Turns of each angle along closed loops, by summing the shortest way from point to point."""
    return np.rint(_steps(angles).sum(axis=1) / (2 * np.pi)).astype(int)


def _most_frequent(rows: Int[np.ndarray, "loops d"]) -> tuple[Int[np.ndarray, " d"], float]:
    """The most frequent row and its share."""
    values, counts = np.unique(rows, axis=0, return_counts=True)
    return values[counts.argmax()], float(counts.max() / len(rows))


def winding_matrix(angles: Float[np.ndarray, "*grid d"]) -> tuple[Int[np.ndarray, "d d"], float]:
    """Returns how often each angle turns along each axis of a periodic grid, and how far the grid agrees on it.

    Args:
        angles: Angles in radians on a periodic grid of d axes, (n1, ..., nd, d), no endpoint repeated.

    Returns:
        winding: Entry (i, j) says how often angle i turns along axis j, the most frequent value among the
            parallel loops.
        consistent: Share of parallel loops that agree with `winding`, the smallest of all axes. On a circle, which
            has one loop, the share of steps shorter than a quarter turn.
    """
    d = angles.shape[-1]
    loops = [np.moveaxis(angles, axis, -2).reshape(-1, angles.shape[axis], d) for axis in range(d)]
    columns, shares = zip(*(_most_frequent(_turns(loop)) for loop in loops), strict=True)
    consistent = min(shares) if d > 1 else float((np.abs(_steps(loops[0])) < np.pi / 2).mean())
    return np.stack(columns, axis=1), consistent

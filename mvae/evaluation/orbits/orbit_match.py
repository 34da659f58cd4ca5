"""How well a curve, such as the decoded orbit of an operator, covers the curve that the data come from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.evaluation.rounding import rounding

NUM_POINTS = 2000
_AT_ONCE = 4_000_000  # pairs of a point and a segment; bounds the memory
_ROUNDINGS = 64  # of the largest square, in a square from products of matrices
_CERTAIN = 1e-6  # relative error of a square that is taken


class OrbitMatch(NamedTuple):
    """How well an orbit matches a manifold of one dimension.

    Attributes:
        error: (precision + coverage) / (2 scale), without a unit; 0 if both are the same curve.
        precision: Mean distance from the orbit to the manifold, in units of the data.
        coverage: Mean distance from the manifold to the orbit, in units of the data.
        scale: Root of the mean squared distance of the manifold from its mean, in units of the data.
    """

    error: float
    precision: float
    coverage: float
    scale: float


def orbit_match(
    orbit: ArrayLike,
    manifold: ArrayLike,
    *,
    closed: bool = False,
    ordered: bool = True,
    num_points: int = NUM_POINTS,
) -> OrbitMatch:
    """Returns how far an orbit O and a manifold M of one dimension are from each other, relative to the size of M.

        error = (E_{x ~ O} d(x, M) + E_{y ~ M} d(y, O)) / (2 s),   s² = E_{y ~ M} |y - E y|²

    with the uniform distributions (by arc length) on both curves: neither the speed of the orbit, which is not the
    operator's but a choice of coefficients, nor the parameter of the manifold counts. Both directions are needed. The
    first alone, precision, is 0 for an orbit that stays at one point of M; the second alone, coverage, is 0 for a curve
    that fills space. Their mean is 0 only if, up to the resolution, each is in the other. Dividing by s makes the
    number the same in all units: an orbit that is a single point in the mean of M has an error of at most 1, and of 1
    if all of M is equally far from its mean, as a circle is.

    Both are polylines; distances are exact ones to their segments. An orbit that goes round twice matches as one that
    goes round once.

    Args:
        orbit: Points of the orbit in order of time, (T, D). A single point is allowed.
        manifold: Points of M without noise, (N, D), N ≥ 2.
        closed: Whether a segment joins the last point of the manifold to the first.
        ordered: Whether the points of the manifold are in order along it. If not, they are no polyline but points of
            equal weight, and precision is not less than about a quarter of their spacing.
        num_points: To how many points, at even distances, each polyline is resampled to take means.

    Raises:
        ValueError: For another shape, values that are not finite, points of the manifold that are all the same, a
            closed manifold without order, or a count below 2.

    >>> angle = np.linspace(0, 2 * np.pi, 200)
    >>> circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    >>> round(orbit_match(1.2 * circle, circle).error, 3)
    0.2
    """
    curve, truth = _points("orbit", orbit, 1), _points("manifold", manifold, 2)
    if curve.shape[1] != truth.shape[1]:
        raise ValueError(f"orbit must have {truth.shape[1]} columns, as manifold has, got {curve.shape[1]}")
    if closed and not ordered:
        raise ValueError("closed must be False for a manifold whose points are not ordered")
    num_points = check_count("num_points", num_points, 2)
    if np.ptp(truth, axis=0).max() <= rounding(manifold):
        raise ValueError("manifold must have points that differ by more than their rounding")
    if closed:
        truth = np.concatenate([truth, truth[:1]])
    centre = truth.mean(axis=0)  # distances are differences of large numbers far from the origin
    curve, truth = curve - centre, truth - centre
    of_truth = resampled(truth, num_points) if ordered else truth
    # A point is a segment of no length.
    segments = (truth[:-1], truth[1:]) if ordered else (truth, truth)
    of_orbit = (curve[:-1], curve[1:]) if len(curve) > 1 else (curve, curve)
    precision = float(distances_to_segments(resampled(curve, num_points), *segments).mean())
    coverage = float(distances_to_segments(of_truth, *of_orbit).mean())
    scale = float(np.sqrt(np.square(of_truth - of_truth.mean(axis=0)).sum(axis=-1).mean()))
    return OrbitMatch((precision + coverage) / (2 * scale), precision, coverage, scale)


def mean_orbit_match(
    orbits: Sequence[ArrayLike],
    manifolds: Sequence[ArrayLike],
    *,
    closed: bool = False,
    ordered: bool = True,
    num_points: int = NUM_POINTS,
) -> OrbitMatch:
    """Returns the mean of `orbit_match` over classes that have an orbit and a manifold each.

    Every class counts the same, and its error is relative to its own size: a small circle must be met as well, for
    its size, as a large one around it.

    Args:
        orbits: Of each class, (T, D).
        manifolds: Of each class, (N, D), in the same order of classes.
        closed: As for `orbit_match`, likewise `ordered` and `num_points`.
        ordered: See there.
        num_points: See there.

    Raises:
        ValueError: If there are no classes or not as many orbits as manifolds, or as `orbit_match` does.
    """
    if len(orbits) == 0 or len(orbits) != len(manifolds):
        raise ValueError(f"orbits and manifolds must be as many, one or more, got {len(orbits)} and {len(manifolds)}")
    matches = [
        orbit_match(orbit, manifold, closed=closed, ordered=ordered, num_points=num_points)
        for orbit, manifold in zip(orbits, manifolds, strict=True)
    ]
    return OrbitMatch(*(float(x) for x in np.mean(matches, axis=0)))


def resampled(curve: Float[np.ndarray, "n d"], num: int) -> Float[np.ndarray, "num d"]:
    """Returns points at even distances along a polyline, the middles of `num` pieces of equal length.

    A polyline without length gives its point, once.
    """
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=-1))])
    if length[-1] == 0.0:
        return curve[:1]
    at = length[-1] * (np.arange(num) + 0.5) / num
    left = np.clip(np.searchsorted(length, at, side="right") - 1, 0, len(curve) - 2)
    share = (at - length[left]) / np.maximum(length[left + 1] - length[left], np.finfo(float).tiny)
    return curve[left] + share[:, None] * (curve[left + 1] - curve[left])


def distances_to_segments(
    points: Float[np.ndarray, "p d"], start: Float[np.ndarray, "s d"], end: Float[np.ndarray, "s d"]
) -> Float[np.ndarray, " p"]:
    """Returns the distance of each point to the nearest of the segments, of which some may be single points."""
    step = end - start
    squared = np.square(step).sum(axis=-1)
    rows = max(1, _AT_ONCE // len(start))
    centre = start.mean(axis=0)
    moved, origin = points - centre, start - centre
    nearest = [_nearest(moved[k : k + rows], origin, step, squared) for k in range(0, len(points), rows)]
    index = np.concatenate(nearest)
    found = _distance(points, start[index], step[index], squared[index])
    # Products of matrices cancel: what they leave open for the square of a distance is sought again by differences.
    largest = np.square(moved).sum(axis=-1) + np.square(origin).sum(axis=-1).max() + squared.max()
    for k in np.flatnonzero(_ROUNDINGS * np.finfo(np.float64).eps * largest > _CERTAIN * found**2):
        found[k] = _distance(points[k], start, step, squared).min()
    return found


def _distance(
    points: Float[np.ndarray, "*#s d"],
    start: Float[np.ndarray, "s d"],
    step: Float[np.ndarray, "s d"],
    squared: Float[np.ndarray, " s"],
) -> Float[np.ndarray, " s"]:
    offset = points - start
    share = _share(np.sum(offset * step, axis=-1), squared)
    return np.linalg.norm(offset - share[:, None] * step, axis=-1)


def _nearest(
    points: Float[np.ndarray, "p d"],
    start: Float[np.ndarray, "s d"],
    step: Float[np.ndarray, "s d"],
    squared: Float[np.ndarray, " s"],
) -> Int[np.ndarray, " p"]:
    """Index of the segment nearest to each point, by products of matrices: the distance itself is taken after."""
    along = points @ step.T - np.sum(start * step, axis=-1)
    share = _share(along, squared)
    to_start = np.square(start).sum(axis=-1) - 2 * points @ start.T
    return np.argmin(to_start - share * (2 * along - share * squared), axis=-1)


def _share(along: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Where on a segment, from 0 to 1, the nearest point lies."""
    return np.clip(along / np.where(squared > 0, squared, 1.0), 0.0, 1.0)


def _points(name: str, x: ArrayLike, least: int) -> Float[np.ndarray, "n d"]:
    points = np.asarray(x, np.float64)
    if points.ndim != 2 or len(points) < least or points.shape[1] == 0:
        raise ValueError(f"{name} must have shape (n, D) with n of at least {least}, got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} must be finite")
    return points

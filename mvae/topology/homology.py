"""Homology of a cloud of points: the Betti numbers of what an encoder makes of a data set."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mvae.errors import check_count
from mvae.manifolds import Manifold
from mvae.topology.distances import ROUNDING, between, farthest_points, rows_of_matrix, rows_of_points
from mvae.topology.persistence import ripser

BORN = 3.0  # covering radii; see `betti_numbers`
ALIVE = 3 * math.sqrt(2)
WIDE = 5.0  # covering radii: the diameter of the smallest circle, measured along chords, whose hole is seen
DEFAULT_LANDMARKS = 500
POINTS_PER_LANDMARK = 10
_MIN_POINTS_PER_LANDMARK = 4


class Betti(NamedTuple):
    """Betti numbers over Z/2.

    Attributes:
        numbers: Betti numbers of dimensions 0, ..., max_dim.
        diagrams: For each dimension the bars (birth, death), (bars, 2), in units of distance; a death is infinite
            where the bar is longer than what was computed, ALIVE times `radius`.
        radius: Covering radius ε of the landmarks, the largest distance of a point from them.
        birth_scale: 3 ε, by which a class must be born to count.
        resolved: Share of the landmarks in parts of the cloud, connected at the birth scale, that are wider than 5 ε.
            In the others no hole could be seen, and their numbers are those of a point: Where it is below 1, more
            points, or less noise, may show more. Points with noise in many dimensions are like that.
    """

    numbers: tuple[int, ...]
    diagrams: list[Float[np.ndarray, "bars 2"]]
    radius: float
    birth_scale: float
    resolved: float


def betti_numbers(
    manifold: Manifold | None, z: ArrayLike, *, max_dim: int = 2, num_landmarks: int | None = None
) -> Betti:
    """Returns the Betti numbers over Z/2 of the space that a cloud of points samples.

    With ε the covering radius of the landmarks, b_k is the number of classes of dimension k in the Vietoris-Rips
    complex of the landmarks that are born by 3 ε and live beyond 3 √2 ε: the rank of H_k(VR(3 ε)) → H_k(VR(3 √2 ε)).

    That is the Betti number of a space M if the landmarks are within 1.5 ε of all of M, so if the points are within
    ε/2, and if balls up to the radius 3 ε are so small that they are as in Euclidean space and meet in contractible
    sets. For then M is the union of the balls of radius s about the landmarks, 1.5 ε ≤ s ≤ 3 ε, and so up to homotopy
    is their nerve Č(s); with r = 3 ε, Jung's theorem gives

        Č(r/2) ⊂ VR(r) ⊂ Č(r/√2) ⊂ VR(√2 r) ⊂ Č(r),

    and as the homology of all Č is that of M, VR(r) maps onto it, and it one to one into that of VR(√2 r). M need not
    be a manifold.

    Limits: What is smaller than 3 √2 ε is not seen. A closed geodesic of length l that is as short as any of its
    kind needs ε < l / 12.8: on a unit circle 0.49, on RP^d 0.24; chords across a circle of radius a need ε < a / 2.5.
    `resolved` says where nothing can be seen; compare with the numbers for fewer landmarks, too. A point farther than
    3 √2 ε from all others is a component. The time grows with the dimension d of the cloud as (3 √2)^(d (max_dim + 1)):
    for d = 2 and 500 landmarks half a second, for SO(3) three, and more for a `distance` that is costly, as that of
    EmbeddedTorus.

    Args:
        manifold: Space whose `distance` is used. To measure along chords of R^n, give Euclidean(n). None where z is
            a matrix of distances.
        z: Points, (n, ambient_dim), or distances, (n, n).
        max_dim: Highest dimension k.
        num_landmarks: Number of points, chosen far from each other, that the complex is built on; at most n / 4. By
            default 500, or n / 10 if that is less: more of them resolve smaller features but need denser points.

    Raises:
        ValueError: For a wrong shape, values that are not finite, points off the manifold, a matrix that is none of
            distances, or numbers out of range.
        ModuleNotFoundError: Where ripser is not installed.
    """
    max_dim = check_count("max_dim", max_dim, 0)
    find = ripser("betti_numbers")
    row, n, size = rows_of_matrix("z", z, "manifold is None") if manifold is None else rows_of_points(manifold, z)
    if n < POINTS_PER_LANDMARK:
        raise ValueError(f"z must have {POINTS_PER_LANDMARK} points or more, got {n}")
    default = min(DEFAULT_LANDMARKS, n // POINTS_PER_LANDMARK)
    num = default if num_landmarks is None else check_count("num_landmarks", num_landmarks, 1)
    if num > n // _MIN_POINTS_PER_LANDMARK:
        raise ValueError(f"num_landmarks must be at most a quarter of the {n} points, got {num}")
    chosen, rows = farthest_points(row, num, ROUNDING * size)
    distances, radius = between(chosen, rows), float(rows.min(axis=0).max())
    diagrams = find(distances, distance_matrix=True, maxdim=max_dim, thresh=ALIVE * radius)["dgms"]
    numbers = tuple(int(((bars[:, 0] <= BORN * radius) & np.isinf(bars[:, 1])).sum()) for bars in diagrams)
    return Betti(numbers, diagrams, radius, BORN * radius, _resolved(distances, radius))


def _resolved(distances: Float[np.ndarray, "num num"], radius: float) -> float:
    """Share of the landmarks in parts that are wider than `WIDE` covering radii."""
    _, part = connected_components(csr_array(distances <= BORN * radius), directed=False)
    widths = np.array(
        [distances[np.ix_(inside, inside)].max() for inside in (part == k for k in range(part.max() + 1))]
    )
    return float(np.mean(widths[part] >= WIDE * radius))

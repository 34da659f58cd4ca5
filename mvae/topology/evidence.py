"""What can be measured of a cloud that tells on which manifold it lies."""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist

from mvae.errors import check_count
from mvae.topology.coordinates import COVERS, METRICS, circular_coordinates
from mvae.topology.distances import ROUNDING, between, farthest_points, rows_of_data, rows_of_matrix
from mvae.topology.local_geometry import (
    LocalDimension,
    boundary_share,
    local_dimension,
    number_of_ends,
    orientation_defect,
    principal_part,
    smoothed,
    tangent_frames,
)
from mvae.topology.persistence import ripser

MIN_POINTS = 20
MAX_POINTS = 3000
FEW_POINTS = 150  # so few may be views of a turning object: the order of a loop is sought
FIELDS = (2, 3)
ADJACENT = 0.8  # of `Ring`, from which a cloud is a curve
APART = 4.5  # covering radii between parts of a cloud
_LEAST_PART = 0.05
_ISOLATED = 20.0  # distance of the fifth neighbour over the median
_NUM_FRAMES = 500
_NUM_NULL = 12
_FLOOR = (0.0, math.log(1.6), math.log(1.15))  # of the null, by the degree of homology


class Ring(NamedTuple):
    """The best closed order of the points of a small cloud.

    Attributes:
        adjacent: Which share of the two nearest neighbours of points are next to them in the order, and which next or
            next but one, the mean of both: 1 on an even circle, at most 0.75 to 0.8 if the points are no curve.
        longest: Longest step of the order over the median: where it is open, there is one far beyond the others.
        cover: How often the loop that was found in the data winds in one turn of the order.
    """

    adjacent: float
    longest: float
    cover: int


class Evidence(NamedTuple):
    """Measurements of one cloud.

    Attributes:
        num_points: Number of points that were looked at.
        num_landmarks: Number of those that the complexes are built on.
        noise: Standard deviation of the noise in each feature, in units of the root mean square distance of the points
            from their mean; 0 where it is unknown.
        dimension: Of the manifold.
        separation: Largest gap that single linkage of the landmarks bridges, in units of their covering radius; parts
            of few points do not count.
        parts: Part of each point that was looked at, from 0 on, largest first.
        diagrams: Prime p -> for each degree the bars (birth, death) over F_p, in units of that distance.
        band: For each degree of homology the ratio death / birth up to which bars are like those of a flat ball with
            the same numbers of points and landmarks: of the greatest ratio of each of 12 such clouds, the mean of the
            logarithms and two standard deviations.
        torsion: Logarithm of the largest ratio of the deaths of a class over F_2 and F_3: 0 where all homology is free.
        orientation: See `orientation_defect`; None below dimension 2.
        boundary: See `boundary_share`.
        ends: Of a curve; None from dimension 2 on.
        ring: For few points.
        isolated: How many points were left out.
    """

    num_points: int
    num_landmarks: int
    noise: float
    dimension: LocalDimension
    separation: float
    parts: Int[np.ndarray, " n"]
    diagrams: dict[int, list[Float[np.ndarray, "bars 2"]]]
    band: tuple[float, ...]
    torsion: float
    orientation: float | None
    boundary: float
    ends: int | None
    ring: Ring | None
    isolated: int

    def ratios(self, degree: int, prime: int) -> Float[np.ndarray, " bars"]:
        """Returns death / birth of the classes of a degree over F_p, largest first."""
        bars = self.diagrams[prime][degree] if degree < len(self.diagrams[prime]) else np.zeros((0, 2))
        return np.sort(bars[:, 1] / bars[:, 0])[::-1]


class Cloud(NamedTuple):
    """Distinct points, (n, f), of size about 1, and how many others were left out as isolated."""

    points: Float[np.ndarray, "n f"]
    isolated: int


def cloud_of(x: ArrayLike, metric: str, generator: np.random.Generator) -> Cloud:
    """Returns data as distinct points of R^f, at most `MAX_POINTS` of them; distances by classical scaling.

    Points are left out whose fifth neighbour is 20 times as far as that of most: a single one of them would hide all
    else, being most of the variance.

    Raises:
        ValueError: For wrong shapes, values that are not finite, or too few points.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if metric == "precomputed":
        row, n, _ = rows_of_matrix("x", x, "metric is precomputed")
        chosen = np.sort(generator.permutation(n)[:MAX_POINTS])
        squares = np.array([row(i)[chosen] for i in chosen]).reshape(len(chosen), -1) ** 2
        if len(squares) < MIN_POINTS:
            raise ValueError(f"x must have {MIN_POINTS} points or more, got {len(squares)}")
        centered = squares - squares.mean(axis=0) - squares.mean(axis=1, keepdims=True) + squares.mean()
        values, vectors = np.linalg.eigh(-centered / 2)
        points = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1]
    else:
        rows_of_data("x", x)  # checks
        data = np.asarray(x)
        data = data.reshape(len(data), -1)
        points = data[np.sort(generator.permutation(len(data))[:MAX_POINTS])].astype(np.float64)
    points = np.unique(points, axis=0)
    points = points[generator.permutation(len(points))]  # nothing is to hang on the order of the rows
    if len(points) < MIN_POINTS:
        raise ValueError(
            f"x must have {MIN_POINTS} points or more that are not copies of each other, got {len(points)}"
        )
    points = points - points.mean(axis=0)
    points /= np.abs(points).max()
    lengths = np.square(points).sum(axis=1)
    squares = lengths[:, None] + lengths - 2 * points @ points.T  # of many features, where a tree of them is slow
    fifth = np.sqrt(np.maximum(np.partition(squares, 5, axis=1)[:, 5], 0))
    kept = fifth <= _ISOLATED * np.median(fifth)
    if kept.sum() < MIN_POINTS:
        raise ValueError(f"x must have {MIN_POINTS} points or more that are not isolated, got {kept.sum()}")
    points = points[kept] - points[kept].mean(axis=0)
    return Cloud(points / np.abs(points).max(), int((~kept).sum()))


def measure(cloud: Cloud, *, generator: np.random.Generator, max_landmarks: int = 200) -> Evidence:
    """Returns what is measured of a cloud.

    Args:
        cloud: Of `cloud_of`.
        generator: Draws the points of the null, and those about which is looked.
        max_landmarks: Number of landmarks on which complexes are built, or a quarter of the points.

    Raises:
        ModuleNotFoundError: Where ripser is not installed.
    """
    max_landmarks = check_count("max_landmarks", max_landmarks, MIN_POINTS)
    find = ripser("suggest_manifold")
    y, noise = principal_part(cloud.points)
    size = float(np.sqrt(np.square(y).sum(axis=1).mean()))
    y, noise = y / size, noise / size
    dimension = local_dimension(y, noise, generator)
    dim, k = dimension.dim, dimension.num_neighbors
    ring = _ring(cloud.points) if len(y) <= FEW_POINTS else None
    turning = ring is not None and ring.adjacent > ADJACENT
    smooth = y if turning else smoothed(y, dim, k)
    num = len(y) if turning else min(max_landmarks // (2 if dim == 1 else 1), len(y) // 4)
    chosen, radius, distances = _landmarks(smooth, num)
    degree = 1 if dim == 1 else 2
    diagrams = {p: find(distances, distance_matrix=True, maxdim=degree, coeff=p)["dgms"] for p in FIELDS}
    diagrams = {p: [_finite(bars, distances.max()) for bars in found] for p, found in diagrams.items()}
    separation, parts = _parts(smooth, chosen, distances, radius)
    frames_at = farthest_points(lambda i: np.linalg.norm(smooth - smooth[i], axis=1), _NUM_FRAMES, 0.0)[0]
    frames, _ = tangent_frames(smooth, frames_at, dim, k)
    _, one_sided = tangent_frames(smooth, np.arange(len(y)), dim, k)
    return Evidence(
        num_points=len(y),
        num_landmarks=len(chosen),
        noise=noise,
        dimension=dimension,
        separation=separation,
        parts=parts,
        diagrams=diagrams,
        band=_null_band(dim, len(y), num, generator),
        torsion=_torsion(diagrams),
        orientation=orientation_defect(smooth[frames_at], frames) if dim > 1 else None,
        boundary=boundary_share(one_sided, dim, k),
        ends=number_of_ends(smooth, one_sided, k) if dim == 1 else None,
        ring=ring,
        isolated=cloud.isolated,
    )


def _landmarks(y: Float[np.ndarray, "n q"], num: int) -> tuple[Int[np.ndarray, " l"], float, Float[np.ndarray, "l l"]]:
    """Indices of landmarks, their covering radius, and their distances."""
    size = float(np.abs(y).max())
    chosen, rows = farthest_points(lambda i: np.linalg.norm(y - y[i], axis=1), num, ROUNDING * size)
    return chosen, float(rows.min(axis=0).max()), between(chosen, rows)


def _finite(bars: Float[np.ndarray, "bars 2"], largest: float) -> Float[np.ndarray, "bars 2"]:
    bars = np.asarray(bars, np.float64).reshape(-1, 2)
    return np.where(np.isinf(bars), largest, bars)


def _parts(
    y: Float[np.ndarray, "n q"], chosen: Int[np.ndarray, " l"], distances: Float[np.ndarray, "l l"], radius: float
) -> tuple[float, Int[np.ndarray, " n"]]:
    """Largest gap between parts of the cloud that are not small, in covering radii, and the parts at that gap."""
    owner = cdist(y, y[chosen]).argmin(axis=1)
    gaps = np.unique(np.concatenate([np.zeros(1), np.sort(distances, axis=1)[:, 1]]))
    radius = max(radius, float(np.median(gaps)) / 2)  # all points may be landmarks
    found = 0.0, np.zeros(len(y), np.int64)
    for gap in _merges(distances):
        _, part = connected_components(csr_array(distances < gap * (1 - 1e-9)), directed=False)
        sizes = np.bincount(part[owner])
        large = np.flatnonzero(sizes >= _LEAST_PART * len(y))
        if len(large) > 1:
            order = large[np.argsort(-sizes[large])]
            nearest = distances[:, np.isin(part, large)].argmin(axis=1)
            home = part[np.isin(part, large)][nearest]  # small parts go to the nearest that is not
            number = {int(each): rank for rank, each in enumerate(order)}
            return float(gap / radius), np.array([number[int(each)] for each in home])[owner]
    return found


def _merges(distances: Float[np.ndarray, "l l"]) -> list[float]:
    """The distances at which single linkage joins parts, largest first."""
    return sorted(minimum_spanning_tree(csr_array(distances)).data, reverse=True)


def _null_band(dim: int, n: int, num: int, generator: np.random.Generator) -> tuple[float, ...]:
    """Band of `Evidence`: the greatest death / birth by degree, two deviations above the mean of its logarithm."""
    find, degree = ripser("suggest_manifold"), min(dim - 1, 2)
    greatest = np.zeros((_NUM_NULL, 3))
    for draw in greatest if degree else ():
        ball = generator.normal(size=(n, dim))
        ball *= (generator.uniform(size=(n, 1)) ** (1 / dim)) / np.linalg.norm(ball, axis=1, keepdims=True)
        found = find(_landmarks(ball, num)[2], distance_matrix=True, maxdim=degree)["dgms"]
        for k in range(1, degree + 1):
            draw[k] = np.log(found[k][:, 1] / found[k][:, 0]).max(initial=0)
    bands = np.maximum(greatest.mean(axis=0) + 2 * greatest.std(axis=0), _FLOOR)
    return tuple(float(value) for value in np.exp(bands))


def _torsion(diagrams: dict[int, list[Float[np.ndarray, "bars 2"]]]) -> float:
    """Difference of the first homology over the two fields: the same edges bear its classes over both."""
    deaths: list[dict[float, list[float]]] = []
    for p in FIELDS:
        deaths.append({})
        for birth, death in diagrams[p][1]:
            deaths[-1].setdefault(float(birth), []).append(float(death))
    largest = 0.0
    for birth in deaths[0].keys() | deaths[1].keys():
        ours, other = (sorted(found.get(birth, []), reverse=True) for found in deaths)
        # bars of length 0 are not listed
        for first, second in itertools.zip_longest(ours, other, fillvalue=birth):
            largest = max(largest, abs(math.log(first / second)))
    return largest


def _ring(points: Float[np.ndarray, "n f"]) -> Ring | None:
    """The order of the best circular coordinate of few points, or None where there is no loop at all."""
    try:
        found = circular_coordinates(points, num_landmarks=100, covers=COVERS, num_classes=3)
    except ValueError:
        return None
    order, n = np.argsort(found.angles % (2 * np.pi)), len(points)
    distances = cdist(points, points)
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    away = np.abs(rank[np.argsort(distances, axis=1)[:, 1:3]] - rank[:, None])
    away = np.minimum(away, n - away)
    steps = distances[order, np.roll(order, -1)]
    adjacent = ((away <= 1).mean() + (away <= 2).mean()) / 2
    return Ring(float(adjacent), float(steps.max() / np.median(steps)), found.chosen.winding)

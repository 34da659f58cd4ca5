"""Coordinates of points on a circle or torus, from the persistent cohomology of the cloud."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.topology.covers import inhomogeneity, mean_step, order_score, polished, uniform_angles, unwrapped
from mvae.topology.distances import ROUNDING, between, farthest_points, rows_of_data, rows_of_matrix, scaled_distances
from mvae.topology.harmonic import harmonic_forms
from mvae.topology.homogeneous import NUM_LAST, Views, final_score, fitted, improved, spaced_by_steps, views_of, wrapped
from mvae.topology.persistence import PRIMES, Persistence, persistent_cohomology

METRICS = ("euclidean", "precomputed")
FRACTIONS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)  # of the bar, from the birth on: where the complex is taken
HOMOGENEITY = 0.3
COVERS = (1, 2, 3, 4, 6)  # that are tried for views of an object that may look alike from several sides
NUM_NEAREST = 6
NUM_FITTED = 40  # unwrapped orders whose angles are fitted: half of them the shortest, half the most even
NUM_POLISHED = 6  # of them, those that are improved: of least score
NUM_EVEN = 4  # orders that are improved as if their steps were even
_CHUNK = 4096


class Candidate(NamedTuple):
    """A coordinate that was tried.

    Attributes:
        score: Mean distance of neighbours along the coordinate, in units of the mean distance, plus `homogeneity` times
            the inhomogeneity; `mvae.topology.homogeneous.final_score` where covers are tried. The least is taken.
        scaled: Whether distances were scaled locally.
        classes: Ranks of the classes by persistence.
        scale: Of the complex, in units of (scaled) distance.
        winding: Turns of the most persistent class for one turn of the coordinate: 1, or others where it was unwrapped.
    """

    score: float
    scaled: bool
    classes: tuple[int, ...]
    scale: float
    winding: int


class Coordinates(NamedTuple):
    """Angles of the points of a cloud, known up to an isometry of the torus and, where given, a cover.

    Attributes:
        angles: In radians, in [-π, π): (n,) on a circle, (n, k) on a torus.
        bars: Birth and death of the most persistent classes of H¹, most persistent first, (bars, 2): with one real loop
            the first is much longer than the second.
        landmarks: Indices of the points that the complex is built on, (l,).
        chosen: What was taken.
        tried: All that was tried, best first.
    """

    angles: np.ndarray
    bars: Float[np.ndarray, "bars 2"]
    landmarks: Int[np.ndarray, " l"]
    chosen: Candidate
    tried: tuple[Candidate, ...]


def extend_coordinates(
    angles: ArrayLike, distances: ArrayLike, *, num_nearest: int = NUM_NEAREST
) -> Float[np.ndarray, "n *k"]:
    """Returns angles of new points: the mean direction of those of their nearest landmarks, weighted by 1 / distance².

    Args:
        angles: Of the landmarks in radians, (l,) or (l, k).
        distances: Of the new points from the landmarks, (n, l), such as rows of Euclidean or geodesic distances. A
            landmark itself keeps its angle.
        num_nearest: Number of landmarks that a point hears; all if there are fewer.

    Raises:
        ValueError: For shapes that do not fit, or values that are not finite.
    """
    known, apart = np.asarray(angles, np.float64), np.asarray(distances, np.float64)
    if known.ndim not in (1, 2) or len(known) == 0:
        raise ValueError(f"angles must have shape (l,) or (l, k), got {known.shape}")
    if apart.ndim != 2 or apart.shape[1] != len(known):
        raise ValueError(f"distances must have shape (n, {len(known)}), one for each landmark, got {apart.shape}")
    if not (np.isfinite(known).all() and np.isfinite(apart).all()):
        raise ValueError("angles and distances must be finite")
    num = min(check_count("num_nearest", num_nearest, 1), len(known))
    parts = [_mean_directions(known, apart[i : i + _CHUNK], num) for i in range(0, len(apart), _CHUNK)]
    return np.concatenate(parts) if parts else np.zeros((0, *known.shape[1:]))


def _mean_directions(
    known: Float[np.ndarray, "l *k"], apart: Float[np.ndarray, "n l"], num: int
) -> Float[np.ndarray, "n *k"]:
    nearest, weights = nearest_landmarks(apart, num)
    directions = np.exp(1j * known[nearest])
    weights = weights.reshape(*weights.shape, *(1,) * (known.ndim - 1))
    return np.angle((weights * directions).sum(axis=1))


def nearest_landmarks(
    apart: Float[np.ndarray, "n l"], num: int
) -> tuple[Int[np.ndarray, "n num"], Float[np.ndarray, "n num"]]:
    """Indices of the landmarks nearest to points, and the weight of each, 1 / distance² over that of the nearest."""
    nearest = np.argpartition(apart, num - 1, axis=1)[:, :num]
    away = np.take_along_axis(apart, nearest, axis=1)
    least = away.min(axis=1, keepdims=True)
    # relative to the nearest one, so that nothing overflows; where that is a copy, it alone is heard
    return nearest, np.where(least > 0, least / np.where(away > 0, away, 1), away == 0) ** 2


class Cloud(NamedTuple):
    """Landmarks of a cloud: their indices, distances from all points (l, n), and from each other (l, l)."""

    landmarks: Int[np.ndarray, " l"]
    rows: Float[np.ndarray, "l n"]
    distances: Float[np.ndarray, "l l"]


def cloud_of(x: ArrayLike, metric: str, num_landmarks: int) -> Cloud:
    """Returns landmarks of data; raises a ValueError for what has no distances, or fewer than four points."""
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    matrix = metric == "precomputed"
    row, n, size = rows_of_matrix("x", x, "metric is precomputed") if matrix else rows_of_data("x", x)
    if n < 4:
        raise ValueError(f"x must have four points or more, got {n}")
    chosen, rows = farthest_points(row, check_count("num_landmarks", num_landmarks, 4), ROUNDING * size)
    if len(chosen) < 4:
        raise ValueError(f"x must have four points or more that are not copies of each other, got {len(chosen)}")
    return Cloud(chosen, rows, between(chosen, rows))


def _complexes(
    distances: Float[np.ndarray, "l l"], fractions: Sequence[float], groups: Callable[[int], Iterable[tuple[int, ...]]]
) -> tuple[Persistence, list[tuple[tuple[int, ...], float, np.ndarray]]]:
    """Bars, and the harmonic coordinates (classes, scale, angles) of groups of classes at some scales of their bars.

    Where no multiple of a cocycle lifts to the integers modulo one prime, one may do so modulo another.
    """
    first, found = None, {}
    distances = distances.astype(np.float32).astype(np.float64)  # as ripser has them, so that scales compare alike
    for prime in PRIMES:
        persistence = persistent_cohomology(distances, max_classes=4, prime=prime, user="a coordinate")
        first = persistence if first is None else first
        wanted = [(each, fraction) for each in groups(len(persistence.bars)) for fraction in fractions]
        for classes, fraction in wanted:
            bars = persistence.bars[list(classes)]
            birth, death = bars[:, 0].max(), bars[:, 1].min()
            if (classes, fraction) in found or not birth < death:
                continue
            scale = birth + fraction * (min(death, distances.max()) - birth)
            forms = harmonic_forms(distances, tuple(persistence.cocycles[k] for k in classes), scale, prime)
            if forms is not None:
                found[classes, fraction] = (classes, float(scale), forms.angles)
        if len(found) == len(wanted):
            break
    assert first is not None
    return first, list(found.values())


def circular_coordinates(
    x: ArrayLike,
    *,
    metric: str = "euclidean",
    num_landmarks: int = 400,
    num_classes: int = 1,
    covers: Sequence[int] = (),
    homogeneity: float = HOMOGENEITY,
    fractions: Sequence[float] = FRACTIONS,
) -> Coordinates:
    """Returns a coordinate with values in the circle that turns once around a loop of the data [desilva2011].

    The loop is that of the most persistent class of H¹ of the Vietoris-Rips complexes of the landmarks. The coordinate
    is harmonic on the complex at some scale of the bar, see `harmonic_forms`. Several scales are tried, and if asked
    for several classes; that coordinate θ is taken whose score

        (mean distance of points that follow each other along θ) / (mean distance) + μ · inhomogeneity(θ)

    is least. For views of a turning object, which a near symmetry folds, give covers=(1, 2, 3, 4, 6) and num_classes=3:
    distances scaled locally are tried, too, and each coordinate is unwrapped on the assumption that it winds so often,
    see `mvae.topology.covers.unwrapped`. Angles are fitted to these orders, and pieces of the best are exchanged; the
    score is then `mvae.topology.homogeneous.final_score`. What is returned is evenly spaced in the order so found.

    Limits: Covers are for views, at even steps or at random, with less noise than there is between neighbours; the time
    grows with the cube of the number of landmarks, and 100 take a few seconds. Of a loop that the data wind around k
    times without telling the turns apart, the coordinate of the quotient is all there is.

    Args:
        x: Data, (n, *event), or for metric "precomputed" their distances, (n, n).
        metric: "euclidean" or "precomputed".
        num_landmarks: Number of points, far from each other, that the complex is built on. The others take the mean of
            their nearest landmarks, see `extend_coordinates`. 400 take about a second.
        num_classes: How many of the most persistent classes are tried, at most 4.
        covers: Windings to unwrap; () for the harmonic coordinates themselves.
        homogeneity: Weight μ of the inhomogeneity, from 0 on.
        fractions: Where in the bars, from birth (0) to death (1), the complex is taken.

    Raises:
        ValueError: For wrong shapes, values that are not finite, numbers out of range, or data without a loop.
        ModuleNotFoundError: Where ripser is not installed.
    """
    num_classes = check_count("num_classes", num_classes, 1)
    covers = tuple(check_count("covers", cover, 1) for cover in covers)
    _check_rule(homogeneity, fractions)
    cloud = cloud_of(x, metric, num_landmarks)
    persistence, found = _complexes(cloud.distances, fractions, _single(num_classes))
    tried: list[tuple[Candidate, np.ndarray]] = []
    if not covers:
        for classes, scale, angles in found:
            score = _circle_score(cloud.distances, angles[:, 0], homogeneity)
            tried.append((Candidate(score, False, classes, scale, 1), angles[:, 0]))
        return _best(cloud, persistence.bars, tried, "a loop")
    views = views_of(cloud.distances, homogeneity)
    return _best(cloud, persistence.bars, _unwrapped(views, found, fractions, num_classes, covers), "a loop")


def _single(num_classes: int) -> Callable[[int], list[tuple[int, ...]]]:
    return lambda most: [(k,) for k in range(min(num_classes, most))]


def _unwrapped(
    views: Views,
    found: list[tuple[tuple[int, ...], float, np.ndarray]],
    fractions: Sequence[float],
    num_classes: int,
    covers: Sequence[int],
) -> list[tuple[Candidate, np.ndarray]]:
    """Harmonic coordinates of plain distances, and of those scaled locally, unwrapped; the best are fitted."""
    distances = views.distances
    _, scaled = _complexes(scaled_distances(distances), fractions, _single(num_classes))
    orders: dict[float, _Order] = {}
    for is_scaled, coordinates in ((False, found), (True, scaled)):
        for classes, scale, angles in coordinates:
            for winding in covers:
                once = unwrapped(distances, angles[:, 0], winding)
                length = mean_step(distances, once)
                orders.setdefault(
                    round(length, 9), _Order(Candidate(length, is_scaled, classes, scale, winding), angles[:, 0], once)
                )
    tried = sorted(orders.values(), key=lambda order: order.candidate.score)
    evenness = [order_score(distances, np.argsort(each.angles), views.homogeneity) for each in tried]
    evenest = np.argsort(evenness, kind="stable").tolist()
    chosen = sorted({*range(min(NUM_FITTED // 2, len(tried))), *evenest[: NUM_FITTED // 2]})
    placed = [(tried[k], fitted(views, spaced_by_steps(distances, tried[k].angles))) for k in chosen]
    placed = sorted(placed, key=lambda pair: pair[1].score)[:NUM_POLISHED]
    finals = [(order, improved(views, each).angles) for order, each in placed]
    for order in (tried[k] for k in evenest[:NUM_EVEN]):
        angles = polished(distances, order.angles, views.homogeneity)
        finals.append((order, fitted(views, spaced_by_steps(distances, angles), NUM_LAST).angles))
    first = [angles[:, 0] for classes, _, angles in found if classes == (0,)]  # at scales from birth to death
    return [
        (
            order.candidate._replace(
                score=final_score(views, angles),
                winding=_turns(first[len(first) // 2] if first else order.of_class, angles),
            ),
            uniform_angles(angles),
        )
        for order, angles in finals
    ]


def _turns(of_class: Float[np.ndarray, " l"], angles: Float[np.ndarray, " l"]) -> int:
    """How often the coordinate of a class turns along an order."""
    of_class = of_class[np.argsort(angles)]
    return abs(round(wrapped(np.roll(of_class, -1) - of_class).sum() / (2 * np.pi)))


class _Order(NamedTuple):
    """An order of views: how it was found, angles of the class that was unwrapped, and evenly spaced ones."""

    candidate: Candidate
    of_class: Float[np.ndarray, " l"]
    angles: Float[np.ndarray, " l"]


def toroidal_coordinates(
    x: ArrayLike,
    dim: int = 2,
    *,
    metric: str = "euclidean",
    num_landmarks: int = 400,
    homogeneity: float = HOMOGENEITY,
    fractions: Sequence[float] = (0.3, 0.4, 0.5, 0.6),
) -> Coordinates:
    """Returns coordinates with values in a torus, from the most persistent classes of H¹ [scoccola2023].

    The `dim` longest bars are taken at some scales that they have in common. The lattice of integer classes that they
    span gets a basis of least energy, so that each angle turns along one circle and stays along the others where the
    data have such a basis, and the classes are divided by what their periods have in common. Of the scales, that one is
    taken whose coordinates have the least

        (mean distance of points from the nearest along the torus) / (mean distance) + μ · inhomogeneity.

    Near their birth, classes of a torus are torn; about the middle of their bars they are not.

    Args:
        x: Data, (n, *event), or for metric "precomputed" their distances, (n, n).
        dim: Number of angles, at most 4.
        metric: "euclidean" or "precomputed".
        num_landmarks: As for `circular_coordinates`.
        homogeneity: Weight μ of the inhomogeneity, from 0 on.
        fractions: Where in what the bars have in common the complex is taken.

    Raises:
        ValueError: For wrong shapes, values that are not finite, numbers out of range, or data with fewer loops.
        ModuleNotFoundError: Where ripser is not installed.
    """
    dim = check_count("dim", dim, 1)
    if dim > 4:
        raise ValueError(f"dim must be at most 4, got {dim}")
    _check_rule(homogeneity, fractions)
    cloud = cloud_of(x, metric, num_landmarks)
    persistence, found = _complexes(cloud.distances, fractions, lambda most: [tuple(range(dim))] if most >= dim else [])
    tried = []
    for classes, scale, angles in found:
        score = _torus_score(cloud.distances, angles, homogeneity)
        tried.append((Candidate(score, False, classes, scale, 1), angles))
    return _best(cloud, persistence.bars, tried, f"{dim} loops that overlap in scale")


def _check_rule(homogeneity: float, fractions: Sequence[float]) -> None:
    if not homogeneity >= 0:
        raise ValueError(f"homogeneity must be a number from 0 on, got {homogeneity}")
    if not fractions or not all(0 <= fraction < 1 for fraction in fractions):
        raise ValueError(f"fractions must be numbers from 0 to below 1, got {tuple(fractions)}")


def _circle_score(distances: Float[np.ndarray, "l l"], angles: Float[np.ndarray, " l"], homogeneity: float) -> float:
    return mean_step(distances, angles) + homogeneity * inhomogeneity(distances, angles[:, None])


def _torus_score(distances: Float[np.ndarray, "l l"], angles: Float[np.ndarray, "l k"], homogeneity: float) -> float:
    chords = 1 - np.cos(angles[:, None] - angles[None]).mean(axis=-1)
    np.fill_diagonal(chords, np.inf)
    num = len(distances)
    step = distances[np.arange(num), chords.argmin(axis=1)].mean() / (distances.sum() / (num * (num - 1)))
    return float(step + homogeneity * inhomogeneity(distances, angles))


def shown(bars: Float[np.ndarray, "bars 2"]) -> str:
    """Returns from where to where classes live, as a text."""
    return ", ".join(f"{birth:.3g} to {death:.3g}" for birth, death in bars) or "nowhere"


def _best(
    cloud: Cloud, bars: Float[np.ndarray, "bars 2"], tried: list[tuple[Candidate, np.ndarray]], wanted: str
) -> Coordinates:
    """The candidate of least score, extended from the landmarks to all points."""
    if not tried:
        raise ValueError(f"x has not {wanted}: its most persistent classes live from {shown(bars)}")
    tried = sorted(tried, key=lambda pair: pair[0].score)
    chosen, angles = tried[0]
    extended = extend_coordinates(angles, cloud.rows.T)
    return Coordinates(extended, bars, cloud.landmarks, chosen, tuple(candidate for candidate, _ in tried))

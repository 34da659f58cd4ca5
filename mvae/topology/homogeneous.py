"""Angles of views of a turning object: distances of views are to depend on the differences of their angles.

On a circle that acts on the images by isometries D_ij = f(θ_i - θ_j). An order of the views says nearly where they are;
fitting angles and f in turn says it to a fraction of a step, also where views are at random angles, and what is left of
the distances tells a true order from one in which a near symmetry of the object has exchanged views.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mvae.topology.covers import exchanges, order_score

SMOOTHNESS = 1e-3
FLOOR = 0.5  # in median distances of nearest neighbours, added to all: of nearer ones logarithms tell nothing but noise
PULL = 0.03  # towards the angles that a fit starts from, in units of what distances say
DAMPING = 0.1
LONGEST_MOVE = 0.3  # of an angle in one step, radians
NUM_MODES = 3  # of the factor that each view's distances have
NUM_FIRST, NUM_STEPS, NUM_LAST = 5, 3, 12  # Gauss-Newton steps: of an order, of one that was exchanged, of the result
NUM_EXCHANGES = 20
PROMISING = 0.03  # of the score, by which a fit may better an order
_KNOTS = np.pi * np.linspace(0, 1, 25) ** 1.5
_BENDS = np.diff(np.eye(25), 2, axis=0)


class Views(NamedTuple):
    """Distances of views, and their logarithms, whose residuals weigh near and far pairs alike.

    Attributes:
        distances: Symmetric, (n, n), in units of their mean.
        logs: Logarithms of the distances, a floor added, (n, n).
        homogeneity: Weight μ of the logarithm of what a fit leaves, against that of the mean step.
    """

    distances: Float[np.ndarray, "n n"]
    logs: Float[np.ndarray, "n n"]
    homogeneity: float


class Placed(NamedTuple):
    """Angles of views, in radians, (n,), and their score, the lower the better."""

    angles: Float[np.ndarray, " n"]
    score: float


def views_of(distances: Float[np.ndarray, "n n"], homogeneity: float) -> Views:
    """Returns the views that have these distances, no two of them zero apart."""
    n = len(distances)
    distances = distances * (n * (n - 1) / distances.sum())
    nearest = (distances + np.diag(np.full(n, np.inf))).min(axis=1)
    return Views(distances, np.log(distances + FLOOR * np.median(nearest)), homogeneity)


def wrapped(angles: np.ndarray) -> np.ndarray:
    """Returns angles in [-π, π)."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


class _Profile(NamedTuple):
    """A function of the absolute difference of two angles, linear between its knots."""

    knots: Float[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]

    def at(self, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and slopes at differences in [0, π]."""
        k = np.clip(np.searchsorted(self.knots, apart, side="right") - 1, 0, len(self.knots) - 2)
        slope = np.diff(self.values) / np.diff(self.knots)
        return self.values[k] + slope[k] * (apart - self.knots[k]), slope[k]


def _profile(apart: Float[np.ndarray, " m"], values: Float[np.ndarray, " m"]) -> _Profile:
    """Least squares, a little smoothed; knots are dense near zero, where distances rise fastest."""
    knots, num = _KNOTS, len(_KNOTS)
    k = np.clip(np.searchsorted(knots, apart, side="right") - 1, 0, num - 2)
    t = (apart - knots[k]) / (knots[k + 1] - knots[k])
    left, right = np.bincount(k, (1 - t) ** 2, num), np.roll(np.bincount(k, t**2, num), 1)
    both = np.diag(np.bincount(k, t * (1 - t), num)[:-1], 1)
    normal = np.diag(left + right) + both + both.T + SMOOTHNESS * len(apart) / num * _BENDS.T @ _BENDS
    target = np.bincount(k, (1 - t) * values, num) + np.roll(np.bincount(k, t * values, num), 1)
    return _Profile(knots, np.linalg.solve(normal + 1e-9 * np.eye(num), target))


def _mean_step(views: Views, order: Int[np.ndarray, " n"]) -> float:
    return float(views.distances[order, np.roll(order, -1)].mean())


def _order(angles: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    return np.argsort(angles % (2 * np.pi), kind="stable")


def _score(views: Views, angles: Float[np.ndarray, " n"], left: float) -> float:
    tiny = np.finfo(float).tiny
    return float(np.log(_mean_step(views, _order(angles)) + tiny) + views.homogeneity * np.log(left + tiny))


def _left(views: Views, angles: Float[np.ndarray, " n"]) -> float:
    """Share of the variance of the logarithms that the best function of the differences leaves."""
    i, j = np.triu_indices(len(angles), 1)
    apart, values = np.abs(wrapped(angles[i] - angles[j])), views.logs[i, j]
    residual = values - _profile(apart, values).at(apart)[0]
    return float(np.mean(residual**2) / (values.var() + np.finfo(float).tiny))


def final_score(views: Views, angles: Float[np.ndarray, " n"]) -> float:
    """Returns a score by which orders of views are compared: the sum of three logarithms, the lower the better.

        log(mean step) + μ log(left) + log(order_score)

    The mean step is in units of the mean distance. The share of the variance of log D_ij that f(θ_i - θ_j) + u(θ_i) +
    u(θ_j) leaves is the second: u is smooth, of three harmonics, as from the broad side an object's views differ more
    than from its narrow one. The last is the score for even steps, see `mvae.topology.covers.order_score`: where steps
    are even it tells most, and at random angles it does no harm.
    """
    i, j = np.triu_indices(len(angles), 1)
    apart, values = np.abs(wrapped(angles[i] - angles[j])), views.logs[i, j]
    modes = np.stack([f(k * angles) for k in range(1, NUM_MODES + 1) for f in (np.cos, np.sin)], axis=-1)
    features = modes[i] + modes[j]
    inverse = np.linalg.pinv(features.T @ features)
    factor = profile = np.zeros_like(values)
    for _ in range(4):
        profile = _profile(apart, values - factor).at(apart)[0]
        factor = features @ (inverse @ (features.T @ (values - profile)))
    left = np.mean((values - profile - factor) ** 2) / (values.var() + np.finfo(float).tiny)
    even = order_score(views.distances, _order(angles), views.homogeneity)
    return _score(views, angles, float(left)) + float(np.log(even + np.finfo(float).tiny))


def spaced_by_steps(distances: Float[np.ndarray, "n n"], angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Returns angles in the same order, the gaps in proportion to the distances from view to view."""
    order = _order(angles)
    return _laid_out(order, distances[order, np.roll(order, -1)])


def _laid_out(order: Int[np.ndarray, " n"], gaps: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    angles = np.empty(len(order))
    angles[order] = 2 * np.pi * (np.cumsum(gaps) - gaps) / (gaps.sum() + np.finfo(float).tiny)
    return wrapped(angles)


def fitted(views: Views, start: Float[np.ndarray, " n"], num_steps: int = NUM_FIRST) -> Placed:
    """Returns the angles that leave least of the logarithms of the distances near those given.

    The function of the differences and the angles are fitted in turn, the latter by Gauss-Newton steps, whose normal
    matrix is the Laplacian of a graph with the squared slopes as weights. A weak pull holds the angles to the start.
    """
    n, angles, best, least = len(start), start, start, np.inf
    i, j = np.triu_indices(n, 1)
    values = views.logs[i, j]
    for _ in range(num_steps + 1):
        difference = wrapped(angles[:, None] - angles[None])
        profile = _profile(np.abs(difference[i, j]), values)
        predicted, slope = profile.at(np.abs(difference))
        slope = slope * np.sign(difference)
        residual = views.logs - predicted
        if (left := float(np.mean(residual[i, j] ** 2))) < least:
            best, least = angles, left
        weights = slope**2
        degree = weights.sum(axis=1) + np.finfo(float).eps
        normal = np.diag(degree * (1 + PULL + DAMPING)) - weights
        step = np.linalg.solve(normal, (residual * slope).sum(axis=1) + PULL * degree * wrapped(start - angles))
        angles = wrapped(angles + np.clip(step - step.mean(), -LONGEST_MOVE, LONGEST_MOVE))
    return Placed(best, _score(views, best, least / (values.var() + np.finfo(float).tiny)))


def improved(views: Views, placed: Placed) -> Placed:
    """Returns angles whose score no exchange of pieces of the order lowers, as `mvae.topology.covers.polished` does it.

    Gaps within a piece are kept, and those where pieces are joined are in proportion to the distance; the best few are
    then fitted.
    """
    for _ in range(NUM_EXCHANGES):
        order = _order(placed.angles)
        following = np.roll(order, -1)
        gaps = np.full(views.distances.shape, np.nan)
        gaps[order, following] = (placed.angles[following] - placed.angles[order]) % (2 * np.pi)
        gaps[following, order] = gaps[order, following]
        unit = 2 * np.pi / (views.distances[order, following].sum() + np.finfo(float).tiny)
        options = []
        for other in exchanges(views.distances, order):
            known, steps = gaps[other, np.roll(other, -1)], views.distances[other, np.roll(other, -1)]
            angles = _laid_out(other, np.where(np.isnan(known), unit * steps, known))
            options.append(Placed(angles, _score(views, angles, _left(views, angles))))
        options = sorted(options, key=lambda option: option.score)[:3]
        better = (fitted(views, each.angles, NUM_STEPS) for each in options if each.score < placed.score + PROMISING)
        found = next((each for each in better if each.score < placed.score - 1e-6), None)
        if found is None:
            break
        placed = found
    return fitted(views, placed.angles, NUM_LAST)

"""Covers of a circle: the order of views that a near symmetry folds onto each other, and how even an order is.

Where an object looks nearly alike from the front and the back, the most persistent loop of its views is that of the
quotient, on which the views wind twice or more. Its coordinate still tells which way to go on, and that unwraps it.
"""

import functools
import itertools

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

NUM_HARMONICS = 6
NUM_BREAKS = 48  # longest steps of a tour at which it may be cut
NUM_MOVES = 48  # shortest of the new tours, which are returned


def uniform_angles(angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Returns evenly spaced angles in the order of those given, in [-π, π)."""
    n = len(angles)
    ranks = np.argsort(np.argsort(angles % (2 * np.pi), kind="stable"), kind="stable")
    return 2 * np.pi * ((ranks / n + 0.5) % 1 - 0.5)


def mean_step(distances: Float[np.ndarray, "n n"], angles: Float[np.ndarray, " n"]) -> float:
    """Returns the mean distance of points that follow each other around a circle, in units of the mean distance."""
    order = np.argsort(angles % (2 * np.pi), kind="stable")
    n = len(order)
    return float(distances[order, np.roll(order, -1)].mean() / (distances.sum() / (n * (n - 1))))


def inhomogeneity(distances: Float[np.ndarray, "n n"], angles: Float[np.ndarray, "n k"]) -> float:
    """Returns the share of the variance of the distances that a function of the differences of angles leaves.

    On a torus that acts on the images by isometries, such as translations or the turning of a scene in even light,
    the distance of two points is a function of their difference alone. It is fitted here by least squares as a sum of
    the cosines of the first harmonics of the differences, six of each for a circle, three for more angles.
    """
    n, k = angles.shape
    i, j = np.triu_indices(n, 1)
    difference = angles[i] - angles[j]
    most = NUM_HARMONICS if k == 1 else NUM_HARMONICS // 2
    frequencies = np.array([f for f in itertools.product(range(-most, most + 1), repeat=k) if f >= (0,) * k])
    features = np.cos(difference @ frequencies.T)
    values = distances[i, j]
    fit, *_ = np.linalg.lstsq(features, values, rcond=None)
    return float(np.var(values - features @ fit) / (np.var(values) + np.finfo(float).tiny))


def _cycles(following: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    n = len(following)
    return connected_components(csr_array((np.ones(n), (np.arange(n), following)), shape=(n, n)), directed=False)[1]


def _joined(following: Int[np.ndarray, " n"], cost: Float[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """One cycle of several, by the exchange of two successors that costs least, again and again."""
    following = following.copy()
    points = np.arange(len(following))
    cycle = _cycles(following)
    while cycle.max() > 0:
        kept = cost[points, following]
        # i goes on to the successor of j, and j to that of i
        swapped = cost[:, following]
        change = swapped + swapped.T - kept[:, None] - kept[None, :]
        change[cycle[:, None] == cycle[None, :]] = np.inf
        i, j = np.unravel_index(change.argmin(), change.shape)
        following[[i, j]] = following[[j, i]]
        cycle = _cycles(following)
    return following


def unwrapped(
    distances: Float[np.ndarray, "n n"], angles: Float[np.ndarray, " n"], winding: int
) -> Float[np.ndarray, " n"]:
    """Returns evenly spaced angles that turn once while those given, a coordinate of the same points, wind k times.

    Points go on to the next by the cheapest assignment of successors, in which the step from i to j costs

        D_ij / (median distance to the nearest) + c ((advance_ij - a) / a)²,   a = 2πk/n,

    advance_ij the difference of the given angles, made uniform, from i to j. So a step to the other side of a near
    symmetry, which does not advance, costs more than one along the circle. c is 1 for less than a, and 1/4 for more:
    views at random angles have gaps. Cycles are joined where that costs least.

    Args:
        distances: Symmetric, (n, n).
        angles: In radians, (n,).
        winding: k, turns of the given angles for one turn of the result.
    """
    n = len(angles)
    uniform = uniform_angles(angles)
    advance = (uniform[None, :] - uniform[:, None] + np.pi) % (2 * np.pi) - np.pi
    wanted = 2 * np.pi * winding / n
    apart = distances + np.diag(np.full(n, np.inf))
    late = advance / wanted - 1
    cost = distances / (np.median(apart.min(axis=1)) + np.finfo(float).tiny) + np.where(late < 0, 1, 0.25) * late**2
    np.fill_diagonal(cost, 1e6 * cost.max())
    following = _joined(linear_sum_assignment(cost)[1], cost)
    order, point = np.empty(n, np.int64), 0
    for place in range(n):
        order[point] = place
        point = following[point]
    return 2 * np.pi * ((order / n + 0.5) % 1 - 0.5)


def order_score(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " n"], homogeneity: float) -> float:
    """Returns the mean step along a closed tour plus μ times what the best circulant matrix leaves, see below.

    The first is in units of the mean distance. The second is the share of the variance of the distances that their
    mean over pairs equally far apart along the tour does not explain: `inhomogeneity` with all harmonics, for evenly
    spaced angles.
    """
    n = len(order)
    i, j = np.triu_indices(n, 1)
    along = distances[order[i], order[j]]
    lag = np.minimum(j - i, n - (j - i))
    mean = np.bincount(lag, along) / np.maximum(np.bincount(lag), 1)
    left = np.var(along - mean[lag]) / (np.var(along) + np.finfo(float).tiny)
    step = distances[order, np.roll(order, -1)].mean() / (along.mean() + np.finfo(float).tiny)
    return float(step + homogeneity * left)


def polished(
    distances: Float[np.ndarray, "n n"], angles: Float[np.ndarray, " n"], homogeneity: float
) -> Float[np.ndarray, " n"]:
    """Returns evenly spaced angles whose order has an `order_score` that no exchange of pieces of the tour lowers.

    Only the shortest of the new tours are looked at, see `mvae.topology.exchanges`, but it is the score that decides,
    so that two halves which a near symmetry makes alike are not folded onto each other.
    """
    order = np.argsort(angles % (2 * np.pi), kind="stable")
    score = order_score(distances, order, homogeneity)
    while options := exchanges(distances, order):
        scores = [order_score(distances, each, homogeneity) for each in options]
        if not min(scores) < score - 1e-9:
            break
        order, score = options[int(np.argmin(scores))], min(scores)
    return uniform_angles(np.argsort(order) * 2 * np.pi / len(order))


@functools.cache
def _triples(num: int) -> Int[np.ndarray, "3 t"]:
    return np.array(list(itertools.combinations(range(num), 3))).reshape(-1, 3).T


def exchanges(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " n"]]:
    """Returns the shortest tours that come of cutting one at three of its longest steps and joining the pieces anew.

    So pieces are put back in another order or reversed [lin1965], single points among them.

    Args:
        distances: Symmetric, (n, n).
        order: Points of the tour in turn, (n,).
    """
    if len(order) < 5:
        return []
    following = np.roll(order, -1)
    longest = np.sort(np.argsort(-distances[order, following], kind="stable")[:NUM_BREAKS])
    i, j, k = longest[_triples(len(longest))]
    # the tour is ... a | b ... c | d ... e | f ...
    a, b, c, d, e, f = order[i], following[i], order[j], following[j], order[k], following[k]
    before = distances[a, b] + distances[c, d] + distances[e, f]
    joins = {
        "c b d e": (c, b, d, e),
        "b c e d": (b, c, e, d),
        "c b e d": (c, b, e, d),
        "d e b c": (d, e, b, c),
        "d e c b": (d, e, c, b),
        "e d b c": (e, d, b, c),
        "e d c b": (e, d, c, b),
    }
    changes = np.stack([distances[a, p] + distances[q, r] + distances[s, f] - before for p, q, r, s in joins.values()])
    found = []
    flat = changes.ravel()
    shortest = np.argpartition(flat, NUM_MOVES)[:NUM_MOVES] if flat.size > NUM_MOVES else np.arange(flat.size)
    for index in shortest[np.argsort(flat[shortest], kind="stable")]:
        kind, cut = np.unravel_index(index, changes.shape)
        pieces = {"b": order[i[cut] + 1 : j[cut] + 1], "d": order[j[cut] + 1 : k[cut] + 1]}
        pieces |= {"c": pieces["b"][::-1], "e": pieces["d"][::-1]}
        first, _, second, _ = list(joins)[kind].split()
        found.append(np.concatenate([order[: i[cut] + 1], pieces[first], pieces[second], order[k[cut] + 1 :]]))
    return found

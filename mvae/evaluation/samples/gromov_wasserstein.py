"""Gromov-Wasserstein discrepancy: how far two point sets are from having the same distances [li2020, Sec. 6.4]."""

import importlib
import math
import warnings
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from mvae.errors import check_count
from mvae.evaluation.samples.point_sets import flat_rows

SCALES = ("max", "none")
SOLVERS = ("exact", "entropic")
SINKHORN_STEPS = 10_000  # of each step of "entropic"
SINKHORN_TOLERANCE = 1e-5  # of the row or column sums, in mass
MASS_TOLERANCE = 1e-4  # that the last step of "entropic" moved
LINEAR_STEPS = 10_000_000  # of each transport problem; the default of POT is short for a thousand points
PAIRS = (16, 8, 4, 2, 1)  # of points, in turn, that couplings to start from are made of
_QUANTILES = 33
CANDIDATES = 5  # of these for each that is descended from
_TIE = 1e-9  # of the mean squared distances


class GromovWassersteinPlan(NamedTuple):
    """The best coupling that was found.

    Attributes:
        discrepancy: E(T), see `gromov_wasserstein`.
        lower_bound: What no coupling can be below, the third lower bound of [memoli2011]: the least mean over
            couplings of the squared W2 distance between the distributions of the distances from x_i and from y_j.
        coupling: T, (n, m), with row sums 1/n and column sums 1/m.
        converged: Whether the descent to it came to its end.
        num_least: Starts whose descents ended as low, up to rounding: 1 of many says that a lower one may not have been
            found; symmetric sets have as many couplings of one E as they have symmetries.
    """

    discrepancy: float
    lower_bound: float
    coupling: Float[np.ndarray, "n m"]
    converged: bool
    num_least: int


def gromov_wasserstein(x: ArrayLike, y: ArrayLike, **options: Any) -> float:
    """Returns the Gromov-Wasserstein discrepancy of two point sets, the least of E(T) that was found.

        E(T) = Σ_ijkl (|x_i - x_k| - |y_j - y_l|)² T_ij T_kl  over couplings T of uniform weights.

    It is 0 if and only if there is an isometry, and it compares sets of different sizes in spaces of different
    dimensions. It is neither rooted nor halved: 2 GW_2 is its root, in Mémoli's definition.

    Limits: On couplings E is concave, as Euclidean distances are of negative type, and the least is at a vertex, for
    n = m a matching. What is returned is the least of the local minima that descents from several starts end at: an
    upper bound, which for sets that have little to do with each other may be well above the least.
    `gromov_wasserstein_plan` gives a lower bound, too, and the coupling.

    Args:
        x: Points, (n, ...), n ≥ 2; what follows the first axis is one vector.
        y: Points, (m, ...), m ≥ 2.
        **options: Those of `gromov_wasserstein_plan`.

    Returns:
        The discrepancy; in squared units of distance with scale="none", without unit with scale="max".

    Raises:
        ValueError: As `gromov_wasserstein_plan`.
        ModuleNotFoundError: Where POT is not installed.

    Warns:
        RuntimeWarning: If the descent that ended lowest did not converge.

    Source: [memoli2011].

    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> gromov_wasserstein(square, 5 + square[::-1] @ np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0]])) < 1e-12
    True
    """
    plan = gromov_wasserstein_plan(x, y, **options)
    if not plan.converged:
        warnings.warn(
            "gromov_wasserstein did not converge: raise max_iterations, or epsilon where solver is 'entropic'",
            RuntimeWarning,
            stacklevel=2,
        )
    return plan.discrepancy


def gromov_wasserstein_plan(
    x: ArrayLike,
    y: ArrayLike,
    *,
    scale: str = "max",
    solver: str = "exact",
    num_starts: int = 6,
    seed: int = 0,
    epsilon: float = 5e-3,
    max_iterations: int = 1000,
) -> GromovWassersteinPlan:
    """Returns the discrepancy of `gromov_wasserstein` with its coupling, and how far from the least it may be.

    The first start is the product of the weights, the only one of published code. The second couples points from which
    the distances are distributed most alike: the truth for isometric sets whose points can be told apart by that. The
    others help where all points look alike, as those of a cube do: up to 16 points of x that lie far from each other
    are paired, one after the other, with points of y that lie likewise, then all points by their distances from those.
    Each of them is the best of several such couplings, with 1, 2, 4, 8 or 16 pairs, from a random first one; one pair
    orders points by their distance from it.

    Args:
        x: Points, (n, ...), n ≥ 2.
        y: Points, (m, ...), m ≥ 2.
        scale: "max", the distances of each set are divided by their maximum, as in the published code of VDAE: only the
            shape counts, and a set with outliers is made small; "none", they stay as they are.
        solver: "exact", conditional gradients, of time O(n³) a step; "entropic", projected mirror descent
            [peyre2016, Eqs. 8 and 9], which blurs the coupling: it descends to a stationary point of
            E(T) + ε KL(T ‖ uniform), and the E returned is that of the coupling, without the entropy, so that it is
            greater than 0 for isometric sets. The blur also passes over minima that "exact" ends at: between sets that
            differ much its E may be the lower one. Both are POT's, on the CPU in float64; "entropic" takes a second
            for 200 points from one start and ten for 500 on one core, with the default ε.
        num_starts: Starts, 1 or more.
        seed: Draws the random starts.
        epsilon: Weight ε of the entropy of "entropic", in units of the squared distances after scaling. If it is too
            large all couplings become uniform; if it is too small steps may cycle, and take longer.
        max_iterations: Steps from each start at most.

    Raises:
        ValueError: For fewer points, values that are not finite, a set of equal points with scale="max", an option
            out of range, or an ε for which exp(-cost / ε) leaves the range of float64.
        ModuleNotFoundError: Where POT is not installed, which the lower bound and both solvers need.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {solver!r}")
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon must be a positive number, got {epsilon}")
    check_count("num_starts", num_starts, 1)
    check_count("max_iterations", max_iterations, 1)
    ot = _pot()
    dx, dy = _distances("x", x, scale), _distances("y", y, scale)
    profile, lower_bound = _profile_coupling(ot, dx, dy)
    starts = [np.full((len(dx), len(dy)), 1 / (len(dx) * len(dy))), profile]
    starts += _paired_couplings(np.random.default_rng(seed), ot, dx, dy, num_starts - 2)
    found = []
    for start in starts[:num_starts]:
        if solver == "exact":
            coupling, converged = _exact(ot, dx, dy, start, max_iterations)
        else:
            coupling, converged = _entropic(ot, dx, dy, start, epsilon, max_iterations)
        found.append(GromovWassersteinPlan(_objective(dx, dy, coupling), lower_bound, coupling, converged, 1))
    least = min(found, key=lambda plan: plan.discrepancy)
    limit = least.discrepancy + _TIE * (np.mean(dx**2) + np.mean(dy**2))
    return least._replace(num_least=sum(plan.discrepancy <= limit for plan in found))


def _pot() -> ModuleType:
    """POT [flamary2021], which only this measure needs."""
    try:
        return importlib.import_module("ot")
    except ModuleNotFoundError as error:
        if error.name != "ot":
            raise
        raise ModuleNotFoundError(
            "gromov_wasserstein needs POT, which is in the extra eval: pip install 'mvae[eval]'", name=error.name
        ) from None


def _distances(name: str, x: ArrayLike, scale: str) -> Float[np.ndarray, "n n"]:
    points = flat_rows(name, x, 2)
    distances = cdist(points, points)
    if scale == "none":
        return distances
    if distances.max() == 0:
        raise ValueError(f"{name} must have two points that differ with scale='max'")
    return distances / distances.max()


def _objective(dx: np.ndarray, dy: np.ndarray, coupling: np.ndarray) -> float:
    """E(T), by (a - b)² = a² + b² - 2 a b; not below 0 for rounding."""
    squares = np.sum(dx**2 @ coupling.sum(1) * coupling.sum(1)) + np.sum(dy**2 @ coupling.sum(0) * coupling.sum(0))
    return max(0.0, float(squares - 2 * np.sum(dx @ coupling @ dy * coupling)))


def _paired_couplings(
    rng: np.random.Generator, ot: ModuleType, dx: np.ndarray, dy: np.ndarray, num: int
) -> list[Float[np.ndarray, "n m"]]:
    """The `num` couplings of least E among several that are made of pairs of points."""
    if num < 1:
        return []
    profiles = cdist(_quantiles(dx, _QUANTILES), _quantiles(dy, _QUANTILES), "sqeuclidean") / _QUANTILES
    weights = [np.full(len(each), 1 / len(each)) for each in (dx, dy)]
    candidates = []
    for k in range(CANDIDATES * num):
        cost = _cost_from_pairs(rng, dx, dy, profiles, PAIRS[k % len(PAIRS)])
        coupling = ot.emd(*weights, cost, numItermax=LINEAR_STEPS)
        candidates.append((_objective(dx, dy, coupling), k, coupling))
    return [coupling for _, _, coupling in sorted(candidates, key=lambda each: each[:2])[:num]]


def _quantiles(distances: Float[np.ndarray, "n n"], num: int) -> Float[np.ndarray, "n q"]:
    """Quantiles of each row, which compare between sets of different sizes."""
    return np.quantile(distances, np.linspace(0, 1, num), axis=1).T


def _cost_from_pairs(
    rng: np.random.Generator, dx: np.ndarray, dy: np.ndarray, profiles: np.ndarray, num: int
) -> Float[np.ndarray, "n m"]:
    """Sum of (|x_i - a_k| - |y_j - b_k|)² over pairs of points (a_k, b_k), found one after the other.

    a_k is the point of x farthest from those before it, b_k that of y which lies most nearly as far from b_1, ...,
    b_(k-1); what is left open falls to the distributions of their distances, and then to chance.
    """
    cost, nearest = np.zeros(profiles.shape), np.full(len(dx), np.inf)
    a = int(rng.integers(len(dx)))
    for k in range(min(num, len(dx))):
        open_still = cost[a] / max(k, 1) + profiles[a]
        b = _least(rng, open_still)
        cost += (dx[:, a, None] - dy[None, :, b]) ** 2
        nearest = np.minimum(nearest, dx[a])
        a = _least(rng, -nearest)
    return cost


def _least(rng: np.random.Generator, values: Float[np.ndarray, " n"]) -> int:
    """Where the least is, by chance among those that are equal up to rounding."""
    return int(rng.choice(np.flatnonzero(values <= values.min() + 1e-9 * np.ptp(values))))


def _profile_coupling(ot: ModuleType, dx: np.ndarray, dy: np.ndarray) -> tuple[Float[np.ndarray, "n m"], float]:
    """Couples points by the squared W2 distances between the distributions of their distances; and the least mean."""
    n, m = len(dx), len(dy)
    ends = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)  # steps of both quantile functions, times n m
    weights, middles = np.diff(ends) / (n * m), (ends[:-1] + ends[1:]) / (2 * n * m)
    quantiles_x = np.sort(dx, axis=1)[:, np.floor(middles * n).astype(int)] * np.sqrt(weights)
    quantiles_y = np.sort(dy, axis=1)[:, np.floor(middles * m).astype(int)] * np.sqrt(weights)
    cost = cdist(quantiles_x, quantiles_y, "sqeuclidean")
    coupling = ot.emd(np.full(n, 1 / n), np.full(m, 1 / m), cost, numItermax=LINEAR_STEPS)
    return coupling, float(np.sum(coupling * cost))


def _exact(
    ot: ModuleType, dx: np.ndarray, dy: np.ndarray, start: np.ndarray, max_iterations: int
) -> tuple[Float[np.ndarray, "n m"], bool]:
    coupling, log = ot.gromov.gromov_wasserstein(
        dx, dy, G0=start, symmetric=True, log=True, max_iter=max_iterations, numItermaxEmd=LINEAR_STEPS
    )
    return coupling, len(log["loss"]) <= max_iterations  # the loss of the start is among them


def _entropic(
    ot: ModuleType, dx: np.ndarray, dy: np.ndarray, start: np.ndarray, epsilon: float, max_iterations: int
) -> tuple[Float[np.ndarray, "n m"], bool]:
    n, m = start.shape
    tolerance = MASS_TOLERANCE / math.sqrt(n * m)  # POT measures a step by the Euclidean norm, which is that much less
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is looked at here
        coupling, log = ot.gromov.entropic_gromov_wasserstein(
            dx,
            dy,
            epsilon=epsilon,
            symmetric=True,
            G0=start,
            max_iter=max_iterations,
            tol=tolerance,
            log=True,
            numItermax=SINKHORN_STEPS,
            stopThr=SINKHORN_TOLERANCE / math.sqrt(m),
        )
    wrong = np.abs(coupling.sum(0) - 1 / m).sum() + np.abs(coupling.sum(1) - 1 / n).sum()
    if not wrong < 0.01:  # or NaN
        raise ValueError(
            f"epsilon must be greater for these distances, got {epsilon}: exp(-cost / epsilon) is 0 in float64"
        )
    return _rounded(coupling), bool(log["err"][-1] <= tolerance and wrong < 10 * SINKHORN_TOLERANCE)


def _rounded(coupling: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    """Returns a coupling of uniform weights near one whose sums are right up to rounding [altschuler2017]."""
    n, m = coupling.shape
    tiny = np.finfo(np.float64).tiny
    coupling = coupling * np.minimum(1 / np.maximum(n * coupling.sum(1, keepdims=True), tiny), 1)
    coupling = coupling * np.minimum(1 / np.maximum(m * coupling.sum(0, keepdims=True), tiny), 1)
    lacking_x, lacking_y = (np.maximum(1 / len(sums) - sums, 0) for sums in (coupling.sum(1), coupling.sum(0)))
    return coupling + np.outer(lacking_x, lacking_y) / max(lacking_x.sum(), tiny)

import importlib

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from mvae.evaluation import trustworthiness

pytest.importorskip("sklearn")
module = importlib.import_module("mvae.evaluation.samples.trustworthiness")  # hidden behind the function of its name
RNG = np.random.default_rng(0)


def by_definition(codes, distances, num_neighbours):
    """T(k) with equal distances sharing the mean of their ranks."""
    n, k, excess = len(codes), num_neighbours, 0.0
    for i in range(n):
        others = np.delete(np.arange(n), i)
        ranks = rankdata(distances[i, others])
        nearest = np.argsort(np.linalg.norm(codes[others] - codes[i], axis=1), kind="stable")[:k]
        excess += np.maximum(ranks[nearest] - k, 0).sum()
    return 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))


@pytest.mark.parametrize("num_neighbours", [1, 5, 19])
@pytest.mark.parametrize("dim", [2, 30])  # scikit-learn searches few dimensions by a tree and many by products
def test_agrees_with_the_definition(num_neighbours, dim):
    truth = RNG.normal(size=(120, 40))
    label = np.arange(120) % 3
    codes, distances = truth[:, :dim] + 0.3 * RNG.normal(size=(120, dim)), cdist(truth, truth)
    for each in (distances, np.where(label[:, None] == label, distances, np.inf)):
        expected = by_definition(codes, each, num_neighbours)
        assert 0.45 < expected < 0.97
        assert trustworthiness(codes, each, num_neighbours=num_neighbours) == pytest.approx(expected, abs=1e-12)
        moved = trustworthiness(1e-3 * codes + 1e4, each, num_neighbours=num_neighbours)
        assert moved == pytest.approx(expected, abs=1e-3)


def test_ties_at_the_kth_neighbour_are_the_mean_of_both_orders():
    group, codes = np.arange(9) // 3, np.tile([0.0, 1.0, 2.5], 3) + 10 * (np.arange(9) // 3)
    distances = np.abs(group[:, None] - group).astype(float)
    # The nearest code is one of the two others of the group, which share the ranks 1 and 2: an excess of 1/2.
    expected = 1 - 2 * 4.5 / (9 * (18 - 3 - 1))
    assert trustworthiness(codes[:, None], distances, num_neighbours=1) == pytest.approx(expected, abs=1e-12)


def test_too_many_codes_are_refused_before_their_distances_are_looked_at(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 11)
    with pytest.raises(ValueError, match="codes must be 11 at most, got 12: take as many of them at random"):
        trustworthiness(CODES, None, num_neighbours=2)


def circle(turns):
    apart = np.abs(turns[:, None] - turns)
    return np.minimum(apart, 1 - apart)


TURNS = RNG.uniform(size=400)
DISTANCES = circle(TURNS)


def at(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def test_kept_folded_cut_and_unrelated_circles():
    assert trustworthiness(at(2 * np.pi * TURNS), DISTANCES) == 1.0
    folded = trustworthiness(np.abs(TURNS - 0.5)[:, None], DISTANCES)
    twice = trustworthiness(at(4 * np.pi * TURNS), DISTANCES)
    unrelated = trustworthiness(RNG.normal(size=(400, 2)), DISTANCES)
    assert trustworthiness(TURNS[:, None], DISTANCES) > 0.999  # a cut costs next to nothing
    assert folded == pytest.approx(0.75, abs=0.03)  # half the neighbours are at a random place
    assert twice == pytest.approx(0.5, abs=0.03)  # half of them are the very farthest
    assert unrelated == pytest.approx(0.5, abs=0.03)


def test_points_infinitely_far_share_a_rank_in_any_order():
    label = np.arange(400) % 2
    distances = np.where(label[:, None] == label, DISTANCES, np.inf)
    apart, together = at(2 * np.pi * TURNS) * (1 + label[:, None]), at(2 * np.pi * TURNS)
    assert trustworthiness(apart, distances) == 1.0
    # Half the neighbours have the mean rank of the other class, 3n/4.
    assert trustworthiness(together, distances) == pytest.approx(1 - 0.75 / 2, abs=0.03)
    order = RNG.permutation(400)
    assert trustworthiness(together[order], distances[order][:, order]) == pytest.approx(
        trustworthiness(together, distances), abs=1e-12
    )


def test_scale_and_the_diagonal_do_not_count():
    codes = RNG.normal(size=(50, 2))
    distances = cdist(codes, codes) + np.diag(np.full(50, np.nan))
    assert trustworthiness(1e-6 * codes + 3, distances) == 1.0


CODES = np.arange(12.0)[:, None]
FAR = cdist(CODES, CODES)


@pytest.mark.parametrize(
    ("codes", "distances", "num_neighbours", "name"),
    [
        (CODES[:, 0], FAR, 2, "codes"),
        (CODES * np.nan, FAR, 2, "codes"),
        (CODES, FAR[:, 1:], 2, "distances"),
        (CODES, -FAR, 2, "distances"),
        (CODES, FAR * np.nan, 2, "distances"),
        (CODES, FAR, 0, "num_neighbours"),
        (CODES, FAR, 6, "num_neighbours"),
    ],
)
def test_bad_arguments_are_named(codes, distances, num_neighbours, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        trustworthiness(codes, distances, num_neighbours=num_neighbours)

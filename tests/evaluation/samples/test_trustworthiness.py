import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mvae.evaluation import trustworthiness

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("num_neighbours", [1, 5, 19])
def test_agrees_with_scikit_learn(num_neighbours):
    manifold = pytest.importorskip("sklearn.manifold")
    truth = RNG.normal(size=(60, 5))
    codes, distances = truth[:, :2] + 0.3 * RNG.normal(size=(60, 2)), cdist(truth, truth)
    expected = manifold.trustworthiness(distances, codes, n_neighbors=num_neighbours, metric="precomputed")
    assert 0.6 < expected < 0.95
    assert trustworthiness(codes, distances, num_neighbours=num_neighbours) == pytest.approx(expected, abs=1e-12)


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

"""Discrepancies known in closed form, or by brute force over permutations; entropic ones by a step of their own."""

import importlib
import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import ortho_group

from mvae.evaluation import gromov_wasserstein, gromov_wasserstein_plan

pytest.importorskip("ot")
RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(30, 3))


def energy(dx, dy, coupling):
    """E(T) by its definition."""
    difference = (dx[:, None, :, None] - dy[None, :, None, :]) ** 2
    return np.einsum("ijkl,ij,kl->", difference, coupling, coupling)


@pytest.mark.parametrize("scale", ["max", "none"])
def test_isometric_sets_are_at_distance_zero_in_any_order_and_space(scale):
    moved = np.pad(CLOUD, ((0, 0), (0, 2))) @ ortho_group.rvs(5, random_state=0) - 3
    found = gromov_wasserstein_plan(CLOUD, RNG.permutation(moved), scale=scale)
    assert found.discrepancy < 1e-12
    assert found.lower_bound < 1e-12
    assert found.converged


def test_points_of_a_circle_look_alike_and_are_matched_all_the_same():
    angle = np.arange(24) * 2 * np.pi / 24
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert gromov_wasserstein(circle, RNG.permutation(circle), num_starts=8) < 1e-12


GOLDEN = (1 + 5**0.5) / 2
SYMMETRIC = {
    "cube": list(itertools.product([0, 1], repeat=3)),
    "4-cube": list(itertools.product([0, 1], repeat=4)),
    "5-cube": list(itertools.product([0, 1], repeat=5)),
    "dodecahedron": [
        *itertools.product([-1, 1], repeat=3),
        *(p for a in (-1 / GOLDEN, 1 / GOLDEN) for b in (-GOLDEN, GOLDEN) for p in ((0, a, b), (a, b, 0), (b, 0, a))),
    ],
    "24-cell": [p for p in itertools.product([-1, 0, 1], repeat=4) if np.abs(p).sum() == 2],
    "cross": [*np.eye(6), *-np.eye(6)],
    "grid": list(itertools.product(range(5), repeat=2)),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_sets_are_at_distance_zero_in_any_order(name):
    """All points have the same distances to the others, or many have."""
    x = np.array(SYMMETRIC[name], float)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y = rng.permutation(x) @ ortho_group.rvs(x.shape[1], random_state=rng)
        assert gromov_wasserstein(x, y) < 1e-12


def test_symmetric_sets_of_other_sizes_and_with_noise():
    x = np.array(SYMMETRIC["4-cube"], float)
    assert gromov_wasserstein(x, RNG.permutation(np.repeat(x, 3, axis=0))) < 1e-12
    noisy = x + 0.02 * RNG.normal(size=x.shape)
    known = energy(*(cdist(each, each) / cdist(each, each).max() for each in (x, noisy)), np.eye(16) / 16)
    assert gromov_wasserstein(x, RNG.permutation(noisy)) <= known + 1e-12


def test_it_is_known_how_many_starts_ended_at_the_least():
    assert gromov_wasserstein_plan(CLOUD, CLOUD, num_starts=1).num_least == 1
    assert gromov_wasserstein_plan(CLOUD, RNG.permutation(CLOUD), num_starts=6).num_least >= 2
    assert gromov_wasserstein_plan(CLOUD, RNG.normal(size=(30, 3)), num_starts=6).num_least < 6


@pytest.mark.parametrize("solver", ["exact", "entropic"])
def test_two_points_in_closed_form(solver):
    # With T = (t, 1/2 - t; 1/2 - t, t): E = (a² + b²)/2 - 4ab (t² + (1/2 - t)²), least at a matching, (a - b)²/2.
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0, 0.0], [3.0, 4.0]])
    found = gromov_wasserstein(x, y, scale="none", solver=solver, epsilon=0.1)
    assert found == pytest.approx((5 - 1) ** 2 / 2, rel=1e-5)


def test_a_scaled_set_in_closed_form():
    # E(T) ≥ (|dx| - |dy|)² in L2(T ⊗ T) by the triangle inequality, and the identity has it.
    expected = 0.3**2 * np.mean(cdist(CLOUD, CLOUD) ** 2)
    assert gromov_wasserstein(CLOUD, 1.3 * CLOUD, scale="none") == pytest.approx(expected, rel=1e-9)
    assert gromov_wasserstein(CLOUD, 1.3 * CLOUD) < 1e-12


def test_repeated_points_are_a_set_of_another_size():
    assert gromov_wasserstein(CLOUD, np.repeat(CLOUD, 2, axis=0)) < 1e-12
    plan = gromov_wasserstein_plan(CLOUD[:20], CLOUD)
    assert plan.lower_bound <= plan.discrepancy
    np.testing.assert_allclose(plan.coupling.sum(1), 1 / 20, atol=1e-12)
    np.testing.assert_allclose(plan.coupling.sum(0), 1 / 30, atol=1e-12)
    small = gromov_wasserstein_plan(CLOUD[:6], CLOUD[10:14], scale="none")
    dx, dy = cdist(CLOUD[:6], CLOUD[:6]), cdist(CLOUD[10:14], CLOUD[10:14])
    assert small.discrepancy == pytest.approx(energy(dx, dy, small.coupling), rel=1e-12)


@pytest.mark.parametrize("n", [5, 6])
@pytest.mark.parametrize(("noise", "reached"), [(0.2, True), (1.0, False)])
def test_least_is_that_of_the_best_permutation(n, noise, reached):
    # E is concave for Euclidean distances, so that a permutation has the least of all couplings.
    for trial in range(5):
        rng = np.random.default_rng(trial)
        x = rng.normal(size=(n, 2))
        y = rng.permutation(x + noise * rng.normal(size=(n, 2)))
        dx, dy = cdist(x, x), cdist(y, y)
        best = min(np.mean((dx - dy[np.ix_(p, p)]) ** 2) for p in map(list, itertools.permutations(range(n))))
        plan = gromov_wasserstein_plan(x, y, scale="none", num_starts=30)
        assert plan.lower_bound - 1e-12 <= best <= plan.discrepancy + 1e-12
        if reached:
            assert plan.discrepancy == pytest.approx(best, rel=1e-9)


def test_more_starts_do_not_raise_it():
    x, y = CLOUD, RNG.normal(size=(25, 2))
    found = [gromov_wasserstein(x, y, num_starts=num) for num in (1, 2, 6)]
    assert found[0] >= found[1] >= found[2]


def entropic_transport(cost, epsilon, steps=5000):
    """The coupling of uniform weights with the least <cost, T> + ε KL(T ‖ uniform), in logarithms."""
    f = np.zeros((len(cost), 1))
    for _ in range(steps):
        g = -logsumexp(f - cost / epsilon, axis=0, keepdims=True)
        f = -logsumexp(g - cost / epsilon, axis=1, keepdims=True)
    coupling = np.exp(f + g - cost / epsilon)
    return coupling / coupling.sum()


@pytest.mark.parametrize(
    ("epsilon", "num_starts"),
    [(0.02, 1), (0.005, 3), *(pytest.param(*e, marks=pytest.mark.slow) for e in ((0.005, 1), (0.02, 3)))],
)
def test_entropic_coupling_is_where_another_step_leads_back(epsilon, num_starts):
    y = RNG.normal(size=(20, 2))
    plan = gromov_wasserstein_plan(CLOUD, y, solver="entropic", epsilon=epsilon, num_starts=num_starts)
    assert plan.converged
    dx, dy = (cdist(each, each) / cdist(each, each).max() for each in (CLOUD, y))
    gradient = 2 * np.einsum("ijkl,kl->ij", (dx[:, None, :, None] - dy[None, :, None, :]) ** 2, plan.coupling)
    # A step that would move less than 1e-4 of the mass, with sums right to 1e-5, leaves this much of the way.
    assert np.abs(plan.coupling - entropic_transport(gradient, epsilon)).sum() < 1e-3
    assert plan.discrepancy == pytest.approx(energy(dx, dy, plan.coupling), rel=1e-9)


@pytest.mark.parametrize(("solver", "epsilon"), [("entropic", 1e-5), ("entropic", 1e-300)])
def test_epsilon_out_of_the_range_of_floats_is_named(solver, epsilon):
    with pytest.raises(ValueError, match=rf"^epsilon must be greater for these distances, got {epsilon}"):
        gromov_wasserstein(CLOUD, CLOUD[::-1] ** 3, solver=solver, epsilon=epsilon)


def test_entropic_solver_blurs_and_says_where_it_did_not_converge():
    blurred = {"solver": "entropic", "num_starts": 2}
    found = [gromov_wasserstein(CLOUD, CLOUD[::-1], epsilon=epsilon, **blurred) for epsilon in (0.02, 0.005)]
    assert found[0] > found[1] > 0
    assert found[1] < 3e-3
    y = RNG.normal(size=(20, 2))
    plan = gromov_wasserstein_plan(CLOUD, y, **blurred)
    assert plan.converged
    assert plan.lower_bound < plan.discrepancy < 1.2 * gromov_wasserstein(CLOUD, y)
    np.testing.assert_allclose(plan.coupling.sum(1), 1 / 30, atol=1e-12)
    np.testing.assert_allclose(plan.coupling.sum(0), 1 / 20, atol=1e-12)
    with pytest.warns(RuntimeWarning, match="did not converge"):
        gromov_wasserstein(CLOUD, y, max_iterations=1, **blurred)
    with pytest.warns(RuntimeWarning, match="did not converge"):
        gromov_wasserstein(CLOUD, y, max_iterations=1, num_starts=1)


def test_pictures_are_vectors():
    pictures = RNG.normal(size=(8, 3, 2, 1))
    assert gromov_wasserstein(pictures, pictures.reshape(8, 6)[::-1]) < 1e-12


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"x": CLOUD[0]}, "x"),
        ({"x": CLOUD[:1]}, "x"),
        ({"y": CLOUD * np.nan}, "y"),
        ({"y": 0 * CLOUD}, "y"),
        ({"scale": "mean"}, "scale"),
        ({"solver": "sinkhorn"}, "solver"),
        ({"num_starts": 0}, "num_starts"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"max_iterations": 0}, "max_iterations"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        gromov_wasserstein(**({"x": CLOUD, "y": CLOUD} | options))


def test_missing_pot_is_named(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mvae\[eval\]'"):
        gromov_wasserstein(CLOUD, CLOUD)

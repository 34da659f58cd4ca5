"""MMD² against its definition, its closed form for Gaussians, and the distribution of p-values under the hypothesis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import kstest

from mvae.evaluation import mmd, mmd_test
from mvae.evaluation.samples.mmd import median_bandwidth

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(700, 3)), 0.3 + 1.2 * RNG.normal(size=(450, 3))


def by_definition(x, y, h, *, unbiased):
    xx, yy, xy = (np.exp(-(cdist(*pair) ** 2) / (2 * h**2)) for pair in ((x, x), (y, y), (x, y)))
    if not unbiased:
        return xx.mean() + yy.mean() - 2 * xy.mean()
    n, m = len(x), len(y)
    return (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1)) - 2 * xy.mean()


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize(("x64", "error"), [(False, 2e-6), (True, 1e-13)])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_definition(unbiased, x64, error, offset):
    expected = by_definition(X, Y, 0.9, unbiased=unbiased)
    with jax.enable_x64(x64):
        found = mmd(X + offset, Y + offset, bandwidth=0.9, unbiased=unbiased)
    assert found == pytest.approx(expected, abs=error)


def test_clusters_far_apart_in_float32():
    """10⁴ bandwidths apart: a product of matrices has errors of 10⁸ eps where the kernel is not 0."""
    far = [np.concatenate([each, each + 1e4]).astype(np.float32) for each in (X[:100], Y[:100])]
    expected = by_definition(*(each.astype(np.float64) for each in far), 0.9, unbiased=True)
    assert mmd(*far, bandwidth=0.9) == pytest.approx(expected, abs=1e-4)
    assert mmd_test(jax.random.key(0), *far, 20, bandwidth=0.9).statistic == pytest.approx(expected, abs=1e-4)


def test_gaussians_in_closed_form():
    d, h, mean, scale = 2, 1.5, np.array([0.7, 0.0]), 0.6
    within = [(h**2 / (h**2 + 2 * s**2)) ** (d / 2) for s in (1.0, scale)]
    spread = h**2 + 1 + scale**2
    between = (h**2 / spread) ** (d / 2) * np.exp(-np.sum(mean**2) / (2 * spread))
    found = []
    for trial in range(60):
        rng = np.random.default_rng(trial)
        found.append(mmd(rng.normal(size=(100, d)), mean + scale * rng.normal(size=(80, d)), bandwidth=h))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - (sum(within) - 2 * between)) < 4 * error


def test_median_of_all_distances_is_the_default():
    h = np.median(pdist(np.concatenate([X, Y])))
    assert median_bandwidth(X, Y) == pytest.approx(h, rel=1e-12)
    assert mmd(X, Y) == mmd(X, Y, bandwidth=h)
    assert mmd(X.reshape(-1, 3, 1, 1), Y) == mmd(X, Y)
    many = RNG.normal(size=(6000, 3))
    assert median_bandwidth(many[:4000], many[4000:]) == pytest.approx(np.median(pdist(many[:3000])), rel=0.05)


def test_p_values_are_uniform_for_equal_distributions():
    p_values = []
    for trial in range(100):
        x = np.random.default_rng(trial).normal(size=(60, 2))
        p_values.append(mmd_test(jax.random.key(trial), x[:25], x[25:], 199).p_value)
    assert kstest(p_values, "uniform").pvalue > 1e-3


def test_p_value_of_different_distributions_and_of_a_copy():
    x, y = X[:150], Y[:120] + 0.5
    assert mmd_test(jax.random.key(0), x, y, 300).p_value == 1 / 301
    found = mmd_test(jax.random.key(0), x, x)
    assert found.p_value == 1.0
    assert found.statistic == pytest.approx(by_definition(x, x, median_bandwidth(x, x), unbiased=True), abs=2e-6)


def test_divisions_into_the_same_sets_are_ties():
    # Of the six divisions of four points into pairs two are the one given, in either order.
    x, y = np.array([[0.0], [0.1]]), np.array([[1.0], [1.1]])
    p_value = mmd_test(jax.random.key(0), x, y, 3000).p_value
    assert p_value == pytest.approx(1 / 3, abs=4 * np.sqrt(2 / 9 / 3000))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"x": X[:1]}, "x"),
        ({"y": Y[:, 0]}, "y"),
        ({"y": Y[:, :2]}, "y"),
        ({"x": X * np.inf}, "x"),
        ({"bandwidth": 0.0}, "bandwidth"),
        ({"bandwidth": jnp.nan}, "bandwidth"),
        ({"x": X[[0, 0, 0]], "y": X[[0, 0, 0]]}, "bandwidth"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        mmd(**({"x": X, "y": Y} | options))
    with pytest.raises(ValueError, match=r"^num_permutations "):
        mmd_test(jax.random.key(0), X, Y, 0)

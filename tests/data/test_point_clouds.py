"""Points of curves, surfaces and clusters: their formulas, their distributions by statistics, and the noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvae.data import load, surface_distance
from mvae.data.point_clouds import GRID_CENTRES
from mvae.errors import UsageError

SIZES = {
    "circle": (1024, 2),
    "loop": (5000, 3),
    "torus": (2000, 3),
    "sphere": (2000, 3),
    "two_moons": (2000, 2),
    "gaussian_grid": (7500, 2),
}
ENTRIES = {
    "circle": {"parameter"},
    "loop": {"parameter"},
    "torus": {"latent"},
    "sphere": set(),
    "two_moons": {"label", "parameter"},
    "gaussian_grid": {"label"},
}


def vectors(rows):
    return np.asarray(rows["x"], np.float64)


def angle(rows, full):
    return full * np.asarray(rows["parameter"], np.float64)


def assert_distribution(values, distribution):
    """Kolmogorov-Smirnov; a right distribution fails with probability 10⁻⁶."""
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-6


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_types(name):
    num, dim = SIZES[name]
    dataset = load(name)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (num, 1000, (dim,))
    batch = dataset.render(dataset.train)
    assert batch.keys() == {"x"} | ENTRIES[name]
    for key, array in batch.items():
        assert array is dataset.train[key]
        assert array.dtype == (jnp.int32 if key == "label" else jnp.float32)


@pytest.mark.parametrize("name", SIZES)
def test_the_seed_decides_and_the_test_set_does_not_depend_on_the_training_set(name):
    first, again, other = load(name), load(name, num_train=1000), load(name, seed=4)
    jax.tree.map(np.testing.assert_array_equal, first.test, again.test)
    for one, two in ((first.train, other.train), (first.test, other.test), (again.train, again.test)):
        assert not np.allclose(one["x"], two["x"], atol=0.1)


@pytest.mark.parametrize(
    ("name", "x64"),
    [*((name, False) for name in SIZES if name != "gaussian_grid"), ("torus", True), ("two_moons", True)],
)
def test_without_noise_the_points_lie_on_the_set(name, x64):
    with jax.enable_x64(x64):
        dataset = load(name, num_train=1000, noise=0)
    for rows in (dataset.train, dataset.test):
        assert all(array.dtype in (jnp.float32, jnp.int32) for array in rows.values())
        assert surface_distance(name, vectors(rows)).max() < 3e-6


@pytest.mark.parametrize("name", ["circle", "loop"])
def test_curves(name):
    dataset = load(name)
    for rows in (dataset.train, dataset.test):
        t = angle(rows, 2 * np.pi)
        assert_distribution(t, stats.uniform(0, 2 * np.pi))
        entries = [np.cos(t), np.sin(t)] if name == "circle" else [np.cos(t), np.sin(2 * t), np.sin(3 * t)]
        np.testing.assert_allclose(vectors(rows), np.stack(entries, axis=1), atol=3e-6)


def test_torus_is_uniform_in_area():
    rows = load("torus").train
    minor, major = np.asarray(rows["latent"], np.float64).T
    assert_distribution(major, stats.uniform(-np.pi, 2 * np.pi))
    # The density of the minor angle is (2 + cos a) / 4π: u = (a + ½ sin a) / 2π is uniform.
    assert_distribution((minor + np.sin(minor) / 2) / (2 * np.pi), stats.uniform(-0.5, 1))
    assert abs(np.cos(minor).mean() - 0.25) < 5 * np.sqrt((0.5 - 0.0625) / 2000)
    assert abs(np.mean(np.cos(minor - major))) < 5 / np.sqrt(2 * 2000)
    radius = 2 + np.cos(minor)
    expected = np.stack([radius * np.cos(major), radius * np.sin(major), np.sin(minor)], axis=1)
    np.testing.assert_allclose(vectors(rows), expected, atol=3e-6)


def test_sphere_is_uniform_in_area():
    points = vectors(load("sphere").train)
    for direction in np.random.default_rng(0).normal(size=(5, 3)):  # Archimedes: along any axis it is uniform
        assert_distribution(points @ direction / np.linalg.norm(direction), stats.uniform(-1, 2))


def test_two_moons():
    make_moons = pytest.importorskip("sklearn.datasets").make_moons
    rows = load("two_moons", noise=0).train
    t, label = angle(rows, np.pi), np.asarray(rows["label"])
    assert label.tolist() == 1000 * [0, 1]
    for moon in (0, 1):
        assert_distribution(t[label == moon], stats.uniform(0, np.pi))
        theirs, their_label = make_moons(2000, shuffle=False)
        theirs = theirs[their_label == moon]  # evenly spaced, both ends included
        ours = np.stack(
            [np.interp(t[label == moon], np.linspace(0, np.pi, 1000), column) for column in theirs.T], axis=1
        )
        np.testing.assert_allclose(vectors(rows)[label == moon], ours, atol=5e-6)


def test_grid():
    dataset = load("gaussian_grid")
    np.testing.assert_array_equal(np.bincount(dataset.train["label"]), 25 * [300])
    np.testing.assert_array_equal(np.bincount(dataset.test["label"]), 25 * [40])
    label = np.asarray(dataset.train["label"])
    np.testing.assert_array_equal(GRID_CENTRES[label], np.stack([label // 5 - 2, label % 5 - 2], axis=1))
    assert_normal((vectors(dataset.train) - GRID_CENTRES[label]) / 0.1)
    tight = load("gaussian_grid", noise=0)
    np.testing.assert_array_equal(vectors(tight.train), GRID_CENTRES[label])


@pytest.mark.parametrize("name", SIZES)
def test_noise_is_normal_and_of_the_given_size(name):
    clean, noisy = (load(name, num_train=1000, noise=noise) for noise in (0, 0.25))
    assert_normal((vectors(noisy.train) - vectors(clean.train)) / 0.25)
    for entry in ENTRIES[name]:
        np.testing.assert_array_equal(noisy.train[entry], clean.train[entry])


def assert_normal(noise):
    for column in noise.T:
        assert_distribution(column, stats.norm)
    sigma = 1 / np.sqrt(len(noise))
    np.testing.assert_allclose(noise.T @ noise / len(noise), np.eye(noise.shape[1]), atol=5 * np.sqrt(2) * sigma)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("num_train", 0),
        ("num_test", 2.5),
        ("seed", 2**32),
        ("noise", -0.1),
        ("noise", float("nan")),
        ("noise", float("inf")),
        ("noise", True),
        ("noise", "0.1"),
    ],
)
def test_options_out_of_range_are_named(name, option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load(name, **{option: value})

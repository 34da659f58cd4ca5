"""Lifted points: the network against numpy in float64, the latent points by statistics, the noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvae.data import load
from mvae.data.lifted import lifting_network
from mvae.errors import UsageError
from mvae.manifolds import SO3, Euclidean, FlatTorus, Sphere

SPACES = {  # ambient dimension, E |z|², the manifold
    "interval": (1, 1, Euclidean(1)),
    "circle": (2, 1, Sphere(1)),
    "sphere": (3, 1, Sphere(2)),
    "torus": (4, 2, FlatTorus(2)),
    "so3": (9, 3, SO3()),
    "plane": (2, 2, Euclidean(2)),
}
SMALL = {"num_train": 1000, "num_test": 1000}  # one shape to compile
SLOW = pytest.mark.slow  # every load compiles its draws, a second each


@pytest.fixture(scope="module", params=[pytest.param(name, marks=[] if name == "circle" else SLOW) for name in SPACES])
def space(request):
    return request.param, load("lifted", space=request.param, **SMALL)


@pytest.fixture(scope="module")
def interval():
    return load("lifted", space="interval", ambient_dim=3, hidden=5, **SMALL)


def vectors(rows):
    return np.asarray(rows["x"], np.float64)


def through(network, z):
    w, b, v = (np.asarray(array, np.float64) for array in network)
    return np.maximum(z @ w.T + b, 0) @ v.T


def test_points_are_those_of_the_network(space):
    name, dataset = space
    dim, mean_square, _ = SPACES[name]
    network = lifting_network(0, dim)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (1000, 1000, (100,))
    assert dataset.train.keys() == {"x", "latent"} | ({"parameter"} if name in ("interval", "circle") else set())
    for rows in (dataset.train, dataset.test):
        assert all(array.dtype == jnp.float32 for array in rows.values())
        assert rows["latent"].shape[1:] == (dim,)
        z = np.asarray(rows["latent"], np.float64) / np.sqrt(mean_square)
        np.testing.assert_allclose(vectors(rows), through(network, z), atol=2e-6)


def test_latent_points_lie_on_their_space_with_unit_mean_square(space):
    name, dataset = space
    _, mean_square, manifold = SPACES[name]
    z = np.asarray(dataset.train["latent"], np.float64)
    assert np.all(manifold.contains(dataset.train["latent"]))
    squares = np.sum(z**2, axis=1) / mean_square
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(len(z)) + 1e-6
    assert np.abs(z.mean(axis=0)).max() < 5 * z.std() / np.sqrt(len(z))  # the mean of each distribution is 0


def test_the_circle_and_the_interval_are_their_formulas(space, interval):
    name, circle = space
    for dataset in [interval] + [circle] * (name == "circle"):
        rows = dataset.train
        parameter, z = np.asarray(rows["parameter"], np.float64), np.asarray(rows["latent"], np.float64)
        assert stats.kstest(parameter, "uniform").pvalue > 1e-6
        t = 2 * np.pi * parameter
        on_interval = np.sqrt(3) * (2 * parameter - 1)[:, None]
        expected = on_interval if z.shape[1] == 1 else np.stack([np.cos(t), np.sin(t)], axis=1)
        np.testing.assert_allclose(z, expected, atol=1e-6)


@pytest.mark.slow
def test_the_plane_is_normal():
    for column in np.asarray(load("lifted", space="plane", **SMALL).train["latent"]).T:
        assert stats.kstest(column, "norm").pvalue > 1e-6


def test_weights_are_xavier_uniform():
    w, b, v = (np.asarray(array, np.float64) for array in lifting_network(3, 2, hidden=300, ambient_dim=50))
    for array, fans in ((w, 302), (b, 302), (v, 350)):
        bound = np.sqrt(6 / fans)
        assert stats.kstest(array.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-6


def test_the_map_keeps_different_points_apart(space):
    rows = {name: array[:300] for name, array in space[1].test.items()}
    z, x = np.asarray(rows["latent"], np.float64), vectors(rows)
    stretch = np.linalg.norm(x[:, None] - x, axis=-1) / (np.linalg.norm(z[:, None] - z, axis=-1) + np.eye(len(z)))
    assert np.min(stretch + np.eye(len(z))) > 0.05


@pytest.mark.slow
def test_seeds_of_points_and_of_the_network():
    first, more = load("lifted", **SMALL), load("lifted", **SMALL | {"num_train": 3000})
    jax.tree.map(np.testing.assert_array_equal, first.test, more.test)
    points, network = load("lifted", seed=1, **SMALL), load("lifted", net_seed=1, **SMALL)
    assert not np.allclose(points.train["latent"], first.train["latent"], atol=0.1)
    np.testing.assert_array_equal(network.train["latent"], first.train["latent"])
    assert not np.allclose(network.train["x"], first.train["x"], atol=0.1)
    z = np.asarray(points.test["latent"], np.float64)
    np.testing.assert_allclose(vectors(points.test), through(lifting_network(0, 2), z), atol=2e-6)


def test_noise_is_normal_and_touches_the_points_alone(interval):
    noisy = load("lifted", space="interval", ambient_dim=3, hidden=5, noise=0.25, **SMALL)
    assert noisy.event_shape == (3,)
    for entry in ("latent", "parameter"):
        np.testing.assert_array_equal(noisy.train[entry], interval.train[entry])
    assert stats.kstest(((vectors(noisy.train) - vectors(interval.train)) / 0.25).ravel(), "norm").pvalue > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("space", ["circle", "so3"])
def test_float64_changes_no_types(space):
    with jax.enable_x64(True):
        dataset = load("lifted", space=space, num_train=20, num_test=10)
    assert all(array.dtype == jnp.float32 for array in dataset.train.values())


def test_unknown_space_lists_the_known():
    with pytest.raises(UsageError, match="unknown space of the data set lifted 'sfere': known are sphere"):
        load("lifted", space="sfere")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ambient_dim", 0),
        ("hidden", 2.5),
        ("num_train", 0),
        ("num_test", True),
        ("seed", -1),
        ("net_seed", 2**32),
        ("noise", -0.1),
    ],
)
def test_options_out_of_range_are_named(option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load("lifted", **{option: value})

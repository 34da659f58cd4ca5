"""The curves of the plane in R²⁰: geometry, the map they share, and the size of the noise."""

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load, planar_manifold
from mvae.errors import UsageError

NAMES = ("concentric_circles", "swiss_roll")
NOISE = {"concentric_circles": 0.01, "swiss_roll": 0.001}


def plane64(name, label, parameter):
    label, parameter = np.asarray(label), np.asarray(parameter, np.float64)
    if name == "swiss_roll":
        tau = 1.5 * np.pi * (1 + 2 * parameter)
        return np.stack([tau * np.cos(tau), tau * np.sin(tau)], axis=1) / 10
    radius = np.where(label == 0, 0.5, 1.0)
    return radius[:, None] * np.stack([np.cos(2 * np.pi * parameter), np.sin(2 * np.pi * parameter)], axis=1)


def vectors(images):
    assert images.shape[1:] == (20,)
    return np.asarray(images, np.float64)


def map_of(name, seed):
    points, labels, parameters = planar_manifold(name, seed, 50)
    plane = plane64(name, labels, parameters)
    transposed, _, _, _ = np.linalg.lstsq(plane, vectors(points), rcond=None)
    np.testing.assert_allclose(vectors(points), plane @ transposed, atol=2e-6)
    return transposed.T


@pytest.mark.parametrize("name", NAMES)
def test_latent_points_are_their_formula(name):
    dataset = load(name)
    assert (dataset.num_train, dataset.num_test) == ((1000, 1000) if name == "swiss_roll" else (400, 400))
    for rows in (dataset.train, dataset.test):
        np.testing.assert_allclose(rows["latent"], plane64(name, rows["label"], rows["parameter"]), atol=2e-6)
        u = np.asarray(rows["parameter"], np.float64)
        assert 0 <= u.min() < u.max() < 1
        for k in (1, 2, 3):  # of a uniform distribution; the bound is exceeded with probability e^-25
            assert abs(np.exp(2j * np.pi * k * u).mean()) * np.sqrt(len(u)) < 5
    assert not jnp.array_equal(dataset.train["parameter"], dataset.test["parameter"])


@pytest.mark.parametrize("name", NAMES)
def test_noise_around_the_common_map_is_normal_and_of_the_right_size(name):
    dataset = load(name, seed=3)
    matrix = map_of(name, 3)
    assert matrix.shape == (20, 2)
    assert np.abs(matrix).max() < 1
    assert abs(matrix.mean()) < 5 / np.sqrt(3 * 40)  # uniform on (-1, 1): variance 1/3
    assert abs((matrix**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / 40)
    for rows in (dataset.train, dataset.test):
        noise = (vectors(rows["x"]) - np.asarray(rows["latent"], np.float64) @ matrix.T) / NOISE[name]
        sigma = 1 / np.sqrt(noise.size)
        assert abs(noise.mean()) < 5 * sigma
        assert abs((noise**2).mean() - 1) < 5 * np.sqrt(2) * sigma
        assert abs((noise**4).mean() - 3) < 5 * np.sqrt(96) * sigma
        covariance = noise.T @ noise / len(noise)
        assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 6 / np.sqrt(len(noise))


def test_circles_take_turns():
    dataset = load("concentric_circles")
    for rows in (dataset.train, dataset.test):
        assert rows["label"].tolist() == 200 * [0, 1]
        np.testing.assert_allclose(np.linalg.norm(rows["latent"], axis=1), 200 * [0.5, 1.0], rtol=1e-6)
    assert not np.any(load("swiss_roll").train["label"])


def test_manifold_is_evenly_spaced():
    _, labels, parameters = planar_manifold("concentric_circles", 0, 4)
    assert labels.tolist() == [0] * 4 + [1] * 4
    assert parameters.tolist() == [0, 0.25, 0.5, 0.75] * 2
    points, labels, parameters = planar_manifold("swiss_roll", 0, 5)
    assert (labels.tolist(), parameters.tolist()) == ([0] * 5, [0, 0.25, 0.5, 0.75, 1])
    assert (points.dtype, labels.dtype, parameters.dtype) == (jnp.float32, jnp.int32, jnp.float32)


@pytest.mark.parametrize("name", NAMES)
def test_batches_are_the_rows(name):
    dataset = load(name)
    batch = dataset.render(dataset.train)
    assert batch.keys() == {"x", "label", "latent", "parameter"}
    assert all(batch[key] is dataset.train[key] for key in batch)
    assert {key: array.dtype for key, array in batch.items()} == {
        "x": jnp.float32,
        "label": jnp.int32,
        "latent": jnp.float32,
        "parameter": jnp.float32,
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_points_and_map(name):
    first, again, other = (load(name, seed=seed) for seed in (5, 5, 6))
    for key in ("x", "latent", "parameter"):
        assert jnp.array_equal(first.train[key], again.train[key])
        assert jnp.array_equal(first.test[key], again.test[key])
        assert not jnp.array_equal(first.train[key], other.train[key])
    assert not np.allclose(map_of(name, 5), map_of(name, 6), atol=0.1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("option", "value"), [("num_train", 0), ("num_test", 2.5), ("seed", -1), ("seed", 2**32), ("num_test", True)]
)
def test_options_out_of_range_are_named(name, option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load(name, **{option: value})


def test_arguments_of_the_manifold_are_checked():
    with pytest.raises(UsageError, match="unknown planar data set 'swiss': known are swiss_roll, "):
        planar_manifold("swiss", 0, 5)
    with pytest.raises(UsageError, match="data option num=1: must be "):
        planar_manifold("swiss_roll", 0, 1)
    with pytest.raises(UsageError, match="data option seed=-1: must be "):
        planar_manifold("swiss_roll", -1, 5)

"""The encoder's head starts as a diffusion map of the data, also where the images' own axes mislead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.evaluation import mapping_degree
from mvae.manifolds import Euclidean, FlatTorus, Sphere
from mvae.models.principal_start import fit_principal_head
from mvae.models.spectral_start import fit_spectral_head

ANGLES = 2 * np.pi * np.arange(128) / 128


def views():
    """A circle of images in which the second harmonic is the strongest, as of an object with like front and back."""
    waves = [scale * f(k * ANGLES) for k, scale in ((1, 1.0), (2, 1.6), (3, 0.3)) for f in (np.cos, np.sin)]
    mix = np.random.default_rng(0).normal(size=(6, 30))
    return jnp.asarray(np.stack(waves, axis=-1) @ mix, jnp.float32)


def features(pictures):
    """Random ReLU features, as of a network before training."""
    weights = jax.random.normal(jax.random.key(1), (pictures.shape[1], 200)) / jnp.sqrt(pictures.shape[1])
    return jax.nn.relu(pictures @ weights + 0.3 * jax.random.normal(jax.random.key(2), (200,)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_circle_is_wound_once_where_principal_components_wind_it_twice(seed):
    circle, pictures = Sphere(1), views()
    hidden, key = features(pictures), jax.random.key(seed)

    def degree(kernel, bias):
        return abs(mapping_degree(circle, circle.project(hidden @ kernel + bias)).degree)

    assert degree(*fit_spectral_head(key, circle, hidden, pictures[:, :, None, None])) == 1
    assert degree(*fit_principal_head(key, circle, hidden)) == 2


@pytest.mark.slow
def test_output_lies_near_the_manifold():
    grid = 2 * np.pi * np.stack(np.meshgrid(np.arange(24), np.arange(24), indexing="ij"), -1).reshape(-1, 2) / 24
    z = np.stack([f(grid[:, i]) for i in (0, 1) for f in (np.cos, np.sin)], axis=-1)
    pictures = jnp.asarray(z @ np.random.default_rng(0).normal(size=(4, 30)), jnp.float32)
    hidden, torus = features(pictures), FlatTorus(2)
    kernel, bias = fit_spectral_head(jax.random.key(0), torus, hidden, pictures[:, :, None, None])
    y = hidden @ kernel + bias
    assert float(jnp.mean(jnp.sum((y - torus.project(y)) ** 2, axis=-1))) < 0.02
    assert abs(mapping_degree(torus, torus.project(y).reshape(24, 24, 4)).degree) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("manifold", "num"), [(FlatTorus(2), 2), (Sphere(3), 12), (Euclidean(2), 5)])
def test_small_and_constant_batches_stay_finite(manifold, num):
    for pictures in (jnp.ones((num, 4, 4, 1)), jax.random.normal(jax.random.key(0), (num, 4, 4, 1))):
        kernel, bias = fit_spectral_head(jax.random.key(0), manifold, features(pictures.reshape(num, -1)), pictures)
        assert np.isfinite(kernel).all()
        assert np.isfinite(bias).all()


def test_one_example_is_refused():
    with pytest.raises(ValueError, match="two examples or more"):
        fit_spectral_head(jax.random.key(0), Sphere(2), jnp.ones((1, 8)), jnp.ones((1, 4, 4, 1)))

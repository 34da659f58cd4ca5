"""The encoder's head starts with its output around the manifold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import Euclidean, FlatTorus, Sphere
from mvae.models.principal_start import ITERATIONS, RESTARTS, WORK, _principal_directions, effort, fit_principal_head


def output(manifold, hidden, seed=0):
    kernel, bias = fit_principal_head(jax.random.key(seed), manifold, hidden)
    return np.asarray(hidden @ kernel + bias)


@pytest.mark.parametrize(
    ("manifold", "variance"),
    [
        (Sphere(2), 1 / 3),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((FlatTorus(2), 0.5), (Sphere(4, 2.0), 4 / 5), (Euclidean(3), 1.0))
        ),
    ],
)
def test_output_is_centred_with_the_priors_mean_variance(manifold, variance):
    mix = jax.random.normal(jax.random.key(1), (12, 64))
    hidden = 3.0 + jax.random.normal(jax.random.key(0), (1000, 12)) @ mix
    y = output(manifold, hidden)
    n = manifold.ambient_dim
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(y.T, bias=True), variance * np.eye(n), atol=0.05 * variance)


def test_principal_directions_against_numpy():
    scales = jnp.array([5.0, 4.0, 3.0, 2.0] + 30 * [1.0])
    hidden = jax.random.normal(jax.random.key(0), (2000, 34)) * scales
    directions = np.asarray(_principal_directions(jax.random.key(1), hidden, 4))
    variances, vectors = np.linalg.eigh(np.cov(np.asarray(hidden, np.float64).T, bias=True))
    expected = vectors[:, ::-1][:, :4] / np.sqrt(variances[::-1][:4])
    np.testing.assert_allclose(np.abs(directions), np.abs(expected), atol=2e-4)


@pytest.mark.slow
def test_a_linear_image_of_a_torus_is_found_and_mapped_onto_it():
    """Clifford torus, turned at random into 64 dimensions with noise: the fit undoes the turn, degree ±1."""
    grid = 2 * np.pi * np.stack(np.meshgrid(np.arange(24), np.arange(24), indexing="ij"), -1).reshape(-1, 2) / 24
    z = np.stack([f(grid[:, i]) for i in (0, 1) for f in (np.cos, np.sin)], axis=-1)
    mix = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 4)))[0]
    noise = 0.02 * np.random.default_rng(1).normal(size=(len(z), 64))
    hidden = jnp.asarray(5 + 2 * z @ mix.T + noise, jnp.float32)
    for seed in range(5):
        y = output(FlatTorus(2), hidden, seed)
        off = np.sum((y - np.asarray(FlatTorus(2).project(y))) ** 2, axis=-1)
        assert off.mean() < 0.01  # a turn by chance is off by about 0.3
        # y = z Q with Q orthogonal maps circles to circles: each latent circle sees one translation only
        blocks = np.abs(np.linalg.lstsq(z, y, rcond=None)[0]).reshape(2, 2, 2, 2).sum(axis=(1, 3))
        assert max(np.trace(blocks), np.trace(blocks[::-1])) > 0.95 * blocks.sum()


@pytest.mark.parametrize("hidden", [jnp.ones((10, 8)), jnp.eye(10)[:, :2], jnp.ones((1, 8))])
def test_hidden_layers_without_enough_variance_stay_finite(hidden):
    assert np.isfinite(output(FlatTorus(2), hidden)).all()


def test_work_is_bounded_in_many_dimensions_and_as_before_in_few():
    for rows, columns in ((4, 4), (40, 40), (64, 32)):
        assert effort(rows, columns) == (RESTARTS, ITERATIONS)
    for n in (50, 100, 400, 2000):
        restarts, iterations = effort(n, n)
        assert restarts * iterations * n**3 <= WORK or (restarts, iterations) == (1, 1)

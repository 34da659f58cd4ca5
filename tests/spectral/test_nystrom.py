"""Nyström's extension: the data themselves, a circle's closed form, plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.spectral import diffusion_map, nystrom

RNG = np.random.default_rng(5)


def cloud(n=120):
    z = RNG.normal(size=(n, 3))
    return z / np.linalg.norm(z, axis=1, keepdims=True) * [1.0, 1.2, 1.5]


def circle(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


@pytest.mark.parametrize(
    ("dtype", "atol"), [(np.float32, 2e-3), pytest.param(np.float64, 1e-10, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("choice", [{}, {"num_neighbors": 3}, {"bandwidth": 0.7}])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_data_are_mapped_to_themselves(dtype, atol, choice, alpha):
    with jax.enable_x64(dtype == np.float64):
        x = jnp.asarray(cloud(), dtype)
        fitted = diffusion_map(x, 4, alpha=alpha, **choice)
        found = nystrom(fitted, x, x, **choice)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, np.asarray(fitted.eigenvectors), atol=atol)


@pytest.mark.parametrize("method", ["lanczos", "inverse"])
def test_data_of_a_sparse_map(method):
    with jax.enable_x64():
        x = jnp.asarray(cloud(200))
        fitted = diffusion_map(x, 4, method=method, num_neighbors=6, graph_neighbors=15)
        found = nystrom(fitted, x, x, num_neighbors=6, graph_neighbors=15)
        np.testing.assert_allclose(found, np.asarray(fitted.eigenvectors), atol=1e-7)


@pytest.mark.parametrize("choice", [{"bandwidth": 0.2}, {"num_neighbors": 8}])
def test_circle(choice):
    """Between the points ψ goes on as cos(θ - θ0) and sin(θ - θ0), times the root of 2, up to the grid's error."""
    n = 200
    data, new = 2 * np.pi * np.arange(n) / n, RNG.uniform(0, 2 * np.pi, size=50)
    with jax.enable_x64():
        x = jnp.asarray(circle(data))
        fitted = diffusion_map(x, 2, **choice)
        found = np.asarray(nystrom(fitted, x, jnp.asarray(circle(new)), **choice))
        modes = np.asarray(fitted.eigenvectors)
    turn = modes.T @ circle(data) * np.sqrt(2) / n
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-9)
    # One bandwidth: the sums of smooth kernels over a grid are exact. Local scales of new points differ by one rank.
    atol = 1e-9 if "bandwidth" in choice else 3e-3
    np.testing.assert_allclose(found, np.sqrt(2) * circle(new) @ turn.T, atol=atol)


def test_against_loops():
    x, new = cloud(60), 1.1 * cloud(9)
    apart = np.linalg.norm(x[:, None] - x, axis=-1)
    scales = np.sort(apart, axis=1)[:, 5]
    density = np.sum(np.exp(-(apart**2) / np.outer(scales, scales)), axis=1) ** 0.5
    with jax.enable_x64():
        fitted = diffusion_map(jnp.asarray(x), 3, num_neighbors=5, alpha=0.5)
        found = np.asarray(nystrom(fitted, jnp.asarray(x), jnp.asarray(new), num_neighbors=5))
        values, modes = np.asarray(fitted.eigenvalues), np.asarray(fitted.eigenvectors)
        np.testing.assert_allclose(fitted.density, density, rtol=1e-12)
    for point, row in zip(new, found, strict=True):
        distances = np.linalg.norm(point - x, axis=1)
        weights = np.exp(-(distances**2) / (np.sort(distances)[5] * scales)) / density
        np.testing.assert_allclose(row, weights @ modes / weights.sum() / values, atol=1e-10)


def test_continuous_at_the_data_and_finite_far_away():
    with jax.enable_x64():
        x = jnp.asarray(cloud())
        fitted = diffusion_map(x, 3)
        near = nystrom(fitted, x, x + 1e-9)
        np.testing.assert_allclose(near, np.asarray(fitted.eigenvectors), atol=1e-6)
        far = nystrom(fitted, x, jnp.asarray([[1e7, 0.0, 0.0], [1e7, 1e3, 0.0]]))
        assert np.isfinite(far).all()
        assert jnp.all(jnp.any(jnp.isclose(far[0], fitted.eigenvectors / fitted.eigenvalues), axis=0))


def test_compiles_and_has_derivatives():
    with jax.enable_x64():
        x, new = jnp.asarray(cloud()), jnp.asarray(cloud(5))
        fitted = diffusion_map(x, 3)

        @jax.jit
        def total(new):
            return jnp.sum(jnp.sin(nystrom(fitted, x, new)))

        direction = jnp.asarray(RNG.normal(size=(5, 3)))
        slope = float(jnp.sum(jax.jit(jax.grad(total))(new) * direction))
        difference = float(total(new + 1e-6 * direction) - total(new - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": jnp.ones(3)}, "queries must be floats"),
        ({"queries": jnp.full((2, 3), jnp.nan)}, "queries must be finite"),
        ({"queries": jnp.ones((4, 2))}, "queries have its columns"),
        ({"x": jnp.ones((30, 3))}, "x must be the 40 points of the map"),
        ({"x": jnp.asarray(2 * cloud(40), jnp.float32)}, "must be those of the map"),
        ({"num_neighbors": 3}, "must be those of the map, got num_neighbors=3"),
        ({"num_neighbors": 40}, "num_neighbors must lie in"),
        ({"bandwidth": 0.5}, "must be those of the map"),
        ({"bandwidth": -1.0}, "bandwidth must be positive"),
        ({"graph_neighbors": 20}, "must be those of the map"),
        ({"graph_neighbors": 40}, "graph_neighbors must lie in"),
    ],
)
def test_bad_input(change, message):
    x = jnp.asarray(cloud(40), jnp.float32)
    arguments = {"x": x, "queries": x} | change
    with pytest.raises(ValueError, match=message):
        nystrom(diffusion_map(x, 2), **arguments)


def test_copies_are_extended_to_themselves():
    x = jnp.asarray(np.concatenate([RNG.normal(size=(40, 2)), np.zeros((12, 2))]), jnp.float32)
    fitted = diffusion_map(x, 2, num_neighbors=5)
    np.testing.assert_allclose(nystrom(fitted, x, x, num_neighbors=5), fitted.eigenvectors, atol=2e-3)

"""Sparse diffusion maps against the dense ones, dense solvers and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from mvae.spectral import diffusion_map, sparse_gaussian_affinity
from mvae.spectral.modes import slowest_modes

RNG = np.random.default_rng(2)
SPARSE = ["lanczos", "inverse", "lobpcg"]


def ellipsoid(n):
    z = RNG.normal(size=(n, 3))
    return z / np.linalg.norm(z, axis=1, keepdims=True) * [1.0, 1.2, 1.5]


def in_numpy(found):
    return type(found)(*(np.asarray(leaf) for leaf in found))


@pytest.mark.slow
@pytest.mark.parametrize("method", SPARSE)
@pytest.mark.parametrize("choice", [{}, {"alpha": 0.5}, {"bandwidth": 0.6}])
def test_complete_graph_gives_the_dense_map(method, choice):
    with jax.enable_x64():
        x = jnp.asarray(ellipsoid(150))
        dense = in_numpy(diffusion_map(x, 4, **choice))
        found = in_numpy(diffusion_map(x, 4, method=method, graph_neighbors=149, **choice))
    np.testing.assert_allclose(found.eigenvalues, dense.eigenvalues, atol=1e-10)
    signs = np.sign(np.sum(found.eigenvectors * dense.eigenvectors, axis=0))
    np.testing.assert_allclose(found.eigenvectors * signs, dense.eigenvectors, atol=1e-6)
    for name in ("stationary", "scales", "density"):
        np.testing.assert_allclose(getattr(found, name), getattr(dense, name), rtol=1e-10)


@pytest.mark.parametrize(
    ("method", "dtype", "atol"),
    [(method, np.float64, 1e-6) for method in SPARSE] + [("lanczos", np.float32, 1e-5), ("lobpcg", np.float32, 2e-2)],
)
def test_sparse_graph_against_a_dense_solver(method, dtype, atol):
    x = ellipsoid(500).astype(np.float32)
    affinity = sparse_gaussian_affinity(jnp.asarray(x), num_neighbors=20).matrix.toarray()
    density = affinity.sum(axis=1)
    affinity /= np.outer(density, density)
    degree = affinity.sum(axis=1)
    values, vectors = scipy.linalg.eigh(affinity, np.diag(degree), subset_by_index=[495, 498])
    values, vectors = values[::-1], vectors[:, ::-1] * np.sqrt(degree.sum())
    with jax.enable_x64(dtype == np.float64):
        found = in_numpy(diffusion_map(jnp.asarray(x, dtype), 4, method=method, graph_neighbors=20))
        assert found.eigenvectors.dtype == dtype
    np.testing.assert_allclose(found.eigenvalues, values, atol=1e-6 if dtype == np.float64 else 1e-5)
    signs = np.sign(np.sum(found.eigenvectors * vectors, axis=0))
    np.testing.assert_allclose(found.eigenvectors * signs, vectors, atol=10 * atol)
    np.testing.assert_allclose(found.stationary, degree / degree.sum(), rtol=1e-5)


@pytest.mark.parametrize("method", ["lanczos", "inverse"])
def test_slow_modes_of_a_circle(method):
    """P is circulant: with 1 - λ of 1e-5 the eigenvalues are its Fourier sums, the modes cos jθ and sin jθ."""
    n, angles = 3000, 2 * np.pi * np.arange(3000) / 3000
    with jax.enable_x64():
        x = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=-1))
        found = in_numpy(diffusion_map(x, 4, bandwidth=0.01, graph_neighbors=16, method=method))
    chords = 2 * np.sin(np.pi * np.arange(-8, 9) / n)
    weights = np.exp(-((chords / 0.01) ** 2))
    sums = [np.sum(weights * np.cos(2 * np.pi * j * np.arange(-8, 9) / n)) / weights.sum() for j in (1, 1, 2, 2)]
    assert 1 - sums[0] < 3e-5
    np.testing.assert_allclose(found.eigenvalues, sums, atol=1e-11)
    np.testing.assert_allclose(np.sum(found.eigenvectors[:, :2] ** 2, axis=1), 2, atol=1e-5)


@pytest.mark.slow
def test_a_solver_that_has_not_converged_says_so():
    x = jnp.asarray(ellipsoid(300), jnp.float32)
    with pytest.raises(RuntimeError, match=r"lobpcg did not converge in 3 iterations or fewer: .* is "):
        diffusion_map(x, 4, method="lobpcg", max_iterations=3)
    with pytest.raises(RuntimeError, match="lobpcg did not converge"):
        diffusion_map(x, 4, method="lobpcg", tolerance=1e-8)
    angles = 2 * np.pi * np.arange(2000) / 2000
    x = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=-1), jnp.float32)
    with pytest.raises(RuntimeError, match="lanczos did not converge in 1 restarts"):
        diffusion_map(x, 4, method="lanczos", num_neighbors=2, max_iterations=1)


@pytest.mark.parametrize("num_components", [1, 2, 5])
@pytest.mark.parametrize("method", ["lanczos", "inverse"])
def test_parts(num_components, method):
    """The eigenvalue 1 is found as often as it is there, with modes that are constant on each part."""
    x = np.concatenate([ellipsoid(100), ellipsoid(60) + 50, ellipsoid(80) - 50])
    with jax.enable_x64():
        x = jnp.asarray(x)
        with pytest.raises(ValueError, match="x falls into 3 parts that nothing links, the smallest of 60 of 240"):
            diffusion_map(x, num_components, method=method)
        found = in_numpy(diffusion_map(x, num_components, method=method, allow_disconnected=True))
    np.testing.assert_array_equal(found.eigenvalues[:2], 1)
    assert (found.eigenvalues[2:] < 1 - 1e-4).all()
    weighted = found.stationary[:, None] * found.eigenvectors
    np.testing.assert_allclose(weighted.T @ found.eigenvectors, np.eye(num_components), atol=1e-10)
    np.testing.assert_allclose(weighted.sum(axis=0), 0, atol=1e-10)
    for part in (slice(0, 100), slice(100, 160), slice(160, 240)):
        np.testing.assert_allclose(np.ptp(found.eigenvectors[part, :2], axis=0), 0, atol=1e-10)


@pytest.mark.slow
def test_dense_map_names_parts():
    x = jnp.asarray(np.concatenate([ellipsoid(40), ellipsoid(40) + 100]), jnp.float32)
    with pytest.raises(ValueError, match="x falls into 2 parts"):
        diffusion_map(x, 3)
    compiled = jax.jit(lambda x: diffusion_map(x, 3))(x)
    assert all(np.isfinite(leaf).all() for leaf in compiled)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "power"}, "method must be one of dense, lanczos"),
        ({"graph_neighbors": 5, "method": "dense"}, "for the sparse methods"),
        ({"graph_neighbors": 5}, "scale_neighbor must lie in"),
        ({"graph_neighbors": 30}, "num_neighbors must lie in"),
        ({"num_neighbors": 30}, "num_neighbors must lie in"),
        ({"method": "lobpcg", "num_components": 6}, "needs 31 points or more for 6 modes, got 30; use 'dense'"),
        ({"num_components": 29}, "needs 31 points or more"),
    ],
)
def test_bad_input(change, message):
    arguments = {"x": jnp.asarray(ellipsoid(30), jnp.float32), "num_components": 2, "method": "lanczos"} | change
    with pytest.raises(ValueError, match=message):
        diffusion_map(**arguments)


def test_known_modes_are_left_out():
    turn, _ = np.linalg.qr(RNG.normal(size=(60, 60)))
    spectrum = np.concatenate([[1.0, 1.0, 0.9, 0.8], np.linspace(-0.5, 0.5, 56)])
    matrix = scipy.sparse.csr_array((turn * spectrum) @ turn.T)
    values, vectors = slowest_modes(matrix, turn[:, :2], 2, method="lanczos", dtype=np.dtype(np.float64))
    np.testing.assert_allclose(values, [0.9, 0.8], atol=1e-12)
    np.testing.assert_allclose(np.abs(np.sum(vectors * turn[:, 2:4], axis=0)), 1, atol=1e-12)

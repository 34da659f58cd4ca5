"""Affinities and diffusion maps against scipy, closed forms and the Laplace operator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.distance import cdist

from mvae.spectral import diffusion_map, gaussian_affinity, squared_distances

RNG = np.random.default_rng(0)


def circle(n, dtype=np.float64):
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(dtype)


def in_numpy(found):
    """Outside of enable_x64 jax would round what it touches."""
    return type(found)(*(np.asarray(leaf) for leaf in found))


@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 2e-5), (np.float64, 1e-13)])
def test_affinity_against_scipy(dtype, atol):
    x = RNG.normal(size=(60, 7)) + 5
    distances = cdist(x, x, "sqeuclidean")
    scale = np.sqrt(np.sort(distances, axis=1)[:, 4])
    with jax.enable_x64(dtype == np.float64):
        found = gaussian_affinity(jnp.asarray(x, dtype), num_neighbors=4)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, np.exp(-distances / np.outer(scale, scale)), atol=atol)
        np.testing.assert_allclose(squared_distances(jnp.asarray(x, dtype)), distances, atol=100 * atol)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 5e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_eigenvalues_against_the_markov_matrix(dtype, atol, alpha):
    """The unsymmetric P itself, from scipy's general solver; and P ψ = λ ψ."""
    x = RNG.normal(size=(50, 3))
    with jax.enable_x64(dtype == np.float64):
        found = in_numpy(diffusion_map(jnp.asarray(x, dtype), 4, num_neighbors=5, alpha=alpha))
        affinity = np.array(gaussian_affinity(jnp.asarray(x, dtype), num_neighbors=5), np.float64)
    density = affinity.sum(axis=1) ** alpha
    affinity /= np.outer(density, density)
    markov = affinity / affinity.sum(axis=1, keepdims=True)
    expected = np.sort(scipy.linalg.eigvals(markov).real)[::-1]
    np.testing.assert_allclose(expected[0], 1, atol=1e-12)
    np.testing.assert_allclose(found.eigenvalues, expected[1:5], atol=atol)
    np.testing.assert_allclose(markov @ found.eigenvectors, found.eigenvectors * found.eigenvalues, atol=20 * atol)
    weighted = np.asarray(found.stationary)[:, None] * found.eigenvectors
    np.testing.assert_allclose(weighted.T @ found.eigenvectors, np.eye(4), atol=20 * atol)
    np.testing.assert_allclose(found.stationary @ markov, found.stationary, atol=atol)


def test_circle_is_mapped_to_a_circle():
    """On n equal steps P is circulant: the modes are cos jθ and sin jθ, the eigenvalues its Fourier sums."""
    n = 64
    with jax.enable_x64():
        found = in_numpy(diffusion_map(jnp.asarray(circle(n)), 4, num_neighbors=2))
        row = np.asarray(gaussian_affinity(jnp.asarray(circle(n)), num_neighbors=2))[0]
    sums = np.fft.fft(row).real / row.sum()
    np.testing.assert_allclose(found.eigenvalues, sums[[1, 1, 2, 2]], atol=1e-12)
    np.testing.assert_allclose(np.sum(found.eigenvectors[:, :2] ** 2, axis=1), 2, atol=1e-10)
    np.testing.assert_allclose(found.coordinates(3.0), found.eigenvectors * found.eigenvalues**3, atol=1e-15)


def test_density_is_divided_out():
    """With one bandwidth and alpha = 1 the slowest modes of points of uneven density are cos θ and sin θ."""
    angles = np.linspace(0, 2 * np.pi, 600, endpoint=False)
    angles += 0.6 * np.sin(angles)  # density 1 / (1 + 0.6 cos), between 0.6 and 2.5
    target = np.stack([np.cos(angles), np.sin(angles)], axis=-1)

    def rest(alpha):
        x = jnp.asarray(target, jnp.float32)
        modes = np.asarray(diffusion_map(x, 2, bandwidth=0.15, alpha=alpha).eigenvectors)
        design = np.concatenate([modes, np.ones((600, 1))], axis=1)
        return np.linalg.norm(target - design @ np.linalg.lstsq(design, target, rcond=None)[0]) / np.linalg.norm(target)

    assert rest(1.0) < 0.02
    assert rest(0.0) > 0.1


def test_unit_of_length_does_not_matter():
    x = jnp.asarray(RNG.normal(size=(40, 3)), jnp.float32)
    np.testing.assert_allclose(gaussian_affinity(1e4 * x), gaussian_affinity(x), atol=1e-5)


def test_parts_have_an_eigenvalue_of_one_each():
    x = jnp.asarray(np.concatenate([circle(40), circle(40) + 100, circle(40) - 100]), jnp.float32)
    values = diffusion_map(x, 3, num_neighbors=3, allow_disconnected=True).eigenvalues
    np.testing.assert_allclose(values[:2], 1, atol=1e-5)
    assert values[2] < 1 - 1e-3


@pytest.mark.parametrize("method", ["dense", "lanczos"])
def test_copies_of_points_are_weights_and_no_parts(method):
    """The walk on rows, of which some repeat, is that on distinct points with the weights that copies give them."""
    distinct = circle(40)
    counts = np.ones(40, int)
    counts[[0, 7]] = 12, 3
    rows = np.repeat(np.arange(40), counts)
    x = jnp.asarray(distinct[rows], jnp.float32)
    options = {} if method == "dense" else {"graph_neighbors": 39}
    found = diffusion_map(x, 3, num_neighbors=3, method=method, **options)
    distance = np.linalg.norm(distinct[:, None] - distinct, axis=-1)
    scale = np.sort(distance, axis=1)[:, 3]
    weights = np.exp(-(distance**2) / np.outer(scale, scale))[np.ix_(rows, rows)]
    weights /= np.outer(weights.sum(axis=1), weights.sum(axis=1))
    walk = weights / weights.sum(axis=1, keepdims=True)
    expected = np.sort(np.linalg.eigvals(walk).real)[::-1][1:4]
    np.testing.assert_allclose(found.eigenvalues, expected, atol=2e-4)
    assert expected[0] < 1 - 1e-3  # no part of its own
    np.testing.assert_allclose(found.scales, scale[rows], rtol=1e-4)
    first = np.asarray(found.eigenvectors)[rows == 0]
    np.testing.assert_allclose(first, np.broadcast_to(first[:1], first.shape), atol=1e-3)


def test_copies_in_compiled_code():
    x = jnp.asarray(np.repeat(circle(8), 5, axis=0), jnp.float32)
    found = jax.jit(lambda x: diffusion_map(x, 3, num_neighbors=10))(x)
    assert all(np.isfinite(leaf).all() for leaf in found)
    np.testing.assert_allclose(found.scales, 2, rtol=1e-6)  # of eight points, the farthest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": jnp.ones(3)}, "x must be floats"),
        ({"x": jnp.ones((3, 2), jnp.int32)}, "x must be floats"),
        ({"num_neighbors": 20}, "num_neighbors"),
        ({"num_components": 20}, "num_components"),
        ({"alpha": 1.5}, "alpha"),
        ({"bandwidth": 0.0}, "bandwidth"),
    ],
)
def test_bad_input(change, message):
    arguments = {"x": jnp.asarray(circle(20), jnp.float32), "num_components": 2, "num_neighbors": 3} | change
    with pytest.raises(ValueError, match=message):
        diffusion_map(**arguments)


@pytest.mark.parametrize("dim", [2, 20])
def test_clusters_far_apart_in_float32(dim):
    """Products of matrices know nothing of clusters of size 1 at a distance of 10⁴: 10⁸ eps is 12."""
    x = RNG.normal(size=(120, dim)).astype(np.float32)
    x[60:] += np.float32(1e4 / np.sqrt(dim))
    distances = cdist(x.astype(np.float64), x.astype(np.float64), "sqeuclidean")
    np.testing.assert_allclose(squared_distances(jnp.asarray(x)), distances, rtol=1e-5)
    dense = diffusion_map(jnp.asarray(x), 4, allow_disconnected=True)
    sparse = diffusion_map(jnp.asarray(x), 4, method="lanczos", graph_neighbors=119, allow_disconnected=True)
    np.testing.assert_allclose(dense.eigenvalues, sparse.eigenvalues, atol=1e-5)
    assert dense.eigenvalues[0] > 0.9999 > dense.eigenvalues[1]


def test_a_copy_is_at_no_distance():
    x = RNG.normal(size=(30, 20)).astype(np.float32)
    x[7] = x[3]
    assert squared_distances(jnp.asarray(x))[3, 7] == 0


def test_the_branch_for_clusters_is_taken_under_vmap_alone_where_it_is_needed():
    """A select would compute both for every seed of a training."""
    x = jnp.asarray(RNG.normal(size=(3, 30, 20)), jnp.float32)
    assert "cond[" in str(jax.make_jaxpr(jax.vmap(squared_distances))(x))
    far = x.at[1, 15:].add(1e4)
    for cloud in (x, far):
        found = jax.jit(jax.vmap(squared_distances))(cloud)
        expected = [cdist(*2 * [np.asarray(each, np.float64)], "sqeuclidean") for each in cloud]
        np.testing.assert_allclose(found, expected, rtol=2e-3)

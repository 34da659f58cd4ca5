"""Exact nearest neighbours against scipy's tree and plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import cKDTree

from mvae import spectral
from mvae.spectral import nearest_neighbors

RNG = np.random.default_rng(0)


def oracle(x, k):
    """Distances from the tree, in float64."""
    x = np.asarray(x, np.float64)
    return cKDTree(x).query(x, k + 1)[0][:, 1:]


def assert_neighbors(found, x, queries, expected, rtol):
    """The distances are those of the tree, and those of the points that the indices name."""
    distances, indices = np.asarray(found.distances), np.asarray(found.indices)
    assert indices.dtype == np.int32
    np.testing.assert_allclose(distances, expected, rtol=rtol, atol=1e-30)
    x, queries = np.asarray(x, np.float64), np.asarray(queries, np.float64)
    np.testing.assert_allclose(distances, np.linalg.norm(queries[:, None] - x[indices], axis=-1), rtol=rtol, atol=1e-30)
    assert all(len(set(row)) == len(row) for row in indices.tolist())


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(np.float32, 2e-6), pytest.param(np.float64, 1e-14, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("n", "d", "k"), [(700, 3, 10), (300, 60, 1), (5, 2, 4), (2000, 2, 3), (400, 5, 399)])
def test_against_a_tree(dtype, rtol, n, d, k):
    x = (RNG.normal(size=(n, d)) + 3).astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        found = nearest_neighbors(jnp.asarray(x), k)
        assert found.distances.dtype == dtype
        assert_neighbors(found, x, x, oracle(x, k), rtol)
    assert (np.asarray(found.indices) != np.arange(n)[:, None]).all()


@pytest.mark.parametrize("block_size", [1, 7, 64, 1000])
def test_queries_in_blocks(block_size):
    x, queries = RNG.normal(size=(200, 4)).astype(np.float32), RNG.normal(size=(90, 4)).astype(np.float32)
    expected, indices = cKDTree(x).query(queries, 5)
    found = nearest_neighbors(jnp.asarray(x), 5, queries=jnp.asarray(queries), block_size=block_size)
    assert_neighbors(found, x, queries, expected, 2e-6)
    np.testing.assert_array_equal(found.indices, indices)


def test_all_points_for_a_query():
    x = jnp.asarray(RNG.normal(size=(6, 2)), jnp.float32)
    found = nearest_neighbors(x, 6, queries=x)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(6))
    np.testing.assert_array_equal(found.distances[:, 0], 0)


def test_clusters_much_smaller_than_the_cloud():
    """Their distances are below the rounding of |x|², so that the matrix product cannot tell them apart."""
    centres = 1000 * RNG.normal(size=(4, 3))
    x = (np.repeat(centres, 50, axis=0) + 0.05 * RNG.normal(size=(200, 3))).astype(np.float32)
    assert_neighbors(nearest_neighbors(jnp.asarray(x), 5), x, x, oracle(x, 5), 2e-6)


def test_an_outlier_far_away():
    x = np.concatenate([RNG.normal(size=(300, 2)), [[1e6, 0.0]]]).astype(np.float32)
    assert_neighbors(nearest_neighbors(jnp.asarray(x), 4), x, x, oracle(x, 4), 2e-6)


def test_copies_stay():
    x = jnp.asarray(np.repeat(RNG.normal(size=(10, 3)), 30, axis=0), jnp.float32)
    found = nearest_neighbors(x, 29)
    np.testing.assert_array_equal(found.distances, 0)
    np.testing.assert_array_equal(np.sort(found.indices[0]), np.arange(1, 30))


def test_compiles():
    x = jnp.asarray(RNG.normal(size=(50, 3)), jnp.float32)
    found = jax.jit(lambda x: nearest_neighbors(x, 3))(x)
    np.testing.assert_array_equal(found.indices, nearest_neighbors(x, 3).indices)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": jnp.ones(3)}, "x must be floats"),
        ({"x": jnp.ones((3, 2), jnp.int32)}, "x must be floats"),
        ({"x": jnp.ones((0, 2))}, "x must be floats"),
        ({"x": jnp.ones((20, 2)).at[3, 1].set(jnp.nan)}, "x must be finite, got 1 "),
        ({"x": 1e30 * jnp.eye(20, 2)}, "distances between the points of x must be finite"),
        ({"k": 0}, "k must lie in"),
        ({"k": 20}, "k must lie in"),
        ({"k": 21, "queries": jnp.ones((3, 2))}, "k must lie in"),
        ({"queries": jnp.ones((3, 3))}, "queries must have the 2 columns"),
        ({"queries": jnp.full((3, 2), jnp.inf)}, "queries must be finite, got 6 "),
        ({"block_size": 0}, "block_size"),
    ],
)
def test_bad_input(change, message):
    arguments = {"x": jnp.asarray(RNG.normal(size=(20, 2)), jnp.float32), "k": 3} | change
    with pytest.raises(ValueError, match=message):
        nearest_neighbors(**arguments)


@pytest.mark.parametrize("half", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_arrays_of_16_bits_are_computed_with_in_float32(half):
    """What is made of them is that of the same numbers in float32, as precise as they are."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(30, 12)), half)
    wide = x.astype(jnp.float32)
    graph = spectral.pointwise_graph(x)
    functions = {
        "neighbors": lambda x: spectral.nearest_neighbors(x, 3).distances,
        "affinity": spectral.gaussian_affinity,
        "squares": spectral.squared_distances,
        "map": lambda x: spectral.diffusion_map(x, 2).eigenvalues,
        "nystrom": lambda x: spectral.nystrom(spectral.diffusion_map(x, 2), x, x[:3]),
        "orthonormal": lambda x: spectral.orthonormalize(x).values,
        "covariance": lambda x: spectral.local_covariance(x, num_neighbors=4),
        "graph": lambda x: spectral.pair_affinities(x, graph),
        "sums": lambda x: spectral.graph_sums(x, graph),
    }
    for name, function in functions.items():
        found = function(x)
        assert found.dtype == jnp.float32, name
        np.testing.assert_array_equal(found, function(wide), err_msg=name)


def test_eight_bits_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^x must have one of the dtypes .*, got float8_e4m3fn"):
        spectral.nearest_neighbors(jnp.ones((4, 2), jnp.float8_e4m3fn), 1)

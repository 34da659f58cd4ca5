"""Affinities on a graph of neighbours against the dense ones and plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from mvae.spectral import connected_components, gaussian_affinity, nearest_neighbors, sparse_gaussian_affinity

RNG = np.random.default_rng(1)


def points(n, d, dtype=np.float32):
    return jnp.asarray(RNG.normal(size=(n, d)), dtype)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 3e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("choice", [{"scale_neighbor": 5}, {"bandwidth": 1.5}])
def test_complete_graph_is_the_dense_affinity(dtype, atol, choice):
    with jax.enable_x64(dtype == np.float64):
        x = points(60, 4, dtype)
        found = sparse_gaussian_affinity(x, num_neighbors=59, **choice).matrix
        expected = gaussian_affinity(x, num_neighbors=5, bandwidth=choice.get("bandwidth"))
        np.testing.assert_allclose(found.toarray(), expected, atol=atol)


def test_against_loops():
    x = np.asarray(points(80, 3))
    apart = np.linalg.norm(x[:, None].astype(np.float64) - x[None], axis=-1)
    order = np.argsort(np.where(np.eye(80, dtype=bool), np.inf, apart), axis=1)
    expected = np.eye(80)
    scales = apart[np.arange(80), order[:, 2]]
    for i in range(80):
        for j in order[i, :6]:
            expected[i, j] = expected[j, i] = np.exp(-(apart[i, j] ** 2) / (scales[i] * scales[j]))
    found = sparse_gaussian_affinity(jnp.asarray(x), num_neighbors=6, scale_neighbor=3)
    np.testing.assert_allclose(found.matrix.toarray(), expected, atol=2e-6)
    np.testing.assert_allclose(found.scales, scales, rtol=1e-6)
    np.testing.assert_allclose(found.radii, apart[np.arange(80), order[:, 5]], rtol=1e-6)
    assert (found.matrix != found.matrix.T).nnz == 0


def test_given_neighbors_are_used():
    x = points(50, 2)
    found = sparse_gaussian_affinity(x, num_neighbors=4, neighbors=nearest_neighbors(x, 4))
    assert (found.matrix != sparse_gaussian_affinity(x, num_neighbors=4).matrix).nnz == 0


def test_parts():
    x = jnp.concatenate([points(30, 2), points(20, 2) + 50, points(10, 2) - 50])
    labels = connected_components(sparse_gaussian_affinity(x, num_neighbors=5).matrix)
    np.testing.assert_array_equal(np.bincount(labels), [30, 20, 10])
    assert len(set(labels[:30])) == len(set(labels[30:50])) == 1
    dense = np.kron(np.eye(3), np.ones((4, 4)))
    np.testing.assert_array_equal(connected_components(jnp.asarray(dense)), np.repeat(np.arange(3), 4))
    stored_zero = scipy.sparse.csr_array(([1.0, 0.0, 1.0], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    np.testing.assert_array_equal(connected_components(stored_zero), [0, 1])


@pytest.mark.parametrize("affinity", [np.ones(3), np.ones((2, 3)), np.full((2, 2), np.nan), -np.ones((2, 2))])
def test_parts_of_what_is_no_affinity(affinity):
    with pytest.raises(ValueError, match="affinity"):
        connected_components(affinity)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": jnp.ones(3)}, "x must be floats"),
        ({"x": jnp.zeros((20, 2)).at[0].set(jnp.inf)}, "x must be finite"),
        ({"num_neighbors": 20}, "num_neighbors must lie in"),
        ({"scale_neighbor": 6}, "scale_neighbor must lie in"),
        ({"bandwidth": 0.0}, "bandwidth must be positive"),
        ({"bandwidth": float("nan")}, "bandwidth must be positive"),
        ({"x": jnp.ones((20, 2))}, "two distinct points or more, got 20 copies of one"),
        (
            {"x": jnp.repeat(points(10, 2), 2, axis=0), "neighbors": nearest_neighbors(points(20, 2), 5)},
            "neighbors must be left out where x repeats points, as 10 rows do",
        ),
        ({"neighbors": nearest_neighbors(points(20, 2), 4)}, "neighbors must have the shape"),
    ],
)
def test_bad_input(change, message):
    arguments = {"x": points(20, 2), "num_neighbors": 5} | change
    with pytest.raises(ValueError, match=message):
        sparse_gaussian_affinity(**arguments)


def test_compiled_code_is_refused():
    with pytest.raises(ValueError, match="compiled code"):
        jax.jit(lambda x: sparse_gaussian_affinity(x, num_neighbors=3))(points(20, 2))


@pytest.mark.slow
def test_copies_share_the_links_of_their_point():
    x = points(20, 2)
    rows = np.r_[np.arange(20), np.full(12, 3), np.full(5, 8)]
    plain = sparse_gaussian_affinity(x, num_neighbors=6, scale_neighbor=3)
    found = sparse_gaussian_affinity(x[rows], num_neighbors=6, scale_neighbor=3)
    np.testing.assert_array_equal(found.matrix.toarray(), plain.matrix.toarray()[np.ix_(rows, rows)])
    np.testing.assert_array_equal(found.scales, plain.scales[rows])
    few = sparse_gaussian_affinity(jnp.repeat(x[:4], 5, axis=0), num_neighbors=10, scale_neighbor=9)
    apart = np.linalg.norm(np.asarray(x[:4])[:, None] - np.asarray(x[:4]), axis=-1)
    np.testing.assert_allclose(few.scales[::5], apart.max(axis=1), rtol=1e-6)

"""Exact nearest neighbours against scipy's tree and plain loops."""

import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import cKDTree

from mvae import spectral
from mvae.spectral import nearest_neighbors, neighbors

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


def rows_of_rank(num, rank, columns, noise, dtype=np.float32):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(num, rank)) @ rng.normal(size=(rank, columns)) / np.sqrt(rank)
    return (x + noise * rng.normal(size=x.shape) + 5).astype(dtype)


def searched_by_bounds(monkeypatch, x, k, **options):
    """The neighbours, how many queries were compared by leading coordinates, and how many in full."""
    counts = {"leading": 0, "full": 0}
    for name, function in (("leading", neighbors._search_leading), ("full", neighbors._search)):

        def counted(x, *arguments, name=name, function=function, **settings):
            counts[name] += len(arguments[-1])
            return function(x, *arguments, **settings)

        monkeypatch.setattr(neighbors, function.__name__, counted)
    return nearest_neighbors(jnp.asarray(x), k, **options), counts


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(np.float32, 2e-6), pytest.param(np.float64, 1e-13, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.15])
def test_bounds_from_leading_axes_leave_the_result_as_it_is(monkeypatch, dtype, rtol, noise):
    monkeypatch.setattr(neighbors, "_MANY_ROWS", 500)
    x = rows_of_rank(1500, 12, 70, noise, dtype)
    with jax.enable_x64(dtype == np.float64):
        found, counts = searched_by_bounds(monkeypatch, x, 5)
        assert found.distances.dtype == dtype
        assert_neighbors(found, x, x, oracle(x, 5), rtol)
    assert counts["leading"] >= 1500
    assert counts["full"] < 1500


def test_bounds_of_rows_with_very_many_columns(monkeypatch):
    monkeypatch.setattr(neighbors, "_MANY_ROWS", 500)
    monkeypatch.setattr(neighbors, "_MANY_AXES", 100)
    x = rows_of_rank(900, 12, 150, 0.1)
    axes = np.asarray(neighbors._leading_axes(jnp.asarray(x)), np.float64)
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=2e-6)
    found, counts = searched_by_bounds(monkeypatch, x, 5)
    assert_neighbors(found, x, x, oracle(x, 5), 2e-6)
    assert counts["leading"] >= 900


def test_bounds_of_queries(monkeypatch):
    monkeypatch.setattr(neighbors, "_MANY_ROWS", 500)
    x = rows_of_rank(1400, 12, 70, 0.1)
    expected, indices = cKDTree(x[:1000]).query(x[1000:], 3)
    found, counts = searched_by_bounds(monkeypatch, x[:1000], 3, queries=jnp.asarray(x[1000:]), block_size=37)
    assert_neighbors(found, x[:1000], x[1000:], expected, 2e-6)
    np.testing.assert_array_equal(found.indices, indices)
    assert counts["leading"] >= 400


def test_bounds_that_settle_little_are_left(monkeypatch):
    """Among points of a ball with a few axes that are longer, all of them are near in the leading coordinates."""
    monkeypatch.setattr(neighbors, "_MANY_ROWS", 500)
    monkeypatch.setattr(neighbors, "_LEFT", 0.5)
    scale = np.where(np.arange(80) < 16, 3.0, 1.0)
    x = (np.random.default_rng(2).normal(size=(1500, 80)) * scale).astype(np.float32)
    found, counts = searched_by_bounds(monkeypatch, x, 4)
    assert counts["leading"] <= 1024
    assert counts["full"] == 1500
    assert_neighbors(found, x, x, oracle(x, 4), 2e-6)


def test_bounds_where_copies_and_an_outlier_are(monkeypatch):
    monkeypatch.setattr(neighbors, "_MANY_ROWS", 500)
    x = rows_of_rank(300, 6, 70, 0.01).repeat(3, axis=0)
    x[-1] += 1e4
    found, _ = searched_by_bounds(monkeypatch, x, 4)
    assert_neighbors(found, x, x, oracle(x, 4), 2e-6)


@pytest.mark.parametrize("columns", [3, 70])
def test_a_long_search_says_how_long_before_it_begins(monkeypatch, caplog, columns):
    monkeypatch.setattr(neighbors, "_MANY_ROWS", 500)
    monkeypatch.setattr(neighbors, "_MANY_QUERIES", 600)
    clock = iter([0.0, 1024 * 60.0] * 2)
    monkeypatch.setattr(neighbors, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    with caplog.at_level("INFO"):
        nearest_neighbors(jnp.asarray(rows_of_rank(601, 3, columns, 0.0)), 2)
    assert "exact neighbours of 601 rows among 601 take about 601 minutes" in caplog.text


@pytest.mark.parametrize("recall", [0.5, 0.99])
def test_a_recall_is_kept(recall):
    pytest.importorskip("faiss")
    x = rows_of_rank(6000, 8, 40, 0.05)
    found = nearest_neighbors(jnp.asarray(x), 6, recall=recall)
    true = cKDTree(x).query(x, 7)[1][:, 1:]
    hits = np.array([len(np.intersect1d(a, b)) for a, b in zip(np.asarray(found.indices), true, strict=True)]) / 6
    assert hits.mean() > recall - 5 * hits.std() / np.sqrt(1000)  # 1000 of them are judged
    assert (np.asarray(found.indices) != np.arange(6000)[:, None]).all()
    exact = np.linalg.norm(x[:, None].astype(float) - x[np.asarray(found.indices)], axis=-1)
    np.testing.assert_allclose(found.distances, exact, rtol=2e-6)
    assert (np.diff(np.asarray(found.distances)) >= 0).all()


def test_a_recall_among_few_points_and_copies():
    pytest.importorskip("faiss")
    x = jnp.asarray(np.repeat(RNG.normal(size=(40, 3)), 30, axis=0), jnp.float32)
    found = nearest_neighbors(x, 29, recall=0.9)
    np.testing.assert_array_equal(found.distances, 0)
    assert nearest_neighbors(x[:3], 2, recall=0.9).indices.shape == (3, 2)


def test_recall_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install 'mvae\[neighbors\]'"):
        nearest_neighbors(jnp.ones((20, 3)), 2, recall=0.9)


def test_recall_is_for_code_that_runs():
    with pytest.raises(ValueError, match="recall must be None in code that is being compiled"):
        jax.jit(lambda x: nearest_neighbors(x, 2, recall=0.9))(jnp.ones((20, 3)))


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
        ({"recall": 1.0}, "recall must lie between 0 and 1, got 1.0; None finds all"),
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

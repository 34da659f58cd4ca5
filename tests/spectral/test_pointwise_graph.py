"""The graph kept as four numbers a point, against the whole matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mvae.spectral import PointwiseGraph, diffusion_map, graph_sums, pair_affinities, pointwise_graph

N = 150


@pytest.fixture(params=[2, 30], ids=["differences", "gram"])
def points(request):
    return jax.random.normal(jax.random.key(0), (N, request.param))


def whole(x, num_neighbors, scale_neighbor, alpha):
    """W by numpy, from the definition."""
    x = np.asarray(x, np.float64)
    distance = cdist(x, x)
    order = np.sort(distance, axis=1)
    scale = order[:, scale_neighbor]
    kernel = np.exp(-(distance**2) / np.outer(scale, scale))
    if num_neighbors is not None:
        radius = order[:, num_neighbors]
        kernel *= distance <= np.maximum(radius[:, None], radius) * (1 + 1e-12)
    density = kernel.sum(1) ** alpha
    kernel /= np.outer(density, density)
    return kernel * N**2 / kernel.sum()


@pytest.mark.parametrize("alpha", [0.0, pytest.param(0.5, marks=pytest.mark.slow), 1.0])
@pytest.mark.parametrize("num_neighbors", [None, 7, 20])
def test_affinities_between_any_points_are_those_of_the_whole_graph(points, num_neighbors, alpha):
    graph = pointwise_graph(points, num_neighbors=num_neighbors, scale_neighbor=7, alpha=alpha)
    truth = whole(points, num_neighbors, 7, alpha)
    some = np.random.default_rng(1).permutation(N)[:40]
    found = pair_affinities(points[some], PointwiseGraph(*(field[some] for field in graph)))
    np.testing.assert_allclose(found, truth[np.ix_(some, some)], rtol=3e-4, atol=1e-4)
    np.testing.assert_allclose(graph.weight, truth.mean(1), rtol=3e-4)
    np.testing.assert_allclose(jnp.mean(graph.weight), 1, rtol=1e-5)


@pytest.mark.parametrize("num_neighbors", [None, 20])
def test_clusters_far_apart_in_float32(num_neighbors):
    """Within a cluster of size 1 a product of matrices has errors of 10⁸ eps."""
    x = np.array(jax.random.normal(jax.random.key(3), (N, 30)))
    x[N // 2 :] += np.float32(2e3)
    graph = pointwise_graph(jnp.asarray(x), num_neighbors=num_neighbors, scale_neighbor=7)
    truth = whole(x, num_neighbors, 7, 1.0)
    np.testing.assert_allclose(pair_affinities(jnp.asarray(x), graph), truth, rtol=3e-4, atol=1e-4)
    np.testing.assert_allclose(graph.weight, truth.mean(1), rtol=3e-4)


def test_sums_in_blocks_are_those_of_the_matrix():
    x = jax.random.normal(jax.random.key(0), (300, 3))  # more than a block, the last one short
    graph = pointwise_graph(x, num_neighbors=10)
    values = jax.random.normal(jax.random.key(1), (300, 4))
    edges = pair_affinities(x, graph)
    np.testing.assert_allclose(graph_sums(x, graph, values), edges @ values, rtol=1e-4, atol=2e-3)
    np.testing.assert_allclose(graph_sums(x, graph)[:, 0] / 300, graph.weight, rtol=1e-4)


def test_its_stationary_distribution_is_that_of_the_diffusion_map(points):
    graph = pointwise_graph(points, scale_neighbor=10, alpha=1.0)
    stationary = diffusion_map(points, 2, num_neighbors=10).stationary
    np.testing.assert_allclose(graph.weight / N, stationary, rtol=1e-3)


@pytest.mark.parametrize("num_neighbors", [None, 12])
def test_copies_weigh_as_many_as_they_are(num_neighbors):
    """The graph is that of the distinct points, each counted as often as it is there."""
    distinct = np.asarray(jax.random.normal(jax.random.key(0), (30, 2)), np.float64)
    counts = np.ones(30, int)
    counts[[4, 11]] = 11, 3
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(30), counts))
    x = jnp.asarray(distinct[rows], jnp.float32)
    graph = pointwise_graph(x, num_neighbors=num_neighbors, scale_neighbor=10)
    distance = cdist(distinct, distinct)
    order = np.sort(distance, axis=1)
    kernel = np.exp(-(distance**2) / np.outer(order[:, 10], order[:, 10]))
    if num_neighbors is not None:
        kernel *= distance <= np.maximum(order[:, num_neighbors][:, None], order[:, num_neighbors]) * (1 + 1e-12)
    whole = kernel[np.ix_(rows, rows)]
    density = whole.sum(axis=1)
    whole /= np.outer(density, density)
    whole *= len(rows) ** 2 / whole.sum()
    np.testing.assert_allclose(pair_affinities(x, graph), whole, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(graph.weight, whole.mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(graph.scale, order[rows, 10], rtol=1e-5)


def test_one_point_alone_is_named_and_few_are_taken():
    with pytest.raises(ValueError, match="got 12 copies of one"):
        pointwise_graph(jnp.ones((12, 2)), scale_neighbor=5)
    graph = pointwise_graph(jnp.repeat(jnp.eye(3), 5, axis=0), scale_neighbor=10)
    np.testing.assert_allclose(graph.weight, 1, rtol=1e-6)
    np.testing.assert_allclose(graph.scale, np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"num_neighbors": 0}, "num_neighbors"),
        ({"num_neighbors": 20}, "num_neighbors"),
        ({"scale_neighbor": 0}, "scale_neighbor"),
        ({"alpha": 1.5}, "alpha"),
    ],
)
def test_options_out_of_range_are_named(options, culprit):
    with pytest.raises(ValueError, match=culprit):
        pointwise_graph(jax.random.normal(jax.random.key(0), (20, 2)), **options)

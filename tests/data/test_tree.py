"""The binary tree: its distances against a graph search, its nodes against its edges."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from mvae.data import load
from mvae.data.tree import tree_distances, tree_nodes
from mvae.errors import UsageError


def test_distances_are_those_of_the_graph():
    child = np.arange(1, 31)
    edges = csr_array((np.ones(30), (child, (child - 1) // 2)), shape=(31, 31))
    np.testing.assert_array_equal(tree_distances(4), shortest_path(edges, directed=False))


def test_squared_distances_are_numbers_of_edges():
    nodes = tree_nodes(depth=5, ambient_dim=2000).astype(float)
    squares = np.sum((nodes[:, None] - nodes) ** 2, axis=-1)
    np.testing.assert_allclose(squares, tree_distances(5), atol=0, rtol=0.2)


def test_rows_are_noisy_nodes():
    dataset = load("binary_tree", depth=3, num_train=1000, num_test=1000, noise=0.1)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (1000, 1000, (100,))
    for rows in (dataset.train, dataset.test):
        node, label = np.asarray(rows["node"]), np.asarray(rows["label"])
        assert set(node) == set(range(15))
        np.testing.assert_array_equal(label, tree_distances(3)[0][node])
        off = np.asarray(rows["x"]) - tree_nodes(depth=3)[node]
        assert abs(off.std() - 0.1) < 5 * 0.1 / np.sqrt(2 * off.size)
    with pytest.raises(UsageError, match="depth"):
        load("binary_tree", depth=0)

"""Data sets with the graph of their training examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import Dataset, load
from mvae.data.graph import rendered, with_graph
from mvae.errors import UsageError
from mvae.spectral import PointwiseGraph, pointwise_graph


def test_batches_have_the_rows_of_the_graph_and_the_number_of_the_example():
    plain = load("circle", num_train=60, num_test=20)
    data = with_graph(plain, num_neighbors=6, scale_neighbor=4, alpha=0.5)
    truth = pointwise_graph(plain.train["x"].reshape(60, -1), num_neighbors=6, scale_neighbor=4, alpha=0.5)
    rows = jnp.array([3, 50])
    batch = jax.jit(data.render)({name: array[rows] for name, array in data.train.items()})
    for name in PointwiseGraph._fields:
        np.testing.assert_allclose(batch[name], getattr(truth, name)[rows], rtol=1e-6)
    np.testing.assert_array_equal(batch["index"], rows)
    np.testing.assert_array_equal(batch["x"], plain.train["x"][rows])
    np.testing.assert_array_equal(data.render(data.test)["index"], jnp.arange(60, 80))


def test_pictures_are_compared_as_they_are_rendered():
    rows = {"number": jnp.arange(30, dtype=jnp.uint8)}
    doubled = Dataset(
        "numbers",
        rows,
        rows,
        lambda r: {"x": 2.0 * r["number"].astype(jnp.float32)[:, None, None, None]},
        (1, 1, 1),
    )
    np.testing.assert_array_equal(rendered(doubled, rows)[:, 0, 0, 0], 2.0 * np.arange(30))
    data = with_graph(doubled, scale_neighbor=1)
    np.testing.assert_array_equal(data.train["scale"], 2.0)


def test_too_few_examples_and_copies_of_one_are_named():
    with pytest.raises(UsageError, match=r"circle: 10 neighbours need more than the 10 training"):
        with_graph(load("circle", num_train=10))
    same = {"x": jnp.zeros((40, 2))}
    with pytest.raises(UsageError, match="copies"):
        with_graph(Dataset("same", same, same, dict, (2,)))


@pytest.mark.parametrize("num_neighbors", [None, 12])
def test_repeated_examples_are_taken_and_said_once(num_neighbors, caplog):
    """15 of 400 have ten copies of themselves or more."""
    x = jax.random.normal(jax.random.key(0), (400, 3))
    x = x.at[385:].set(x[0])
    rows = {"x": x}
    with caplog.at_level("INFO"):
        data = with_graph(Dataset("same", rows, rows, dict, (3,)), num_neighbors=num_neighbors)
    assert [record.getMessage() for record in caplog.records if "repeat" in record.getMessage()] == [
        "15 of 400 training examples repeat others: each counts as often as it is there"
    ]
    for name in PointwiseGraph._fields:
        column = np.asarray(data.train[name])
        assert (column > 0).all()
        np.testing.assert_array_equal(column[385:], column[0])
    np.testing.assert_allclose(np.mean(data.train["weight"]), 1, rtol=1e-5)

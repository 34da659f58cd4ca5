"""The same data have the same fingerprint wherever they lie; other data of the same name have another."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae import data
from mvae.data import Dataset
from mvae.data.rows import ArrayRows, RecordRows
from mvae.runs.fingerprint import different, fingerprint
from tests.paths import SHARED

ROWS = np.random.default_rng(0).normal(size=(500, 4, 3)).astype(np.float32)
LABELS = np.arange(500) % 7


def dataset(x=ROWS, labels=LABELS, source=None):
    rows = {"image": x, "label": labels.astype(np.int32)}
    if source is not None:
        held = source(rows)
        return Dataset("made", held.columns, held.columns, render, x.shape[1:], source=held)
    rows = {name: jnp.asarray(array) for name, array in rows.items()}
    return Dataset("made", rows, rows, render, x.shape[1:])


def render(rows):
    return {"x": 2 * rows["image"], "label": rows["label"]}


def records(arrays):
    return RecordRows([{name: array[row] for name, array in arrays.items()} for row in range(500)])


def test_on_the_device_and_streamed_they_are_the_same():
    expected = fingerprint(dataset())
    assert len(expected["projections"]) == 16
    assert expected["size"] == pytest.approx(2.0, rel=0.1)
    for source in (ArrayRows, records):
        assert fingerprint(dataset(source=source)) == expected


@pytest.mark.parametrize("row", [0, 63, 499, 436])
def test_an_entry_at_either_end_that_is_another_is_seen(row):
    x = ROWS.copy()
    x[row, 2, 1] += 1.0
    assert different(fingerprint(dataset()), fingerprint(dataset(x))) == "examples of x differ"


def test_what_differs_is_said():
    one = fingerprint(dataset())
    assert different(one, one) == ""
    assert different(one, fingerprint(dataset(ROWS[::-1]))) == "examples of x differ"
    assert different(one, fingerprint(dataset(ROWS[:400], LABELS[:400]))) == "training examples: 500 there, 400 here"
    assert different(one, fingerprint(dataset(ROWS.reshape(500, 12)))) == "shape of x: [4, 3] there, [12] here"
    assert different(one, fingerprint(dataset(labels=LABELS[::-1]))).startswith("labels: ")


def test_rounding_and_another_precision_make_no_difference():
    noisy = ROWS * (1 + 1e-5 * np.random.default_rng(1).normal(size=ROWS.shape)).astype(np.float32)
    one = fingerprint(dataset())
    assert different(one, fingerprint(dataset(noisy))) == ""
    with jax.enable_x64(True):
        assert different(one, fingerprint(dataset(ROWS.astype(np.float64)))) == ""


def test_entries_that_are_not_finite_are_no_difference():
    x = ROWS.copy()
    x[3] = np.nan
    assert different(fingerprint(dataset(x)), fingerprint(dataset(x))) == ""


@pytest.mark.slow
def test_mnist_takes_no_time():
    """Said, not asserted: it is for the reader of `pytest -s`."""
    if not (SHARED / "mnist").is_dir():
        pytest.skip("MNIST is not in the folder of data")
    mnist = data.load("mnist", dir=str(SHARED / "mnist"))
    began = time.perf_counter()
    assert fingerprint(mnist)["num_train"] == mnist.num_train
    print(f"fingerprint of MNIST: {time.perf_counter() - began:.2f} s")

"""Data are looked at before anything is made of them."""

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import Dataset
from mvae.data import dataset as module
from mvae.data.dataset import check_finite
from mvae.data.rows import ArrayRows, RecordRows
from mvae.errors import UsageError


def points(**changed):
    rows = {part: {"x": np.ones((30, 2), np.float32), "label": np.arange(30)} for part in ("train", "test")}
    for part, (name, row, value) in changed.items():
        rows[part] |= {name: rows[part].get(name, np.zeros(30, np.float32)).copy()}
        rows[part][name][row] = value
    return rows


def dataset(rows, place):
    train = rows["train"]
    test = {name: jnp.asarray(array) for name, array in rows["test"].items()}
    if place == "device":
        return Dataset("mine", {name: jnp.asarray(array) for name, array in train.items()}, test, dict, (2,))
    if place == "host":
        source = ArrayRows(train)
    else:
        source = RecordRows([{name: array[k] for name, array in train.items()} for k in range(30)])
    return Dataset("mine", source.columns, test, dict, (2,), source=source)


@pytest.mark.parametrize("place", ["device", "host", "records"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_by_column_and_row(place, value, monkeypatch):
    monkeypatch.setattr(module, "CHECKED", 8)
    check_finite(dataset(points(), place))
    with pytest.raises(UsageError, match=r"mine: 'x' of training row 17 is not finite: mend the data"):
        check_finite(dataset(points(train=("x", (17, 1), value)), place))
    with pytest.raises(UsageError, match=r"'angle' of test row 3 is not finite, the first of 2 such rows"):
        check_finite(dataset(points(test=("angle", [3, 29], value)), place))


def test_a_number_too_large_for_single_precision_is_not_finite():
    with np.errstate(over="ignore"):
        wide = dataset(points() | {"train": {"x": np.full((30, 2), 1e39)}}, "device")
    with pytest.raises(UsageError, match="'x' of training row 0"):
        check_finite(wide)

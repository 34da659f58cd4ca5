"""Rows on the host: arrays and records read alike, and of records none is read that is not asked for."""

import numpy as np
import pytest

from mvae.data.rows import ArrayRows, RecordRows

RNG = np.random.default_rng(0)
NUM = 12


class Records:
    """A data source as tensorflow-datasets has them, which counts what it reads."""

    def __init__(self, records):
        self.records, self.read = records, []

    def __len__(self):
        return len(self.records)

    def __getitem__(self, row):
        return self.__getitems__([row])[0]

    def __getitems__(self, rows):
        self.read += rows
        return [self.records[row] for row in rows]


@pytest.fixture
def arrays():
    return {"x": RNG.integers(0, 256, (NUM, 4, 3, 1), np.uint8), "label": np.arange(NUM, dtype=np.int32)}


@pytest.fixture
def records(arrays):
    return [{name: array[row] for name, array in arrays.items()} for row in range(NUM)]


@pytest.mark.parametrize("rows", [np.array(3), np.array([5, 0, 5]), RNG.integers(0, NUM, (3, 2, 4))])
@pytest.mark.parametrize("kind", ["arrays", "list", "data source"])
def test_take_is_indexing(arrays, records, kind, rows):
    sources = {"arrays": ArrayRows(arrays), "list": RecordRows(records), "data source": RecordRows(Records(records))}
    taken = sources[kind].take(rows)
    assert len(sources[kind]) == NUM
    assert taken.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(taken[name], array[rows])
        assert taken[name].dtype == array.dtype


def test_a_record_is_read_once_and_only_when_asked_for(records):
    counting = Records(records)
    source = RecordRows(counting)
    assert counting.read == [0]  # for the shapes
    source.take(np.array([[7, 2], [2, 7]]))
    assert counting.read == [0, 2, 7]


def test_columns_read_like_arrays(arrays, records):
    counting = Records(records)
    column = RecordRows(counting, 8).columns["x"]
    whole = arrays["x"][:8]
    assert (column.shape, column.dtype, len(column)) == (whole.shape, whole.dtype, 8)
    for rows in (slice(2, 4), slice(None, 100), np.array([6, 1]), 5):
        np.testing.assert_array_equal(column[rows], whole[rows])
    assert set(counting.read) == {0, 1, 2, 3, 4, 5, 6, 7}  # by the slice to 100, cut at 8
    with pytest.raises(IndexError):
        column[8]


def test_long_types_become_those_of_jax():
    taken = RecordRows([{"x": 0.5, "n": 3}]).take(np.zeros(2, int))
    assert (taken["x"].dtype, taken["n"].dtype) == (np.float32, np.int32)


@pytest.mark.parametrize("num", [0, NUM + 1])
def test_numbers_of_records_out_of_range(records, num):
    with pytest.raises(ValueError, match=f"num must be from 1 to 12, the records there are, got {num}"):
        RecordRows(records, num)

"""Blocks of rows: those of the order in memory, in turn and out of it, and an error of a reader is not lost."""

import importlib.util
import threading

import numpy as np
import pytest

from mvae.data.rows import ArrayRows
from mvae.engine.batches import BatchStream, Blocks, check_stream
from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.errors import UsageError
from tests.engine.toy import BATCH, NUM_TRAIN, Toy, dataset

NUM_STEPS, BLOCK_STEPS, NUM_SEEDS = 23, 4, 2
KEYS = seed_keys(5, NUM_SEEDS, 0)
NUMBERS = ArrayRows({"number": np.arange(NUM_TRAIN)})


def blocks(source=NUMBERS):
    return Blocks(source, KEYS[1], BATCH, NUM_STEPS, BLOCK_STEPS)


@pytest.fixture(scope="module")
def expected():
    """Rows of every step and seed by the program that has the data on the device."""
    program = build_program(Toy(1).stage, dataset(), BATCH, 16, KEYS)
    steps = range(-(-NUM_STEPS // BLOCK_STEPS) * BLOCK_STEPS)
    first = [(step % (NUM_TRAIN // BATCH)) * BATCH for step in steps]
    orders = [np.asarray(program.orders(step)) for step in steps]
    return np.stack([order[:, at : at + BATCH] for order, at in zip(orders, first, strict=True)], axis=1)


def test_blocks_hold_the_rows_of_the_order_in_memory(expected):
    made = blocks()
    assert len(made) == 6
    numbers = np.concatenate([made[index]["number"] for index in range(6)], axis=1)
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("asked", [[0, 1, 2, 3, 4, 5], [3, 4, 5], [2, 3, 0, 1, 1, 5]])
def test_blocks_come_as_they_are_asked_for(expected, asked):
    stream = BatchStream(blocks())
    for index in asked:
        first = index * BLOCK_STEPS
        np.testing.assert_array_equal(stream.block(index)["number"], expected[:, first : first + BLOCK_STEPS])
    stream.close()
    stream.close()  # again


class Watched(ArrayRows):
    """Rows that tell when, and by whom, they are read; `broken` is the read that fails."""

    def __init__(self, broken=None):
        super().__init__(NUMBERS.columns)
        self.broken, self.reads, self.threads = broken, 0, set()
        self.ahead = threading.Event()

    def take(self, rows):
        self.reads += 1
        self.threads.add(threading.get_ident())
        if self.reads == self.broken:
            raise OSError("the disk is gone")
        if self.reads == 2:
            self.ahead.set()
        return super().take(rows)


def test_the_next_block_is_read_in_the_background():
    source = Watched()
    stream = BatchStream(blocks(source))
    stream.block(0)
    assert source.ahead.wait(timeout=60)  # nobody has asked for block 1
    assert threading.get_ident() not in source.threads
    stream.close()


def test_an_error_of_a_reader_is_raised_where_its_block_is_asked_for():
    stream = BatchStream(blocks(Watched(broken=2)))
    with pytest.raises(OSError, match="the disk is gone"):
        [stream.block(index) for index in range(6)]
    stream.close()


def test_what_streaming_needs(monkeypatch):
    check_stream(1)
    with pytest.raises(UsageError, match="--stream=0: must be at least 1"):
        check_stream(0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'mvae\[stream\]'"):
        check_stream(1)

"""The text notation of data; that of manifolds is in test_manifolds."""

import numpy as np
import pytest

from mvae.data import BUILDERS
from mvae.errors import UsageError
from mvae.runs.config import DATA
from mvae.runs.notation import block_of, hint_of, parse, renamed, text_of_block


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("coil20", {"name": "coil20"}),
        ("coil20:object=1:size=32", {"name": "coil20", "object": 1, "size": 32}),
        ("coil20:objects=(1,2,3)", {"name": "coil20", "objects": (1, 2, 3)}),
        ("coil20:objects=1,2", {"name": "coil20", "objects": (1, 2)}),
        ("mnist:dir=/x/y", {"name": "mnist", "dir": "/x/y"}),
        ("mnist:dir='/x:y/(z)'", {"name": "mnist", "dir": "/x:y/(z)"}),
        ("mnist:dir=7", {"name": "mnist", "dir": "7"}),
        ("mnist:dir=None:num_test=10", {"name": "mnist", "num_test": 10}),
        ("lifted:space=circle:noise=1", {"name": "lifted", "space": "circle", "noise": 1.0}),
    ],
)
def test_texts_of_data(text, block):
    assert parse(text, DATA) == block
    assert parse(text_of_block(block, DATA), DATA) == block


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mnst", "unknown data set 'mnst': known are mnist"),
        ("coil20:1", "write NAME or NAME:OPTION=VALUE"),
        ("coil20:object=", "write NAME or NAME:OPTION=VALUE"),
        ("coil20:object=1:object=2", "write NAME or NAME:OPTION=VALUE"),
        ("coil20:object=one", "object must be int, got 'one'"),
        (
            "coil20:objct=1",
            "does not apply: coil20 has dir, object, objects, size, test_every, split, seed",
        ),
        ("mnist:dir='/x", "a bracket or quote is not closed"),
        ("coil20(1)", "parentheses are for the factors of a product"),
    ],
)
def test_texts_that_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse(text, DATA)


def value_of(hint, rng):
    if hint is str:
        return "".join(rng.choice(list("ab/:.,='\"() {}\\\n~é-")) for _ in range(rng.integers(1, 8)))
    if hint is int:
        return int(rng.integers(0, 100))
    if hint is float:
        return float(rng.normal())
    return tuple(int(value) for value in rng.integers(1, 20, rng.integers(0, 4)))


@pytest.mark.parametrize("name", BUILDERS)
def test_text_of_any_block_is_read_as_that_block(name):
    rng = np.random.default_rng(len(name))
    options = DATA.options(name)
    for _ in range(20):
        chosen = [key for key in options if rng.uniform() < 0.5]
        block = {"name": name} | {key: value_of(hint_of(options[key]), rng) for key in chosen}
        assert parse(text_of_block(block, DATA), DATA) == block


def test_blocks_have_their_values_checked():
    assert block_of({"name": "coil20", "objects": [1, np.int64(2)], "dir": None}, DATA) == {
        "name": "coil20",
        "objects": (1, 2),
    }
    with pytest.raises(UsageError, match=r"config\.data lacks name"):
        block_of({"size": 3}, DATA)
    with pytest.raises(UsageError, match=r"config\.data must be a text or a block of keys, got 3"):
        block_of(3, DATA)


def test_another_name_keeps_the_options_that_both_have_and_that_mean_the_same():
    block = {"name": "turntable", "size": 32, "dir": "/d", "test_every": 3, "mesh": "horn"}
    kept, dropped = renamed(block, "coil20", DATA)
    assert kept == {"name": "coil20", "size": 32, "dir": "/d"}
    assert dropped == {"test_every": 3, "mesh": "horn"}
    assert renamed(block, "turntable", DATA) == (block, {})

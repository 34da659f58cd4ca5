"""Blocks become dataclasses: names, types and defaults."""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.errors import UsageError
from mvae.typed import complete_block, convert, default_block, from_text, typed


@dataclasses.dataclass(frozen=True)
class Rates:
    first: float = 0.1
    steps: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        if self.first <= 0:
            raise ValueError(f"first must be positive, got {self.first}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    shape: tuple[int, ...]
    beta: float = 1.0
    count: int | None = None
    flag: bool = False
    kind: Literal["a", "b"] = "a"
    net: str = "mlp"
    rates: Rates = dataclasses.field(default_factory=Rates)


DEFAULTS = {
    "beta": 1.0,
    "count": None,
    "flag": False,
    "kind": "a",
    "net": "mlp",
    "rates": {"first": 0.1, "steps": (1, 2)},
}


def test_defaults_are_the_dataclasses_own():
    assert default_block(Block) == DEFAULTS
    assert typed(Block, {}, "b", shape=(3,)) == Block(shape=(3,))
    assert complete_block(Block, {"rates": {"first": 2}}, "b") == DEFAULTS | {"rates": {"first": 2.0, "steps": (1, 2)}}


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (np.float32(1.0), float, 1.0),
        (np.int64(0), int, 0),
        (np.int64(3), float, 3.0),
        (jnp.float32(0.5), float, 0.5),
        (jnp.int32(2), int | None, 2),
        (np.bool_(True), bool, True),
        (2, float, 2.0),
        ([1, np.int32(2)], tuple[int, ...], (1, 2)),
        (np.array([4, 5]), tuple[int, ...], (4, 5)),
        ("(1, 2)", tuple[int, ...], (1, 2)),
        ("('mig', 'dci')", tuple[str, ...], ("mig", "dci")),
        (None, int | None, None),
        ({"first": 1}, Rates, Rates(1.0)),
        (object, Any, object),
    ],
)
def test_values_that_pass(value, hint, expected):
    found = convert(value, hint, "k")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (1.0, int, "k must be int, got 1.0"),
        (np.float32(1.0), int, "k must be int, got 1.0"),
        (True, int, "k must be int, got True"),
        (True, float, "k must be float, got True"),
        (1, bool, "k must be bool, got 1"),
        ("1", int, "k must be int, got '1'"),
        (None, int, "k must be int, got None"),
        ("mig", tuple[str, ...], "k must be a sequence of str, got 'mig'"),
        ("mig,dci", tuple[str, ...], "k must be a sequence of str"),
        ((1, "a"), tuple[int, ...], "k must be int, got 'a'"),
        (np.zeros((2, 2)), tuple[float, ...], "k must be a sequence of float"),
        ("c", Literal["a", "b"], "k must be one of a, b, got 'c'"),
        ({"frst": 1.0}, Rates, "unknown key of k 'frst': known are first"),
        ({"first": -1.0}, Rates, "k: first must be positive, got -1.0"),
        (3, Rates, "k must be a block of keys, got 3"),
    ],
)
def test_values_that_are_refused(value, hint, message):
    with pytest.raises(UsageError, match=message):
        convert(value, hint, "k")


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("1e-3", float, 1e-3),
        ("7", float, 7.0),
        ("7", int, 7),
        ("None", int | None, None),
        ("None", str | None, None),
        ("None", str, "None"),
        ("3", str, "3"),
        ("true", bool, True),
        ("False", bool, False),
        ("0", bool, False),
        ("('mig','dci')", tuple[str, ...], ("mig", "dci")),
        ("mig,dci", tuple[str, ...], ("mig", "dci")),
        ("mig", tuple[str, ...], ("mig",)),
        ("", tuple[str, ...], ()),
        ("()", tuple[str, ...], ()),
        ("[8, 4]", tuple[int, ...], (8, 4)),
        ("8,4", tuple[int, ...], (8, 4)),
        ("8", tuple[int, ...], (8,)),
        ("b", Literal["a", "b"], "b"),
    ],
)
def test_texts_of_a_command_line(text, hint, expected):
    found = from_text(text, hint, "k")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "hint", "message"),
    [
        ("many", int | None, "k must be int or None, got 'many'"),
        ("1.5", int, "k must be int, got '1.5'"),
        ("yes", bool, "k must be bool, got 'yes'"),
        ("8,x", tuple[int, ...], "k must be int, got 'x'"),
        ("(8, 'x')", tuple[int, ...], "k must be int, got 'x'"),
    ],
)
def test_texts_that_are_no_such_value(text, hint, message):
    with pytest.raises(UsageError, match=message):
        from_text(text, hint, "k")


def test_what_has_no_default_must_be_given():
    with pytest.raises(UsageError, match="b lacks shape"):
        typed(Block, {"beta": 2.0}, "b")
    with pytest.raises(UsageError, match="unknown key of b 'shape'"):
        complete_block(Block, {"shape": (1,)}, "b")

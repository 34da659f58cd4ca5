"""Hyperparameters that may be arrays of a program, so that members with other values share its compilation."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from jax.core import Tracer

T = TypeVar("T")

TRACED = ("model.beta", "optimizer.learning_rate", "optimizer.final_learning_rate")


def with_values(config: T, block: str, values: Mapping[str, Any]) -> T:
    """Returns a dataclass with other values in some fields.

    Numbers are checked as ever. Tracers have no value yet that a check could read: they are put in unchecked, and who
    traces a program checks the numbers it will be given first.

    Args:
        config: The frozen dataclass of a block.
        block: Name of the block, such as "model".
        values: Dotted name -> number or tracer; those of other blocks are left alone.

    Raises:
        ValueError: For a number that the dataclass refuses.
    """
    fields = {name.removeprefix(f"{block}."): value for name, value in values.items() if name.startswith(f"{block}.")}
    if not any(isinstance(value, Tracer) for value in fields.values()):
        return dataclasses.replace(config, **fields)  # type: ignore[type-var]
    changed = copy.copy(config)
    for name, value in fields.items():
        object.__setattr__(changed, name, value)
    return changed


def value_of(config: Mapping[str, Any], name: str) -> Any:
    """Returns the value of one of `TRACED` in a whole config as plain dicts, None where it has no such entry."""
    block, key = name.split(".")
    return config[block].get(key)

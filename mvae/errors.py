"""The one exception that means "the input is wrong": it names the culprit and the remedy."""

import difflib
import operator
from collections.abc import Iterable


class UsageError(Exception):
    """Bad input by the user of the program; `main` prints it without a traceback and exits with code 2.

    Attributes:
        abrupt: Whether a library has threads that go on with what failed, so that a program is not to wait for them.
    """

    abrupt = False


def unknown(kind: str, given: str, known: Iterable[str]) -> UsageError:
    """Returns the error for a name that is not known, listing those that are, nearest first.

    >>> str(unknown("manifold", "spere", ["flat_torus", "sphere"]))
    "unknown manifold 'spere': known are sphere, flat_torus"
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=len(names), cutoff=0.0)
    ordered = near + [name for name in names if name not in near]
    return UsageError(f"unknown {kind} {given!r}: known are {', '.join(ordered)}")


def check_count(name: str, value: int, least: int) -> int:
    """Returns an integer of at least `least`; raises `ValueError` for anything else."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def check_between(name: str, value: float, low: float, high: float) -> float:
    """Returns a number with low < value <= high; raises `ValueError` for anything else."""
    if not low < value <= high:
        raise ValueError(f"{name} must be above {low:g} and at most {high:g}, got {value!r}")
    return float(value)

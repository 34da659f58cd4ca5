"""The one exception that means "the input is wrong": it names the culprit and the remedy."""

import difflib
import functools
import sys
from collections.abc import Callable, Iterable


class UsageError(Exception):
    """Bad input by the user of the program; `main` prints it without a traceback and exits with code 2."""


def unknown(kind: str, given: str, known: Iterable[str]) -> UsageError:
    """Returns the error for a name that is not known, listing those that are, nearest first.

    >>> str(unknown("manifold", "spere", ["flat_torus", "sphere"]))
    "unknown manifold 'spere': known are sphere, flat_torus"
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=len(names), cutoff=0.0)
    ordered = near + [name for name in names if name not in near]
    return UsageError(f"unknown {kind} {given!r}: known are {', '.join(ordered)}")


def reporting(main: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
    """Returns a program's main that prints a UsageError as one message, without a traceback, and exits with code 2."""

    @functools.wraps(main)
    def reported(argv: list[str]) -> None:
        try:
            main(argv)
        except UsageError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)

    return reported

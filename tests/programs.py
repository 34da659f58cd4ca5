"""The project's programs within this process: what `python -m` runs, without the seconds that jax takes to start."""

import contextlib
import io
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from absl import app, flags

assert app  # its import defines flags: before any program has its own

ROOT = Path(__file__).parents[1]


class Outcome(NamedTuple):
    code: int
    output: str
    errors: str


def _empty_flags() -> dict:
    """What FLAGS holds before a program defines its own: those of absl."""
    values = flags.FlagValues()
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith("absl."):
            for flag in defined:
                values[flag.name] = flag
    return values.__dict__


def call(path: str, *arguments: str) -> Outcome:
    """Runs a program by its file, from the root of the project, with flags of its own.

    Args:
        path: Such as "mvae/main.py".
        *arguments: Its command line.
    """
    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", [path, *arguments])
        fresh, mine = _empty_flags(), dict(flags.FLAGS.__dict__)
        flags.FLAGS.__dict__.clear()
        flags.FLAGS.__dict__.update(fresh)
        code: object = 0
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as stop:
            code = stop.code
        finally:
            flags.FLAGS.__dict__.clear()
            flags.FLAGS.__dict__.update(mine)
    return Outcome(int(code or 0), output.getvalue(), errors.getvalue())


def assert_refused(outcome: Outcome, message: str) -> None:
    """Checks that bad input ended a program with code 2 and one line that holds the message."""
    assert outcome.code == 2, outcome
    assert message in outcome.errors
    assert outcome.errors.count("\n") == 1, outcome.errors
    assert "Traceback" not in outcome.errors

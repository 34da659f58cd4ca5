"""Python processes of the project's programs, on CPU."""

import os
import subprocess
import sys

from tests.paths import ROOT


def started(*arguments, **environment):
    """A Python process with these arguments, from the root of the project."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"} | environment,
    )


def outcome(process, timeout=500):
    """Exit code, output and errors of a process that ends by itself."""
    output, errors = process.communicate(timeout=timeout)
    return process.returncode, output, errors

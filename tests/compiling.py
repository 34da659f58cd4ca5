"""How tests are compiled: quickly in the fast lane, as users compile in the slow one and where rounding is the subject.

The time of most tests is compilation, and without most of its optimisations XLA takes half of it. Results differ by
rounding alone. `--optimized` compiles all tests as users do; `python -m tests.slow` passes it. In the fast lane a
module whose subject is rounding has the line `pytestmark = pytest.mark.usefixtures("optimized")`.
"""

import contextlib
import os

import jax

OPTION = "jax_disable_most_optimizations"


def optimize(*, on: bool) -> None:
    """Sets whether this process, and those that it starts, compile with XLA's optimisations."""
    jax.config.update(OPTION, not on)
    os.environ[OPTION.upper()] = str(int(not on))


@contextlib.contextmanager
def optimized():
    """A context in which XLA optimises."""
    before = not jax.config.read(OPTION)
    optimize(on=True)
    try:
        yield
    finally:
        optimize(on=before)

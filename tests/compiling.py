"""How tests are compiled: quickly in the fast lane, as users compile in the slow one and where rounding is the subject.

The time of most tests is compilation, and without most of its optimisations XLA takes half of it. Results differ by
rounding alone. `--optimized` compiles all tests as users do; `python -m tests.slow` passes it. In the fast lane a
module whose subject is rounding has the line `pytestmark = pytest.mark.usefixtures("optimized")`.

jax before 0.11 can leave out XLA's emitters of fusions, too, which take half of what is left. XLA reads that once in a
process, from its environment, so it holds for modules with the fixture as well; they are compiled as users compile in
the slow lane.
"""

import contextlib
import os

import jax

OPTION = "jax_disable_most_optimizations"
FLAGS = ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]


def without_emitters() -> None:
    """Compiles without the emitters of fusions, here and in processes started from here; before XLA's first use."""
    if jax.__version_info__ < (0, 11):
        os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *FLAGS]).strip()


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

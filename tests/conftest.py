"""Strict tests, a compilation cache for all, draws that depend on nothing before, and a core for each process."""

import gc
import logging
import os

import jax
import pytest

from tests import strictness

strictness.install()

from mvae.engine.compilation_cache import use_compilation_cache  # noqa: E402 -- not before the hook is there
from tests import compiling  # noqa: E402

STATES = {}
GARBAGE = 50_000  # objects more than before at which cycles are sought
MOST_MEMORY = 3e9  # bytes of a process that are worth compiling anew for


def pytest_collection_finish():
    """Leaves what importing made, millions of objects, out of the search for garbage, and makes that rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)


def pytest_runtest_teardown(item, nextitem):
    """Forgets what was compiled for a folder of tests once it is left, if the memory is short."""
    if (nextitem is None or nextitem.path.parent != item.path.parent) and memory() > MOST_MEMORY:
        jax.clear_caches()


def memory():
    """Bytes that this process holds; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def pytest_addoption(parser):
    """Adds `--optimized`."""
    parser.addoption("--optimized", action="store_true", help="compile with XLA's optimisations, as users do")


def pytest_configure(config):
    """Compiles as tests/compiling.py says; each process of pytest-xdist has a core of its own if there are enough."""
    compiling.optimize(on=config.getoption("optimized"))
    if not config.getoption("optimized"):
        compiling.without_emitters()
    use_compilation_cache()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if os.environ.get("PYTEST_XDIST_WORKER_COUNT") == str(len(cores)):
        os.sched_setaffinity(0, {cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))]})


@pytest.fixture(autouse=True)
def fresh_draws(request):
    """Sets the generator of a test's file back to where it was once the file was imported."""
    generator = getattr(request.module, "RNG", None) if request.module is not None else None
    if generator is not None:
        generator.bit_generator.state = STATES.setdefault(request.module.__name__, generator.bit_generator.state)


@pytest.fixture(autouse=True)
def plain_loggers():
    """Starts with the loggers as they are at first, whatever program ran in this process before."""
    logger = logging.getLogger("mvae")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def strict(request):
    """Enforces annotations, dtypes and ranks where tests/strictness.py says so."""
    file = request.path.relative_to(request.config.rootpath).as_posix()
    with strictness.strictly(file):
        yield


@pytest.fixture(scope="module")
def optimized():
    """XLA's optimisations for a module: pytestmark = pytest.mark.usefixtures("optimized"); see tests/compiling.py."""
    with compiling.optimized():
        yield

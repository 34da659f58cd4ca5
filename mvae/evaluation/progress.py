"""Progress of what may take minutes: a bar on a terminal, a line of the log now and then elsewhere."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import jax
from tqdm import tqdm

LOGGER = logging.getLogger(__name__)
SECONDS = 30.0  # between two lines of the log

Item = TypeVar("Item")


@contextlib.contextmanager
def progress(what: str, total: int, unit: str = "it") -> Iterator[Callable[[int], None]]:
    """Context with a function that is told how much more is done.

    Args:
        what: What is going on, such as "dci".
        total: How much there is to do.
        unit: Of what.

    >>> with progress("sums", 10) as done:
    ...     done(10)
    """
    lead = jax.process_index() == 0
    # disable=None: there is no bar where there is no terminal
    bar = tqdm(total=total, desc=what, unit=unit, leave=False, dynamic_ncols=True, disable=None if lead else True)
    count, said = 0, time.perf_counter()

    def advance(more: int) -> None:
        nonlocal count, said
        count += more
        bar.update(more)
        if bar.disable and lead and time.perf_counter() - said > SECONDS:
            said = time.perf_counter()
            LOGGER.info("%s: %d of %d", what, count, total)

    try:
        yield advance
    finally:
        bar.close()


def with_progress(items: Sequence[Item], what: str, unit: str = "it") -> Iterable[Item]:
    """Yields items, and shows how many of them are done.

    >>> list(with_progress([1, 2], "numbers"))
    [1, 2]
    """
    with progress(what, len(items), unit) as done:
        for item in items:
            yield item
            done(1)

"""What the parts are made of: cells, how large they are, and how they time things."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from experiments.benchmarks.timing import in_turns


class Setting(NamedTuple):
    """What all cells of a call have in common.

    Attributes:
        rehearse: Whether sizes are tiny.
        scratch: Folder for what is large: run folders, compiled programs.
        data_dir: Folder of MNIST's files; None where there are none.
    """

    rehearse: bool
    scratch: Path
    data_dir: Path | None = None

    def choose(self, real: Any, tiny: Any) -> Any:
        """Returns the size for this call."""
        return tiny if self.rehearse else real


class Cell(NamedTuple):
    """One measurement.

    Attributes:
        name: Its name, unique in its part.
        run: () -> what it measured, of JSON's types.
        seconds: What it takes on one current data-centre card, roughly.
        like: Cells of one kind share it: the longest of them so far says how long the next one takes.
        rank: All cells of rank 0, whatever their part, come before those of rank 1.
    """

    name: str
    run: Callable[[], dict[str, Any]]
    seconds: float
    like: str = ""
    rank: int = 0


class Part(NamedTuple):
    """Cells with one file between them.

    Attributes:
        key: A letter.
        name: Of the file, without the letter.
        cells: Setting -> the cells.
    """

    key: str
    name: str
    cells: Callable[[Setting], list[Cell]]

    @property
    def file(self) -> str:
        """Name of its file in the workdir."""
        return f"{self.key}_{self.name}.json"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns the median, the least and the greatest.

    >>> spread([1.0, 3.0, 2.0])
    {'median': 2.0, 'least': 1.0, 'greatest': 3.0}
    """
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def repeated(function: Callable[[], Any]) -> Callable[[int], None]:
    """Returns what calls a function any number of times and waits once, for all: a device is not kept waiting."""

    def run(number: int) -> None:
        result = None
        for _ in range(number):
            result = function()
        jax.block_until_ready(result)

    return run


def times_of(setting: Setting, *functions: Callable[[], Any]) -> list[list[float]]:
    """Returns seconds of one call of each function, over rounds in which they take turns."""
    return timed(setting, *(repeated(function) for function in functions))


def timed(setting: Setting, *runs: Callable[[int], Any]) -> list[list[float]]:
    """Returns seconds of doing once what each of them does any number of times, as `in_turns` does."""
    return in_turns(runs, *setting.choose((5, 0.3), (2, 0.01)))

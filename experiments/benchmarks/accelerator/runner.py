"""Runs the cells that are missing and fit into the time left, and writes each the moment it ends."""

import gc
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from experiments.benchmarks.accelerator.cells import Cell, Part, Setting
from mvae.engine import Interrupted, write_atomically
from mvae.errors import UsageError
from mvae.runs import environment

ALL_DONE, SOME_FAILED, TIME_RAN_OUT = 0, 1, 3
MARGIN = 1.2  # on what a cell is expected to take
REHEARSED = 10.0  # seconds that a cell of a rehearsal is expected to take
REHEARSAL, MEASUREMENT = "rehearsal", "measurement"  # sizes, which are never mixed
Record = dict[str, Any]


class Clock(NamedTuple):
    """Time that there is: so many seconds from `began`, by `now`."""

    began: float
    seconds: float
    now: Callable[[], float] = time.monotonic

    def left(self) -> float:
        """Seconds until the end."""
        return self.began + self.seconds - self.now()


class Todo(NamedTuple):
    """A cell that is not done, and the record of its part."""

    part: Part
    cell: Cell
    record: Record


def device_name() -> str:
    """Returns what results belong to: platform and kind of the device."""
    device = jax.devices()[0]
    return f"{device.platform}: {device.device_kind}"


def read_record(path: Path) -> Record | None:
    """Returns what the file of a part holds, None if there is none.

    Raises:
        UsageError: If it cannot be read.
    """
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text())
        if not {"kind", "device", "environments", "cells"} <= record.keys():
            raise ValueError("something is missing")
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): remove it to measure its part again") from error
    return record


def opened(part: Part, workdir: Path, setting: Setting) -> Record:
    """Returns the record of a part, with what is there already.

    Raises:
        UsageError: If that is of another device or other sizes.
    """
    kind, device = REHEARSAL if setting.rehearse else MEASUREMENT, device_name()
    path = workdir / part.file
    record = read_record(path)
    if record is None:
        return {"part": part.key, "kind": kind, "device": device, "environments": [], "cells": {}}
    for name, here in (("kind", kind), ("device", device)):
        if record[name] != here:
            raise UsageError(f"{path} holds a {name} of {record[name]!r}, this is {here!r}: give another --workdir")
    return record


def run_parts(
    parts: Sequence[Part],
    workdir: Path,
    setting: Setting,
    clock: Clock,
    say: Callable[[str], None] = print,
) -> int:
    """Runs what is missing of the parts, in their order, cells of rank 0 first.

    A cell that raises is written as such and the others go on; the next call tries it again. A cell that is expected
    to take longer than there is time left is not started; a smaller one after it may be.

    Args:
        parts: The parts.
        workdir: Folder of their files.
        setting: Sizes.
        clock: Time that there is.
        say: Prints a line.

    Returns:
        The exit code: 0 if all cells are done, 1 if one failed, 3 if there was not time for all.

    Raises:
        UsageError: If the workdir holds results of another device or of other sizes.
        Interrupted: On SIGINT or SIGTERM in a training, with a checkpoint of it written.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    for stale in workdir.glob(".*.tmp"):
        stale.unlink()  # of a process that was killed as it wrote
    records = {part.key: opened(part, workdir, setting) for part in parts}
    cells = [(part, cell) for part in parts for cell in part.cells(setting)]
    done, left, failed, here = 0, [], [], environment()
    for part, cell, record in _missing(cells, records):
        name = f"{part.key} {cell.name}"
        usual = REHEARSED if setting.rehearse else cell.seconds
        wanted = MARGIN * expected(cell, [other for of, other in cells if of.key == part.key], record, usual)
        if wanted > clock.left():
            left.append(f"{name} ({wanted:.0f} s)")
            continue
        error = _run(cell, record, here)
        write_atomically(workdir / part.file, json.dumps(record, indent=1, allow_nan=False) + "\n")
        taken = record["cells"][cell.name]["seconds"]
        say(f"{name}: {taken:.1f} s" + (f", failed: {error}" if error else ""))
        failed += [f"{name}: {error}"] if error else []
        done += 1
    say(f"{done} cells measured, {len(failed)} failed, {len(left)} left for want of time")
    for title, names in (("failed", failed), ("left", left)):
        for name in names:
            say(f"  {title}: {name}")
    return SOME_FAILED if failed else TIME_RAN_OUT if left else ALL_DONE


def _missing(cells: Sequence[tuple[Part, Cell]], records: dict[str, Record]) -> Iterator[Todo]:
    for part, cell in sorted(cells, key=lambda each: each[1].rank):  # stable: the order of the parts stays
        record = records[part.key]
        if "result" not in record["cells"].get(cell.name, {}):
            yield Todo(part, cell, record)


def expected(cell: Cell, others: Sequence[Cell], record: Record, usual: float) -> float:
    """Returns the seconds that a cell is expected to take: the longest of its kind that is done, else the usual."""
    done = [
        record["cells"][other.name]["seconds"]
        for other in others
        if cell.like and other.like == cell.like and "result" in record["cells"].get(other.name, {})
    ]
    return max(done) if done else usual


def _run(cell: Cell, record: Record, here: dict[str, Any]) -> str | None:
    """Runs a cell into the record of its part; returns in one line how it failed, None if it did not."""
    began = time.perf_counter()
    try:
        result = cell.run()
        json.dumps(result, allow_nan=False)
        entry, error = {"result": result}, None
    except Interrupted:
        raise
    except Exception as raised:
        error = f"{type(raised).__name__}: {(str(raised).splitlines() or [''])[0]}"
        entry = {"error": error}
    if here not in record["environments"]:
        record["environments"].append(here)
    record["cells"][cell.name] = entry | {
        "seconds": time.perf_counter() - began,
        "environment": record["environments"].index(here),
        "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    gc.collect()  # arrays in cycles, which the next cell may need the memory of
    return error

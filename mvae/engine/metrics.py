"""Metrics of training: one JSON line per logging interval, the same to TensorBoard, a bar on the terminal."""

import functools
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue] -- made at import
from tensorboardX.summary import scalar
from tqdm.auto import tqdm  # in notebooks too

from mvae.engine.files import write_atomically
from mvae.engine.processes import is_lead

LOGGER = logging.getLogger(__name__)

BOARD_SECONDS = 10.0  # after which what TensorBoard is to show goes to disk

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """Returns the lines of a metrics.jsonl; those that are no records, as after a crash, are left out and said once."""
    if not path.exists():
        return []
    records, damaged = [], []
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        record = _parse(line)
        if record is None:
            damaged.append(number)
        else:
            records.append(record)
    if damaged:
        _say_damaged(path, tuple(damaged))
    return records


def _parse(line: bytes) -> Record | None:
    """The record of a line, None if it is none."""
    try:
        record = json.loads(line)
        return record if isinstance(record["stage"], str) and isinstance(record["step"], int) else None
    except (ValueError, TypeError, KeyError):
        return None


@functools.cache
def _say_damaged(path: Path, numbers: tuple[int, ...]) -> None:
    LOGGER.warning("%s: damaged line(s) %s left out", path, ", ".join(map(str, numbers)))


class MetricWriter:
    """Writes metrics of one stage, starting after the step that a checkpoint was restored from.

    Of several processes only the one that leads writes.

    Args:
        path: The metrics.jsonl.
        tensorboard: Folder of TensorBoard's events, one folder in it for each stage.
        stage: Name of the stage.
        first_step: The step that training goes on from.
    """

    def __init__(self, path: Path, tensorboard: Path, stage: str, first_step: int):
        self._stage = stage
        self._silent = not is_lead()
        if self._silent:
            return
        self._forget_after(path, stage, first_step)
        self._file = path.open("a", encoding="utf-8")
        self._board = Board(tensorboard / stage, first_step)

    @staticmethod
    def _forget_after(path: Path, stage: str, step: int) -> None:
        """Drops lines that the restored checkpoint has not seen: they will be written again."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [record for record in read_records(path) if record["stage"] != stage or record["step"] <= step]
        if path.exists():
            write_atomically(path, "".join(json.dumps(record) + "\n" for record in kept))

    def write(self, step: int, metrics: dict[str, np.ndarray], seconds: float) -> None:
        """Writes the mean metrics of an interval that ends with `step` and took `seconds` of training.

        Each metric is an array over seeds.
        """
        if self._silent:
            return
        record = {"stage": self._stage, "step": step, "seconds": seconds}
        record |= {name: np.asarray(value, np.float64).tolist() for name, value in metrics.items()}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.write(f"{name}/mean", float(np.mean(value)), step)
            for seed, entry in enumerate(np.asarray(value)):
                self._board.write(f"{name}/member_{seed}", float(entry), step)

    def close(self) -> None:
        """Closes the files."""
        if self._silent:
            return
        self._board.close()
        self._file.close()


class Board:
    """TensorBoard's file of events, which ends with a warning where it cannot be written: metrics.jsonl has the same.

    Not by `tensorboardX.SummaryWriter`, whose thread dies of a full disk and leaves the program waiting for it.

    Args:
        folder: Where the file is made.
        first_step: The step that training goes on from: TensorBoard forgets what other files have after it.
    """

    def __init__(self, folder: Path, first_step: int):
        self._folder, self._writer, self._flushed = folder, None, time.monotonic()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
        except OSError as error:
            self._end(error)
        self._add(Event(step=first_step + 1, session_log=SessionLog(status=SessionLog.START)))

    def write(self, name: str, value: float, step: int) -> None:
        """Adds a value to the curve of that name."""
        self._add(Event(step=step, summary=scalar(name, value)))

    def _add(self, event: Event) -> None:
        if self._writer is None:
            return
        event.wall_time = time.time()
        try:
            self._writer.write_event(event)
            if time.monotonic() > self._flushed + BOARD_SECONDS:
                self._writer.flush()
                self._flushed = time.monotonic()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        LOGGER.warning("%s cannot be written (%s): no more of it", self._folder, error.strerror or error)
        self._writer = None

    def close(self) -> None:
        """Closes the file."""
        try:
            if self._writer is not None:
                self._writer.close()
        except OSError as error:
            self._end(error)
        self._writer = None


class ProgressBar:
    """Steps per second and the mean ELBO, as a bar on a terminal, as log lines elsewhere."""

    def __init__(self, stage: str, first_step: int, num_steps: int):
        self._stage = stage
        disable = None if is_lead() else True  # None: where there is no terminal
        self._bar = tqdm(
            total=num_steps, initial=first_step, desc=stage, unit="step", dynamic_ncols=True, disable=disable
        )
        self._mark = (time.perf_counter(), first_step)

    def advance(self, step: int) -> None:
        """Moves the bar to `step`."""
        self._bar.update(step - self._bar.n)

    def report(self, step: int, metrics: dict[str, np.ndarray]) -> None:
        """Shows the metrics of the interval that ends with `step`."""
        shown = "elbo" if "elbo" in metrics else "loss"
        value = float(np.mean(metrics[shown]))
        now = time.perf_counter()
        rate = (step - self._mark[1]) / max(now - self._mark[0], 1e-9)
        self._mark = (now, step)
        if self._bar.disable:
            LOGGER.info("%s step %d: %s %.2f, %.1f steps/s", self._stage, step, shown, value, rate)
        else:
            self._bar.set_postfix({shown: f"{value:.2f}"})

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()

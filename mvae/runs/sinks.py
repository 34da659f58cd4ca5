"""Sinks of a run's training: checkpoints and metrics in the run's folder, or metrics alone in memory."""

from typing import Any

import numpy as np

from mvae.engine.checkpoints import Checkpoints
from mvae.engine.loop import Sinks, check_finite
from mvae.engine.metrics import MetricWriter, Record
from mvae.runs.run_folder import RunFolder


def folder_sinks(folder: RunFolder) -> Sinks:
    """Returns the sinks of a run of its own: one folder for all seeds."""
    return Sinks(
        checkpoints=lambda stage: Checkpoints(folder.checkpoints / stage.name),
        writer=lambda stage, first_step: MetricWriter(folder.metrics, folder.tensorboard, stage.name, first_step),
        check=lambda progress, stage, chunk: check_finite(
            progress.non_finite, stage, chunk, folder.checkpoints / stage.name
        ),
    )


def memory_sinks(records: list[Record]) -> Sinks:
    """Returns the sinks of a run without a folder: lines of metrics are added to the records, nothing else is kept."""
    return Sinks(
        checkpoints=lambda stage: _NoCheckpoints(),
        writer=lambda stage, first_step: _Recorder(records, stage.name),
        check=lambda progress, stage, chunk: check_finite(progress.non_finite, stage, chunk, None),
    )


class _NoCheckpoints:
    """Checkpoints of a run that keeps none."""

    def restore(self, like: Any) -> None:
        """Returns None: there is none to go on from."""
        del like

    def save(self, step: int, tree: Any) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class _Recorder:
    """Adds the records of one stage, as `MetricWriter` writes them, to a list."""

    def __init__(self, records: list[Record], stage: str):
        self._records, self._stage = records, stage

    def write(self, step: int, metrics: dict[str, np.ndarray], seconds: float) -> None:
        """Adds the mean metrics of an interval."""
        values = {name: np.asarray(value, np.float64).tolist() for name, value in metrics.items()}
        self._records.append({"stage": self._stage, "step": step, "seconds": seconds} | values)

    def close(self) -> None:
        """Does nothing."""

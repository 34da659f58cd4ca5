"""Sinks of a run's training: checkpoints and metrics in the run's folder."""

from mvae.engine.checkpoints import Checkpoints
from mvae.engine.loop import Sinks, check_finite
from mvae.engine.metrics import MetricWriter
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

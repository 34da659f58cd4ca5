"""Training: stages, the loop, checkpoints and metrics; from a config to a run folder."""

from mvae.training.loop import Diverged
from mvae.training.run import run
from mvae.training.signals import Interrupted
from mvae.training.stage import Stage, TrainState, gradient_stage

__all__ = ["Diverged", "Interrupted", "Stage", "TrainState", "gradient_stage", "run"]

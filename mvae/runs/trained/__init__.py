"""Trained models, in and out: `mvae.train`, `mvae.load`, and the `Run` and `Trained` that they give back.

What models are rebuilt from is in model.npz of a run's folder, which needs neither data nor checkpoints.
"""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.runs.trained.loading import load
    from mvae.runs.trained.models import Functions, Run, Trained
    from mvae.runs.trained.saved import Saved
    from mvae.runs.trained.training import fit, train

__all__ = ["Functions", "Run", "Saved", "Trained", "fit", "load", "train"]

__getattr__ = lazily(
    __name__,
    {
        "mvae.runs.trained.loading": ("load",),
        "mvae.runs.trained.models": ("Functions", "Run", "Trained"),
        "mvae.runs.trained.saved": ("Saved",),
        "mvae.runs.trained.training": ("fit", "train"),
    },
)

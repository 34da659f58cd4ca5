"""Runs: from a config file to typed values, data, model and stages; the folder that a run leaves behind."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.runs.config import default_config, is_quick
    from mvae.runs.config_file import load_config
    from mvae.runs.console import log_to_console
    from mvae.runs.experiment import Experiment, build_experiment
    from mvae.runs.locks import locked
    from mvae.runs.manifolds import MANIFOLDS, build_manifold, parse_manifold, text_of
    from mvae.runs.overrides import Resolved, resolve
    from mvae.runs.run_folder import RunFolder, environment
    from mvae.runs.running import conclude, run, train

__all__ = [
    "MANIFOLDS",
    "Experiment",
    "Resolved",
    "RunFolder",
    "build_experiment",
    "build_manifold",
    "conclude",
    "default_config",
    "environment",
    "is_quick",
    "load_config",
    "locked",
    "log_to_console",
    "parse_manifold",
    "resolve",
    "run",
    "text_of",
    "train",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.runs.config": ("default_config", "is_quick"),
        "mvae.runs.config_file": ("load_config",),
        "mvae.runs.console": ("log_to_console",),
        "mvae.runs.experiment": ("Experiment", "build_experiment"),
        "mvae.runs.locks": ("locked",),
        "mvae.runs.manifolds": ("MANIFOLDS", "build_manifold", "parse_manifold", "text_of"),
        "mvae.runs.overrides": ("Resolved", "resolve"),
        "mvae.runs.run_folder": ("RunFolder", "environment"),
        "mvae.runs.running": ("conclude", "run", "train"),
    },
)

"""The parts, in the order of their worth, and how a call begins."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import jax

from experiments.benchmarks.accelerator.cells import Part, Setting
from experiments.benchmarks.accelerator.device import device_cells, walk_cells
from experiments.benchmarks.accelerator.runner import Clock, run_parts
from experiments.benchmarks.accelerator.steps import step_cells
from experiments.benchmarks.accelerator.trainings import other_cells, table_cells
from experiments.benchmarks.accelerator.truth import truth_cells
from mvae.errors import UsageError
from mvae.runs import locked, log_to_console

PARTS = {
    "a": Part("a", "device", device_cells),
    "b": Part("b", "truth", truth_cells),
    "c": Part("c", "steps", step_cells),
    "d": Part("d", "table_1", table_cells),
    "e": Part("e", "walks", walk_cells),
    "f": Part("f", "others", other_cells),
}


def measure(
    keys: Sequence[str],
    workdir: Path,
    scratch: Path,
    began: float,
    seconds: float,
    *,
    rehearse: bool,
    data_dir: Path | None,
) -> int:
    """Measures what is missing of the parts; returns the exit code, see `run_parts`.

    Args:
        keys: Letters of the parts.
        workdir: Folder of their files.
        scratch: Folder for what is large.
        began: When the process did, by `time.monotonic`.
        seconds: How long it may take.
        rehearse: Whether sizes are tiny.
        data_dir: Folder of MNIST's files.

    Raises:
        UsageError: For an unknown part, missing files, results of other sizes or of another device, or a workdir that
            another process is at.
        Interrupted: On SIGINT or SIGTERM in a training.
    """
    if wrong := [key for key in keys if key not in PARTS]:
        raise UsageError(f"--parts: no {', '.join(wrong)}; there are {', '.join(PARTS)}")
    log_to_console(logging.WARNING)
    for folder in (workdir, scratch):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    # What was compiled before a kill, or by the tries before, is not compiled again.
    jax.config.update("jax_compilation_cache_dir", str((scratch / "compiled").absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    if rehearse:
        jax.config.update("jax_disable_most_optimizations", val=True)  # most of a rehearsal is compilation
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "true"  # of processes of their own too
    setting = Setting(rehearse, scratch, data_dir)
    with locked(scratch):
        parts = [PARTS[key] for key in dict.fromkeys(keys)]
        return run_parts(parts, workdir, setting, Clock(began, seconds), lambda text: print(text, flush=True))

"""Training loop of one stage: chunks of steps on the device, then checks, metrics, checkpoints and signals."""

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvae.engine.mesh import to_host
from mvae.engine.metrics import ProgressBar
from mvae.engine.processes import agree
from mvae.engine.program import NEVER, Program, Progress
from mvae.engine.signals import Interrupted, StopRequest
from mvae.models.stage import Stage

LOGGER = logging.getLogger(__name__)

# A chunk is as long as the terminal and a signal may wait for an answer.
CHUNK_SECONDS = 2.0


class Diverged(Exception):  # noqa: N818
    """The loss of a seed was not finite."""


class Sinks(NamedTuple):
    """Where the checkpoints and metrics of a training go, and what is said of a loss that is not finite.

    Attributes:
        checkpoints: Stage -> object with `restore`, `save` and `close` of `Checkpoints`.
        writer: (stage, first step) -> object with `write` and `close` of `MetricWriter`.
        check: (progress, stage, (first, last step)) -> None; raises `Diverged` if a loss between them was not finite.
    """

    checkpoints: Callable[[Stage], Any]
    writer: Callable[[Stage, int], Any]
    check: Callable[[Progress, Stage, tuple[int, int]], None]


def _stop_of_chunk(step: int, length: int, stage: Stage, log_every: int, checkpoint_every: int) -> int:
    """Returns where the next chunk ends: after `length` steps, or at the next log line or checkpoint."""
    borders = (
        step + length,
        (step // log_every + 1) * log_every,
        (step // checkpoint_every + 1) * checkpoint_every,
    )
    return min(*borders, stage.num_steps)


def check_finite(non_finite: Any, stage: Stage, chunk: tuple[int, int], checkpoints: Path | None) -> None:
    """Raises `Diverged` if a loss was not finite.

    Args:
        non_finite: First such step of each seed, see `Progress.non_finite`.
        stage: The stage.
        chunk: First and last step since the check before.
        checkpoints: Folder of the stage's checkpoints, for the message; None where there are none.
    """
    first = to_host(non_finite)
    if (first != NEVER).any():
        members = ", ".join(f"{i} (step {s})" for i, s in enumerate(first) if s != NEVER)
        before = "" if checkpoints is None else f"The checkpoints in {checkpoints} are from before; "
        raise Diverged(
            f"loss of stage {stage.name} not finite between steps {chunk[0]} and {chunk[1]}; member of the seed "
            f"axis (first step): {members}. {before}"
            "a smaller optimizer.learning_rate is the usual remedy"
        )


def run_stage(
    stage: Stage,
    program: Program,
    previous: Any,
    sinks: Sinks,
    *,
    log_every: int,
    checkpoint_every: int,
) -> Any:
    """Runs a stage to its end, from its newest checkpoint if there is one.

    Several processes run the same chunks, and stop together at the same step whichever of them got a signal.

    Args:
        stage: The stage.
        program: Its compiled functions.
        previous: Final state of the stage before, seeds on the first axis, or None.
        sinks: Where checkpoints and metrics go.
        log_every: Steps between two lines of metrics.
        checkpoint_every: Steps between two checkpoints.

    Returns:
        The final state, seeds on the first axis.

    Raises:
        Interrupted: On SIGINT or SIGTERM, after a checkpoint was written if there were steps to save.
        Diverged: If a loss is not finite; earlier checkpoints stay.
        UsageError: If no checkpoint of several can be read, or one is of another structure or precision.
    """
    progress = program.init(previous)
    checkpoints = sinks.checkpoints(stage)
    try:
        step, progress = checkpoints.restore(progress) or (0, progress)
    except BaseException:
        checkpoints.close()
        raise
    if step:
        LOGGER.info("stage %s resumes from step %d", stage.name, step)
    if step >= stage.num_steps:
        checkpoints.close()
        return progress.state
    length, interval_seconds, received = 1, 0.0, None
    with contextlib.ExitStack() as stack:  # whatever cannot be closed, as on a full disk, the others are
        stack.callback(checkpoints.close)
        orders = program.orders(step)
        stack.callback(program.close)
        writer = sinks.writer(stage, step)
        stack.callback(writer.close)
        bar = ProgressBar(stage.name, step, stage.num_steps)
        stack.callback(bar.close)
        # Before the first chunk, most of which is compilation, there is nothing to save. Of several processes none may
        # leave alone.
        with StopRequest(deferred=jax.process_count() > 1) as request:
            while step < stage.num_steps:
                length, received = agree(length, request.received)
                if received is not None:
                    break
                stop = _stop_of_chunk(step, length, stage, log_every, checkpoint_every)
                began = time.perf_counter()
                progress, orders = jax.block_until_ready(program.run(progress, orders, step, stop))
                seconds = time.perf_counter() - began
                request.deferred = True
                sinks.check(progress, stage, (step, stop))
                interval_seconds += seconds
                per_step = seconds / (stop - step)
                length = max(1, min(4 * length, int(CHUNK_SECONDS / max(per_step, 1e-9))))
                step = stop
                bar.advance(step)
                if step % log_every == 0 or step == stage.num_steps:
                    interval = (step - 1) % log_every + 1
                    metrics = {name: to_host(value) / interval for name, value in progress.sums.items()}
                    writer.write(step, metrics, interval_seconds)
                    bar.report(step, metrics)
                    interval_seconds = 0.0
                    progress = progress._replace(sums=jax.tree.map(jnp.zeros_like, progress.sums))
                if step % checkpoint_every == 0 or step == stage.num_steps:
                    checkpoints.save(step, progress)
            if received is None:  # it may have come in the last chunk
                _, received = agree(length, request.received)
        if received is not None:
            checkpoints.save(step, progress)
            raise Interrupted(received, f"at step {step} of stage {stage.name}")
    return progress.state

"""What a run would be, without training it: shapes, parameters, memory, steps and time."""

import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from mvae.engine.loop import CHUNK_SECONDS
from mvae.engine.memory import memory_limit, need_of
from mvae.engine.mesh import DATA, REPLICA, build_mesh
from mvae.engine.program import Program
from mvae.models.stage import Stage
from mvae.runs.experiment import Experiment, build_experiment
from mvae.runs.running import build_programs

LEAST = 8  # chunks of steps double until the next would have so many, however long they take
OWN = "parameters of its own"  # that are in no network


class Seconds(NamedTuple):
    """A time to expect: at least, and most likely at most."""

    low: float
    high: float


def describe_run(
    config: Mapping[str, Any],
    *,
    num_devices: int | None = None,
    replicas: int | None = None,
    matmul_precision: str = "default",
    stream: int | None = None,
) -> str:
    """Returns what a run of a config would be, in lines. Nothing is written.

    Its programs are compiled, which is where their memory is read off, and take steps for some seconds. Of these the
    fastest and the mean are the ends of the time that is expected: other work on the machine lies between.

    Args:
        config: As for `mvae.runs.running.run`.
        num_devices: Likewise.
        replicas: Likewise.
        matmul_precision: Likewise.
        stream: Likewise.

    Raises:
        UsageError: As for a run.
    """
    experiment = build_experiment(config, streamed=stream is not None)
    seeds, batch_size = experiment.run.num_seeds, experiment.run.batch_size
    mesh = build_mesh(seeds, batch_size, num_devices=num_devices, replicas=replicas)
    programs = build_programs(experiment, mesh=mesh, matmul_precision=matmul_precision, stream=stream)
    began = time.perf_counter()
    need = need_of(programs, experiment.dataset, seeds, None)
    compiling = time.perf_counter() - began
    seconds, params = _tried(experiment, programs)
    total = Seconds(*map(sum, zip(*seconds, strict=True)))
    whole = need.fixed + seeds * need.per_seed
    across, along = (1, 1) if mesh is None else (mesh.shape[REPLICA], mesh.shape[DATA])
    devices = f"{across} for seeds × {along} for batches, {jax.devices()[0].device_kind}"
    room = f"there are {_bytes(memory_limit() * across * along)}"
    lines = [
        *_data_lines(experiment),
        f"seeds       {seeds}, batches of {batch_size}",
        f"devices     {devices}",
        *_parameter_lines(params),
        f"memory      {_bytes(whole)} for training, {_bytes(need.per_seed)} of them a seed; {room}",
    ]
    lines += [
        f"stage       {stage.name}: {stage.num_steps} steps, {_expected(each)}"
        for stage, each in zip(experiment.stages, seconds, strict=True)
    ]
    before = f"{_duration(compiling)} of compilation before the first time, evaluation and figures after it"
    return "\n".join([*lines, f"time        {_expected(total)} of training; {before}"])


def _data_lines(experiment: Experiment) -> list[str]:
    dataset, model = experiment.dataset, experiment.model
    batch = jax.eval_shape(dataset.render, {name: column[:1] for name, column in dataset.train.items()})
    beside = ", ".join(name for name in batch if name != "x")
    return [
        f"data        {dataset.name}: {dataset.num_train} training and {dataset.num_test} test examples of shape "
        f"{'×'.join(map(str, dataset.event_shape))}" + (f", with {beside}" if beside else ""),
        f"method      {experiment.config['method']}",
        f"latent      {model.manifold}: dimension {model.manifold.dim}, points of {model.manifold.ambient_dim} numbers",
    ]


def _tried(experiment: Experiment, programs: list[Program]) -> tuple[list[Seconds], Any]:
    """What each stage would take, by steps that are taken; and the shapes of the parameters of all seeds."""
    state, found = None, []
    for stage, program in zip(experiment.stages, programs, strict=True):
        began = time.perf_counter()
        progress = jax.block_until_ready(program.init(state))
        first = time.perf_counter() - began
        try:
            progress, of_step = _stepped(stage, program, progress)
        finally:
            program.close()
        state = progress.state
        found.append(Seconds(*(first + per_step * stage.num_steps for per_step in of_step)))
    return found, jax.eval_shape(experiment.params_of, state)


def _stepped(stage: Stage, program: Program, progress: Any) -> tuple[Any, Seconds]:
    """Takes steps until they have lasted as long as a chunk of training; what one takes, at least and on average."""
    orders = program.orders(0)
    progress, orders = jax.block_until_ready(program.run(progress, orders, 0, 1))  # with what is done but once
    step, length, taken, least = 1, 1, 0.0, math.inf
    while step < stage.num_steps and (taken < CHUNK_SECONDS or length < LEAST):
        stop = min(step + length, stage.num_steps)
        began = time.perf_counter()
        progress, orders = jax.block_until_ready(program.run(progress, orders, step, stop))
        seconds = time.perf_counter() - began
        least = min(least, seconds / (stop - step))
        taken, step, length = taken + seconds, stop, 2 * length
    return progress, Seconds(least, taken / (step - 1)) if step > 1 else Seconds(0.0, 0.0)


def _parameter_lines(params: Any) -> list[str]:
    """How many numbers a seed learns, in all and by network."""
    counts: Counter[str] = Counter()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        names = [jax.tree_util.keystr((part,), simple=True) for part in path]
        counts[names[0] if len(names) > 1 else OWN] += math.prod(leaf.shape[1:])
    by_name = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    return [f"parameters  {sum(counts.values()):,} a seed: {by_name}"]


def _bytes(number: int) -> str:
    return f"{number / 1e9:.3g} GB" if number >= 1e8 else f"{number / 1e6:.3g} MB"


def _expected(seconds: Seconds) -> str:
    low, high = (_duration(each) for each in seconds)
    if low == high:
        return f"about {low}"
    same = low.split()[1] == high.split()[1]
    return f"{low.split()[0] if same else low} to {high}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{np.ceil(seconds):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"

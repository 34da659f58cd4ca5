"""Speed of training on streamed rows as a share of that with the data on the device, in one run.

    python -m experiments.benchmarks.streaming [--rounds=5] [--steps=93] [--num_seeds=1] [--block_steps=16]
    python -m experiments.benchmarks.streaming --nomodel    # steps that do next to nothing: the reading alone

The data are 60 000 random digits of MNIST's shape, made here. They are streamed from arrays in the memory of the host,
and from the ArrayRecord file that tensorflow-datasets makes of them. The step is that of configs/dvae_mnist.py, or with
--nomodel one that does no more than sum the pixels of its batch. Rounds alternate between the ways, so that all see the
same machine. Printed is the median of examples per second over the rounds, the least and the greatest.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from absl import flags

from experiments.benchmarks.workloads import NUM_DIGITS, write_digits
from mvae.data import Dataset, load, load_streamed
from mvae.engine import Program, build_program, seed_keys
from mvae.models import Stage, gradient_stage
from mvae.programs import launch
from mvae.runs import build_experiment, load_config

NUM_TEST = 100

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds of one measurement of each way.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 93, "Training steps per measurement; 93 are an epoch of MNIST.", lower_bound=1)
_NUM_SEEDS = flags.DEFINE_integer("num_seeds", 1, "Members of the seed axis.", lower_bound=1)
_BLOCK_STEPS = flags.DEFINE_integer("block_steps", 16, "Batches that go to the device together.", lower_bound=1)
_MODEL = flags.DEFINE_bool("model", True, "Train the model; without, the rows are only summed.")


class Sums(NamedTuple):
    """Terms of a loss that reads every pixel and does nothing else."""

    loss: jax.Array


def summing(num_steps: int) -> Stage:
    """The stage of that loss."""
    return gradient_stage(
        "sums",
        num_steps,
        lambda key, batch, previous: jnp.zeros(()),
        lambda params, key, batch, step: Sums(params + jnp.mean(batch["x"], axis=(1, 2, 3))),
        optax.sgd(0.1),
    )


def programs(folder: Path, num_steps: int) -> tuple[dict[str, Program], int]:
    """The ways to train, and the batch size."""
    from mvae.data.digits import load_prepared  # slow to import

    write_digits(folder, NUM_DIGITS, NUM_TEST)
    os.environ["TFDS_DATA_DIR"] = str(folder / "prepared")
    load_prepared(idx_dir=str(folder))
    config: Any = load_config(Path(__file__).parents[2] / "configs" / "dvae_mnist.py")
    config.num_steps, config.data.dir = num_steps, str(folder)
    experiment = build_experiment(config.to_dict())
    stage = experiment.stages[0] if _MODEL.value else summing(num_steps)
    run, keys = experiment.run, seed_keys(0, _NUM_SEEDS.value, 0)

    def streamed(dataset: Dataset) -> Program:
        return build_program(stage, dataset, run.batch_size, run.init_batch_size, keys, block_steps=_BLOCK_STEPS.value)

    ways = {
        "on the device": build_program(
            stage, load("mnist", dir=str(folder)), run.batch_size, run.init_batch_size, keys
        ),
        "from arrays": streamed(load_streamed("mnist", dir=str(folder))),
        "from ArrayRecord": streamed(load_streamed("mnist")),
    }
    return ways, run.batch_size


def trainer(program: Program) -> Callable[[], float]:
    """A function that trains on for some steps and returns the seconds they took."""
    carry, step, length = [program.init(None), program.orders(0)], 0, _STEPS.value

    def train() -> float:
        nonlocal step
        began = time.perf_counter()
        carry[:] = jax.block_until_ready(program.run(*carry, step, step + length))
        seconds = time.perf_counter() - began
        step += length
        program.close()  # or what was read ahead would be read while the other ways are measured
        return seconds

    return train


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {jax.devices()[0].device_kind}")
    with tempfile.TemporaryDirectory() as folder:
        ways, batch_size = programs(Path(folder), (_ROUNDS.value + 1) * _STEPS.value)
        trainers = {name: trainer(program) for name, program in ways.items()}
        for train in trainers.values():
            train()  # compiles
        rounds = [{name: train() for name, train in trainers.items()} for _ in range(_ROUNDS.value)]
    examples = _STEPS.value * batch_size * _NUM_SEEDS.value
    for name in ways:
        rates = [examples / seconds[name] for seconds in rounds]
        ratios = [seconds["on the device"] / seconds[name] for seconds in rounds]
        print(
            f"{name:18s} {statistics.median(rates):12,.0f} examples/s ({min(rates):,.0f} to {max(rates):,.0f}), "
            f"{statistics.median(ratios):.2f} of on the device ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    launch(main)

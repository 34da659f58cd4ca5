"""Part c: the ΔVAE's step on images of MNIST's shape, as a share of products; and the time to the first step."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.benchmarks.accelerator.cells import Cell, Setting, spread, timed
from experiments.benchmarks.accelerator.device import PRECISIONS
from experiments.benchmarks.timing import products
from experiments.benchmarks.workloads import config_of, random_digits, start
from mvae.engine import products_in
from mvae.runs import Experiment, build_experiment

ROOT = Path(__file__).parents[3]


class Case(NamedTuple):
    """A step: examples of a batch, seeds, whether they take turns, and how products are rounded."""

    batch: int
    seeds: int
    sequential: bool
    precision: str

    @property
    def name(self) -> str:
        """Name of its cell."""
        together = "alone" if self.seeds == 1 else "sequential" if self.sequential else "vmapped"
        return f"step_batch{self.batch}_seeds{self.seeds}_{together}_{self.precision}"


def step_cells(setting: Setting) -> list[Cell]:
    """The cells of part c; what is asked for first is of rank 0."""
    batches, seeds = setting.choose(((640, 8192), (1, 10, 64)), ((32,), (1, 3)))
    cases = [
        Case(batch, number, sequential, precision)
        for precision in setting.choose(PRECISIONS, ("default", "bfloat16"))
        for batch in batches
        for number in seeds
        for sequential in ((False, True) if number > 1 else (True,))
    ]
    if setting.rehearse:
        cases = [case for case in cases if case.sequential == (case.precision == "default")]
    cells = [Cell("first_step", partial(first_step, setting), 75)]
    for case in cases:
        # What the first pass leaves to the second: other roundings, and large batches or many seeds in turn.
        first = case.precision == "default" and (
            (case.batch == batches[0] and not (case.sequential and case.seeds > 10))
            or (case.seeds == 10 and not case.sequential)
        )
        kind = f"{case.batch} {case.seeds} {case.sequential}"
        cells.append(Cell(case.name, partial(step_rate, setting, case), 25, kind, 0 if first else 1))
    return cells


def step_config(batch: int | None = None, *, rehearse: bool) -> dict[str, Any]:
    """Returns configs/dvae_mnist.py with other batches, small where it is a rehearsal."""
    config = config_of("dvae_mnist")
    if rehearse:
        config["init_batch_size"] = 64
        config["data"]["num_train"] = 320
        config["model"] |= {"encoder_widths": (16, 16), "decoder_widths": (16,), "num_walk_steps": 2}
    return config | {"batch_size": batch or (32 if rehearse else config["batch_size"])}


def step_rate(setting: Setting, case: Case) -> dict[str, Any]:
    """Returns steps per second, and shares of the rate of a large product and of the step's own products."""
    experiment = build_experiment(step_config(case.batch, rehearse=setting.rehearse), load=random_digits)
    started = start(experiment, case.seeds, sequential=case.sequential, matmul_precision=case.precision)
    multiply, flops = products(setting.choose(8192, 128), case.precision)
    own, own_flops = own_products(experiment, case)
    times, large, small = timed(setting, started.run, multiply, own)
    return {
        "steps_per_second": spread([1 / taken for taken in times]),
        "seed_steps_per_second": spread([case.seeds / taken for taken in times]),
        "flop": started.flops,
        "flop_of_products": own_flops,
        "flops": spread([started.flops / taken for taken in times]),
        "of_large_product": spread(
            [started.flops / taken / (flops / other) for taken, other in zip(times, large, strict=True)]
        ),
        "of_own_products": spread([other / taken for taken, other in zip(times, small, strict=True)]),
        "own_product_flops": spread([own_flops / taken for taken in small]),
        "trace_seconds": started.times.trace,
        "compile_seconds": started.times.compile,
    }


def own_products(experiment: Experiment, case: Case) -> tuple[Callable[[int], None], float]:
    """Returns what does the products of a step's layers any number of times, and their FLOP.

    Of each layer y = x W: y itself, and the products of its derivatives with respect to W and, but for the images',
    x. All seeds together, or one after the other if they take turns.
    """
    params = jax.eval_shape(experiment.model.init, jax.random.key(0), _batch(experiment))
    shapes = [
        leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if "kernel" in str(path[-1]) and leaf.ndim == 2
    ]
    pictures = int(jnp.prod(jnp.asarray(experiment.dataset.event_shape)))
    axis = () if case.sequential else (case.seeds,)
    flop = case.seeds * sum(2.0 * case.batch * a * b * (2 if a == pictures else 3) for a, b in shapes)

    @jax.jit
    def of_layer(x: jax.Array, weight: jax.Array, slope: jax.Array) -> tuple[jax.Array, ...]:
        found = x @ weight, jnp.swapaxes(x, -1, -2) @ slope
        return found if x.shape[-1] == pictures else (*found, slope @ jnp.swapaxes(weight, -1, -2))

    key = jax.random.key(0)
    layers = [
        tuple(jax.random.normal(key, (*axis, *shape)) for shape in ((case.batch, a), (a, b), (case.batch, b)))
        for a, b in shapes
    ]

    def run(number: int) -> None:
        result = None
        with products_in(case.precision):
            for _ in range(number * (case.seeds if case.sequential else 1)):
                result = [of_layer(*layer) for layer in layers]
        jax.block_until_ready(result)

    return run, flop


def _batch(experiment: Experiment) -> dict[str, jax.Array]:
    dataset = experiment.dataset
    return dataset.render({name: array[: experiment.run.init_batch_size] for name, array in dataset.train.items()})


def first_step(setting: Setting) -> dict[str, Any]:
    """Returns seconds from the start of a process to its first step, compiled anew and with what the first left."""
    folder = setting.scratch / "compiled_first_step"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seeds = setting.choose((1, 10), (2,))
    return {f"{number} seeds": {name: _child(setting, number, folder) for name in ("cold", "warm")} for number in seeds}


def _child(setting: Setting, seeds: int, folder: Path) -> dict[str, float]:
    """Times of a process of its own, which keeps its compiled programs in the folder."""
    began = time.time()
    child = subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.accelerator.steps", str(seeds), str(setting.rehearse)],
        env=os.environ
        | {
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "JAX_COMPILATION_CACHE_DIR": str(folder.absolute()),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if child.returncode:
        raise RuntimeError(f"the process failed: {(child.stderr.strip().splitlines() or ['no message'])[-1]}")
    found = json.loads(child.stdout.strip().splitlines()[-1])
    return {"imports": found.pop("imported") - began, "all": found.pop("ended") - began} | found


def _end_with(parent: int) -> None:
    """Ends this process once its parent is gone, and with it the memory it has of the device."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Does one step and prints, as JSON, when it began and ended and the seconds of what it did in between."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    seeds, rehearse = int(sys.argv[1]), sys.argv[2] == "True"
    jax.devices()
    imported = time.time()
    experiment = build_experiment(step_config(rehearse=rehearse), load=random_digits)
    built = time.time()
    times = start(experiment, seeds).times._asdict()
    print(json.dumps({"imported": imported, "data_and_model": built - imported, "ended": time.time()} | times))


if __name__ == "__main__":
    main()

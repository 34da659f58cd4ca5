"""What the benchmarks train: experiments of config files, their steps as compiled programs, whole runs."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from mvae import data
from mvae.data import Dataset
from mvae.data.digits import FILES, render
from mvae.engine import Program, build_program, is_sequential, memory_limit, need_of, seed_keys, seeds_mesh
from mvae.runs import Experiment, RunFolder, build_experiment, conclude, load_config, train

CONFIGS = Path(__file__).parents[2] / "configs"
NUM_DIGITS, NUM_TEST_DIGITS = 60_000, 1000


class StartTimes(NamedTuple):
    """Seconds until the first step of a stage is done, in parts.

    Attributes:
        trace: From the stage to what the compiler gets, initialisation among it.
        compile: Of initialisation and steps.
        first_step: Initialising, shuffling and the first step.
    """

    trace: float
    compile: float
    first_step: float


class Started(NamedTuple):
    """A program whose first step is done.

    Attributes:
        times: How long that took.
        flops: Floating-point operations of a step of all seeds, as XLA counts the program before it optimises it:
            products of matrices twice their multiply-adds, arithmetic of single entries too.
        run: Number of steps -> None; trains on by so many steps and waits for them.
    """

    times: StartTimes
    flops: float
    run: Callable[[int], None]


class RunTimes(NamedTuple):
    """Seconds of a whole run.

    Attributes:
        train: From the config to the last checkpoint: data, compilation, steps, metrics and checkpoints.
        whole: Evaluation and figures too.
    """

    train: float
    whole: float


def random_digits(**options: Any) -> Dataset:
    """Returns images of MNIST's shape whose pixels are uniform; other data as `mvae.data.load` gives them.

    Of the options it knows num_train, for fewer images.
    """
    if options.get("name") != "mnist":
        return data.load(**options)
    generator = np.random.default_rng(0)

    def rows(number: int) -> dict[str, jax.Array]:
        pixels = generator.integers(0, 256, (number, 28, 28, 1), np.uint8)
        return {"x": jnp.asarray(pixels), "label": jnp.asarray(np.arange(number) % 10, jnp.int32)}

    return Dataset("mnist", rows(options.get("num_train", NUM_DIGITS)), rows(NUM_TEST_DIGITS), render, (28, 28, 1))


def write_digits(folder: Path, num_train: int, num_test: int) -> None:
    """Writes the four files of MNIST's format with images whose pixels are uniform."""
    generator = np.random.default_rng(0)
    for name in FILES:
        num = num_train if name.startswith("train") else num_test
        pictures = "images" in name
        shape = (num, 28, 28) if pictures else (num,)
        entries = generator.integers(0, 256 if pictures else 10, shape, np.uint8)
        header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">i4").tobytes()
        (folder / name).write_bytes(header + entries.tobytes())


def config_of(name: str) -> dict[str, Any]:
    """Returns the config of "FILE" or "FILE:ARGUMENT", such as "dvae_torus:quick": in configs/, or a path, without .py.

    Raises:
        UsageError: If there is no such file, or it refuses its argument.
    """
    file, _, argument = name.partition(":")
    return load_config(CONFIGS / f"{file}.py", argument).to_dict()


def _program(experiment: Experiment, index: int, num_seeds: int, mesh: Mesh | None, **options: Any) -> Program:
    run = experiment.run
    keys = seed_keys(run.seed, num_seeds, index)
    stage = experiment.stages[index]
    return build_program(stage, experiment.dataset, run.batch_size, run.init_batch_size, keys, mesh=mesh, **options)


def _before(experiment: Experiment, num_seeds: int, mesh: Mesh | None) -> Any:
    """State that the last stage starts from: the stages before it initialised, not trained."""
    previous = None
    for index in range(len(experiment.stages) - 1):
        previous = _program(experiment, index, num_seeds, mesh).init(previous).state
    return jax.block_until_ready(previous)


def start(
    experiment: Experiment,
    num_seeds: int,
    mesh: Mesh | None = None,
    *,
    sequential: bool | None = None,
    matmul_precision: str = "default",
) -> Started:
    """Traces, compiles and does the first step of the last stage.

    Args:
        experiment: What is trained.
        num_seeds: Members of the seed axis.
        mesh: The devices; None for one.
        sequential: Whether a device takes its seeds one after the other, as for `build_program`.
        matmul_precision: Of the products in the steps, one of `mvae.engine.precision.PRECISIONS`.
    """
    previous = _before(experiment, num_seeds, mesh)
    began = time.perf_counter()
    last = len(experiment.stages) - 1
    program = _program(experiment, last, num_seeds, mesh, sequential=sequential, matmul_precision=matmul_precision)
    init, steps, _ = program.lowered(previous)
    traced = time.perf_counter()
    init.compile()
    steps.compile()
    compiled = time.perf_counter()
    carry = [program.init(previous), program.orders(0)]
    carry[:] = jax.block_until_ready(program.run(*carry, 0, 1))
    times = StartTimes(traced - began, compiled - traced, time.perf_counter() - compiled)
    done = 1

    def run(number: int) -> None:
        nonlocal done
        carry[:] = jax.block_until_ready(program.run(*carry, done, done + number))
        done += number

    cost: Any = steps.cost_analysis()
    # XLA counts what a loop does once: of seeds in turn, one.
    counted = 1 if is_sequential(num_seeds, sequential=sequential) else num_seeds
    return Started(times, cost["flops"] * num_seeds / counted, run)


def most_seeds(experiment: Experiment) -> int:
    """Returns how many seeds of the last stage the device has memory for, by the compiler's account of one."""
    previous = _before(experiment, 1, None)
    program = _program(experiment, len(experiment.stages) - 1, 1, None)
    return need_of([program], experiment.dataset, 1, previous).seeds_in(memory_limit())


def whole_run(config: dict[str, Any]) -> RunTimes:
    """Runs a config from data to figures in a temporary folder, with nothing compiled before, as a new process has it.

    The start of the interpreter and its imports are not in it.
    """
    jax.clear_caches()
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name) / "run")
        began = time.perf_counter()
        experiment = build_experiment(config, load=random_digits)
        folder.claim(config, [])
        params = jax.block_until_ready(train(experiment, folder, mesh=seeds_mesh(experiment.run.num_seeds)))
        trained = time.perf_counter()
        conclude(experiment, params, folder)
        return RunTimes(trained - began, time.perf_counter() - began)

"""How cost grows with what a user scales: seconds at several sizes, and the exponent of the growth.

    python -m experiments.benchmarks.growth [--cases=rows,graph] [--largest=1000000] [--rounds=3]

Cases, each of which prints a row for everything that is timed in it:

rows: an epoch of training, encoding, and evaluating rows of 16 numbers, ΔVAE on S², batches of 500.
graph: the ten nearest neighbours of rows of 50 numbers on a surface, exactly and with recall 0.99.
event: a step of training on rows of so many numbers.
dim: a step with latent space S^d, and the density between 10 000 pairs of its points.
seeds: a step of so many seeds in one program.
operators: inference of coefficients of M operators, 1000 pairs of points of R^6.
samples: the log-likelihood of 500 rows from so many draws.

Everything is compiled before. The exponent is the slope of log seconds against log size over the upper half of the
sizes: where it is below 1, the fixed cost of a call still shows.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

import mvae
from experiments.benchmarks.timing import in_turns, repeated, seconds
from experiments.benchmarks.workloads import config_of, start
from mvae.data import Dataset
from mvae.diffusion import log_heat_kernel
from mvae.errors import UsageError
from mvae.manifolds import Sphere
from mvae.programs import launch
from mvae.runs import build_experiment
from mvae.spectral import nearest_neighbors
from mvae.sweep import line
from mvae.transport import infer_coefficients

BATCH, COLUMNS = 500, 16
_CASES = flags.DEFINE_list("cases", ["rows", "graph", "event", "dim", "seeds", "operators", "samples"], "Of these.")
_LARGEST = flags.DEFINE_integer("largest", 1_000_000, "Rows at most.", lower_bound=2000)
_EXACT = flags.DEFINE_integer("largest_exact", 60_000, "Rows at most whose neighbours are sought exactly.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds over everything; medians are printed.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 0.3, "Seconds that one timing takes, about, at least.", lower_bound=1e-3)

Run = Callable[[int], object]


def curved(num: int, columns: int) -> np.ndarray:
    """Rows on a surface in so many columns, with noise of 1 % of their size."""
    generator = np.random.default_rng(0)
    angles = generator.uniform(0, 2 * np.pi, (num, 2))
    waves = np.concatenate([np.cos(angles @ turn) for turn in generator.integers(-3, 4, (columns, 2, 1))], axis=1)
    return (waves + 0.01 * generator.normal(size=waves.shape)).astype(np.float32)


def dataset_of(x: np.ndarray) -> Dataset:
    """The rows as data to train on, the first of them as test data."""
    train, test = {"x": jnp.asarray(x)}, {"x": jnp.asarray(x[:BATCH])}
    return Dataset("rows", train, test, lambda rows: rows, x.shape[1:])


def training(x: np.ndarray, manifold: str = "sphere:2", seeds: int = 1) -> Run:
    """Steps of training on rows."""
    config = config_of("own_data:quick")
    config["manifold"] = manifold
    config |= {"batch_size": BATCH, "init_batch_size": BATCH, "num_steps": 10}
    config["model"] = dict(config["model"]) | {"encoder_init": "random"}
    return start(build_experiment(config, load=lambda **options: dataset_of(x)), seeds).run


def sizes_from(least: int, most: int, factor: int) -> list[int]:
    """Returns least, least · factor, … up to the most."""
    sizes = [least]
    while sizes[-1] * factor <= most:
        sizes.append(sizes[-1] * factor)
    return sizes


def rows() -> None:
    """What is done with many rows."""
    sizes = sizes_from(1000, _LARGEST.value, 10)
    x = curved(sizes[-1], COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        run = mvae.train("dvae", x[:1000], manifold="sphere:2", workdir=str(Path(folder) / "run"), num_steps=1)
        model = run.best

        def epochs(num: int) -> Run:
            steps = training(x[:num])
            return lambda number: steps(number * num // BATCH)

        table("rows", "an epoch of training", sizes, epochs)
        table("rows", "encoding", sizes, lambda num: of_calls(lambda: model.embed(x[:num])))
        fewer = [size for size in sizes if size <= 100_000]
        evaluated = partial(model.log_likelihood, num_samples=100)
        table("rows", "log-likelihood, 100 draws", fewer, lambda num: of_calls(lambda: evaluated(x[:num])))


def graph() -> None:
    """Neighbours of many rows."""
    exact = sizes_from(1000, min(_LARGEST.value, _EXACT.value), 4)
    sizes = sizes_from(10_000, _LARGEST.value, 10)
    x = jnp.asarray(curved(max(exact[-1], sizes[-1]), 50))
    table("rows", "ten neighbours, exactly", exact, lambda num: of_calls(lambda: nearest_neighbors(x[:num], 10)))
    some = partial(nearest_neighbors, k=10, recall=0.99)
    table("rows", "ten neighbours, recall 0.99", sizes, lambda num: of_calls(lambda: some(x[:num])))


def event() -> None:
    """Rows of many numbers."""
    table("numbers in a row", "a step of training", [64, 512, 4096, 32_768], lambda num: training(curved(1000, num)))


def dim() -> None:
    """Latent spaces of many dimensions."""
    x, sizes = curved(1000, COLUMNS), [2, 8, 32, 128]
    table("dimension of S^d", "a step of training", sizes, lambda num: training(x, f"sphere:{num}"))

    def density(num: int) -> Run:
        space = Sphere(num)
        z, w = (space.uniform(jax.random.key(k), (10_000,)) for k in (0, 1))
        return repeated(lambda z, w: log_heat_kernel(space, 0.3, z, w), z, w)

    table("dimension of S^d", "10 000 densities", sizes, density)


def seeds() -> None:
    """Several seeds in one program."""
    x = curved(1000, COLUMNS)
    table("seeds", "a step of all", [1, 2, 4, 8, 16], lambda num: training(x, seeds=num))


def operators() -> None:
    """Several transport operators."""

    def inference(num: int) -> Run:
        keys = jax.random.split(jax.random.key(0), 3)
        psi = 0.3 * jax.random.normal(keys[0], (num, 6, 6))
        z, w = jax.random.normal(keys[1], (2, 1000, 6))
        return repeated(lambda psi, z, w: infer_coefficients(keys[2], psi, z, w, l1_weight=1e-3), psi, z, w)

    table("operators", "coefficients of 1000 pairs", [1, 2, 4, 8, 16], inference)


def samples() -> None:
    """Many draws of a log-likelihood."""
    x = curved(1000, COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        run = mvae.train("dvae", x, manifold="sphere:2", workdir=str(Path(folder) / "run"), num_steps=1)
        model = run.best
        table(
            "draws",
            "log-likelihood of 500 rows",
            [10, 100, 1000],
            lambda num: of_calls(lambda: model.log_likelihood(x[:500], num_samples=num)),
        )


def of_calls(call: Callable[[], object]) -> Run:
    """Returns what calls a function any number of times."""

    def run(number: int) -> None:
        for _ in range(number):
            jax.block_until_ready(call())

    return run


def table(size: str, what: str, sizes: Sequence[int], make: Callable[[int], Run]) -> None:
    """Prints the row of what is timed: seconds at each size, and the exponent."""
    medians = []
    for each in sizes:
        run: Any = make(each)
        once = seconds(lambda run=run: run(1))  # compiles
        if once > 20 * _SECONDS.value:
            medians.append(min(once, seconds(lambda run=run: run(1))))
        else:
            medians.append(float(np.median(in_turns([run], _ROUNDS.value, _SECONDS.value)[0])))
    upper = slice(max(0, len(sizes) // 2 - (len(sizes) < 4)), None)
    several = len(sizes) > 1
    exponent = f"{np.polyfit(np.log(sizes[upper]), np.log(medians[upper]), 1)[0]:.2f}" if several else ""
    found = ", ".join(f"{num}: {taken:.3g}" for num, taken in zip(sizes, medians, strict=True))
    print(line([what, size, found, exponent]), flush=True)


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    cases = {case.__name__: case for case in (rows, graph, event, dim, seeds, operators, samples)}
    if wrong := set(_CASES.value) - set(cases):
        raise UsageError(f"--cases: no {', '.join(sorted(wrong))}; there are {', '.join(cases)}")
    print(line(["what", "size", "seconds at", "exponent"]) + "\n" + line(["---"] * 4), flush=True)
    for name in _CASES.value:
        cases[name]()


if __name__ == "__main__":
    launch(main)

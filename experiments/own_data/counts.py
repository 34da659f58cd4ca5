"""Counts whose rates lie on a torus: is it found, and which likelihood explains them best?

    python -m experiments.own_data.counts [--seeds=10]

The rates of 60 cells are e^(f(θ)), f a random network of one hidden layer on (cos θ, sin θ) of two angles, scaled to
mean log 3 and a standard deviation of 1; counts are Poisson, or negative binomial with r = 3. Every seed has a network,
rows, and a model of its own. Printed for each distribution of the counts and each likelihood: of how many seeds the
degree from the angles to the latent torus is ±1, in how many no coordinate of the raw rows was found, which only
Gaussians compare, so that the start was "spectral", and the importance-weighted log-likelihood of the test set, in nats
a row.

That of the Gaussians is a log density of the same counts x, in place of the log of the probability of the bin [x - ½,
x + ½]: it is larger by about (1 - r²) / (24 σ²) nats a cell, r deviations σ from the mean.
"gaussian of log(1 + x)" is trained on log(1 + x), and its log density is less Σ log(1 + x), so that it is one of x too.
Run time on two CPU cores: 20 minutes.
"""

from typing import Any

import numpy as np
from absl import flags

import mvae
from mvae.data import from_arrays
from mvae.errors import UsageError
from mvae.evaluation import mapping_degree
from mvae.manifolds import FlatTorus
from mvae.programs import launch

CELLS, HIDDEN, INVERSE_DISPERSION, GRID = 60, 64, 3.0, 48
DISTRIBUTIONS = ("poisson", "negative_binomial")
GAUSSIAN = "gaussian_feature_variance"
LIKELIHOODS = ("poisson", "negative_binomial", GAUSSIAN, "gaussian of log(1 + x)")

_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of data and model.", lower_bound=1)
_ROWS = flags.DEFINE_integer("rows", 4000, "Rows of counts.", lower_bound=100)
_STEPS = flags.DEFINE_integer("num_steps", 1500, "Steps of training.", lower_bound=1)
_DISTRIBUTIONS = flags.DEFINE_list("distributions", list(DISTRIBUTIONS), "Distributions of the counts.")


def rates(seed: int, angles: np.ndarray) -> np.ndarray:
    """Returns the mean counts at angles, (n, 2) -> (n, CELLS)."""
    rng = np.random.default_rng(seed)
    first, bias = rng.normal(size=(4, HIDDEN)), rng.normal(size=HIDDEN)
    second = rng.normal(size=(HIDDEN, CELLS))

    def network(angles: np.ndarray) -> np.ndarray:
        around = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
        return np.tanh(around @ first + bias) @ second

    usual = network(np.random.default_rng(0).uniform(0, 2 * np.pi, (4096, 2)))
    return np.exp(np.log(3) + (network(angles) - usual.mean(axis=0)) / usual.std(axis=0))


def draw(seed: int, distribution: str, num: int) -> np.ndarray:
    """Returns counts, (num, CELLS)."""
    rng = np.random.default_rng(1000 + seed)
    mean = rates(seed, rng.uniform(0, 2 * np.pi, (num, 2)))
    if distribution == "poisson":
        return rng.poisson(mean)
    return rng.negative_binomial(INVERSE_DISPERSION, INVERSE_DISPERSION / (INVERSE_DISPERSION + mean))


def row(distribution: str, likelihood: str) -> str:
    """Trains on every seed and returns a line of the table."""
    turn = 2 * np.pi * np.arange(GRID) / GRID
    grid = np.stack(np.meshgrid(turn, turn, indexing="ij"), axis=-1).reshape(-1, 2)
    of_logs = likelihood not in (*DISTRIBUTIONS, GAUSSIAN)
    degrees, found, without = [], [], 0
    for seed in range(_SEEDS.value):
        counts = draw(seed, distribution, _ROWS.value).astype(np.int32)
        dataset = from_arrays(np.log1p(counts) if of_logs else counts, scale="none")
        settings: dict[str, Any] = {
            "manifold": "flat_torus:2",
            "num_steps": _STEPS.value,
            "seed": seed,
            "batch_size": 128,
            "encoder_warmup_steps": 200,
            "likelihood": GAUSSIAN if of_logs else likelihood,
            "encoder_widths": (128, 128),
            "decoder_widths": (128, 128),
        }
        try:
            run = mvae.train("dvae", dataset, encoder_init="cohomology", **settings)
        except UsageError as error:  # the data of a Gaussian are not averaged
            if likelihood in DISTRIBUTIONS or "have no coordinate" not in str(error):
                raise
            without += 1
            run = mvae.train("dvae", dataset, encoder_init="spectral", **settings)
        seen = rates(seed, grid)
        codes = run[0].embed(np.log1p(seen) if of_logs else seen).reshape(GRID, GRID, -1)
        degrees.append(mapping_degree(FlatTorus(2), codes).degree)
        volume = np.asarray(dataset.test["x"]).sum(axis=1).mean() if of_logs else 0.0
        found.append(run.results["mean"]["log_likelihood"] - volume)
    captured = sum(abs(degree) == 1 for degree in degrees)
    cells = (
        distribution,
        likelihood,
        f"{captured} of {len(degrees)}",
        without,
        f"{np.mean(found):.2f} ± {np.std(found):.2f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    if unknown := set(_DISTRIBUTIONS.value) - set(DISTRIBUTIONS):
        raise UsageError(f"--distributions: no {', '.join(sorted(unknown))}; there are {', '.join(DISTRIBUTIONS)}")
    print("| counts | likelihood | degree ±1 | no coordinate | log-likelihood |\n|---|---|---|---|---|", flush=True)
    for distribution in _DISTRIBUTIONS.value:
        for likelihood in LIKELIHOODS:
            print(row(distribution, likelihood), flush=True)


if __name__ == "__main__":
    launch(main)

"""Cells that tell where an animal is and which way it looks: are their torus and circle captured, and read from codes?

    python -m experiments.topology.navigation_cells [--seeds=10]

Counts of 120 grid cells of one module in bins of 0.2 s go onto a flat torus, those of 100 head-direction cells onto a
circle; every seed has cells, a path and a model of its own. Encoders start from a coordinate of the counts,
`encoder_init="cohomology"`. Printed is, for each seed, the degree of the encoder, of noiseless rates on a grid of
phases, and the error of the test bins: angles are aligned by an integer matrix and a shift that fit the training bins;
positions differ by the distance to the nearest place with the same phases, in periods of the lattice. On the circle
angles are read as lengths along the decoder's curve, too, see `along_curve`. Beside them stands the error of the most
likely phases where all rates are known. Run time of a seed of grid cells on two busy CPU cores: 104 seconds.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import flags

import mvae
from mvae.data import LATTICE, Dataset, Population, load, population
from mvae.errors import UsageError
from mvae.evaluation import mapping_degree
from mvae.manifolds import FlatTorus
from mvae.programs import launch

# Column of the truth, latent space, steps of training.
KINDS = {"grid_cells": ("latent", "flat_torus:2", 1500), "head_direction_cells": ("direction", "sphere:1", 4000)}
GRID = {1: 360, 2: 60}  # phases in each direction, by their number

_KINDS = flags.DEFINE_list("cells", list(KINDS), f"Of {', '.join(KINDS)}.")
_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of data and model.", lower_bound=1)
_FIRST = flags.DEFINE_integer("first_seed", 0, "The first of them.", lower_bound=0)
_STEPS = flags.DEFINE_integer("num_steps", None, "Steps of training; 1500 and 4000 if not given.", lower_bound=1)
_CELLS = flags.DEFINE_integer("num_cells", None, "Number of cells; 120 and 100 if not given.", lower_bound=10)
_BIN = flags.DEFINE_float("bin_width", 0.2, "Seconds of a bin.", lower_bound=0.01)


def angles_of(codes: np.ndarray) -> np.ndarray:
    """Returns the angles of codes, (n, 2 k) -> (n, k)."""
    return np.arctan2(codes[..., 1::2], codes[..., ::2])


def read_phases(latent: np.ndarray, phases: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Returns the phases W⁻¹ (a - s) of new latent angles a, W and s fitted to angles and phases that are known.

    Row by row W has the integers of the greatest resultant |mean e^(i (a - W u))|, and s its direction.
    """
    k = latent.shape[1]
    rows = np.array([row for row in itertools.product(range(-2, 3), repeat=k) if any(row)])
    means = np.exp(1j * (latent[:, :, None] - (phases @ rows.T)[:, None])).mean(axis=0)
    best = np.abs(means).argmax(axis=1)
    matrix, shift = rows[best], np.angle(means[np.arange(k), best])
    if abs(np.linalg.det(matrix)) < 0.5:
        return np.full(new.shape, np.nan)
    return (new - shift) @ np.linalg.inv(matrix).T


def along_curve(decode: Callable[[np.ndarray], np.ndarray], angles: np.ndarray) -> np.ndarray:
    """Returns angles of a circle in proportion to the length of the decoder's curve, (n, 1) -> (n, 1).

    Lengths are those of the Fisher metric of Poisson counts, |d 2 √mean|: how well nearby codes are told apart. The
    prior makes codes uniform, whatever directions the animal was seen in; where all directions are told apart equally
    well, as by cells whose fields are spread evenly, this length is in proportion to the direction.

    Args:
        decode: Points of the circle, (m, 2) -> mean counts, (m, cells).
        angles: In radians.
    """
    ends = np.linspace(0, 2 * np.pi, GRID[1] + 1)
    roots = 2 * np.sqrt(decode(np.stack([np.cos(ends), np.sin(ends)], axis=-1)))
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(roots, axis=0), axis=1))])
    return np.interp(angles % (2 * np.pi), ends, 2 * np.pi * length / length[-1])


def errors(found: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Returns distances in periods of the hexagonal lattice, or of one angle in degrees."""
    apart = (found - phases + np.pi) % (2 * np.pi) - np.pi
    if phases.shape[1] == 1:
        return np.degrees(np.abs(apart[:, 0]))
    images = np.array(list(itertools.product((-1, 0, 1), repeat=2)))
    return np.linalg.norm((apart[:, None] / (2 * np.pi) + images) @ LATTICE, axis=-1).min(axis=1)


def most_likely(cells: Population, counts: np.ndarray) -> np.ndarray:
    """Returns the phases of a grid that explain counts best, with the true rates."""
    grid = phase_grid(cells.centres.shape[1])
    mean = cells.rates(grid) * _BIN.value
    return grid[(counts @ np.log(mean).T - mean.sum(axis=1)).argmax(axis=1)]


def phase_grid(dim: int) -> np.ndarray:
    """Returns phases on a periodic grid, (points, dim)."""
    turn = 2 * np.pi * np.arange(GRID[dim]) / GRID[dim]
    return np.stack(np.meshgrid(*[turn] * dim, indexing="ij"), axis=-1).reshape(-1, dim)


def line(kind: str, seed: int) -> str:
    """Trains on the cells of a seed and returns a line of the table."""
    column, manifold, num_steps = KINDS[kind]
    options = {} if _CELLS.value is None else {"num_cells": _CELLS.value}
    begin = time.perf_counter()
    dataset: Dataset = load(kind, seed=seed, bin_width=_BIN.value, **options)
    settings: dict[str, Any] = {"encoder_widths": (128, 128), "decoder_widths": (128, 128), "encoder_warmup_steps": 200}
    try:
        run = mvae.train(
            "dvae",
            dataset,
            manifold=manifold,
            seed=seed,
            num_steps=_STEPS.value or num_steps,
            batch_size=128,
            likelihood="poisson",
            encoder_init="cohomology",
            **settings,
        )
    except UsageError as error:
        if "have no coordinate" not in str(error):
            raise
        return f"| {kind} | {seed} | no coordinate | – | – | – | {time.perf_counter() - begin:.0f} |"
    dim = run[0].manifold.dim
    cells = population(dataset.event_shape[0], dim, seed)
    seen = run[0].embed(cells.rates(phase_grid(dim)) * _BIN.value).reshape(*(GRID[dim],) * dim, -1)
    degree = mapping_degree(FlatTorus(dim), seen).degree
    (train, phases), (test, true) = (
        (np.asarray(rows["x"]), np.asarray(rows[column]).reshape(-1, dim)) for rows in (dataset.train, dataset.test)
    )
    known, new = angles_of(run[0].embed(train)), angles_of(run[0].embed(test))
    found = [errors(read_phases(known, phases, new), true)]
    if dim == 1:
        decode = run[0].decode
        found.append(errors(read_phases(along_curve(decode, known), phases, along_curve(decode, new)), true))
    found.append(errors(most_likely(cells, test), true))
    shown = [f"{np.mean(each):.3f} ({np.median(each):.3f})" for each in found]
    shown[1:1] = ["–"] * (3 - len(shown))
    return f"| {kind} | {seed} | {degree} | {' | '.join(shown)} | {time.perf_counter() - begin:.0f} |"


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    if unknown := set(_KINDS.value) - set(KINDS):
        raise UsageError(f"--cells: no {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    print(
        "| cells | seed | degree | error of the codes: mean (median) | along the decoder's curve | of the most likely "
        "phases | seconds |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    for kind in _KINDS.value:
        for seed in range(_FIRST.value, _FIRST.value + _SEEDS.value):
            print(line(kind, seed), flush=True)


if __name__ == "__main__":
    launch(main)

"""Spike counts of simulated neurons that tell where an animal is, or which way it looks.

Counts of bins of time are Poisson, with the mean of the rate over the bin, cells independent given the path. A
population of grid cells of one module has a torus for its states, whatever the size of the room; one of head-direction
cells has a circle. The numbers are those of recordings, rounded.

Source: [gardner2022].
"""

import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mvae.data.dataset import Dataset, Rows, integer_option, number_option
from mvae.data.point_clouds import LARGEST_SEED, render

PERIOD = 0.5  # metres between neighbouring fields
ROOM = 1.5  # metres along a side
SPEED = 0.2  # metres a second, standard deviation of each component
TURNING = 1.0  # radians a second, standard deviation of the angular velocity
MEMORY = 0.5  # seconds after which a velocity is forgotten
STEPS = 10  # of the path within a bin
PEAKS = (8.0, 25.0)  # least and greatest rate in the middle of a field, spikes a second
GRID_SHARPNESS, DIRECTION_SHARPNESS = 0.6, 3.0
LATTICE = np.array([[1.0, 0.0], [0.5, math.sqrt(3) / 2]])  # rows are the lattice vectors in periods


class Population(NamedTuple):
    """Cells with one field each.

    Attributes:
        centres: Phases of the fields in radians, (cells, k): k = 2 for grid cells, 1 for head-direction cells.
        peaks: Rates in the middle of the fields, spikes a second, (cells,).
    """

    centres: Float[np.ndarray, "cells k"]
    peaks: Float[np.ndarray, " cells"]

    def rates(self, phases: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch cells"]:
        """Returns the rates at phases, spikes a second.

        Of head-direction cells r = peak · exp(3 (cos(θ - c) - 1)), at half the peak 80 degrees wide. Of grid cells

          r = peak · exp(0.6 (cos u + cos v + cos(u + v) - 3)),   (u, v) = phases - centre,

        which has the symmetry of the hexagonal lattice, and at half the peak a width of 0.36 periods.
        """
        away = phases[..., None, :] - self.centres
        cosines = np.cos(away).sum(axis=-1)
        if self.centres.shape[1] == 1:
            return self.peaks * np.exp(DIRECTION_SHARPNESS * (cosines - 1))
        return self.peaks * np.exp(GRID_SHARPNESS * (cosines + np.cos(away.sum(axis=-1)) - 3))


def population(num_cells: int, num_phases: int, seed: int) -> Population:
    """Draws centres uniformly on the torus, and peaks uniformly from 8 to 25 spikes a second."""
    rng = np.random.default_rng([seed, num_phases])
    return Population(rng.uniform(0, 2 * np.pi, (num_cells, num_phases)), rng.uniform(*PEAKS, num_cells))


def grid_cells(
    *, num_cells: int = 120, num_train: int = 6000, num_test: int = 1000, bin_width: float = 0.2, seed: int = 0
) -> Dataset:
    """Returns counts of grid cells of one module, along the path of an animal in a square room.

    The room is 1.5 m wide and the fields lie on a hexagonal lattice of 0.5 m. The velocity is an Ornstein-Uhlenbeck
    process, reflected at the walls, so that all places are equally likely. Batches have `"x"`, float32 counts
    `(B, num_cells)`, and `"latent"`, float32 `(B, 2)`, the phases in [0, 2π) along the lattice vectors (1, 0) and
    (1/2, √3/2) periods, in the middle of the bin. Training bins come first, in the order of time, and test bins follow.

    Args:
        num_cells: Number of cells, at least 1; `population(num_cells, 2, seed)` has their fields.
        num_train: Number of training bins, at least 1.
        num_test: Number of test bins, at least 1.
        bin_width: Seconds, above 0.
        seed: Seed of the cells, the path and the counts, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range.
    """
    num, rng = _options(num_cells, num_train, num_test, bin_width, seed)
    cells = population(num_cells, 2, seed)
    velocity = SPEED * _ornstein_uhlenbeck(rng, num * STEPS, 2, bin_width / STEPS)
    path = _reflected(rng.uniform(0, ROOM, 2) + np.cumsum(velocity, axis=0) * bin_width / STEPS)
    phases = 2 * np.pi * (path / PERIOD) @ np.linalg.inv(LATTICE)
    rows = _counts(rng, cells, phases, bin_width)
    return _split("grid_cells", rows | {"latent": rows["latent"] % (2 * np.pi)}, num_train)


def head_direction_cells(
    *, num_cells: int = 100, num_train: int = 3000, num_test: int = 1000, bin_width: float = 0.2, seed: int = 0
) -> Dataset:
    """Returns counts of head-direction cells of an animal that turns its head.

    The angular velocity is an Ornstein-Uhlenbeck process. Batches have `"x"`, float32 counts `(B, num_cells)`, and
    `"direction"`, float32 `(B,)`, the angle in [0, 2π) in the middle of the bin. Training bins come first, in the order
    of time, and test bins follow.

    Args:
        num_cells: Number of cells, at least 1; `population(num_cells, 1, seed)` has their fields.
        num_train: Number of training bins, at least 1.
        num_test: Number of test bins, at least 1.
        bin_width: Seconds, above 0.
        seed: Seed of the cells, the path and the counts, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range.
    """
    num, rng = _options(num_cells, num_train, num_test, bin_width, seed)
    cells = population(num_cells, 1, seed)
    velocity = TURNING * _ornstein_uhlenbeck(rng, num * STEPS, 1, bin_width / STEPS)
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(velocity, axis=0) * bin_width / STEPS
    rows = _counts(rng, cells, angles, bin_width)
    direction = rows.pop("latent")[:, 0] % (2 * np.pi)
    return _split("head_direction_cells", rows | {"direction": direction}, num_train)._replace(angle="direction")


def _options(
    num_cells: int, num_train: int, num_test: int, bin_width: float, seed: int
) -> tuple[int, np.random.Generator]:
    integer_option("num_cells", num_cells, 1)
    integer_option("num_train", num_train, 1)
    integer_option("num_test", num_test, 1)
    number_option("bin_width", bin_width, 1e-3)
    return num_train + num_test, np.random.default_rng([integer_option("seed", seed, 0, LARGEST_SEED), 0])


def _ornstein_uhlenbeck(rng: np.random.Generator, num: int, dim: int, step: float) -> Float[np.ndarray, "num dim"]:
    """A stationary Gaussian process of variance 1 that forgets itself in `MEMORY` seconds, at equal steps of time."""
    kept = math.exp(-step / MEMORY)
    found = rng.normal(size=(num, dim))
    found[1:] *= math.sqrt(1 - kept**2)
    for before, now in itertools.pairwise(found):
        now += kept * before
    return found


def _reflected(path: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """The path folded into the room."""
    return ROOM - np.abs(path % (2 * ROOM) - ROOM)


def _counts(
    rng: np.random.Generator, cells: Population, phases: Float[np.ndarray, "m k"], bin_width: float
) -> dict[str, np.ndarray]:
    """Counts of each bin of `STEPS` points of a path, and the phases in its middle."""
    along = phases.reshape(-1, STEPS, phases.shape[-1])
    mean = np.mean([cells.rates(along[:, step]) for step in range(STEPS)], axis=0) * bin_width
    middle = (along[:, STEPS // 2 - 1] + along[:, STEPS // 2]) / 2
    return {"x": rng.poisson(mean), "latent": middle}


def _split(name: str, rows: dict[str, np.ndarray], num_train: int) -> Dataset:
    def part(which: slice) -> Rows:
        return {column: jnp.asarray(array[which], jnp.float32) for column, array in rows.items()}

    train, test = part(slice(None, num_train)), part(slice(num_train, None))
    return Dataset(name=name, train=train, test=test, render=render, event_shape=train["x"].shape[1:])

"""Simulated cells: their fields, the distribution of the counts and of the path, and that a seed decides."""

import jax
import numpy as np
import pytest
from scipy import stats

from mvae.data import load
from mvae.data.neurons import LATTICE, PEAKS, population
from mvae.errors import UsageError

KINDS = {"grid_cells": ("latent", 120, (6000, 1000)), "head_direction_cells": ("direction", 100, (3000, 1000))}


def phases(rows, column):
    array = np.asarray(rows[column], np.float64)
    return array.reshape(len(array), -1)


@pytest.mark.parametrize("name", KINDS)
def test_sizes_counts_and_phases(name):
    column, num_cells, sizes = KINDS[name]
    dataset = load(name)
    assert (dataset.num_train, dataset.num_test) == sizes
    assert dataset.event_shape == (num_cells,)
    assert dataset.angle == (None if column == "latent" else column)
    for rows in (dataset.train, dataset.test):
        assert rows.keys() == {"x", column}
        x = np.asarray(rows["x"])
        assert x.min() == 0
        np.testing.assert_array_equal(x, np.round(x))
        assert 0 <= phases(rows, column).min() < phases(rows, column).max() < 2 * np.pi + 1e-6


@pytest.mark.parametrize("name", KINDS)
def test_counts_are_poisson_with_the_rates_of_short_bins(name):
    """Pearson's statistic of all counts, whose variance is 2 + 1/m each; in 10 ms an animal hardly moves."""
    dataset = load(name, num_train=40_000, num_test=1, bin_width=0.01, num_cells=20, seed=3)
    column = KINDS[name][0]
    u = phases(dataset.train, column)
    mean = population(20, u.shape[1], 3).rates(u) * 0.01
    x = np.asarray(dataset.train["x"], np.float64)
    error = np.sum((x - mean) ** 2 / mean) - x.size
    assert abs(error) < 5 * np.sqrt(np.sum(2 + 1 / mean))
    assert abs(np.sum(x - mean)) < 5 * np.sqrt(np.sum(mean))


def test_fields_of_grid_cells_are_hexagonal():
    cells = population(50, 2, 0)
    assert PEAKS[0] <= cells.peaks.min() < cells.peaks.max() <= PEAKS[1]
    np.testing.assert_allclose(cells.rates(cells.centres).diagonal(), cells.peaks)
    to_phases = 2 * np.pi * np.linalg.inv(LATTICE)
    turn = np.array([[np.cos(np.pi / 3), np.sin(np.pi / 3)], [-np.sin(np.pi / 3), np.cos(np.pi / 3)]])
    away = np.random.default_rng(1).normal(size=(50, 2))  # in periods
    first, turned, beyond = (
        cells.rates(cells.centres + offset @ to_phases).diagonal()
        for offset in (away, away @ turn, away + LATTICE[0] - 2 * LATTICE[1])
    )
    np.testing.assert_allclose(turned, first)
    np.testing.assert_allclose(beyond, first)
    half = cells.rates(cells.centres + np.array([0.18, 0.0]) @ to_phases).diagonal() / cells.peaks
    np.testing.assert_allclose(half, 0.5, atol=0.01)


def test_half_widths_of_head_direction_cells():
    cells = population(10, 1, 0)
    at_half = cells.rates(cells.centres + np.radians(40)).diagonal() / cells.peaks
    np.testing.assert_allclose(at_half, 0.5, atol=0.01)


def test_all_places_are_equally_likely():
    """Phases a hundred seconds apart are all but independent: in that time an animal crosses the room."""
    u = phases(load("grid_cells", num_train=50_000, num_test=1, bin_width=0.5, num_cells=1).train, "latent")[::200]
    for j in range(2):
        assert stats.kstest(u[:, j] / (2 * np.pi), "uniform").pvalue > 1e-6


def test_speed_is_that_of_a_walking_rat():
    """Steps of 20 ms, root mean square √2 · 0.2 m/s, but for those that are folded over the seams of the phases."""
    u = phases(load("grid_cells", num_train=20_000, num_test=1, bin_width=0.02, num_cells=1).train, "latent")
    steps = (np.diff(u, axis=0) + np.pi) % (2 * np.pi) - np.pi
    speeds = np.linalg.norm(steps / (2 * np.pi) @ LATTICE, axis=1) * 0.5 / 0.02
    assert abs(np.mean(speeds**2) / 0.08 - 1) < 0.15  # 400 seconds are about 800 independent velocities


@pytest.mark.parametrize("name", KINDS)
def test_the_seed_decides(name):
    first, again, other = (load(name, num_train=50, num_test=20, seed=seed) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, (first.train, first.test), (again.train, again.test))
    assert (np.asarray(first.train["x"]) != np.asarray(other.train["x"])).any()


@pytest.mark.parametrize(
    "option",
    [{"num_cells": 0}, {"num_train": 0}, {"num_test": 0}, {"bin_width": 0.0}, {"bin_width": -1.0}, {"seed": -1}],
)
@pytest.mark.parametrize("name", KINDS)
def test_bad_options(name, option):
    with pytest.raises(UsageError, match=next(iter(option))):
        load(name, **option)

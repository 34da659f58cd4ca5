"""Is the latent circle the time of year? Weekly CO₂ at Mauna Loa: windows of half a year, on a circle.

    python -m experiments.own_data.seasons --data=co2.csv [--seeds=5] [--figure=FILE]

The file has the columns date (YYYYMMDD) and co2 (ppm, weekly, some empty). Gaps are filled linearly, the mean over a
year around each week is taken off, and examples are windows of 26 weeks. The last ten years are the test set. Printed
is |mean e^(i(a - b))| of the latent angle a and the time of year b of the test set, 1 where they differ by a constant,
and the same of the angle in the plane of the first two principal components of the training windows. Run time on two
CPU cores: 1 minute.
"""

import csv
import datetime
from pathlib import Path

import numpy as np
from absl import flags

import mvae
from mvae import figures
from mvae.data import from_arrays
from mvae.errors import UsageError
from mvae.manifolds import Sphere
from mvae.programs import launch

WEEKS, WINDOW, TEST_YEARS = 52.1775, 26, 10

_DATA = flags.DEFINE_string("data", None, "File of the weekly measurements.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 5, "How many models are trained.", lower_bound=1)
_STEPS = flags.DEFINE_integer("num_steps", 2000, "Steps of training.", lower_bound=1)
_FIGURE = flags.DEFINE_string("figure", None, "File of the figure of the latent circle.")


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the weeks in years and ppm, weekly, gaps filled.

    Raises:
        UsageError: If the file is not there or not of this form.
    """
    try:
        with Path(path).open(newline="") as file:
            rows = [(row["date"], row["co2"]) for row in csv.DictReader(file)]
        days = np.asarray([datetime.date.fromisoformat(date).toordinal() for date, _ in rows])
        known = np.asarray([bool(value.strip()) and value != "nan" for _, value in rows])
        values = np.asarray([float(value) for (_, value), there in zip(rows, known, strict=True) if there])
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(f"--data={path}: no table of weekly measurements with date and co2 ({error})") from error
    weeks = np.arange(days[0], days[-1] + 1, 7)
    return weeks / 365.2425, np.interp(weeks, days[known], values)


def windows(years: np.ndarray, ppm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns windows of the seasonal part, (n, 26), and the time of year of their middle, in turns."""
    year = round(WEEKS)
    trend = np.convolve(ppm, np.ones(year + 1) / (year + 1), mode="valid")
    seasonal, middle = ppm[year // 2 : year // 2 + len(trend)] - trend, years[year // 2 : year // 2 + len(trend)]
    x = np.lib.stride_tricks.sliding_window_view(seasonal, WINDOW)
    return x, middle[: len(x)] + WINDOW / 2 / WEEKS


def resultant(a: np.ndarray, b: np.ndarray) -> float:
    """|mean e^(i(a ∓ b))|, of the better sense of rotation."""
    return max(float(abs(np.mean(np.exp(1j * (a - sign * b))))) for sign in (1, -1))


def principal_angle(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The angle in the plane of the first two principal components."""
    mean = train.mean(axis=0)
    plane = np.linalg.svd(train - mean, full_matrices=False)[2][:2]
    one, two = ((test - mean) @ plane.T).T
    return np.arctan2(two / (two.std() or 1), one / (one.std() or 1))


def main(argv: list[str]) -> None:
    """Trains and prints."""
    del argv
    x, turns = windows(*read(_DATA.value))
    is_test = turns > turns[-1] - TEST_YEARS
    dataset = from_arrays(x, test=is_test, angle=turns, angle_period=1.0)
    run = mvae.train(
        "dvae",
        dataset,
        manifold="sphere:1",
        seeds=_SEEDS.value,
        num_steps=_STEPS.value,
        likelihood="gaussian_learned_variance",
        encoder_widths=(64, 64),
        decoder_widths=(64, 64),
    )
    truth = 2 * np.pi * turns[is_test]
    codes = [model.embed(x[is_test]) for model in run]
    found = [resultant(np.arctan2(z[:, 1], z[:, 0]), truth) for z in codes]
    print(f"{len(x) - is_test.sum()} windows to train on, {is_test.sum()} to test with")
    print(f"latent circle: {np.mean(found):.4f} (each of {len(found)}: {', '.join(f'{each:.4f}' for each in found)})")
    print(f"two principal components: {resultant(principal_angle(x[~is_test], x[is_test]), truth):.4f}")
    if _FIGURE.value:
        figures.save(figures.latent_space(Sphere(1), codes[0], angle=truth, title="time of year"), _FIGURE.value)


if __name__ == "__main__":
    launch(main)

"""Seasons on a circle: windows of half a year of a weekly series, coloured by the time of year.

    python examples/own_seasons.py series.csv [PICTURE]

The file has a line of names and then a value a week in its last column. Run time on two CPU cores: 30 seconds.
"""

import sys

import numpy as np

import mvae
from mvae import figures

WEEKS, WINDOW = 52, 26


def main(path: str, picture: str = "own_seasons.png", **settings) -> mvae.Trained:
    """Takes the mean of a year off, and trains on what is left."""
    series = np.genfromtxt(path, delimiter=",", skip_header=1)[:, -1]
    known = np.isfinite(series)
    series = np.interp(np.arange(len(series)), np.flatnonzero(known), series[known])
    trend = np.convolve(series, np.ones(WEEKS + 1) / (WEEKS + 1), mode="valid")
    windows = np.lib.stride_tricks.sliding_window_view(series[WEEKS // 2 : WEEKS // 2 + len(trend)] - trend, WINDOW)
    settings = {"num_steps": 1500, "likelihood": "gaussian_learned_variance"} | settings
    model = mvae.train("dvae", windows, manifold="sphere:1", **settings).best
    angle = 2 * np.pi * np.arange(len(windows)) / (365.2425 / 7)
    figures.save(figures.latent_space(model.manifold, model.embed(windows), angle=angle, title="time of year"), picture)
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])

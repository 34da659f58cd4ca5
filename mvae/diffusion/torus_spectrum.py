"""Spectral solution of the heat equation on a torus of revolution, in float64.

Lengths are in units of the major radius c, times in units of c^2. With e = a/c, w = 1 + e cos x, the minor angle
x and the major angle y, and u = sqrt(w) psi, an eigenfunction psi(x) exp(i m y) of minus the Laplacian has

  -u''/e^2 + V u = lambda u,   V = (sqrt w)''/(e^2 sqrt w) + m^2/w^2,

with u of period 2 pi, even or odd, found by collocation at equispaced points, which converges geometrically.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

_CUTOFF = 74.0  # exp(-37): modes beyond lambda t = _CUTOFF are below float64 rounding


class Modes(NamedTuple):
    """Eigenfunctions u = sum over k of cosines[k] cos(k x) + sines[k] sin(k x), normalised in L2(dx)."""

    values: np.ndarray  # eigenvalues lambda, (modes,)
    orders: np.ndarray  # m >= 0, (modes,)
    cosines: np.ndarray  # (frequencies, modes)
    sines: np.ndarray  # (frequencies, modes)


@functools.cache
def modes(ratio: float, first: float) -> Modes:
    """Returns every mode that matters to float64 rounding from time `first` on.

    Args:
      ratio: e = a/c.
      first: least time, in units of c^2.
    """
    highest = ratio * math.sqrt(_CUTOFF / first)
    half = int(1.15 * highest) + 14
    grid = 2 * math.pi * np.arange(half + 1) / (2 * half + 1)
    weight = 1 + ratio * np.cos(grid)
    bend = -ratio * np.cos(grid) / (2 * weight) - (ratio * np.sin(grid) / weight) ** 2 / 4
    orders = np.arange(int((1 + ratio) * math.sqrt(_CUTOFF / first)) + 2)
    potential = bend / ratio**2 + (orders[:, None] / weight) ** 2

    # Orthonormal waves at the grid points x >= 0 of even and of odd functions.
    frequency = np.arange(half + 1)
    phase = np.outer(grid, frequency)
    scale = 2 / math.sqrt(2 * half + 1)
    edge = np.where(frequency == 0, math.sqrt(0.5), 1.0)
    even = scale * np.cos(phase) * edge * edge[:, None]
    odd = scale * np.sin(phase)[1:, 1:]
    step = math.sqrt(2 * math.pi / (2 * half + 1))
    found = []
    for waves, waiting, low in ((even, edge, 0), (odd, np.ones(half), 1)):
        stiffness = (waves * frequency[low:] ** 2) @ waves.T / ratio**2
        matrices = stiffness + potential[:, low:, None] * np.eye(half + 1 - low)
        values, vectors = np.linalg.eigh(matrices)
        coefficients = np.zeros((len(orders), half + 1, half + 1 - low))
        amplitude = scale * waiting / math.sqrt(2) / step
        coefficients[:, low:] = amplitude[:, None] * (waves.T @ vectors)
        kept = values <= _CUTOFF / first
        found.append((values[kept], np.nonzero(kept)[0], np.moveaxis(coefficients, 1, 2)[kept].T))
    (even_values, even_orders, cosines), (odd_values, odd_orders, sines) = found
    return Modes(
        np.concatenate([even_values, odd_values]),
        np.concatenate([even_orders, odd_orders]),
        np.concatenate([cosines, np.zeros_like(sines)], axis=1),
        np.concatenate([np.zeros_like(cosines), sines], axis=1),
    )

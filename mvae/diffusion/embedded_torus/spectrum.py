"""Spectral solution of the heat equation on a torus of revolution, in float64 rounded from extended precision.

Lengths are in units of the major radius c, times in units of c^2. With e = a/c, w = 1 + e cos x, the minor angle
x and the major angle y, and u = sqrt(w) psi, an eigenfunction psi(x) exp(i m y) of minus the Laplacian has

  -u''/e^2 + V u = lambda u,   V = (sqrt w)''/(e^2 sqrt w) + m^2/w^2,

with u of period 2 pi, even or odd, found by collocation at equispaced points, which converges geometrically.
Eigenpairs are found in float64 and improved by one step of iterative refinement [ogita2018] in numpy.longdouble: the
kernel far from its start is the small sum of many large terms, which cancel only as well as they are known. Where
longdouble is float64 the step changes nothing for worse.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

_CUTOFF = 96.0  # modes beyond lambda t = _CUTOFF are smaller than exp(-48)


class Modes(NamedTuple):
    """Eigenfunctions, even: u = sum over k of waves[k] cos(k x), or odd: of waves[k] sin(k x); normalised in L2(dx)."""

    values: np.ndarray  # eigenvalues lambda, (modes,)
    orders: np.ndarray  # m >= 0, (modes,)
    waves: np.ndarray  # (frequencies, modes)
    values_rest: np.ndarray  # what rounding took from the eigenvalues
    waves_rest: np.ndarray  # and from the waves


@functools.cache
def modes(ratio: float, first: float) -> tuple[Modes, Modes]:
    """Returns every even and every odd mode that matters to float64 rounding from time `first` on.

    Args:
        ratio: e = a/c.
        first: Least time, in units of c^2.
    """
    highest = ratio * math.sqrt(_CUTOFF / first)
    # Beyond what the modes turn by, their series falls as exp(-k arcosh(1/e)): w vanishes at such a complex angle.
    half = int(1.25 * highest) + max(18, int(26 / math.acosh(1 / ratio)))
    points = 2 * half + 1
    exact = np.longdouble
    turn = 8 * np.arctan(exact(1))
    ratio_ = exact(ratio)
    grid = turn * np.arange(half + 1).astype(exact) / points
    weight = 1 + ratio_ * np.cos(grid)
    bend = -ratio_ * np.cos(grid) / (2 * weight) - (ratio_ * np.sin(grid) / weight) ** 2 / 4
    orders = np.arange(int((1 + ratio) * math.sqrt(_CUTOFF / first)) + 2)
    potential = bend / ratio_**2 + (orders[:, None] / weight) ** 2

    # Orthonormal waves at the grid points x >= 0 of even and of odd functions; angles k x_j reduced exactly.
    frequency = np.arange(half + 1)
    phase = turn * (np.outer(np.arange(half + 1), frequency) % points).astype(exact) / points
    scale = 2 / np.sqrt(exact(points))
    edge = np.where(frequency == 0, np.sqrt(exact(0.5)), exact(1))
    even = scale * np.cos(phase) * edge * edge[:, None]
    odd = scale * np.sin(phase)[1:, 1:]
    found = []
    for waves, waiting, low in ((even, edge, 0), (odd, np.ones(half), 1)):
        square = (frequency[low:] / ratio_) ** 2
        amplitude = waiting / np.sqrt(turn / 2)
        values, orders_of, coefficients = [], [], []
        for m in orders:
            value, vectors = _eigenpairs(waves, square, potential[m, low:])
            kept = value <= _CUTOFF / first
            values.append(value[kept])
            orders_of.append(np.full(int(np.sum(kept)), m))
            coefficients.append(amplitude[:, None] * (waves.T @ vectors[:, kept]))
        table = np.concatenate(coefficients, axis=1)
        table = np.concatenate([np.zeros((low, table.shape[1]), exact), table])
        (value, value_rest), (wave, wave_rest) = (_rounded(x) for x in (np.concatenate(values), table))
        found.append(Modes(value, np.concatenate(orders_of), wave, value_rest, wave_rest))
    return found[0], found[1]


def _rounded(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns x in float64 and what rounding took away."""
    value = x.astype(np.float64)
    return value, (x - value).astype(np.float64)


def _eigenpairs(waves: np.ndarray, square: np.ndarray, potential: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, ascending, and orthonormal eigenvectors of waves diag(square) waves^T + diag(potential).

    The spectrum is simple. Products are taken where the matrix is diagonal: their error is a part of the eigenvalues
    concerned, not of the largest.
    """
    matrix = (waves * square) @ waves.T + np.diag(potential)
    vectors = np.linalg.eigh(matrix.astype(np.float64))[1].astype(waves.dtype)
    coefficients = waves.T @ vectors
    excess = np.eye(len(vectors)) - vectors.T @ vectors
    rotated = coefficients.T @ (square[:, None] * coefficients) + vectors.T @ (potential[:, None] * vectors)
    values = np.diag(rotated) / (1 - np.diag(excess))
    gap = values - values[:, None]
    np.fill_diagonal(gap, 1)
    change = (rotated + values * excess) / gap
    np.fill_diagonal(change, np.diag(excess) / 2)
    return values, vectors + vectors @ change

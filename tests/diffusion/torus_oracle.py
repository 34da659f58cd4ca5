"""Heat kernel of the embedded torus in ball arithmetic: an oracle that shares nothing with the library."""

import functools
import math

import flint
import numpy as np
from flint import arb, arb_mat

BITS = 160


@functools.cache
def log_densities(t, fractions, radii, turns=33):
    """Log densities between points of the minor angles 2 pi f, apart by major angles from 0 to pi.

    Pseudo-spectral differences at equispaced points and `exp` of the matrices

      L_m = (1/(a^2 w)) d/dx w d/dx - m^2/w^2,   w = c + a cos x.

    Returns the minor angles (points,), the major angles (turns,) and the logarithms (points, points, turns).
    """
    flint.ctx.prec = BITS
    c, a = radii
    # Beyond what the kernel itself needs: functions of w are analytic in a strip of half-width arcosh(c/a).
    half = int(0.9 * a * math.sqrt(76 / t)) + max(14, int(38 / math.acosh(c / a)))
    size, highest = 2 * half + 1, int((c + a) * math.sqrt(112 / t)) + 3
    minor = [2 * arb.pi() * j / size for j in range(size)]
    weight = [c + a * x.cos() for x in minor]
    difference = arb_mat(
        [
            [0 if i == j else arb((-1) ** abs(i - j)) / (2 * (arb.pi() * (i - j) / size).sin()) for j in range(size)]
            for i in range(size)
        ]
    )
    along = _diagonal([1 / (arb(a) ** 2 * w) for w in weight]) * difference * _diagonal(weight) * difference
    inverse_square = _diagonal([1 / w**2 for w in weight])
    places = [round(f * size) % size for f in fractions]
    angles = np.linspace(0, math.pi, turns)
    total = np.zeros((len(places), len(places), turns), np.longdouble)
    for m in range(highest + 1):
        propagator = ((along - inverse_square * m**2) * (arb(t) / 2)).exp()
        part = np.array([[_longdouble(propagator[i, s]) for s in places] for i in places])
        total += (
            part[..., None] * np.array([_longdouble((m * arb(float(x))).cos()) for x in angles]) * (1 if m == 0 else 2)
        )
    area = np.array([_longdouble(a * weight[s] * 2 * arb.pi() / size) for s in places])
    density = total / area[:, None] / _longdouble(2 * arb.pi())
    return np.array([float(minor[s].mid()) for s in places]), angles, np.log(np.maximum(density, 1e-30)).astype(float)


def _diagonal(values):
    return arb_mat([[value if i == j else 0 for j in range(len(values))] for i, value in enumerate(values)])


def _longdouble(ball):
    high = float(ball.mid())
    return np.longdouble(high) + np.longdouble(float((ball - arb(high)).mid()))

"""Heat kernel of the unit circle, a Jacobi theta function.

The functions take the module to compute with, `jax.numpy` or, for tables built in float64, `numpy`.
"""

import math
from types import ModuleType
from typing import Any

# By bytes of the dtype: at this time both sums are exact, what they leave out being below rounding of what they keep,
# with so many images on either side and so many modes.
_RULES = {4: (2.0, 1, 4), 8: (3.0, 2, 5)}


def log_images(xp: ModuleType, t: Any, angle: Any) -> Any:
    """Log of the sum over k of exp(-(a + 2 pi k)^2 / 2t) / sqrt(2 pi t), for t <= 3, 2 in float32, and |a| <= pi."""
    # The image k = 0 is the largest, so the sum relative to it cannot overflow.
    count = _RULES[angle.dtype.itemsize][1]
    sides = [k for k in range(-count, count + 1) if k]
    relative = 1 + sum(xp.exp(-2 * math.pi * k * (angle + math.pi * k) / t) for k in sides)
    return -(angle**2) / (2 * t) - 0.5 * xp.log(2 * math.pi * t) + xp.log(relative)


def log_fourier(xp: ModuleType, t: Any, angle: Any) -> Any:
    """Log of (1 + 2 sum over n of exp(-n^2 t / 2) cos(n a)) / 2 pi, for later times."""
    before, wave, total = 1.0, (cosine := xp.cos(angle)), 0.0
    for n in range(1, _RULES[angle.dtype.itemsize][2] + 1):
        total += xp.exp(-(n**2) * t / 2) * wave
        before, wave = wave, 2 * cosine * wave - before
    return xp.log1p(2 * total) - math.log(2 * math.pi)


def log_circle_kernel(xp: ModuleType, t: Any, angle: Any) -> Any:
    """Log density at signed angle |a| <= pi after time t, relative error of the density a few eps."""
    switch = _RULES[angle.dtype.itemsize][0]
    small = t < switch
    images = log_images(xp, xp.where(small, t, switch), angle)
    return xp.where(small, images, log_fourier(xp, xp.where(small, switch, t), angle))

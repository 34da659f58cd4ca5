"""Heat kernel of the unit circle, a Jacobi theta function.

The functions take the module to compute with, `jax.numpy` or, for tables built in float64, `numpy`.
"""

import math
from types import ModuleType
from typing import Any

# At this time both sums are exact in float64: what they leave out is below exp(-37) of what they keep.
_SWITCH = 3.0
_IMAGES = range(-2, 3)
_MODES = range(1, 6)


def log_images(xp: ModuleType, t: Any, angle: Any) -> Any:
    """Log of the sum over k of exp(-(a + 2 pi k)^2 / 2t) / sqrt(2 pi t), for t <= 3 and |a| <= pi."""
    # The image k = 0 is the largest, so the sum relative to it cannot overflow.
    exponents = [-2 * math.pi * k * (angle + math.pi * k) / t for k in _IMAGES]
    relative = sum(xp.exp(exponent) for exponent in exponents)
    return -(angle**2) / (2 * t) - 0.5 * xp.log(2 * math.pi * t) + xp.log(relative)


def log_fourier(xp: ModuleType, t: Any, angle: Any) -> Any:
    """Log of (1 + 2 sum over n of exp(-n^2 t / 2) cos(n a)) / 2 pi, for t >= 3."""
    modes = sum(xp.exp(-(n**2) * t / 2) * xp.cos(n * angle) for n in _MODES)
    return xp.log1p(2 * modes) - math.log(2 * math.pi)


def log_circle_kernel(xp: ModuleType, t: Any, angle: Any) -> Any:
    """Log density at signed angle |a| <= pi after time t, relative error of the density a few eps."""
    small = t < _SWITCH
    images = log_images(xp, xp.where(small, t, _SWITCH), angle)
    return xp.where(small, images, log_fourier(xp, xp.where(small, _SWITCH, t), angle))

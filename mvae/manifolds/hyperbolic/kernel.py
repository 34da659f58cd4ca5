r"""Heat kernel of hyperbolic space H^d of curvature -1, d >= 2, exact at every distance.

It is the sphere's contour integral (`mvae.diffusion.sphere_kernel`) with the curvature's sign changed, t -> -t and
a -> i r: with lambda = (d-1)/2 and y^2 = r^2 - 2 t p^2,

  q = exp(-r^2/2t - lambda^2 t/2) (2 pi t)^(-d/2) Gamma(lambda+1)/(2 pi) J,
  J = int 2 exp(p^2) p^(-2 lambda-1) sinhc(y) (sinhc((y-r)/2) sinhc((y+r)/2))^(-lambda-1) ds,   p = s_0 - i s.

For odd d the only singularity left of the line is the pole at p = 0, and its residue is the closed form, for H^3
(2 pi t)^(-3/2) (r / sinh r) exp(-t/2 - r^2/2t). For even d there is a branch cut; s_0 -> 0 gives the integral over
s = y from r to infinity that is known for H^2. All dimensions are one formula, and it has
q_{d+2} = -exp(-d t/2) / (2 pi sinh r) dq_d/dr. On the right the integrand has singularities where y = r + 2 pi i and
y = -r + 2 pi i: the line stays left of them, near the first least of the integrand between, so that nothing cancels,
and the trapezoidal rule converges geometrically on it.

The functions take the module to compute with, `jax.numpy` or, for tables built in float64, `numpy`.
"""

import math
from types import ModuleType
from typing import Any

import jax
import numpy as np

# By bytes of the dtype: spacing of the nodes, the same over their distance from the nearest singularity, and number.
_RULES = {4: (0.4, 0.2, 40), 8: (0.32, 0.15, 60)}
_CANDIDATES = 24  # places where the line may cross the real axis
_NEAREST = 0.75  # how far towards the singularities on the right


def _constant(xp: ModuleType, x: Any) -> Any:
    return x if xp is np else jax.lax.stop_gradient(x)


def _log_sinhc_half(xp: ModuleType, x: Any) -> Any:
    """Log of sinh(x/2) / (x/2), for a real part of x that is not negative: continuous where |x| has no zero."""
    return x / 2 + xp.log(-xp.expm1(-x) / x)


def _exponent(xp: ModuleType, t: Any, r: Any, p: Any, order: float) -> tuple[Any, Any]:
    """Returns the logarithm of the integrand but for (1 - exp(-2 y)) / 2y, and y."""
    y = xp.sqrt(r**2 - 2 * t * p**2)
    minus = -2 * t * p**2 / (y + r)
    minus = xp.where(xp.real(minus) < 0, -minus, minus)  # sinhc is even
    log_width = _log_sinhc_half(xp, minus) + _log_sinhc_half(xp, y + r)
    return p**2 + (1 - 2 * order) * xp.log(p) - order * log_width + y, y


def _line(xp: ModuleType, t: Any, r: Any, order: float) -> tuple[Any, Any]:
    """Returns where the line crosses the real axis, near the least of the integrand there, and where it must not."""
    slack = 4 * math.pi * r / (2 * t)
    level = 4 * math.pi**2 / (2 * t)
    wall = xp.sqrt((xp.sqrt(level**2 + slack**2) + level) / 2)
    places = _NEAREST * np.arange(1, _CANDIDATES + 1) / _CANDIDATES
    # Beyond the saddle point of exp(p^2) p^(-2 lambda - 1) there is none: what follows only falls with the order.
    candidates = xp.minimum(wall, 2 * math.sqrt(order) + 2)[..., None] * places.astype(t.dtype)
    tilted = candidates * (1 - 0.02j)  # on the real axis y may vanish
    sizes = xp.real(_exponent(xp, t[..., None], r[..., None], tilted, order)[0])
    # The first place after which the integrand grows: further on it may fall again, past singularities off the axis.
    grows = xp.concatenate([sizes[..., 1:] > sizes[..., :-1], xp.full_like(sizes[..., :1], 1) > 0], axis=-1)
    least = xp.argmax(grows, axis=-1)
    return xp.take_along_axis(candidates, least[..., None], axis=-1)[..., 0], wall


def log_hyperbolic_kernel(xp: ModuleType, t: Any, r: Any, dim: int) -> Any:
    """Log density at distance r >= 0 after time t, with `t` and `r` arrays of one shape and dtype."""
    order = (dim + 1) / 2
    widest, share, count = _RULES[r.dtype.itemsize]
    center, wall = _line(xp, _constant(xp, t), _constant(xp, r), order)
    spacing = xp.minimum(widest, share * xp.minimum(center, wall - center))[..., None]
    p = center[..., None] - 1j * spacing * ((np.arange(count) + 0.5).astype(r.dtype))
    exponent, y = _exponent(xp, t[..., None], r[..., None], p, order)
    peak = xp.max(_constant(xp, xp.real(exponent)), axis=-1)
    terms = xp.real(xp.exp(exponent - peak[..., None]) * -xp.expm1(-2 * y) / (2 * y))
    integral = xp.log(xp.sum(terms, axis=-1)) + peak
    constant = math.log(2 / math.pi) + math.lgamma(order) - dim / 2 * math.log(2 * math.pi)
    rate = ((dim - 1) / 2) ** 2 / 2
    return constant + xp.log(spacing[..., 0]) + integral - dim / 2 * xp.log(t) - r**2 / (2 * t) - rate * t

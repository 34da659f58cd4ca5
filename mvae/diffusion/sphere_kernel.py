r"""Heat kernel of the unit sphere S^d, d >= 2, exact at every time and distance.

With lambda = (d-1)/2 the spectral series, used for large t, is

  q(t, a) = 1/Vol sum_l (l+lambda)/lambda C_l^lambda(cos a) exp(-l(l+2 lambda) t/2).

For small t it cancels. Writing exp(-(l+lambda)^2 t/2) as a Gaussian integral over y and summing the
generating function of the Gegenbauer polynomials under it leaves one integral, along a line above the reals,

  q = exp(lambda^2 t/2) / (Vol sqrt(2 pi t))
      int exp(-y^2/2t) (-2i sin y) / (2 cos y - 2 cos a)^(lambda+1) dy,

which in y^2 has its branch points on the real half line y^2 >= a^2. Let y^2 = a^2 - 2 t p^2, p = s_0 - i s: the
contour is a parabola around that half line, the factor exp(-a^2/2t) comes out exactly, and

  q = exp(-a^2/2t + lambda^2 t/2) (2 pi t)^(-d/2) Gamma(lambda+1)/(2 pi) J,
  J = int 2 exp(p^2) p^(-2 lambda-1) sinc(y) (sinc((y-a)/2) sinc((y+a)/2))^(-lambda-1) ds

remains. It holds through the antipode, where an expansion along geodesics breaks down, and the trapezoidal
rule converges geometrically on it. s_0 is near the saddle point, so nothing cancels; it is a constant for
derivatives, because the integral does not depend on it. Derived here; checked in the tests against series.

The functions take the module to compute with, `jax.numpy` or, for tables built in float64, `numpy`.
"""

import functools
import math
from types import ModuleType
from typing import Any

import jax
import numpy as np

# By bytes of the dtype: spacing, number and offset of the nodes. The error is near exp(-2 pi s_0 / spacing).
_RULES = {4: (0.55, 8, 1.0), 8: (0.37, 17, 2.5)}


def _constant(xp: ModuleType, x: Any) -> Any:
    return x if xp is np else jax.lax.stop_gradient(x)


def _log_sinc_half(xp: ModuleType, x: Any) -> Any:
    """Log of sin(x/2) / (x/2), on the branch that is continuous in the upper half plane."""
    turn = 1j * x
    return xp.log(xp.expm1(turn) / turn) - turn / 2


def _geometry(xp: ModuleType, t: Any, angle: Any, p: Any) -> tuple[Any, Any, Any]:
    """Returns sinc(y), and y - a and y + a, for y^2 = a^2 - 2 t p^2."""
    y = xp.sqrt(angle**2 - 2 * t * p**2)
    return y, -2 * t * p**2 / (y + angle), y + angle


def _saddle(xp: ModuleType, t: Any, angle: Any, order: float) -> Any:
    """Returns the square of the saddle point s_0 to some ten percent, by fixed-point iteration."""
    square = xp.full_like(angle, order - 0.5)
    for _ in range(3):
        # A node just off the real axis: on it y may vanish.
        p = xp.sqrt(square) * (1 - 0.05j)
        y, minus, plus = _geometry(xp, t, angle, p)
        ratio = xp.sin(y) / y * xp.exp(-_log_sinc_half(xp, minus) - _log_sinc_half(xp, plus))
        square = xp.real(order * ratio - 0.5 + t * square * (xp.cos(y) / xp.sin(y) * y - 1) / y**2)
    return square


def log_contour(xp: ModuleType, t: Any, angle: Any, dim: int) -> Any:
    """Log density by the contour integral, for t <= `series_start(dim)[0]`."""
    order = (dim + 1) / 2
    spacing, count, offset = _RULES[angle.dtype.itemsize]
    center = xp.sqrt(_saddle(xp, _constant(xp, t), _constant(xp, angle), order) + offset)
    nodes = ((np.arange(count) + 0.5) * spacing).astype(angle.dtype)
    p = center[..., None] - 1j * nodes
    y, minus, plus = _geometry(xp, t[..., None], angle[..., None], p)
    exponent = p**2 + (1 - 2 * order) * xp.log(p)
    exponent = exponent - order * (_log_sinc_half(xp, minus) + _log_sinc_half(xp, plus))
    peak = xp.max(_constant(xp, xp.real(exponent)), axis=-1)
    terms = xp.real(xp.exp(exponent - peak[..., None]) * xp.sin(y) / y)
    integral = xp.log(xp.sum(terms, axis=-1)) + peak
    constant = math.log(2 * spacing / math.pi) + math.lgamma(order) - dim / 2 * math.log(2 * math.pi)
    return constant + integral - dim / 2 * xp.log(t) - angle**2 / (2 * t) + (order - 1) ** 2 * t / 2


def multiplicity(dim: int, degree: int) -> int:
    """Dimension of the space of spherical harmonics of a degree on S^d."""
    return math.comb(dim + degree, dim) - (math.comb(dim + degree - 2, dim) if degree > 1 else 0)


@functools.cache
def series_start(dim: int) -> tuple[float, int]:
    """Returns the time from which the spectral series is used, and the degree at which it may end.

    From that time on its terms after the first sum to at most 1/2, so nothing cancels, and those left out are
    below float64 rounding.
    """

    def size(t: float, degree: int) -> float:
        return math.exp(min(math.log(multiplicity(dim, degree)) - degree * (degree + dim - 1) * t / 2, 700))

    low, high = 0.0, 4.0
    for _ in range(50):
        middle = (low + high) / 2
        terms = sum(size(middle, degree) for degree in range(1, 60)) if middle > 0.01 else math.inf
        low, high = (low, middle) if terms < 0.5 else (middle, high)
    last = next(degree for degree in range(1, 100) if size(high, degree) < 1e-18)
    return high, last


def log_series(xp: ModuleType, t: Any, angle: Any, dim: int) -> Any:
    """Log density by the spectral series, for t >= `series_start(dim)[0]`."""
    cosine = xp.cos(angle)
    before, polynomial, total = 1.0, cosine, 0.0
    for degree in range(1, series_start(dim)[1]):
        log_count = math.log(multiplicity(dim, degree))
        total += xp.exp(log_count - degree * (degree + dim - 1) / 2 * t) * polynomial
        after = ((2 * degree + dim - 1) * cosine * polynomial - degree * before) / (degree + dim - 1)
        before, polynomial = polynomial, after
    half = (dim + 1) / 2
    return xp.log1p(total) - math.log(2) - half * math.log(math.pi) + math.lgamma(half)


def log_sphere_kernel(xp: ModuleType, t: Any, angle: Any, dim: int) -> Any:
    """Log density at angle 0 <= a <= pi after time t, with `t` and `angle` arrays of one shape and dtype."""
    switch = series_start(dim)[0]
    small = t < switch
    # float32's pi lies past the true one, where the two branch points of the integrand have changed places.
    largest = np.nextafter(angle.dtype.type(math.pi), angle.dtype.type(0))
    angle = xp.where(angle > largest, largest, angle)
    contour = log_contour(xp, xp.where(small, t, switch), angle, dim)
    return xp.where(small, contour, log_series(xp, xp.where(small, switch, t), angle, dim))

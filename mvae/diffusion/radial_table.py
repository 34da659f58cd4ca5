r"""Heat kernel of the unit sphere S^d, d >= 2, in float32: leading factors, and a table of what they leave.

With a the angle between the points, b = pi - a, u = sin^2(a/2) and p^2 = 1 - u + (c t / 2 pi)^2,

  log q = -a^2/2t + s - (d/2) log(2 pi t) - (d-1)/2 log p + R,   s = h - y,  y = pi b/t,  h^2 = y^2 + (c u)^2.

By the antipode exp(-a^2/2t) has a kink and (a / sin a)^((d-1)/2) a singularity, which geodesics in all directions
together turn into a Bessel function of y that has neither; s and p round them off on the same scale. What is left, R,
is bounded and smooth in t and in u at both ends, hence a short Chebyshev series, in log(1 + t/t_0) and in the place of
log p between its ends. Its coefficients come from the exact code in float64, within a tenth of a second.

From the time of `series_start` on, a few harmonics are the density, to float32.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float
from numpy.polynomial import chebyshev

from mvae.diffusion.sphere_kernel import log_sphere_kernel, multiplicity, series_start

_DEGREES = (28, 22)  # numbers of coefficients in time and in place
_EARLIEST = 1e-5  # time at which the table starts; before, R is linear in time to rounding, and s as it is then
_SMALLEST = 1e-7  # part of the density that a harmonic may have and be left out
_CHUNK = 4096  # pairs with a time each that are summed at once: coefficients of each of more would not fit the caches
_PRECISION = jax.lax.Precision.HIGHEST


def log_chord_kernel(dim: int, t: Float[Array, "*#batch"], u: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Log heat kernel of S^d in float32.

    Args:
        dim: Dimension d, at least 2.
        t: Time, (...) broadcast against u; what depends on it alone is computed in its own shape.
        u: sin^2 of half the angle between the points, from 0 to 1.

    Returns:
        Log densities, (...), with derivatives that are those of the table.
    """
    switch = series_start(dim)[0]
    is_early = t < switch
    late = _log_late(dim, jnp.where(is_early, switch, t), u)
    return jnp.where(is_early, _log_early(dim, jnp.where(is_early, t, switch), u), late)


def log_line_chord_kernel(dim: int, t: Float[Array, "*#batch"], u: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Log heat kernel of RP^d in float32, both preimages of a line on S^d counted; arguments as of S^d."""
    switch = series_start(dim)[0]
    is_early = t < switch
    before = jnp.where(is_early, t, switch)
    early = jnp.logaddexp(_log_early(dim, before, u), _log_early(dim, before, 1 - u))
    return jnp.where(is_early, early, _log_late(dim, jnp.where(is_early, switch, t), u, lines=True))


def _log_late(dim: int, t: Array, u: Array, *, lines: bool = False) -> Array:
    """The spectral series with the harmonics that float32 sees; on lines the even ones alone."""
    cosine, switch = 1 - 2 * u, series_start(dim)[0]
    before, polynomial, total, degree = jnp.ones_like(u), cosine, jnp.zeros_like(u), 1
    while (size := math.log(multiplicity(dim, degree))) - degree * (degree + dim - 1) * switch / 2 > math.log(
        _SMALLEST
    ):
        if not (lines and degree % 2):
            total += jnp.exp(size - degree * (degree + dim - 1) / 2 * t) * polynomial
        after = ((2 * degree + dim - 1) * cosine * polynomial - degree * before) / (degree + dim - 1)
        before, polynomial, degree = polynomial, after, degree + 1
    half = (dim + 1) / 2
    log_volume = math.log(1 if lines else 2) + half * math.log(math.pi) - math.lgamma(half)
    return jnp.log1p(total) - log_volume


def _log_early(dim: int, t: Array, u: Array) -> Array:
    later, end = jnp.where(t > _EARLIEST, t, _EARLIEST), series_start(dim)[0]
    width = (_rounding(dim) / (2 * math.pi) * later) ** 2
    least, log_p = jnp.log(width) / 2, jnp.log((1 - u) + width) / 2
    place = (log_p - least) / (jnp.log1p(width) / 2 - least)
    when = jnp.log(later / _EARLIEST) / math.log(end / _EARLIEST)
    rest = _remainder(dim, (0, 0), 2 * when - 1, 2 * place - 1)
    flat = _exponent(_rounding(dim), t, u) - dim / 2 * jnp.log(2 * math.pi * t)
    return flat - (dim - 1) / 2 * log_p + rest + dim * (dim - 1) / 12 * (t - later)


def _rounding(dim: int) -> float:
    """The number c, near the first zero of the Bessel function."""
    return dim / 2 + 0.5


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _remainder(dim: int, order: tuple[int, int], when: Array, place: Array) -> Array:
    """R or a derivative of it, by Clenshaw's recurrence in place, its coefficients summed over the series in time."""
    table = jnp.asarray(_table(dim, order), place.dtype)
    if when.shape != place.shape or when.size <= _CHUNK:
        return _sum(table, when, place)
    pairs = (when.ravel(), place.ravel())
    return jax.lax.map(lambda pair: _sum(table, *pair), pairs, batch_size=_CHUNK).reshape(place.shape)


def _sum(table: Array, when: Array, place: Array) -> Array:
    rows = [jnp.ones_like(when), when]
    for _ in range(len(table) - 2):
        rows.append(2 * when * rows[-1] - rows[-2])
    coefficients = jnp.tensordot(table.T, jnp.stack(rows), 1, precision=_PRECISION)
    before, last, twice = jnp.zeros_like(place), jnp.zeros_like(place), 2 * place
    for k in range(len(coefficients) - 1, 0, -1):
        before, last = last, twice * last - before + coefficients[k]
    return coefficients[0] + place * last - before


def _remainder_jvp(dim: int, order: tuple[int, int], primals: Any, tangents: Any) -> tuple[Array, Array]:
    change = jnp.zeros_like(primals[1])
    for k, tangent in enumerate(tangents):
        if not isinstance(tangent, SymbolicZero):
            change += _remainder(dim, (order[0] + (k == 0), order[1] + (k == 1)), *primals) * tangent
    return _remainder(dim, order, *primals), change


_remainder.defjvp(_remainder_jvp, symbolic_zeros=True)


@functools.cache
def _table(dim: int, order: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Chebyshev coefficients of a derivative of R, in time along the rows and in place along the columns."""
    if any(order):
        table = _table(dim)
        for axis, times in enumerate(order):
            table = chebyshev.chebder(table, times, axis=axis) if times else table
        return np.pad(table, [(0, max(0, 2 - len(table))), (0, max(0, 2 - table.shape[1]))])
    points = [-np.cos(math.pi * np.arange(degree) / (degree - 1)) for degree in _DEGREES]
    end = series_start(dim)[0]
    t = _EARLIEST * np.exp((1 + points[0]) / 2 * math.log(end / _EARLIEST))[:, None]
    width = (_rounding(dim) / (2 * math.pi) * t) ** 2
    v = np.clip(width * np.expm1((1 + points[1]) / 2 * np.log1p(1 / width)), 0, 1)
    v[:, -1] = 1
    values = _exact_remainder(dim, np.broadcast_to(t, v.shape), v)
    to_rows, to_columns = (np.linalg.inv(chebyshev.chebvander(x, len(x) - 1)) for x in points)
    return to_rows @ values @ to_columns.T


def _exact_remainder(dim: int, t: np.ndarray, v: np.ndarray) -> np.ndarray:
    """R at v = 1 - u, in float64."""
    angle = 2 * np.arctan2(np.sqrt(1 - v), np.sqrt(v))
    y, height = math.pi * 2 * np.arcsin(np.sqrt(v)) / t, _rounding(dim) * (1 - v)
    soft = height**2 / (np.hypot(y, height) + y)
    log_p = np.log(v + (_rounding(dim) / (2 * math.pi) * t) ** 2) / 2
    flat = -(angle**2) / (2 * t) + soft - dim / 2 * np.log(2 * math.pi * t) - (dim - 1) / 2 * log_p
    return log_sphere_kernel(np, t, angle, dim) - flat


@functools.cache
def _square_per_chord() -> tuple[float, ...]:
    """Coefficients of a^2 / u in powers of u from 0 to 1/2, for a^2 = 4 arcsin^2(sqrt(u)); relative error 1e-8."""
    degree = 11
    x = np.cos(math.pi * (np.arange(degree) + 0.5) / degree)
    u = (1 + x) / 4
    series = chebyshev.Chebyshev.fit(u, 4 * np.arcsin(np.sqrt(u)) ** 2 / u, degree - 1, domain=[0, 0.5])
    return tuple(series.convert(kind=np.polynomial.Polynomial).coef.tolist())


def _parts(rounding: float, t: Array, u: Array) -> tuple[Array, ...]:
    """Whether a < pi/2, the ratio (a / sqrt(u))^2 of the nearer pole, a, y, h and s."""
    near = u < 0.5
    x = jnp.where(near, u, 1 - u)
    ratio = jnp.zeros_like(u)
    for coefficient in _square_per_chord()[::-1]:
        ratio = ratio * x + coefficient
    arc = jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, ratio * x, 1)), 0)
    angle = jnp.where(near, arc, math.pi - arc)
    y, height = math.pi / jnp.maximum(t, _EARLIEST) * jnp.where(near, math.pi - arc, arc), rounding * u
    h = jnp.sqrt(y**2 + height**2)
    return near, ratio, angle, y, h, height**2 / (h + y)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _exponent(rounding: float, t: Array, u: Array) -> Array:
    """-a^2/2t + s."""
    _, _, angle, _, _, soft = _parts(rounding, t, u)
    return soft - angle * angle * (0.5 / t)


def _exponent_jvp(rounding: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The derivatives of a and y in u are infinite at the poles; those of the sum are not."""
    t, u = primals
    near, ratio, angle, y, h, soft = _parts(rounding, t, u)
    change = jnp.zeros_like(u)
    if not isinstance(tangents[0], SymbolicZero):
        change += (0.5 * (angle / t) ** 2 + jnp.where(t > _EARLIEST, y * soft / (h * t), 0)) * tangents[0]
    if not isinstance(tangents[1], SymbolicZero):
        v = 1 - u
        arc_per_sine = jnp.sqrt(ratio / jnp.where(near, v, u))  # twice a / sin a, or twice b / sin b
        later = jnp.maximum(t, _EARLIEST)
        product = jnp.where(near & (u > 1e-18), u * v, 1)
        by_near = math.pi / later * soft / jnp.sqrt(product) / h - arc_per_sine / t
        by_far = arc_per_sine / t * (1 - math.pi**2 / (later * h))
        change += (jnp.where(near, by_near, by_far) + rounding**2 * u / h) * tangents[1]
    return soft - angle * angle * (0.5 / t), change


_exponent.defjvp(_exponent_jvp, symbolic_zeros=True)

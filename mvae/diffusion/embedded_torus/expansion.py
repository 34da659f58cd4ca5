r"""Expansion of the heat kernel of a torus of revolution along geodesics, for early times.

  q = exp(-r^2/2t) / (2 pi t) D^(-1/2) exp(g),   r the length, D = Jacobian of exp_z,   g = t u1/u0 + O(t^2).

Lengths are in units of c, the large radius, times in units of c^2. With X, Y the turns of the minor and the major
angle, x the middle minor angle and e = a/c, all three are smooth functions of

  p = (e X)^2,   q = ((1 + e cos x) Y)^2,   cos x,

symmetric in the two points, before the conjugate locus. With s the smaller of e and 1 - e, no geodesic shorter than
pi s is joined by another of its length. Up to a distance of 2.9 s all three are polynomials, fitted to geodesics and
to the spectral series; farther out r and D come from the geodesics themselves.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mvae.diffusion.embedded_torus.series import spectral_density
from mvae.manifolds.torus_geodesics import flow_in_numpy, jacobian, shoot_both_ways

_REACH = 2.9  # of the polynomials, in units of s
_LATEST = 0.3  # time beyond which g is held, in units of s^2
_DEGREE, _COSINES = 10, 14
_POWERS = tuple((i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i))
# Degrees and numbers of cosines of the coefficients of t, t^2, ... in g.
_IN_TIME = ((6, 12), (5, 10), (4, 8), (3, 6))
_TIMES = (0.06, 0.1, 0.14, 0.2)  # at which g is fitted, in units of s^2
_GEODESICS, _DENSITIES = 4000, 1500
_NOISE = 5e-18  # error of the spectral series, as a part of its peak


class _Sample(NamedTuple):
    """Geodesics of random start, direction and length."""

    first: np.ndarray
    turn: np.ndarray
    length: np.ndarray
    log_spread: np.ndarray


def narrowest(ratio: float) -> float:
    """Length s: the smaller radius of the tube and of the hole, in units of c."""
    return min(ratio, 1 - ratio)


def log_expansion(
    ratio: float,
    t: Float[Array, "*batch"],
    first: Float[Array, "*batch"],
    turn: Float[Array, "*batch 2"],
) -> tuple[Float[Array, "*batch"], Bool[Array, "*batch"]]:
    """Log density by the polynomials, along the geodesic of the given turns, and whether they reach there.

    Args:
        ratio: e = a/c.
        t: Time in units of c^2.
        first: Minor angle of the start.
        turn: Turns of both angles, in [-pi, pi].
    """
    middle, one, two = _variables(ratio, first, turn)
    near = one + two <= 1
    one, two = jnp.where(near, one, 0), jnp.where(near, two, 0)
    square, log_spread, *slopes = _polynomials(ratio, middle, one, two)
    square = (narrowest(ratio) * _REACH) ** 2 * (one + two + square)
    time = t / narrowest(ratio) ** 2
    g = sum(time ** (k + 1) * slope for k, slope in enumerate(slopes))
    return -jnp.log(2 * math.pi * t) - square / (2 * t) - log_spread / 2 + g, near


def log_expansion_both_ways(
    ratio: float, t: Float[Array, "*batch"], first: Float[Array, "*batch"], turn: Float[Array, "*batch 2"]
) -> Float[Array, "*batch"]:
    """Log density by the geodesics around both sides of the tube, at any distance; see `log_expansion`."""
    turns, rate = shoot_both_ways(ratio, first, turn)
    first = jnp.broadcast_to(first, turns.shape[:-1])
    rows = jacobian(ratio, first, rate)
    radius, end = 1 + ratio * jnp.cos(first), 1 + ratio * jnp.cos(first + turns[..., 0])
    spread = (rows[0, ..., 0] * rows[1, ..., 1] - rows[0, ..., 1] * rows[1, ..., 0]) * end / radius
    square = (ratio * rate[..., 0]) ** 2 + (radius * rate[..., 1]) ** 2

    middle, one, two = _variables(ratio, first, turns)
    outside = jnp.maximum(one + two, 1)
    _, _, *slopes = _polynomials(ratio, middle, one / outside, two / outside)
    time = jnp.minimum(t / narrowest(ratio) ** 2, _LATEST)
    g = sum(time ** (k + 1) * slope for k, slope in enumerate(slopes))
    # By a conjugate point, which only a geodesic that is not the shortest has before it, D vanishes.
    each = -jnp.log(2 * math.pi * t) - square / (2 * t) - jnp.log(jnp.maximum(spread, 0.05)) / 2 + g
    return jnp.logaddexp(each[0], each[1])


def _variables(ratio: float, first: Any, turn: Any, xp: Any = jnp) -> tuple[Any, Any, Any]:
    """Returns x, p and q, the latter as parts of the square of the reach."""
    middle = first + turn[..., 0] / 2
    reach = narrowest(ratio) * _REACH
    return middle, (ratio * turn[..., 0] / reach) ** 2, ((1 + ratio * xp.cos(middle)) * turn[..., 1] / reach) ** 2


def _polynomials(ratio: float, middle: Array, one: Array, two: Array) -> list[Array]:
    """Values of the excess of r^2, of log D and of the coefficients of t, t^2, ... in g."""
    tables = jnp.asarray(_tables(ratio), middle.dtype)
    powers = [jnp.stack([x**k for k in range(_DEGREE + 1)], axis=-1) for x in (one, two)]
    monomials = jnp.stack([powers[0][..., i] * powers[1][..., j] for i, j in _POWERS], axis=-1)
    waves = jnp.cos(middle[..., None] * np.arange(_COSINES))
    exact = jax.lax.Precision.HIGHEST
    return [jnp.sum(jnp.matmul(waves, table, precision=exact) * monomials, axis=-1) for table in tables]


@functools.cache
def _tables(ratio: float) -> np.ndarray:
    """Coefficients of all polynomials, (polynomials, cosines, monomials)."""
    every = _sample(ratio, _REACH * 1.1, _GEODESICS, 0)
    _, one, two = _variables(ratio, every.first, every.turn, np)
    inside = one + two <= 1.05
    every = _Sample(*(x[inside] for x in every))
    square = (every.length / (narrowest(ratio) * _REACH)) ** 2
    excess = square - one[inside] - two[inside]
    # Along a meridian r^2 = p, and the excess begins with the fourth power of the distance.
    bent = [(i, j) for i, j in _POWERS if j > 0 and i + j > 1]
    tables = [
        _fit([_columns(ratio, every, bent, _COSINES)], excess, 1 / square, [(bent, _COSINES)])[0],
        _fit(
            [_columns(ratio, every, _POWERS[1:], _COSINES)],
            every.log_spread,
            np.ones_like(square),
            [(list(_POWERS[1:]), _COSINES)],
        )[0],
    ]
    return np.stack([*tables, *_fit_in_time(ratio)])


def _fit_in_time(ratio: float) -> list[np.ndarray]:
    """Fits g to the spectral series, each density weighted by the digits it has."""
    shapes = [([(i, j) for i, j in _POWERS if i + j <= degree], cosines) for degree, cosines in _IN_TIME]
    blocks, values, weights = [], [], []
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        for number, time in enumerate(_TIMES):
            t = time * narrowest(ratio) ** 2
            sample = _sample(ratio, min(_REACH, math.sqrt(52 * time)), _DENSITIES, number + 1)
            last = sample.first + sample.turn[:, 0]
            ends = (jnp.stack([jnp.cos(x), jnp.sin(x)], axis=-1) for x in (sample.first, last, sample.turn[:, 1]))
            density = np.asarray(
                _early_density(ratio, _TIMES[0] * narrowest(ratio) ** 2, jnp.full(_DENSITIES, t), *ends)
            )
            exponent = sample.length**2 / (2 * t)
            values.append(np.log(density) + math.log(2 * math.pi * t) + exponent + sample.log_spread / 2)
            # Geodesics around the other side of the tube or of the hole are part of the density, and not of g.
            around = 4 * math.pi * (math.pi - np.abs(sample.turn)) * np.square([ratio, 1 - ratio])
            other = np.sum(np.exp(-np.maximum(around, 0) / (2 * t)), axis=1)
            weights.append(1 / (1e-11 + _NOISE * np.exp(exponent) + other))
            parts = [_columns(ratio, sample, *shape) * time ** (k + 1) for k, shape in enumerate(shapes)]
            blocks.append(np.concatenate(parts, axis=1))
    return _fit(blocks, np.concatenate(values), np.concatenate(weights), shapes)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _early_density(ratio: float, earliest: float, t: Array, start: Array, end: Array, major: Array) -> Array:
    return spectral_density(ratio, earliest, t, start, end, major)


def _sample(ratio: float, longest: float, count: int, seed: int) -> _Sample:
    """Draws geodesics up to a length in units of s; derivatives of the flow by the complex step, without error."""
    generator = np.random.default_rng(seed)
    first, direction = generator.uniform(-math.pi, math.pi, (2, count))
    length = longest * narrowest(ratio) * np.sqrt(generator.uniform(0, 1, count))
    radius = 1 + ratio * np.cos(first)
    rate = np.stack([length * np.cos(direction) / ratio, length * np.sin(direction) / radius], axis=-1)
    turn = flow_in_numpy(ratio, first, rate)
    small = 1e-30
    columns = [np.imag(flow_in_numpy(ratio, first, rate + 1j * small * unit)) / small for unit in np.eye(2)]
    spread = columns[0][:, 0] * columns[1][:, 1] - columns[0][:, 1] * columns[1][:, 0]
    return _Sample(first, turn, length, np.log(spread * (1 + ratio * np.cos(first + turn[:, 0])) / radius))


def _columns(ratio: float, sample: _Sample, powers: tuple | list, cosines: int) -> np.ndarray:
    middle, one, two = _variables(ratio, sample.first, sample.turn, np)
    waves = np.cos(np.outer(middle, np.arange(cosines)))
    monomials = np.stack([one**i * two**j for i, j in powers], axis=-1)
    return (waves[:, :, None] * monomials[:, None]).reshape(len(middle), -1)


def _fit(
    blocks: list[np.ndarray], values: np.ndarray, weights: np.ndarray, shapes: list[tuple[list, int]]
) -> list[np.ndarray]:
    """Weighted least squares; the coefficients of each shape as (cosines, monomials), zeros where it has none."""
    import scipy.linalg  # here, since its import takes a quarter of that of the geometry

    matrix = np.concatenate(blocks) * weights[:, None]
    found: Any = scipy.linalg.lstsq(matrix, values * weights, cond=1e-14, lapack_driver="gelsy")
    tables, start = [], 0
    for powers, cosines in shapes:
        table = np.zeros((_COSINES, len(_POWERS)))
        columns = [_POWERS.index(power) for power in powers]
        table[:cosines, columns] = found[0][start : start + cosines * len(powers)].reshape(cosines, -1)
        tables.append(table)
        start += cosines * len(powers)
    return tables

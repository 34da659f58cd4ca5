r"""Heat kernel of the torus of revolution.

From a tenth of a^2 on, the spectral series, in float64; before, and where the series has lost its digits to
cancellation, the expansion along the shortest geodesic, of length r,

  q = exp(-r^2/2t) / (2 pi t) D^(-1/2) exp(g),   D = Jacobian of exp_z,   g = t u1/u0 + O(t^2).

g depends smoothly on the two points and is symmetric in them. It is a polynomial in t, the squared turns of
the two angles and the cosines of the middle minor angle, fitted to the spectral series near its earliest time.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_ends
from mvae.diffusion.torus_spectrum import modes
from mvae.manifolds import EmbeddedTorus, FlatTorus
from mvae.manifolds.torus_geodesics import flow_in_numpy, jacobian, shoot

FIRST = 0.1  # least time of the spectral series, in units of a^2
_RESOLVED = 1e-12  # the series is used where it sums to more than this part of its largest value
_FARTHEST = 2.5  # turns past which g is continued by its value there
_LATEST = 0.3  # and the time, in units of a^2
_CHUNK = 512
_SAMPLES = 1500
# Powers of t, the largest total degree in the squared turns, and the number of cosines.
_TERMS = ((1, 3, 7), (2, 2, 7), (3, 1, 5))


def log_embedded_torus_kernel(
    manifold: EmbeddedTorus,
    t: Float[Array, "*#batch"] | float,
    z: Float[Array, "*#batch 3"],
    w: Float[Array, "*#batch 3"],
) -> Float[Array, "*batch"]:
    """Log density at w, with respect to area, of Brownian motion on the embedded torus from z, after time t.

    >>> z = EmbeddedTorus().from_angles(jnp.array([0.0, 0.0]))
    >>> w = EmbeddedTorus().from_angles(jnp.array([1.0, 0.5]))
    >>> round(float(log_embedded_torus_kernel(EmbeddedTorus(), 0.5, z, w)), 3)
    -4.416

    Args:
      manifold: the torus.
      t: time, a variance per tangent direction, (...) broadcast against the leading axes of z and w.
      z: starting points, (..., 3).
      w: end points, (..., 3).

    Returns:
      Log densities, (...), differentiable once in t, z and w. All is computed in float64, whatever the input.
      Measured for the default radii, t from 0.03 to 10, the relative error of the density is below 1e-6 where
      log q > -18 (2e-10 above -10, from a tenth of a^2 on), 1e-4 above -22 and 3e-3 above -26.5, in float32 at
      least 1e-5. Between there and -30 the series is lost to cancellation and the expansion takes its place:
      the error of the logarithm reaches 0.9, mostly next to the cut locus. Earlier than a
      tenth of a^2 the expansion has error 2e-7 where it was fitted, r^2 < 30 t, and 1e-5 to log q = -22.
      The first use for given radii builds tables for a few seconds.

    Raises:
      ValueError: for wrong shapes or dtypes, a t that is not positive, or points off the manifold; of the values,
        under `jax.jit`, `check_values` alone knows.
    """
    t, z, w = check_ends(manifold, t, z, w)
    manifold.check_on("z", z)
    manifold.check_on("w", w)
    batch = jnp.broadcast_shapes(t.shape, z.shape[:-1], w.shape[:-1])
    t, z, w = jnp.broadcast_to(t, batch), jnp.broadcast_to(z, (*batch, 3)), jnp.broadcast_to(w, (*batch, 3))
    return _log_kernel(manifold, t, z, w)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
@functools.partial(jax.jit, static_argnums=0)
def _log_kernel(manifold: EmbeddedTorus, t: Array, z: Array, w: Array) -> Array:
    with jax.enable_x64(True):
        value = _in_float64(manifold, *(x.astype(jnp.float64) for x in (t, z, w)))
        return value.astype(t.dtype)


@_log_kernel.defjvp
def _log_kernel_jvp(manifold: EmbeddedTorus, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The gradient is taken inside, in float64; what is left for the outer transformation is its product."""
    value, slopes = _value_and_slopes(manifold, *primals)
    t_dot, z_dot, w_dot = tangents
    change = slopes[0] * t_dot + jnp.sum(slopes[1] * z_dot, axis=-1) + jnp.sum(slopes[2] * w_dot, axis=-1)
    return value, change


@functools.partial(jax.jit, static_argnums=0)
def _value_and_slopes(manifold: EmbeddedTorus, t: Array, z: Array, w: Array) -> tuple[Array, tuple[Array, ...]]:
    with jax.enable_x64(True):
        inputs = (x.astype(jnp.float64) for x in (t, z, w))
        value, pull = jax.vjp(functools.partial(_in_float64, manifold), *inputs)
        slopes = pull(jnp.ones_like(value))
        return value.astype(t.dtype), tuple(x.astype(t.dtype) for x in slopes)


def _in_float64(manifold: EmbeddedTorus, t: Array, z: Array, w: Array) -> Array:
    major, ratio = manifold.major_radius, manifold.minor_radius / manifold.major_radius
    t = t / major**2
    start, end = manifold.circles(z), manifold.circles(w)
    turn = FlatTorus(2).angles_between(start, end)
    first, last = (jnp.arctan2(x[..., 1], x[..., 0]) for x in (start, end))
    late = t >= FIRST * ratio**2
    density = _series(ratio, jnp.where(late, t, FIRST * ratio**2), first, last, turn[..., 1])
    peak = 1 / (2 * math.pi * t) + 1 / (4 * math.pi**2 * ratio)
    resolved = late & (density > _RESOLVED * peak)
    series = jnp.log(jnp.where(resolved, density, 1))
    return jnp.where(resolved, series, _expansion(ratio, t, first, turn)) - 2 * math.log(major)


class _Series(NamedTuple):
    """Modes of the spectral series in chunks, (chunks, ..., modes of the chunk)."""

    values: Any
    orders: Any
    cosines: Any
    sines: Any


@functools.cache
def _chunks(ratio: float) -> _Series:
    """Modes padded with zeros to whole chunks."""
    spectrum = modes(ratio, FIRST * ratio**2)
    count = -(-len(spectrum.values) // _CHUNK)
    extra = count * _CHUNK - len(spectrum.values)
    flat = (np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, extra)]) for x in spectrum)
    return _Series(*(np.moveaxis(x.reshape(*x.shape[:-1], count, _CHUNK), -2, 0) for x in flat))


def _series(ratio: float, t: Array, first: Array, last: Array, major: Array) -> Array:
    chunks = _Series(*(jnp.asarray(x, t.dtype) for x in _chunks(ratio)))
    frequency = np.arange(chunks.cosines.shape[1]).astype(t.dtype)
    waves = [(jnp.cos(x[..., None] * frequency), jnp.sin(x[..., None] * frequency)) for x in (first, last)]

    @jax.checkpoint
    def add(total: Array, chunk: _Series) -> tuple[Array, None]:
        left, right = (c @ chunk.cosines + s @ chunk.sines for c, s in waves)
        along = jnp.where(chunk.orders == 0, 1, 2) * jnp.cos(chunk.orders * major[..., None])
        return total + jnp.sum(left * right * along * jnp.exp(-chunk.values / 2 * t[..., None]), axis=-1), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(t), chunks)
    return total / _scale(jnp, ratio, first, last)


def _scale(xp: Any, ratio: float, first: Any, last: Any) -> Any:
    return 2 * math.pi * ratio * xp.sqrt((1 + ratio * xp.cos(first)) * (1 + ratio * xp.cos(last)))


def _expansion(ratio: float, t: Array, first: Array, turn: Array) -> Array:
    rate = shoot(ratio, first, turn)
    rows = jacobian(ratio, first, rate)
    radius, end = 1 + ratio * jnp.cos(first), 1 + ratio * jnp.cos(first + turn[..., 0])
    spread = (rows[0, ..., 0] * rows[1, ..., 1] - rows[0, ..., 1] * rows[1, ..., 0]) * end / radius
    square = (ratio * rate[..., 0]) ** 2 + (radius * rate[..., 1]) ** 2
    leading = -jnp.log(2 * math.pi * t) - square / (2 * t) - jnp.log(jnp.maximum(spread, 0.05)) / 2

    far = jnp.maximum(1, jnp.sqrt(square + 1e-30) / (ratio * _FARTHEST))
    time = jnp.minimum(t / ratio**2, _LATEST)
    features = _features(jnp, ratio, time, first, turn / far[..., None])
    return leading + features @ jnp.asarray(_coefficients(ratio), t.dtype)


def _features(xp: Any, ratio: float, time: Any, first: Any, turn: Any) -> Any:
    """Terms of g, even under reflections and under exchange of the two points; time in units of a^2."""
    middle = first + turn[..., 0] / 2
    one = turn[..., 0] ** 2
    two = ((1 + ratio * xp.cos(middle)) / ratio * turn[..., 1]) ** 2
    columns = [
        time**power * one**i * two**j * xp.cos(k * middle)
        for power, degree, cosines in _TERMS
        for i in range(degree + 1)
        for j in range(degree + 1 - i)
        for k in range(cosines)
    ]
    return xp.stack(columns, axis=-1)


@functools.cache
def _coefficients(ratio: float) -> np.ndarray:
    """Least squares for g at geodesics of random start, direction and length, at three times."""
    spectrum = modes(ratio, FIRST * ratio**2)
    generator = np.random.default_rng(0)
    rows, targets = [], []
    for time in (1.0 * FIRST, 1.5 * FIRST, 2.0 * FIRST):
        t = time * ratio**2
        first, direction = generator.uniform(-math.pi, math.pi, (2, _SAMPLES))
        length = min(math.sqrt(30 * t), 2.4 * ratio) * np.sqrt(generator.uniform(0, 1, _SAMPLES))
        radius = 1 + ratio * np.cos(first)
        rate = np.stack([length * np.cos(direction) / ratio, length * np.sin(direction) / radius], axis=-1)
        turn = flow_in_numpy(ratio, first, rate)
        small = 1e-30  # of the complex step, exact to rounding
        columns = [np.imag(flow_in_numpy(ratio, first, rate + 1j * small * unit)) / small for unit in np.eye(2)]
        last = first + turn[:, 0]
        spread = columns[0][:, 0] * columns[1][:, 1] - columns[0][:, 1] * columns[1][:, 0]
        spread = spread * (1 + ratio * np.cos(last)) / radius

        density = np.exp(-spectrum.values * t / 2) * np.where(spectrum.orders == 0, 1, 2)
        density = density * np.cos(np.outer(turn[:, 1], np.arange(spectrum.orders.max() + 1)))[:, spectrum.orders]
        for x in (first, last):
            phase = np.outer(x, np.arange(len(spectrum.cosines)))
            density *= np.cos(phase) @ spectrum.cosines + np.sin(phase) @ spectrum.sines
        log_q = np.log(np.sum(density, axis=1) / _scale(np, ratio, first, last))
        leading = -math.log(2 * math.pi * t) - length**2 / (2 * t) - np.log(spread) / 2
        rows.append(_features(np, ratio, np.full(_SAMPLES, time), first, turn))
        targets.append(log_q - leading)
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(targets), rcond=1e-12)[0]

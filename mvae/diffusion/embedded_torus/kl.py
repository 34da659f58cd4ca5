"""Divergence of Brownian motion on a torus of revolution from the uniform distribution."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_start
from mvae.diffusion.embedded_torus.spectrum import Modes, modes
from mvae.manifolds import EmbeddedTorus

_EARLIEST = 0.07  # least time of the quadrature for a thin tube, in units of a^2
_DEGREE = 48
_LAST = 12.0  # value of lambda_1 t past which the remainder is constant


def embedded_torus_kl(
    manifold: EmbeddedTorus, t: Float[Array, "*#batch"] | float, z: Float[Array, "*#batch 3"]
) -> Float[Array, "*batch"]:
    """Divergence KL(q(t; z, .) || uniform) of Brownian motion on the embedded torus after time t, in nats.

      -1/2 log(1 - exp(-t/a^2)) - 1/2 log(1 - exp(-l t)) + exp(-l t) H(t, x),

    with l the first eigenvalue of minus the Laplacian, carries both ends and both time scales; H is a smooth
    function of t and even in the minor angle x, a Chebyshev series in log(1 + 4 t/a^2) and cos x.

    Args:
        manifold: The torus.
        t: Time, a variance per tangent direction, (...) broadcast against the leading axes of z.
        z: Starting points, (..., 3).

    Returns:
        Divergences, (...), differentiable in t and z, at any t > 0. Measured absolute error for the default
        radii: 5e-7 in float64, 1e-6 in float32; below 1e-5 for a/c from 0.1 to 0.5. The first use
        for given radii builds tables for a few seconds.

    Raises:
        ValueError: For wrong shapes or dtypes, a t that is not positive, or points off the manifold; of the values,
            under `jax.jit`, `check_values` alone knows.
    """
    t, z = check_start(manifold, t, z)
    t = jnp.broadcast_to(t, z.shape[:-1])
    major, minor = manifold.major_radius, manifold.minor_radius
    planar = jnp.sqrt(jnp.maximum(jnp.sum(z[..., :2] ** 2, axis=-1), (major - minor) ** 2 / 4))
    cosine = jnp.clip((planar - major) / minor, -1, 1)
    return _divergence(minor / major, t / major**2, cosine)


@functools.partial(jax.jit, static_argnums=0)
def _divergence(ratio: float, t: Float[Array, "*batch"], cosine: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    table, rate = remainder(ratio)
    waves = [jnp.ones_like(cosine), cosine]
    for _ in range(table.shape[1] - 2):
        waves.append(2 * cosine * waves[-1] - waves[-2])
    columns = jnp.matmul(jnp.stack(waves, axis=-1), jnp.asarray(table.T, t.dtype), precision="highest")

    span = math.log1p(4 * _LAST / rate / ratio**2)
    position = 2 / span * jnp.log1p(4 / ratio**2 * jnp.minimum(t, _LAST / rate)) - 1
    before, last = jnp.zeros_like(t), jnp.zeros_like(t)
    for k in range(_DEGREE - 1, 0, -1):
        before, last = last, 2 * position * last - before + columns[..., k]
    smooth = columns[..., 0] + position * last - before
    return (-_log_rest(t / ratio**2) - _log_rest(rate * t)) / 2 + jnp.exp(-rate * t) * smooth


def _log_rest(x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """log(1 - exp(-x)), by the form that keeps its digits as x tends to 0 and to infinity."""
    early = x < 1
    late = jnp.log1p(-jnp.where(early, 0, jnp.exp(-x)))
    return jnp.where(early, jnp.log(-jnp.expm1(-jnp.where(early, x, 1))), late)


@functools.cache
def remainder(ratio: float) -> tuple[np.ndarray, float]:
    """Returns the coefficients of H, (degrees in time, degrees in the angle), and the eigenvalue l."""
    earliest = _EARLIEST * min(1, (1 - ratio) / ratio)  # a fat tube is more curved, along its inner side
    spectrum = modes(ratio, earliest * ratio**2)
    rate = float(np.sort(np.concatenate([parity.values for parity in spectrum]))[1])
    count = 4 + int(12 / (1 - ratio))  # a fat tube varies more along its inner side
    starts = math.pi * (np.arange(count) + 0.5) / count
    curvature = 2 * np.cos(starts) / (ratio * (1 + ratio * np.cos(starts)))
    log_volume = math.log(4 * math.pi**2 * ratio)

    def flat(t: float) -> float:
        return log_volume - 1 - math.log(2 * math.pi * t)

    # R = KL - flat = Sc t/4 + k2 t^2 + k3 t^3 before the earliest time that is computed.
    first, second = (s * earliest * ratio**2 for s in (1, 2))
    bends = [(_quadrature_kl(spectrum, ratio, t, starts) - flat(t) - curvature * t / 4) / t**2 for t in (first, second)]
    slope = (bends[1] - bends[0]) / (second - first)

    angle = math.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE
    times = ratio**2 / 4 * np.expm1((1 + np.cos(angle)) / 2 * math.log1p(4 * _LAST / rate / ratio**2))
    rows = []
    for t in times:
        if t < first:
            value = flat(t) + curvature * t / 4 + (bends[0] + slope * (t - first)) * t**2
        else:
            value = _quadrature_kl(spectrum, ratio, t, starts)
        ends = math.log(-math.expm1(-t / ratio**2)) + math.log(-math.expm1(-rate * t))
        rows.append((value + ends / 2) * math.exp(rate * t))
    in_time = np.cos(np.outer(np.arange(_DEGREE), angle)) * 2 / _DEGREE
    in_angle = np.cos(np.outer(np.arange(count), starts)) * 2 / count
    table = in_time @ np.array(rows) @ in_angle.T
    table[0] /= 2
    table[:, 0] /= 2
    return table, rate


def _quadrature_kl(spectrum: tuple[Modes, Modes], ratio: float, t: float, starts: np.ndarray) -> np.ndarray:
    """Divergences by the trapezoidal rule in both angles, exact for the periodic density."""
    reach = math.sqrt(60 / t)
    count = 4 * int(ratio * reach + 8)
    minor = 2 * math.pi * np.arange(count) / count
    highest = max(int(parity.orders[parity.values < reach**2].max(initial=0)) for parity in spectrum)
    parts = np.zeros((highest + 1, len(starts), count))
    for wave, parity in zip((np.cos, np.sin), spectrum, strict=True):
        kept = parity.values < reach**2
        orders, decay = parity.orders[kept], np.exp(-parity.values[kept] * t / 2)
        frequency = np.arange(len(parity.waves))
        left, right = (wave(np.outer(x, frequency)) @ parity.waves[:, kept] for x in (starts, minor))
        for order in range(highest + 1):
            same = orders == order
            parts[order] += (left * decay)[:, same] @ right[:, same].T
    turns = math.pi * (np.arange(2 * highest + 8) + 0.5) / (2 * highest + 8)  # the density is even in the turn
    waves = np.cos(np.outer(turns, np.arange(highest + 1))) * np.where(np.arange(highest + 1) == 0, 1, 2)
    weight = 1 + ratio * np.cos(minor)
    scale = 2 * math.pi * ratio * np.sqrt(weight * (1 + ratio * np.cos(starts))[:, None])
    density = np.tensordot(waves, parts, 1) / scale
    log_ratio = np.log(np.maximum(density, 1e-300)) + math.log(4 * math.pi**2 * ratio)
    area = ratio * weight * (2 * math.pi / count) * (2 * math.pi / len(turns))
    return np.sum(density * log_ratio * area, axis=(0, 2))

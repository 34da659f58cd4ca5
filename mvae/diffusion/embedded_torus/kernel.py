r"""Heat kernel of the torus of revolution.

From a tenth of the square of a, or of c - a if that is smaller, on, the spectral series, in float64; before, and
where the series has lost its digits to cancellation, the expansion along geodesics.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_ends
from mvae.diffusion.embedded_torus.expansion import log_expansion, log_expansion_both_ways, narrowest
from mvae.diffusion.embedded_torus.series import spectral_density
from mvae.manifolds import EmbeddedTorus, FlatTorus

FIRST = 0.1  # least time of the spectral series, in units of the square of the smaller of a and c - a
_CHUNK = 256
_RESOLVED = 3e-15  # the compensated series is used where it is more than this part of its largest value
_RESOLVED_SLOPE = 1e-9  # and the plain one, for derivatives, where it is more than this
_PLAIN = {4: 1e-10, 8: 1e-5}  # part of the peak down to which the plain series has all digits, by bytes of the dtype


def log_embedded_torus_kernel(
    manifold: EmbeddedTorus,
    t: Float[Array, "*#batch"] | float,
    z: Float[Array, "*#batch 3"],
    w: Float[Array, "*#batch 3"],
) -> Float[Array, "*batch"]:
    """Log density at w, with respect to area, of Brownian motion on the embedded torus from z, after time t.

    >>> z = EmbeddedTorus().from_angles(jnp.array([0.0, 0.0]))
    >>> w = EmbeddedTorus().from_angles(jnp.array([1.0, 0.5]))
    >>> round(float(log_embedded_torus_kernel(EmbeddedTorus(), 0.5, z, w)), 3)  # doctest: +SKIP
    -4.416

    Args:
        manifold: The torus.
        t: Time, a variance per tangent direction, (...) broadcast against the leading axes of z and w.
        z: Starting points, (..., 3).
        w: End points, (..., 3).

    Returns:
        Log densities, (...), differentiable once in t, z and w. All is computed in float64, whatever the input.
        For the default radii, against a solution in 160 bits, t from 0.01 to 1, the relative error of the density is
        below 2e-6 wherever log q > -30 (2e-10 above -18, 1e-12 above -10 from a tenth of a^2 on), and 1e-5 for
        float32. Fatter tubes are known less well before a tenth of the square of the smaller of a and c - a: to 1e-5
        at a/c = 0.5, to 3e-4 at 0.7. Below log q = -30, and for derivatives below log q = -20, the expansion along two
        geodesics takes the place of the lost digits. The far digits come from numpy.longdouble; where that is float64
        they end at log q = -22. The first use for given radii builds tables for some ten seconds.

    Raises:
        ValueError: For wrong shapes or dtypes, a t that is not positive, or points off the manifold; of the values,
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
        plain = _PLAIN[t.dtype.itemsize]
        inputs = (x.astype(jnp.float64) for x in (t, z, w))
        value = _in_float64(manifold, *inputs, plain=plain, resolved=_RESOLVED)
        return value.astype(t.dtype)


@_log_kernel.defjvp
def _log_kernel_jvp(manifold: EmbeddedTorus, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The gradient is taken inside, in float64; what is left for the outer transformation is its product."""
    slopes = _slopes(manifold, *primals)
    t_dot, z_dot, w_dot = tangents
    change = slopes[0] * t_dot + jnp.sum(slopes[1] * z_dot, axis=-1) + jnp.sum(slopes[2] * w_dot, axis=-1)
    return _log_kernel(manifold, *primals), change


@functools.partial(jax.jit, static_argnums=0)
def _slopes(manifold: EmbeddedTorus, t: Array, z: Array, w: Array) -> tuple[Array, ...]:
    with jax.enable_x64(True):
        inputs = (x.astype(jnp.float64) for x in (t, z, w))
        log_density = functools.partial(_in_float64, manifold, plain=_RESOLVED_SLOPE, resolved=_RESOLVED_SLOPE)
        value, pull = jax.vjp(log_density, *inputs)
        return tuple(x.astype(t.dtype) for x in pull(jnp.ones_like(value)))


def _in_float64(manifold: EmbeddedTorus, t: Array, z: Array, w: Array, *, plain: float, resolved: float) -> Array:
    """Log densities, in chunks that take only the ways they need; all arguments are of one batch shape."""
    major, ratio = manifold.major_radius, manifold.minor_radius / manifold.major_radius
    batch = t.shape
    count = -(-t.size // _CHUNK)
    size = -(-t.size // max(count, 1))
    flat = [x.reshape(-1, *x.shape[len(batch) :]) for x in (t / major**2, z, w)]
    padded = [jnp.concatenate([x, jnp.broadcast_to(x[-1:], (count * size - len(x), *x.shape[1:]))]) for x in flat]
    chunks = [x.reshape(count, size, *x.shape[1:]) for x in padded]
    one = functools.partial(_chunk, manifold, ratio, plain, resolved)
    values = jax.lax.map(lambda x: one(*x), tuple(chunks)).reshape(-1)
    return values[: math.prod(batch)].reshape(batch) - 2 * math.log(major)


def _chunk(manifold: EmbeddedTorus, ratio: float, plain: float, resolved: float, t: Array, z: Array, w: Array) -> Array:
    start, end = manifold.circles(z), manifold.circles(w)
    turn = FlatTorus(2).angles_between(start, end)
    start, end = (x.reshape(*x.shape[:-1], 2, 2) for x in (start, end))
    first = jnp.arctan2(start[..., 0, 1], start[..., 0, 0])
    earliest = FIRST * narrowest(ratio) ** 2
    late = t >= earliest
    peak = 1 / (2 * math.pi * t) + 1 / (4 * math.pi**2 * ratio)

    def series(*, compensated: bool) -> Array:
        cosine = jnp.sum(start[..., 1, :] * end[..., 1, :], axis=-1)
        sine = start[..., 1, 0] * end[..., 1, 1] - start[..., 1, 1] * end[..., 1, 0]
        time = jnp.where(late, t, earliest)
        major = jnp.stack([cosine, sine], axis=-1)
        return spectral_density(ratio, earliest, time, start[..., 0, :], end[..., 0, :], major, compensated=compensated)

    density = jax.lax.cond(jnp.any(late), lambda: series(compensated=False), lambda: jnp.zeros_like(t))
    if resolved < plain:
        unclear = late & (density < plain * peak)
        density = jax.lax.cond(jnp.any(unclear), lambda: series(compensated=True), lambda: density)
    summed = late & (density > resolved * peak)
    log_density, near = log_expansion(ratio, t, first, turn)
    fitted = ~late & near
    others = ~(summed | fitted)
    far = jax.lax.cond(
        jnp.any(others), lambda: log_expansion_both_ways(ratio, t, first, turn), lambda: jnp.zeros_like(t)
    )
    log_density = jnp.where(fitted, log_density, far)
    return jnp.where(summed, jnp.log(jnp.where(summed, density, 1)), log_density)

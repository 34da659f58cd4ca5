r"""Divergences from the uniform distribution on quotients.

With q the kernel of the cover and q/G = sum over g of q(t; z, g w) that of the quotient,

  KL = E_{w ~ q(t; z, .)}[log q/G(t; z, w)] + log Vol.

On a flat cover w is z moved by sqrt(t) times a Gaussian vector, and the expectation is a trapezoidal sum over that
vector: log q/G is smooth on the scale of sqrt(t) wherever it matters. The points that are as near to z as to an image
g z, at s sqrt(t) from z, make a bend of slope 2 s there, whose poles are pi / 2s off the real axis: bends are sharp
only where the Gaussian is small.

Where all points are alike the divergence is a function of t. For a group of unit quaternions that acts on S^3 from one
side it is tabulated once, by quadrature over distance and direction in float64. For q/G does not depend on the
direction up to symmetry, early it is that of the cover less log |G|, late it decays with the first harmonics that
the group leaves unchanged.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from mvae.diffusion.heat_kernel import SO3_RADIUS, log_heat_kernel
from mvae.diffusion.kl import asymptotic_kl, kl_to_uniform
from mvae.diffusion.sphere_kernel import log_sphere_kernel
from mvae.manifolds import Sphere
from mvae.manifolds.quotient.flat import Cylinder, FlatQuotient, Interval
from mvae.manifolds.quotient.space import QuotientSpace
from mvae.manifolds.quotient.spherical import LensSpace, RotationQuotient

_GAUSSIAN = {4: (0.4, 5.2), 8: (0.2, 7.0)}  # by bytes of the dtype: spacing of the nodes, and where they end
_DEGREE = 32  # Chebyshev coefficients of the table in log t
_EARLY = 1 / 50  # of the squared half distance between images: before that time they do not meet
_LATE = 20.0  # decays of the slowest harmonics after which nothing is left in float64
_RADII, _HEIGHTS = 72, 28
_KNOTS = 2000


@asymptotic_kl.register(QuotientSpace)
def _(manifold: QuotientSpace, t: Array, z: Array) -> Array:
    """That of the cover less log |G|: within a few sqrt(t) of a boundary or cone point it is too small."""
    return asymptotic_kl(manifold.cover, t, z) - math.log(manifold.group.order)


@kl_to_uniform.register(FlatQuotient)
def _(manifold: FlatQuotient, t: Array, z: Array) -> Array:
    return _flat_kl(manifold, t, z)


@kl_to_uniform.register(Cylinder)
def _(manifold: Cylinder, t: Array, z: Array) -> Array:
    around, along = manifold.cover.split(z)
    return kl_to_uniform(manifold.cover.factors[0], t, around) + _flat_kl(Interval(manifold.height), t, along)


@functools.partial(jax.jit, static_argnums=0)
def _flat_kl(manifold: FlatQuotient, t: Float[Array, "*batch"], z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Divergence by the trapezoidal rule over the Gaussian step on the cover.

    Elements of the group move each circle of the cover by itself, so that the kernel at a node of the grid is a sum
    over the group of products over the circles, each of them evaluated along its own axis of the grid alone.
    """
    spacing, end = _GAUSSIAN[z.dtype.itemsize]
    line = spacing * np.arange(-math.floor(end / spacing), math.floor(end / spacing) + 1)
    shares = np.exp(-(line**2) / 2)
    shares = jnp.asarray(shares / shares.sum(), z.dtype)
    log_q = jnp.zeros((manifold.group.order, *[1] * manifold.dim, *t.shape), z.dtype)
    for axis, radius in enumerate(manifold.radii):
        part = slice(2 * axis, 2 * axis + 2)
        circle, group = Sphere(1, radius), jnp.asarray(manifold.group.array[:, part, part], z.dtype)
        angles = jnp.sqrt(t) * jnp.asarray(line, z.dtype).reshape(-1, *[1] * t.ndim) / radius
        start = z[..., part]
        turned = jnp.stack([-start[..., 1], start[..., 0]], axis=-1)
        ends = jnp.cos(angles)[..., None] * start + jnp.sin(angles)[..., None] * turned
        images = jnp.einsum("gij,...j->g...i", group, ends, precision=jax.lax.Precision.HIGHEST)
        along = log_heat_kernel.of(circle)(circle, t, start, images)  # (order, nodes, *batch)
        log_q = log_q + jnp.expand_dims(along, [1 + other for other in range(manifold.dim) if other != axis])
    values = logsumexp(log_q, axis=0) + manifold.log_volume
    for _ in manifold.radii:
        values = jnp.tensordot(shares, values, axes=1)
    return values


@kl_to_uniform.register(RotationQuotient)
def _(manifold: RotationQuotient, t: Array, z: Array) -> Array:
    del z
    return _homogeneous_kl(_binary_group(manifold), t / SO3_RADIUS**2)


@kl_to_uniform.register(LensSpace)
def _(manifold: LensSpace, t: Array, z: Array) -> Array:
    del z
    if not manifold.is_homogeneous:
        raise NotImplementedError(
            f"no exact divergence for {manifold!r}: it depends on the point there; estimate it from exact samples, as "
            'the method dvae does with kl="sampled" and sampler="exact"'
        )
    turns = 2 * math.pi * np.arange(manifold.p) / manifold.p
    return _homogeneous_kl(_hashable(np.stack([np.cos(turns), 0 * turns, 0 * turns, np.sin(turns)], axis=1)), t)


def _hashable(quaternions: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, (np.round(quaternions, 14) + 0.0).tolist()))


@functools.cache
def _binary_group(manifold: RotationQuotient) -> tuple[tuple[float, ...], ...]:
    """Unit quaternions of the rotations of a group: two for each."""
    found = []
    for rotation in manifold.rotations.array:
        # 4 q q^T from the entries, by its largest column.
        axial = np.array(
            [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
        )
        square = np.zeros((4, 4))
        square[0, 0] = 1 + np.trace(rotation)
        square[0, 1:] = square[1:, 0] = axial
        square[1:, 1:] = rotation + rotation.T + (1 - np.trace(rotation)) * np.eye(3)
        column = square[:, np.argmax(np.diag(square))]
        found.append(column / np.linalg.norm(column))
    return _hashable(np.concatenate([found, np.negative(found)]))


class _Table(NamedTuple):
    """Divergence on S^3 modulo a group, between two times."""

    early: float  # before it: that of S^3 less log |G|
    late: float  # after it: rounding
    coefficients: tuple[float, ...]  # Chebyshev series, in log t, of log KL


@functools.partial(jax.jit, static_argnums=0)
def _homogeneous_kl(quaternions: tuple[tuple[float, ...], ...], t: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Divergence on S^3 modulo a group of unit quaternions that multiply from one side."""
    sphere = Sphere(3)
    if len(quaternions) == 1:
        return kl_to_uniform.of(sphere)(sphere, t, jnp.zeros((*t.shape, 4), t.dtype))
    early, late, coefficients = _table(quaternions)
    before = t < early
    cover = kl_to_uniform.of(sphere)(sphere, jnp.where(before, t, early), jnp.zeros((*t.shape, 4), t.dtype))
    inside = jnp.clip(t, early, late)
    position = (2 * jnp.log(inside) - math.log(early * late)) / math.log(late / early)
    last, after = jnp.zeros_like(t), jnp.zeros_like(t)
    for coefficient in coefficients[:0:-1]:
        last, after = 2 * position * last - after + coefficient, last
    # Past the table the rate of the decay goes on.
    series = jnp.exp(coefficients[0] + position * last - after)
    slope = _late_rate(quaternions)
    decay = jnp.exp(-slope * (jnp.maximum(t, late) - late))
    return jnp.where(before, cover - math.log(len(quaternions)), series * decay)


@functools.cache
def _late_rate(quaternions: tuple[tuple[float, ...], ...]) -> float:
    """Rate at which the divergence decays: twice that of the first harmonics that the group keeps, l(l + 2) / 2.

    The number of harmonics of degree l that are kept is (l + 1) times the mean of sin((l + 1) a) / sin a over the
    angles a of the group's elements.
    """
    angles = np.arccos(np.clip(np.array(quaternions)[:, 0], -1, 1))
    for degree in range(1, 2000):
        modes = np.arange(degree, -1, -2)
        characters = sum(np.where(mode == 0, 1.0, 2 * np.cos(mode * angles)) for mode in modes)
        if np.mean(characters) > 0.5:
            return float(degree * (degree + 2))
    raise AssertionError("a finite group keeps harmonics of some degree")


@functools.cache
def _table(quaternions: tuple[tuple[float, ...], ...]) -> _Table:
    group = np.array(quaternions)
    nearest = math.acos(min(1.0, float(np.sort(group[:, 0])[-2])))
    early, late = _EARLY * (nearest / 2) ** 2, _LATE / _late_rate(quaternions)
    position = np.cos(math.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE)
    times = np.exp((math.log(early * late) + position * math.log(late / early)) / 2)
    values = np.log([_quadrature(group, time) for time in times])
    modes = np.cos(math.pi * np.outer(np.arange(_DEGREE), np.arange(_DEGREE) + 0.5) / _DEGREE)
    coefficients = 2 / _DEGREE * modes @ values
    coefficients[0] /= 2
    return _Table(early, late, tuple(coefficients.tolist()))


def _quadrature(group: np.ndarray, t: float) -> float:
    """Divergence at a time, by Gauss-Legendre quadrature over distance and height, equal longitudes."""
    radius_nodes, radius_weights = np.polynomial.legendre.leggauss(_RADII)
    # Opposite directions are alike, as q(w g) = q(g^-1 w^-1): the upper half of the sphere is enough.
    heights, height_weights = (x[_HEIGHTS // 2 :] for x in np.polynomial.legendre.leggauss(_HEIGHTS))
    longitudes = 2 * math.pi * (np.arange(2 * _HEIGHTS) + 0.5) / (2 * _HEIGHTS)
    reach = min(math.pi, math.sqrt(t) * 10)
    radius = reach * (1 + radius_nodes) / 2
    slant = np.sqrt(1 - heights**2)[:, None]
    directions = np.stack(
        [
            slant * np.cos(longitudes),
            slant * np.sin(longitudes),
            np.broadcast_to(heights[:, None], (len(heights), len(longitudes))),
        ],
        axis=-1,
    ).reshape(-1, 3)
    weights = np.repeat(height_weights, len(longitudes)) / len(longitudes)
    knots = np.linspace(0, math.pi, _KNOTS)
    from scipy.interpolate import CubicSpline  # here, since its import takes a quarter of that of the geometry
    from scipy.special import logsumexp as host_logsumexp

    log_q = CubicSpline(knots, log_sphere_kernel(np, np.full(_KNOTS, t), knots, 3), bc_type="clamped")
    inner = directions @ group[:, 1:].T
    total = 0.0
    for node, weight in zip(radius, radius_weights, strict=True):
        cosines = math.cos(node) * group[:, 0] - math.sin(node) * inner
        of_quotient = np.asarray(host_logsumexp(log_q(np.arccos(np.clip(cosines, -1, 1))), axis=1))
        density = math.exp(log_q(node)) * 4 * math.pi * math.sin(node) ** 2
        ratio = of_quotient + math.log(2 * math.pi**2 / len(group))
        total += weight * density * float(weights @ ratio)
    return reach / 2 * total

"""Kullback-Leibler divergence of Brownian motion from the prior."""

import functools
import math
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_start
from mvae.diffusion.circle_kernel import log_circle_kernel
from mvae.diffusion.embedded_torus.kl import embedded_torus_kl
from mvae.diffusion.heat_kernel import SO3_RADIUS
from mvae.diffusion.sphere_kernel import log_sphere_kernel
from mvae.manifolds import SO3, EmbeddedTorus, Euclidean, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere
from mvae.manifolds.checks import in_float32
from mvae.manifolds.dispatch import open_function

_METHODS = ("exact", "asymptotic")
_QUADRATURE = 200


@open_function("exact divergence", 'use method="asymptotic"')
@in_float32
def kl_to_uniform(
    manifold: Manifold,
    t: Float[Array, "*#batch"] | float,
    z: Float[Array, "*#batch n"],
    *,
    method: str = "exact",
) -> Float[Array, "*batch"]:
    """Divergence KL(q(t; z, .) || prior) of Brownian motion after time t, in nats.

    On a closed manifold the prior is uniform and, with Sc the scalar curvature,

      asymptotic:  -(d/2) log(2 pi t) - d/2 + log Vol + Sc(z) t/4,

    which leaves out terms of order t^2 and is meant for d t well below 1: later it grows with t on a sphere
    and turns negative on a flat torus. On Euclidean space the prior is N(0, I) and both methods give
    (d t + |z|^2 - d - d log t) / 2. On a product the divergences of the factors add up.

    >>> round(float(kl_to_uniform(Sphere(2), 0.1, jnp.array([0.0, 0.0, 1.0]))), 4)
    2.0459

    Args:
        manifold: Any with method "asymptotic"; `Euclidean`, `FlatTorus`, `Sphere`, `ProjectiveSpace`, `SO3` or a
            `Product` of them with "exact".
        t: Time, a variance per tangent direction, (...) broadcast against the leading axes of z.
        z: Starting points, (..., n).
        method: "exact" or "asymptotic".

    Returns:
        Divergences, (...), differentiable in t and z. The exact ones have absolute error below 1e-9 in float64
        and 5e-5 in float32 for d up to 50, at any t > 0.

    Raises:
        ValueError: For wrong shapes, an unknown `method`, a t that is not positive, or points off the manifold; of the
            values, under `jax.jit`, `check_values` alone knows.
        NotImplementedError: For "exact" on other manifolds; their `kl_to_uniform.register(Type)` takes (manifold, t,
            z), with t broadcast. A space whose prior is not uniform registers an `asymptotic_kl` too.
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, got {method!r}")
    t, z = check_start(manifold, t, z)
    t = jnp.broadcast_to(t, z.shape[:-1])
    return (asymptotic_kl if method == "asymptotic" else kl_to_uniform).of(manifold)(manifold, t, z)


@open_function("expansion of the divergence", 'use method="exact"')
@in_float32
def asymptotic_kl(manifold: Manifold, t: Float[Array, "*batch"], z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Expansion of `kl_to_uniform` for small times: what its method "asymptotic" gives."""
    return asymptotic_kl.of(manifold)(manifold, t, z)


@asymptotic_kl.register(Manifold)
def _(manifold: Manifold, t: Array, z: Array) -> Array:
    dim = manifold.dim
    flat = manifold.log_volume - dim / 2 * (1 + math.log(2 * math.pi)) - dim / 2 * jnp.log(t)
    return flat + manifold.scalar_curvature(z) * t / 4


@asymptotic_kl.register(Euclidean)
@kl_to_uniform.register(Euclidean)
def _(manifold: Euclidean, t: Array, z: Array) -> Array:
    dim = manifold.dim
    return (dim * t + jnp.sum(z**2, axis=-1) - dim - dim * jnp.log(t)) / 2


@asymptotic_kl.register(Product)
def _(manifold: Product, t: Array, z: Array) -> Array:
    return _of_factors(manifold, t, z, "asymptotic")


@kl_to_uniform.register(Product)
def _(manifold: Product, t: Array, z: Array) -> Array:
    return _of_factors(manifold, t, z, "exact")


def _of_factors(manifold: Product, t: Array, z: Array, method: str) -> Array:
    parts = zip(manifold.factors, manifold.split(z), strict=True)
    return functools.reduce(operator.add, (kl_to_uniform(factor, t, part, method=method) for factor, part in parts))


@kl_to_uniform.register(FlatTorus)
def _(manifold: FlatTorus, t: Array, z: Array) -> Array:
    del z
    return manifold.dim * _radial_kl(Sphere(1), t)


@kl_to_uniform.register(Sphere)
def _(manifold: Sphere, t: Array, z: Array) -> Array:
    del z
    return _radial_kl(Sphere(manifold.dim), t / manifold.radius**2)


@kl_to_uniform.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace, t: Array, z: Array) -> Array:
    del z
    return _radial_kl(manifold, t)


@kl_to_uniform.register(SO3)
def _(manifold: SO3, t: Array, z: Array) -> Array:
    del manifold, z
    return _radial_kl(ProjectiveSpace(3), t / SO3_RADIUS**2)


kl_to_uniform.register(EmbeddedTorus)(embedded_torus_kl)


class _Fit(NamedTuple):
    """Shape of the fit to the divergence on a unit sphere or projective space."""

    rate: float  # lambda, at which the divergence decays: twice the rate of the first harmonics
    last: float  # value of lambda t past which g is constant to 1e-5, and x g to 1e-10
    degree: int  # number of Chebyshev coefficients, at which the error is 1e-9


def _fit(space: Sphere | ProjectiveSpace) -> _Fit:
    # The first harmonics are those of degree 1 on the sphere and of degree 2 on the projective space.
    return _Fit(space.dim, 12.0, 64) if isinstance(space, Sphere) else _Fit(2 * (space.dim + 1), 24.0, 96)


@functools.partial(jax.jit, static_argnums=0)
def _radial_kl(space: Sphere | ProjectiveSpace, t: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Divergence on the unit sphere or projective space: -(d/2) log(1 - x) + x g, with x = exp(-lambda t).

    Both ends are exact: g tends to the constant of the small-time expansion as t -> 0 and to a constant as t ->
    infinity, where the first harmonics alone are left and KL -> x/2 times their number. In between it is
    smooth, hence a Chebyshev series in lambda t / (1 + lambda t).
    """
    rate, final, _ = _fit(space)
    time = rate * t
    x = jnp.exp(-time)
    coefficients = _coefficients(space)
    scaled = jnp.minimum(time, final)
    position = 2 * (1 + 1 / final) * scaled / (1 + scaled) - 1
    before, last = jnp.zeros_like(t), jnp.zeros_like(t)
    for coefficient in coefficients[:0:-1]:
        before, last = last, 2 * position * last - before + coefficient
    # log(1 - x), by the form that keeps its digits as x tends to 1 and to 0.
    early = time < 1
    log_rest = jnp.where(early, jnp.log(-jnp.expm1(-jnp.where(early, time, 1))), jnp.log1p(-jnp.where(early, 0, x)))
    return -space.dim / 2 * log_rest + x * (coefficients[0] + position * last - before)


@functools.cache
def _coefficients(space: Sphere | ProjectiveSpace) -> tuple[float, ...]:
    """Chebyshev coefficients of g in the position of `_radial_kl`, from quadrature in float64."""
    rate, final, degree = _fit(space)
    position = np.cos(math.pi * (np.arange(degree) + 0.5) / degree)
    fraction = (1 + position) / 2 * final / (1 + final)
    time = fraction / (1 - fraction)
    g = (_quadrature_kl(space, time / rate) + space.dim / 2 * np.log(-np.expm1(-time))) * np.exp(time)
    modes = np.cos(math.pi * np.outer(np.arange(degree), np.arange(degree) + 0.5) / degree)
    coefficients = 2 / degree * modes @ g
    coefficients[0] /= 2
    return tuple(coefficients.tolist())


def _quadrature_kl(space: Sphere | ProjectiveSpace, t: np.ndarray) -> np.ndarray:
    """Divergence on the unit sphere or projective space by Gauss-Legendre quadrature over the angle."""
    dim, cut = space.dim, math.pi if isinstance(space, Sphere) else math.pi / 2
    nodes, weights = np.polynomial.legendre.leggauss(_QUADRATURE)
    # Nearly all mass is near sqrt(d t), with a spread of sqrt(t).
    reach = np.minimum(cut, np.sqrt(t) * (math.sqrt(dim) + 9))[:, None]
    angle = reach * (1 + nodes) / 2
    times = np.broadcast_to(t[:, None], angle.shape)
    log_q = _log_kernel(dim, times, angle)
    if isinstance(space, ProjectiveSpace):
        log_q = np.logaddexp(log_q, _log_kernel(dim, times, math.pi - angle))
    log_ratio = log_q + space.log_volume
    log_shell = Sphere(dim - 1).log_volume if dim > 1 else math.log(2)
    density = np.exp(log_q + log_shell + (dim - 1) * np.log(np.sin(angle)))
    return reach[:, 0] / 2 * np.sum(weights * density * log_ratio, axis=-1)


def _log_kernel(dim: int, t: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return log_circle_kernel(np, t, angle) if dim == 1 else log_sphere_kernel(np, t, angle, dim)

"""Brownian motion on hyperbolic space, whose prior is Brownian motion from the origin at a fixed time."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.diffusion.heat_kernel import log_heat_kernel
from mvae.diffusion.kl import asymptotic_kl, kl_to_uniform
from mvae.diffusion.prior import log_prior
from mvae.diffusion.sampling import sample
from mvae.manifolds import Hyperbolic, safe_math
from mvae.manifolds.hyperbolic.kernel import log_hyperbolic_kernel
from mvae.manifolds.hyperbolic.quantile import distance_per_length

_REACH = 8.0  # standard deviations around the likeliest distances
_RADII, _HEIGHTS = {4: 32, 8: 64}, {4: 12, 8: 24}  # nodes of the divergence, by bytes of the dtype


@log_heat_kernel.register(Hyperbolic)
def _(manifold: Hyperbolic, t: Array, z: Array, w: Array) -> Array:
    r = manifold.distance(z, w) / manifold.radius
    t, r = jnp.broadcast_arrays(t / manifold.radius**2, r)
    return _log_kernel(manifold.dim, t, r) - manifold.dim * math.log(manifold.radius)


@functools.partial(jax.jit, static_argnums=0)
def _log_kernel(dim: int, t: Float[Array, "*batch"], r: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    return log_hyperbolic_kernel(jnp, t, r, dim)


@log_prior.register(Hyperbolic)
def _(manifold: Hyperbolic, z: Array) -> Array:
    """The heat kernel from the origin."""
    r = safe_math.norm(manifold.to_origin(z)) / manifold.radius
    time = jnp.full_like(r, manifold.prior_time / manifold.radius**2)
    return _log_kernel(manifold.dim, time, r) - manifold.dim * math.log(manifold.radius)


@sample.register(Hyperbolic)
def _(key: jax.Array, manifold: Hyperbolic, z: Array, t: Array) -> Array:
    """Radial steps in isotropic directions; NaN for (d - 1) t > 12 R^2, where their distribution is not tabulated."""
    step = jax.random.normal(key, (*z.shape[:-1], manifold.dim), z.dtype)
    ratio = distance_per_length(manifold.dim, t / manifold.radius**2, safe_math.norm(step))
    return manifold.carry(z, manifold.radius * ratio[..., None] * step)


@kl_to_uniform.register(Hyperbolic)
def _(manifold: Hyperbolic, t: Array, z: Array) -> Array:
    return _kl(manifold, t, z)


@asymptotic_kl.register(Hyperbolic)
def _(manifold: Hyperbolic, t: Array, z: Array) -> Array:
    """Expansion of the entropy; the expectation of the prior's log density as in the exact divergence."""
    dim = manifold.dim
    entropy = dim / 2 * (jnp.log(2 * math.pi * t) + 1) - manifold.scalar_curvature(z) * t / 4
    return -entropy - _expectations(manifold, t, z)[1]


def _kl(manifold: Hyperbolic, t: Float[Array, "*batch"], z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    own, prior = _expectations(manifold, t, z)
    return own - prior


@functools.partial(jax.jit, static_argnums=0)
def _expectations(
    manifold: Hyperbolic, t: Float[Array, "*batch"], z: Float[Array, "*batch n"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Expectations of log q(t; z, w) and of the prior's log density, by quadrature over distance r and height of w.

    With a the distance of z from the origin and h the cosine of the angle at z between w and the way outward,
    the distance b of w from the origin has sinh(b/2)^2 = sinh((a - r)/2)^2 + sinh(a) sinh(r) (1 + h) / 2.
    """
    dim, scale = manifold.dim, manifold.radius
    time, dtype = t[..., None] / scale**2, z.dtype
    nodes, weights = np.polynomial.legendre.leggauss(_RADII[dtype.itemsize])
    from scipy.special import roots_jacobi  # here, since its import takes a quarter of that of the geometry

    heights, shares = roots_jacobi(_HEIGHTS[dtype.itemsize], (dim - 3) / 2, (dim - 3) / 2)
    # Distances are near that of flat space and the drift outward together, spread by sqrt(t).
    root = jnp.sqrt(time)
    low = jnp.maximum(root * (math.sqrt(dim) - _REACH), 0)
    high = root * (math.sqrt(dim) + _REACH) + (dim - 1) / 2 * time
    r = low + (high - low) / 2 * jnp.asarray(1 + nodes, dtype)
    log_q = _log_kernel(dim, jnp.broadcast_to(time, r.shape), r)
    log_shell = math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)
    log_sinh = r + jnp.log(-jnp.expm1(-2 * r)) - math.log(2)
    mass = jnp.asarray(weights, dtype) * (high - low) / 2 * jnp.exp(log_q + log_shell + (dim - 1) * log_sinh)
    mass = mass / jnp.sum(mass, axis=-1, keepdims=True)  # it is one up to the quadrature's own error

    a = safe_math.norm(manifold.to_origin(z))[..., None, None] / scale
    r_, up = r[..., None], jnp.asarray((1 + heights) / 2, dtype)
    square = jnp.sinh((a - r_) / 2) ** 2 + jnp.sinh(a) * jnp.sinh(r_) * up
    b = 2 * jnp.arcsinh(jnp.sqrt(square))
    log_p = _log_kernel(dim, jnp.full_like(b, manifold.prior_time / scale**2), b)
    of_prior = jnp.sum(mass * jnp.sum(log_p * jnp.asarray(shares / shares.sum(), dtype), axis=-1), axis=-1)
    shift = dim * math.log(scale)
    return jnp.sum(mass * log_q, axis=-1) - shift, of_prior - shift

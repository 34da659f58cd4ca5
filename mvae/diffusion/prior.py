"""The distribution that Brownian motion is compared with."""

import functools
import math
import operator

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds import Euclidean, Manifold, Product
from mvae.manifolds.checks import check_points, in_float32
from mvae.manifolds.dispatch import open_function


@open_function("prior", "it is uniform on a closed manifold")
@in_float32
def log_prior(manifold: Manifold, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Log density of the prior with respect to Riemannian volume.

    It is the uniform distribution, -log Vol, on a closed manifold, N(0, I) on Euclidean space, and the product of the
    factors' priors on a product. Another space that is not closed registers its own, (manifold, z) -> (...).

    >>> from mvae.manifolds import Sphere
    >>> round(float(log_prior(Sphere(2), jnp.array([0.0, 0.0, 1.0]))), 4)
    -2.531

    Args:
        manifold: Space of the points.
        z: Points of the manifold, (..., n).

    Returns:
        Log densities, (...).

    Raises:
        ValueError: For a wrong last axis or dtype.
    """
    z = check_points("z", z, manifold.ambient_dim)
    return log_prior.of(manifold)(manifold, z)


@log_prior.register(Manifold)
def _(manifold: Manifold, z: Array) -> Array:
    return jnp.full(z.shape[:-1], -manifold.log_volume, z.dtype)


@log_prior.register(Euclidean)
def _(manifold: Euclidean, z: Array) -> Array:
    return -(jnp.sum(z**2, axis=-1) + manifold.dim * math.log(2 * math.pi)) / 2


@log_prior.register(Product)
def _(manifold: Product, z: Array) -> Array:
    parts = zip(manifold.factors, manifold.split(z), strict=True)
    return functools.reduce(operator.add, (log_prior(factor, part) for factor, part in parts))

"""Exact samples of Brownian motion."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_start
from mvae.diffusion.heat_kernel import SO3_RADIUS
from mvae.diffusion.radial_quantile import angle_per_length
from mvae.manifolds import SO3, Euclidean, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere, safe_math
from mvae.manifolds.checks import in_float32
from mvae.manifolds.dispatch import open_function


@open_function("exact sampler", "use random_walk, which tends to it with num_steps")
@in_float32
def sample(
    key: jax.Array,
    manifold: Manifold,
    z: Float[Array, "*#batch n"],
    t: Float[Array, "*#batch"] | float,
) -> Float[Array, "*batch n"]:
    """Draws exact samples of Brownian motion started at z, after time t.

    Euclidean space: z + sqrt(t) eps. Flat torus: each circle turned by sqrt(t) eps. Sphere, projective space and
    rotations: exp(z, c eps), with eps the tangent part of an ambient Gaussian vector, so that the direction is
    continuous in z, and c the number that takes the chi distribution of |eps| to the distribution of the distance; c ->
    sqrt(t) as t -> 0. Product: each factor by itself.

    >>> z = jnp.tile(jnp.array([0.0, 0.0, 1.0]), (5, 1))
    >>> sample(jax.random.key(0), Sphere(2), z, 0.1).shape
    (5, 3)

    Args:
        key: Typed key of `jax.random`.
        manifold: `Euclidean`, `FlatTorus`, `Sphere`, `ProjectiveSpace`, `SO3` or a `Product` of them.
        z: Starting points, (..., n).
        t: Time, a variance per tangent direction, (...) broadcast against the leading axes of z.

    Returns:
        Samples, (..., n), reparametrised: differentiable in z and t. The distance has a relative error below 1e-6
        (5e-6 in the outer 10^-6 of its distribution, not tabulated in the outer 10^-10).

    Raises:
        ValueError: For wrong shapes or dtypes, a t that is not positive, or points off the manifold; of the values,
            under `jax.jit`, `check_values` alone knows.
        NotImplementedError: For other manifolds; their `sample.register(Type)` takes (key, manifold, z, t), with z
            broadcast to the leading axes of both.
    """
    t, z = check_start(manifold, t, z)
    return sample.of(manifold)(key, manifold, z, t)


@sample.register(Euclidean)
def _(key: jax.Array, manifold: Euclidean, z: Array, t: Array) -> Array:
    del manifold
    return z + jnp.sqrt(t)[..., None] * jax.random.normal(key, z.shape, z.dtype)


@sample.register(FlatTorus)
def _(key: jax.Array, manifold: FlatTorus, z: Array, t: Array) -> Array:
    angles = jnp.sqrt(t)[..., None] * jax.random.normal(key, (*z.shape[:-1], manifold.dim), z.dtype)
    return manifold.rotate(z, angles)


@sample.register(Sphere)
def _(key: jax.Array, manifold: Sphere, z: Array, t: Array) -> Array:
    return _radial_sample(key, manifold, z, t, manifold.radius)


@sample.register(ProjectiveSpace)
def _(key: jax.Array, manifold: ProjectiveSpace, z: Array, t: Array) -> Array:
    return _radial_sample(key, manifold, z, t, 1.0)


@sample.register(SO3)
def _(key: jax.Array, manifold: SO3, z: Array, t: Array) -> Array:
    return _radial_sample(key, manifold, z, t, SO3_RADIUS)


@sample.register(Product)
def _(key: jax.Array, manifold: Product, z: Array, t: Array) -> Array:
    keys = jax.random.split(key, len(manifold.factors))
    parts = zip(keys, manifold.factors, manifold.split(z), strict=True)
    return manifold.join(tuple(sample(*part, t) for part in parts))


def _radial_sample(
    key: jax.Array,
    manifold: Sphere | ProjectiveSpace | SO3,
    z: Float[Array, "*batch n"],
    t: Float[Array, "*#batch"],
    radius: float,
) -> Float[Array, "*batch n"]:
    """Samples on a space that a sphere of the given radius covers, on which geodesics go on past the cut locus."""
    step = manifold.to_tangent(z, jax.random.normal(key, z.shape, z.dtype))
    scale = radius * angle_per_length(manifold.dim, t / radius**2, safe_math.norm(step))
    return manifold.exp(z, scale[..., None] * step)

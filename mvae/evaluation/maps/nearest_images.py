"""Chords between points of a manifold, and the nearest of many."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds import Manifold, Product, ProjectiveSpace
from mvae.manifolds.dispatch import open_function

BLOCK = 64  # points at a time


@open_function("chord coordinates", "take the ambient ones")
def chord_coordinates(manifold: Manifold, x: Float[Array, "*batch m"]) -> Float[Array, "*batch k"]:
    """Coordinates whose Euclidean distance is that of points of the manifold, to first order for near ones.

    They are the ambient ones, except that a point x of a projective space, which -x is too, has the entries of
    x xᵀ/√2; in a product each factor has its own.
    """
    return chord_coordinates.of(manifold)(manifold, x)


@chord_coordinates.register(Manifold)
def _(manifold: Manifold, x: Array) -> Array:
    del manifold
    return x


@chord_coordinates.register(Product)
def _(manifold: Product, x: Array) -> Array:
    pairs = zip(manifold.factors, manifold.split(x), strict=True)
    return jnp.concatenate([chord_coordinates(factor, part) for factor, part in pairs], axis=-1)


@chord_coordinates.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace, x: Array) -> Array:
    del manifold
    return (x[..., :, None] * x[..., None, :]).reshape(*x.shape[:-1], -1) / math.sqrt(2)


def nearest_distances(x: Float[Array, "n k"], others: Float[Array, "m k"]) -> Float[Array, " n"]:
    """Distance of each of `x`, (n, k), from the nearest of `others`, (m, k)."""
    return jax.lax.map(lambda point: jnp.sqrt(jnp.min(jnp.sum((others - point) ** 2, axis=-1))), x, batch_size=BLOCK)

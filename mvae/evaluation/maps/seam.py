"""Where a map of the cube to a closed manifold is torn: the images of its faces, and neighbours from far apart.

Faces may be glued to each other (the ends of a segment on a circle), within themselves (a square's sides that shrink to
the poles of a sphere, or that are folded in two), or not at all. No pairing of faces is taken for granted.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from mvae.evaluation.maps.nearest_images import BLOCK, chord_coordinates
from mvae.manifolds import Manifold, log_volume_element

FAR = 0.25
"""Of the cube's side: beyond it, in the greatest of the differences of coordinates, points are far apart."""


class FaceImages(NamedTuple):
    """Points of the faces of the cube, both of a pair at the same place on them.

    Attributes:
        size: Half of the (n - 1)-volume of the image of all faces.
        u: The points, (b, n), in the cube.
        x: Their images, (b, m).
    """

    size: Float[Array, ""]
    u: Float[Array, "b n"]
    x: Float[Array, "b m"]


def far_apart(u: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Bool[Array, "*batch"]:
    """Whether points of the cube differ by more than a quarter in some coordinate."""
    return jnp.max(jnp.abs(u - v), axis=-1) > FAR


def crossing_constant(n: int) -> float:
    """Mean of |δ·ν| over δ uniform in the unit ball of R^n, ν a unit vector: n/(n + 1) Γ(n/2)/(√π Γ((n + 1)/2)).

    Of the pairs of points at distances below ε, a share of this times ε |S| / Vol lies across a hypersurface S.

    >>> round(crossing_constant(1), 6), round(crossing_constant(3), 6)
    (0.5, 0.375)
    """
    return n / (n + 1) * math.gamma(n / 2) / (math.sqrt(math.pi) * math.gamma((n + 1) / 2))


def face_images(
    key: Key[Array, ""],
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]],
    bounds: tuple[float, float],
    n: int,
    num_points: int,
) -> FaceImages:
    """Draws `num_points` // n points on each of the 2 n faces of a cube, and maps them.

    Args:
        key: Source of the draws.
        f: Differentiable map of one point, (n,) -> (m,).
        bounds: Least and greatest coordinate in the cube.
        n: Dimension of the cube.
        num_points: How many, both sides of each pair of faces counted as one.
    """
    low, high = bounds
    count = max(num_points // n, 1)
    on_faces = jax.random.uniform(key, (n, count, n - 1), minval=low, maxval=high)

    def face(v: Float[Array, " k"], axis: Int[Array, ""], side: Float[Array, ""]) -> Float[Array, " n"]:
        return jnp.roll(jnp.append(v, side), axis + 1)  # one program for all axes

    def element(v: Float[Array, " k"], axis: Int[Array, ""], side: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.exp(log_volume_element(lambda v: f(face(v, axis, side)), v)) if n > 1 else jnp.ones(())

    def on_all(of: Callable[..., Array]) -> Array:
        over_sides = jax.vmap(jax.vmap(of, (None, None, 0)), (0, None, None))
        return jax.vmap(over_sides, (0, 0, None))(on_faces, jnp.arange(n), jnp.asarray(bounds))

    size = jnp.sum(jnp.mean(on_all(element), axis=1)) * (high - low) ** (n - 1)
    u = on_all(face).reshape(-1, n)
    return FaceImages(size / 2, u, jax.vmap(f)(u))


def gaps(manifold: Manifold, faces: FaceImages) -> Float[Array, " b"]:
    """Geodesic distance from each image to the nearest one of a point of the faces that is far in the cube, (b,)."""
    chords = chord_coordinates(manifold, faces.x)

    def of(point: tuple[Array, Array]) -> Array:
        u, at = point
        squares = jnp.sum((chords - at) ** 2, axis=-1)
        return jnp.argmin(jnp.where(far_apart(u, faces.u), squares, jnp.inf))

    return manifold.distance(faces.x, faces.x[jax.lax.map(of, (faces.u, chords), batch_size=BLOCK)])


def torn_pairs(
    x: Float[Array, "a k"],
    u: Float[Array, "a n"],
    others: Float[Array, "b k"],
    others_u: Float[Array, "b n"],
    epsilon: Float[Array, ""],
) -> Float[Array, ""]:
    """Share of the pairs of images closer than ε, x the first of the others, whose preimages are far apart.

    Args:
        x: Images, in chord coordinates, (a, k).
        u: Their preimages in the cube, (a, n).
        others: All images, x first, (b, k).
        others_u: Their preimages, (b, n).
        epsilon: ε, a length.
    """

    def of(point: tuple[Array, Array]) -> tuple[Array, Array]:
        at, preimage = point
        near = jnp.sum((others - at) ** 2, axis=-1) <= epsilon**2
        return jnp.sum(near), jnp.sum(near & far_apart(preimage, others_u))

    close, torn = jax.lax.map(of, (x, u), batch_size=BLOCK)
    return jnp.sum(torn) / jnp.maximum(jnp.sum(close) - len(x), 1)  # each point is close to itself

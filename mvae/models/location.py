"""From the output of an encoder to points of the latent space, continuous where projections to a cover cannot be.

A network into R^n followed by the projection onto a cover of M winds as maps to the cover do: projected to lines its
degree is even, on a Klein bottle it cannot go around the glide once. An embedding of M itself in some R^m, with a map
of R^m back onto M that keeps its points, has no such limit: every continuous map to M is one of a network followed
by it.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mvae.manifolds import (
    Cylinder,
    Hyperbolic,
    Interval,
    KleinBottle,
    Manifold,
    MobiusBand,
    Product,
    ProjectiveSpace,
    safe_math,
)
from mvae.manifolds.dispatch import open_function
from mvae.manifolds.quotient.space import QuotientSpace

_SQRT2 = math.sqrt(2)


class Location(NamedTuple):
    """How a latent space lies in the space R^m that an encoder's output is in.

    Attributes:
        size: m.
        retract: R^m -> M, (..., m) to (..., n), a representative; not defined, but finite, on a set of measure zero.
        embed: M -> R^m, (..., n) to (..., m), the same for each representative; `retract` takes it back.
    """

    size: int
    retract: Callable[[Float[Array, "*batch m"]], Float[Array, "*batch n"]]
    embed: Callable[[Float[Array, "*batch n"]], Float[Array, "*batch m"]]


@open_function("location of an encoder's output", "it is the projection")
def location(manifold: Manifold) -> Location:
    """Returns how the output of an encoder becomes a point of a manifold.

    - RP^d: the symmetric matrix z z^T; back, the leading eigenvector, which is the nearest line.
    - `KleinBottle`: (cos 2a, sin 2a, cos b, sin b cos a, sin b sin a), which the glide (a + pi, -b) leaves as it is.
    - `MobiusBand`: (cos 2a, sin 2a, b cos a, b sin a), reflected at the border.
    - `Interval`, `Cylinder`: the coordinate along it, from the middle, reflected at the ends; the circle as it is.
    - `Hyperbolic`: distance from the origin times direction; back, the exponential map there.
    - `RotationQuotient` of all symmetries but n-gons of n > 8: symmetric tensors, see `mvae.models.pose_location`.
    - `Product`: factor by factor.
    - Any other: the projection of the ambient space. For other quotients no embedding of such a kind is known here:
      their codes come from the cover, as a network into it can wind.

    A manifold of one's own registers a function that returns its `Location`, `location.register(Type)`.
    """
    return location.of(manifold)(manifold)


def identity(z: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
    """Returns points as they are."""
    return z


@location.register(Manifold)
def of_cover(manifold: Manifold) -> Location:
    """Returns the projection of the ambient space."""
    return Location(manifold.ambient_dim, manifold.project, identity)


@location.register(Product)
def _(manifold: Product) -> Location:
    parts = [location(factor) for factor in manifold.factors]
    ends = np.cumsum([part.size for part in parts])

    def retract(y: Array) -> Array:
        pieces = jnp.split(y, ends[:-1], axis=-1)
        return manifold.join(tuple(part.retract(piece) for part, piece in zip(parts, pieces, strict=True)))

    def embed(z: Array) -> Array:
        pieces = zip(parts, manifold.split(z), strict=True)
        return jnp.concatenate([part.embed(piece) for part, piece in pieces], axis=-1)

    return Location(int(ends[-1]), retract, embed)


@location.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace) -> Location:
    n = manifold.ambient_dim
    rows, columns = np.triu_indices(n)
    weights = np.where(rows == columns, 1.0, _SQRT2)  # so that lengths are those of the matrices

    def retract(y: Array) -> Array:
        upper = y / jnp.asarray(weights, y.dtype)
        matrix = jnp.zeros((*y.shape[:-1], n, n), y.dtype).at[..., rows, columns].set(upper)
        return leading_eigenvector(matrix.at[..., columns, rows].set(upper))

    def embed(z: Array) -> Array:
        return z[..., rows] * z[..., columns] * jnp.asarray(weights, z.dtype)

    return Location(len(rows), retract, embed)


@jax.custom_jvp
def leading_eigenvector(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n"]:
    """Unit eigenvector of the largest eigenvalue of symmetric matrices, of either sign.

    Its derivative, the sum over the other eigenvectors of v_k <v_k, dA v> / (l - l_k), leaves out those whose
    eigenvalue is l up to rounding (4 n eps of the largest): there any vector of their span is as good, and it is
    finite.
    """
    return jnp.linalg.eigh(matrix)[1][..., -1]


@leading_eigenvector.defjvp
def _leading_eigenvector_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (matrix,), (change,) = primals, tangents
    values, vectors = jnp.linalg.eigh(matrix)
    leading = vectors[..., -1]
    gaps = values[..., -1:] - values
    rounding = 4 * matrix.shape[-1] * float(jnp.finfo(matrix.dtype).eps) * jnp.max(jnp.abs(values), -1, keepdims=True)
    distinct = gaps > rounding
    change = (change + jnp.swapaxes(change, -1, -2)) / 2
    parts = jnp.einsum("...ik,...ij,...j->...k", vectors, change, leading)
    parts = jnp.where(distinct, parts / jnp.where(distinct, gaps, 1), 0)
    return leading, jnp.einsum("...ik,...k->...i", vectors, parts)


def _half(double: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """Unit vector at half the angle of a vector of the plane."""
    unit = safe_math.normalize(double)
    angle = jnp.arctan2(unit[..., 1], unit[..., 0]) / 2
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def _double(unit: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """Unit vector at twice the angle of a unit vector."""
    cosine, sine = unit[..., 0], unit[..., 1]
    return jnp.stack([cosine**2 - sine**2, 2 * sine * cosine], axis=-1)


@location.register(KleinBottle)
def _(manifold: KleinBottle) -> Location:
    del manifold

    def retract(y: Array) -> Array:
        along = _half(y[..., :2])
        height = jnp.sum(y[..., 3:] * along, axis=-1)
        across = safe_math.normalize(jnp.stack([y[..., 2], height], axis=-1))
        return jnp.concatenate([along, across], axis=-1)

    def embed(z: Array) -> Array:
        along, across = z[..., :2], z[..., 2:]
        return jnp.concatenate([_double(along), across[..., :1], across[..., 1:] * along], axis=-1)

    return Location(5, retract, embed)


@location.register(MobiusBand)
def _(manifold: MobiusBand) -> Location:
    first, second = manifold.radii

    def retract(y: Array) -> Array:
        along = _half(y[..., :2])
        angle = jnp.sum(y[..., 2:] * along, axis=-1)
        return jnp.concatenate([first * along, second * _on_circle(angle)], axis=-1)

    def embed(z: Array) -> Array:
        angles = manifold.coordinates(z) / jnp.asarray(manifold.radii, z.dtype)
        along = _on_circle(angles[..., 0])
        return jnp.concatenate([_double(along), angles[..., 1:] * along], axis=-1)

    return Location(4, retract, embed)


@location.register(Interval)
def _(manifold: Interval) -> Location:
    (radius,) = manifold.radii

    def retract(y: Array) -> Array:
        return radius * _on_circle(math.pi / 2 + y[..., 0])

    def embed(z: Array) -> Array:
        return manifold.coordinates(z) / radius - math.pi / 2

    return Location(1, retract, embed)


@location.register(Cylinder)
def _(manifold: Cylinder) -> Location:
    return location(Product((manifold.cover.factors[0], Interval(manifold.height))))


@location.register(Hyperbolic)
def _(manifold: Hyperbolic) -> Location:
    return Location(manifold.dim, manifold.from_tangent, manifold.to_origin)


class Reading(NamedTuple):
    """How a network reads points of a manifold.

    Attributes:
        read: (..., n) -> (..., k), smooth and one to one.
        invariant: Whether it is the same for all representatives of a point; else k is n, and what it gives changes
            with the group of a quotient as the points do.
    """

    read: Callable[[Float[Array, "*batch n"]], Float[Array, "*batch k"]]
    invariant: bool = False


AS_THEY_ARE = Reading(identity)


@open_function("reading of points by a decoder", "they are read as they are")
def reading(manifold: Manifold) -> Reading:
    """Returns how the decoders of this library read points.

    - `Hyperbolic`: (r, r u) in place of (R cosh(r/R), R sinh(r/R) u), r the distance from the origin, u the direction:
      the coordinates themselves grow exponentially, a hundredfold by r = 5 R, and no layer that starts at one scale
      can learn from all.
    - `RotationQuotient` with an embedding, `location`: that, which is invariant. A layer that is summed over the group
      instead hardly varies: the octahedral group's invariants are of degree 4 and more.
    - `Product`: factor by factor, in as many numbers; quotients: as the cover.
    - Any other: the points as they are.

    A manifold of one's own registers a function that returns its `Reading`, `reading.register(Type)`.
    """
    return reading.of(manifold)(manifold)


@reading.register(Manifold)
def _(manifold: Manifold) -> Reading:
    del manifold
    return AS_THEY_ARE


@reading.register(Product)
def _(manifold: Product) -> Reading:
    parts = [identity if found.invariant else found.read for found in map(reading, manifold.factors)]
    if all(part is identity for part in parts):
        return AS_THEY_ARE
    return Reading(
        lambda z: manifold.join(tuple(part(each) for part, each in zip(parts, manifold.split(z), strict=True)))
    )


@reading.register(QuotientSpace)
def _(manifold: QuotientSpace) -> Reading:
    return reading(manifold.cover)


@reading.register(Hyperbolic)
def _(manifold: Hyperbolic) -> Reading:
    def polar(z: Array) -> Array:
        v = manifold.to_origin(z)
        return jnp.concatenate([safe_math.norm(v)[..., None], v], axis=-1)

    return Reading(polar)


def _on_circle(angle: Float[Array, "*batch"]) -> Float[Array, "*batch 2"]:
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


@dataclasses.dataclass(frozen=True)
class EmbeddedSpace:
    """A manifold as it lies in the space of an encoder's output, with what a data-dependent start asks of it.

    Attributes:
        manifold: The manifold.
        where: Its location.
    """

    manifold: Manifold
    where: Location

    @property
    def dim(self) -> int:
        """Dimension of the manifold."""
        return self.manifold.dim

    @property
    def ambient_dim(self) -> int:
        """Dimension m of the space around it."""
        return self.where.size

    def project(self, y: Float[Array, "*batch m"]) -> Float[Array, "*batch m"]:
        """Returns the point of the embedded manifold that y is taken to."""
        return self.where.embed(self.where.retract(y))

    def uniform(self, key: Key[Array, ""], shape: tuple[int, ...] = ()) -> Float[Array, "*shape m"]:
        """Draws from the prior."""
        return self.where.embed(self.manifold.uniform(key, shape))


def target(manifold: Manifold, where: Location) -> Manifold | EmbeddedSpace:
    """Returns what a start lays codes around: the manifold itself where the output is projected onto it."""
    return manifold if where.embed is identity else EmbeddedSpace(manifold, where)

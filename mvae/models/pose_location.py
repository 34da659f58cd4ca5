"""Where encoders put poses of symmetric bodies: SO(3) / G in a space of symmetric tensors.

A body with the symmetry G is told by a few vectors a_i that G exchanges, up to their sign for even k: the edges of a
cube, the diagonals of a tetrahedron. The tensor sum_i w_i (R a_i)^k then is of the pose R G, not of R, and tells poses
apart. Its independent entries are those of the polynomial sum_i w_i <R a_i, x>^k over roots of multinomial
coefficients, so that scalar products are those of tensors. All poses have one norm: the nearest of a point y is the
pose that the polynomial p with the coefficients y is largest at, R -> sum_i w_i p(R a_i).
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.manifolds import SO3, RotationQuotient, safe_math
from mvae.manifolds.quotient.groups import rotation_group
from mvae.models.location import Location, location, of_cover

_STARTS = 512  # fixed poses that the search for the nearest begins from
_STEPS = 8  # of Newton's method; from so near four are enough
_FLATTEST = 1e-3  # of the greatest curvature at the nearest pose: a flatter direction counts as that flat
_LARGEST_ORDER = 8  # of an n-gon: tensors have n + 2 choose 2 entries


class Body(NamedTuple):
    """What tells the pose of a body.

    Attributes:
        vectors: a_i, (p, 3) unit vectors.
        weights: w_i, (p,).
        degree: k.
    """

    vectors: np.ndarray
    weights: np.ndarray
    degree: int


def bodies(symmetry: str, order: int | None) -> tuple[Body, ...] | None:
    """Returns the bodies, one or two, whose poses together tell those of a symmetry; None where none is given here."""
    if symmetry in ("tetrahedral", "octahedral", "icosahedral"):
        seed = {"tetrahedral": (1, 1, 1), "octahedral": (1, 0, 0), "icosahedral": (0, 1, (1 + math.sqrt(5)) / 2)}
        images = rotation_group(symmetry).array @ (np.array(seed[symmetry]) / np.linalg.norm(seed[symmetry]))
        signed = symmetry == "tetrahedral"
        chosen: list[np.ndarray] = []
        for image in images:
            alike = [(image - other) if signed else np.cross(image, other) for other in chosen]
            if all(np.abs(gap).max() > 1e-6 for gap in alike):
                chosen.append(image)
        vectors = np.array(chosen)
        return (Body(vectors, np.ones(len(vectors)), {"tetrahedral": 3, "octahedral": 4, "icosahedral": 6}[symmetry]),)
    assert order is not None  # of the other two symmetries
    if order == 1 or order > _LARGEST_ORDER:
        return None
    if order == 2 and symmetry == "dihedral":
        return (Body(np.eye(3)[[0, 2]], np.array([1.0, -1.0]), 2),)
    turns = 2 * math.pi * np.arange(order) / order
    corners = np.stack([np.cos(turns), np.sin(turns), 0 * turns], axis=-1)
    prism = Body(corners, np.ones(order), order)
    return (prism,) if symmetry == "dihedral" else (prism, Body(np.eye(3)[2:], np.ones(1), 1))


@location.register(RotationQuotient)
def _(manifold: RotationQuotient) -> Location:
    given = bodies(manifold.symmetry, manifold.order)
    if given is None:
        return of_cover(manifold)
    size = sum(math.comb(body.degree + 2, 2) for body in given)
    key = (manifold.symmetry, manifold.order)

    def retract(y: Float[Array, "*batch m"]) -> Float[Array, "*batch 9"]:
        return jnp.vectorize(functools.partial(_nearest, key), signature="(m)->(n)")(y)

    return Location(size, retract, functools.partial(_tensors, key))


@functools.partial(safe_math.inlined, static_argnums=0)
def _tensors(key: tuple[str, int | None], z: Float[Array, "*batch 9"]) -> Float[Array, "*batch m"]:
    """Entries of the tensors at rotations, of the norm 1 for each body."""
    rotation = z.reshape(*z.shape[:-1], 3, 3)
    parts = []
    for body in bodies(*key) or ():
        turned = jnp.einsum("...ij,pj->...pi", rotation, body.vectors.astype(z.dtype), precision="highest")
        powers = [jnp.ones_like(turned), turned]
        while len(powers) <= body.degree:
            powers.append(powers[-1] * turned)
        exponents = [e for e in itertools.product(range(body.degree + 1), repeat=3) if sum(e) == body.degree]
        monomials = jnp.stack([math.prod(powers[e[i]][..., i] for i in range(3)) for e in exponents], axis=-1)
        counts = [math.factorial(body.degree) / math.prod(map(math.factorial, e)) for e in exponents]
        entries = jnp.einsum("...pm,p->...m", monomials, body.weights.astype(z.dtype)) * np.sqrt(counts).astype(z.dtype)
        inner = (body.vectors @ body.vectors.T) ** body.degree
        parts.append(entries / math.sqrt(body.weights @ inner @ body.weights))
    return jnp.concatenate(parts, axis=-1)


@functools.cache
def _starts(key: tuple[str, int | None]) -> tuple[np.ndarray, np.ndarray]:
    """Poses that cover all, and their tensors."""
    with jax.ensure_compile_time_eval():
        z = SO3().uniform(jax.random.key(0), (_STARTS,))
        return np.asarray(z), np.asarray(_tensors(key, z))


def _height(key: tuple[str, int | None], y: Array, z: Array, turn: Float[Array, " 3"]) -> Float[Array, ""]:
    """Scalar product of y with the tensors of the pose z turned by a small vector in its own frame."""
    return jnp.sum(y * _tensors(key, _turned(z, turn)))


def _slopes(key: tuple[str, int | None], y: Array, z: Array) -> tuple[Array, Array]:
    """Gradient at a pose, and the inverse of minus the Hessian with its eigenvalues kept positive."""
    here = jnp.zeros(3, y.dtype)
    height = functools.partial(_height, key, y, z)
    gradient, hessian = jax.grad(height)(here), jax.hessian(height)(here)
    values, vectors = jnp.linalg.eigh(-(hessian + hessian.T) / 2)
    steepest = jnp.max(jnp.abs(values))
    kept = jnp.maximum(jnp.abs(values), _FLATTEST * steepest)
    return gradient, (vectors * jnp.where(steepest > 0, 1 / jnp.where(steepest > 0, kept, 1), 0)) @ vectors.T


def _turned(z: Float[Array, " 9"], turn: Float[Array, " 3"]) -> Float[Array, " 9"]:
    x, u, w = turn
    zero = jnp.zeros_like(x)
    cross = jnp.stack([zero, -w, u, w, zero, -x, -u, x, zero]).reshape(3, 3)
    return SO3().exp(z, (z.reshape(3, 3) @ cross).ravel())


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _nearest(key: tuple[str, int | None], y: Float[Array, " m"]) -> Float[Array, " 9"]:
    """A rotation of the pose whose tensors are nearest to y."""
    poses, tensors = _starts(key)
    start = jnp.asarray(poses, y.dtype)[jnp.argmax(jnp.asarray(tensors, y.dtype) @ y)]

    def improve(_: int, z: Array) -> Array:
        gradient, inverse = _slopes(key, y, z)
        return _turned(z, inverse @ gradient)

    return jax.lax.fori_loop(0, _STEPS, improve, start)


@_nearest.defjvp
def _nearest_jvp(key: tuple[str, int | None], primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # The gradient stays zero: turn = (-Hessian)^-1 d(gradient)/dy dy, bounded where the nearest pose is hardly unique.
    (y,), (dy,) = primals, tangents
    z = _nearest(key, y)
    _, inverse = _slopes(key, y, z)
    change = jax.grad(functools.partial(_height, key, dy, z))(jnp.zeros(3, y.dtype))
    return z, jax.jvp(functools.partial(_turned, z), (jnp.zeros(3, y.dtype),), (inverse @ change,))[1]

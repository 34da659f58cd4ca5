"""Where encoders put poses of symmetric bodies: SO(3) / G in a space of symmetric tensors.

A body with the symmetry G is told by a few vectors a_i that G exchanges, up to their sign for even k: the edges of a
cube, the diagonals of a tetrahedron. The tensor sum_i w_i (R a_i)^k then is of the pose R G, not of R, and tells poses
apart. Its independent entries are those of the polynomial sum_i w_i <R a_i, x>^k over roots of multinomial
coefficients, so that scalar products are those of tensors. All poses have one norm: the nearest of a point y is the
pose that the polynomial p with the coefficients y is largest at, R -> sum_i w_i p(R a_i).

Of the entries only what varies with the pose is kept, less its mean, in an orthonormal basis: of a cube's 15 nine, the
harmonic part of degree 4. They are the slowest eigenfunctions of the Laplace operator on the poses and have one
variance, so that principal components and diffusion maps of views are a turn of them.
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.transform import Rotation

from mvae.manifolds import SO3, RotationQuotient, safe_math
from mvae.manifolds.quotient.groups import rotation_group
from mvae.models.location import AS_THEY_ARE, Location, Reading, location, of_cover, reading

_STARTS = 512  # fixed poses that the search for the nearest begins from
_STEPS = 8  # of Newton's method; from so near four are enough
_FLATTEST = 1e-3  # of the greatest curvature at the nearest pose: a flatter direction counts as that flat
_NONE = 1e-9  # of the greatest variance of an entry of the tensors: one that varies less does not
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
    key = (manifold.symmetry, manifold.order)
    mean, basis = _varying(key)

    def retract(y: Float[Array, "*batch k"]) -> Float[Array, "*batch 9"]:
        tensors = jnp.matmul(y, basis.T.astype(y.dtype), precision="highest")
        return jnp.vectorize(functools.partial(_nearest, key), signature="(m)->(n)")(tensors)

    def embed(z: Float[Array, "*batch 9"]) -> Float[Array, "*batch k"]:
        return jnp.matmul(_tensors(key, z) - mean.astype(z.dtype), basis.astype(z.dtype), precision="highest")

    return Location(basis.shape[1], retract, embed)


@functools.cache
def _varying(key: tuple[str, int | None]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m k"]]:
    """Mean tensor of all poses, and the span of what they differ from it by: so many columns, all of one length.

    That length makes what `embed` gives of the norm 1. By a quadrature that is exact for the covariance, whose degree
    is twice that of the tensors; the basis is that of the first columns of the projection that are independent.
    """
    degree = 2 * max(body.degree for body in bodies(*key) or ())
    turns = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    heights, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    around, tilts, about = np.meshgrid(turns, np.arccos(heights), turns, indexing="ij")
    poses = Rotation.from_euler("ZYZ", np.stack([around, tilts, about], axis=-1).reshape(-1, 3)).as_matrix()
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        tensors = np.asarray(_tensors(key, jnp.asarray(poses.reshape(-1, 9))))
    weights = np.broadcast_to(weights[:, None] / (2 * len(turns) ** 2), around.shape).ravel()
    mean = weights @ tensors
    covariance = (tensors - mean).T @ (weights[:, None] * (tensors - mean))
    values, vectors = np.linalg.eigh(covariance)
    varying = vectors[:, values > _NONE * values[-1]]
    basis = np.zeros((len(mean), 0))
    for column in (varying @ varying.T).T:
        rest = column - basis @ (basis.T @ column)
        if np.linalg.norm(rest) > _NONE**0.5:
            basis = np.concatenate([basis, (rest / np.linalg.norm(rest))[:, None]], axis=1)
    return mean, basis / math.sqrt(np.trace(covariance))


@reading.register(RotationQuotient)
def _(manifold: RotationQuotient) -> Reading:
    if bodies(manifold.symmetry, manifold.order) is None:
        return AS_THEY_ARE
    return Reading(location(manifold).embed, invariant=True)


@functools.partial(safe_math.inlined, static_argnums=0)
def _tensors(key: tuple[str, int | None], z: Float[Array, "*batch 9"]) -> Float[Array, "*batch m"]:
    """Entries of the tensors at rotations, of the norm 1 for each body."""
    rotation = z.reshape(*z.shape[:-1], 3, 3)
    parts = []
    for body in bodies(*key) or ():
        turned = jnp.einsum("...ij,pj->...pi", rotation, body.vectors.astype(z.dtype), precision="highest")
        sums = jnp.einsum(
            "...pm,p->...m", _monomials(turned, body.degree), body.weights.astype(z.dtype), precision="highest"
        )
        parts.append(sums * _factors(body).astype(z.dtype))
    return jnp.concatenate(parts, axis=-1)


def _exponents(degree: int) -> list[tuple[int, ...]]:
    """Those of the monomials of a degree in three variables."""
    return [e for e in itertools.product(range(degree + 1), repeat=3) if sum(e) == degree]


def _monomials(v: Float[Array, "*batch 3"], degree: int) -> Float[Array, "*batch m"]:
    """Values of the monomials of a degree, in the order of `_exponents`."""
    powers = [jnp.ones_like(v)]
    while len(powers) <= degree:
        powers.append(powers[-1] * v)
    stacked = jnp.stack(powers, axis=-1)  # (..., 3, degree + 1)
    chosen = np.array(_exponents(degree))
    return stacked[..., 0, chosen[:, 0]] * stacked[..., 1, chosen[:, 1]] * stacked[..., 2, chosen[:, 2]]


def _factors(body: Body) -> Float[np.ndarray, " m"]:
    """Roots of the multinomial coefficients, over the norm of the tensor."""
    counts = [math.factorial(body.degree) / math.prod(map(math.factorial, e)) for e in _exponents(body.degree)]
    inner = (body.vectors @ body.vectors.T) ** body.degree
    return np.sqrt(counts) / math.sqrt(body.weights @ inner @ body.weights)


def _partial_derivatives(degree: int) -> Float[np.ndarray, "3 m l"]:
    """The three partial derivatives of each monomial of a degree, in those of one less."""
    of_degree, lower = _exponents(degree), _exponents(degree - 1)
    found = np.zeros((3, len(of_degree), len(lower)))
    for row, e in enumerate(of_degree):
        for i in range(3):
            if e[i]:
                found[i, row, lower.index(tuple(np.array(e) - np.eye(3, dtype=int)[i]))] = e[i]
    return found


@functools.cache
def _starts(key: tuple[str, int | None]) -> tuple[np.ndarray, np.ndarray]:
    """Poses that cover all, and their tensors."""
    with jax.ensure_compile_time_eval():
        z = SO3().uniform(jax.random.key(0), (_STARTS,))
        return np.asarray(z), np.asarray(_tensors(key, z))


def _gradient(key: tuple[str, int | None], y: Float[Array, " m"], z: Float[Array, " 9"]) -> Float[Array, " 3"]:
    """Derivative at zero of `_expansion`'s function, linear in y."""
    return _expansion(key, y, z)[0]


def _expansion(
    key: tuple[str, int | None], y: Float[Array, " m"], z: Float[Array, " 9"]
) -> tuple[Float[Array, " 3"], Float[Array, "3 3"]]:
    """Gradient and Hessian at t = 0 of the scalar product of y with the tensors of the pose R exp(t), R the pose z.

    Sums of p(R exp(t) a) over the vectors a of the bodies, p the polynomial that y has the coefficients of. With
    exp(t) a = a + t × a + t × (t × a) / 2 and c = Rᵀ∇p, B = Rᵀ∇²p R at R a, they are the sums of a × c and of
    Kᵀ B K + (a cᵀ + c aᵀ) / 2 - <a, c>, K t = t × a.
    """
    rotation, identity, offset = z.reshape(3, 3), jnp.eye(3, dtype=y.dtype), 0
    gradient, hessian = jnp.zeros(3, y.dtype), jnp.zeros((3, 3), y.dtype)
    product = functools.partial(jnp.einsum, precision="highest")
    for body in bodies(*key) or ():
        factors, vectors = _factors(body).astype(y.dtype), jnp.asarray(body.vectors, y.dtype)
        first = product("m,iml->il", y[offset : offset + len(factors)] * factors, _constant(body.degree, y))
        offset += len(factors)
        weights, turned = body.weights.astype(y.dtype), product("pj,ij->pi", vectors, rotation)
        slope = product("p,pl,il,ij->pj", weights, _monomials(turned, body.degree - 1), first, rotation)
        gradient += jnp.sum(jnp.cross(vectors, slope), axis=0)
        both = product("pi,pj->ij", vectors, slope)
        hessian += (both + both.T) / 2 - jnp.trace(both) * identity
        if body.degree > 1:
            second = product("il,jln->ijn", first, _constant(body.degree - 1, y))
            bent = product("p,pn,ijn->pij", weights, _monomials(turned, body.degree - 2), second)
            around = np.cross(np.eye(3), body.vectors[:, None]).swapaxes(1, 2)  # K of each vector
            across = product("ij,pjk->pik", rotation, around.astype(y.dtype))
            hessian += product("pia,pij,pjb->ab", across, bent, across)
    return gradient, hessian


def _constant(degree: int, y: Array) -> Float[np.ndarray, "3 m l"]:
    return _partial_derivatives(degree).astype(y.dtype)


def _slopes(key: tuple[str, int | None], y: Array, z: Array) -> tuple[Array, Array]:
    """Gradient at a pose, and the inverse of minus the Hessian with its eigenvalues kept positive."""
    gradient, hessian = _expansion(key, y, z)
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
    longest = 1 / max(
        body.degree for body in bodies(*key) or ()
    )  # within what a polynomial of the degree is a parabola

    def improve(_: int, z: Array) -> Array:
        gradient, inverse = _slopes(key, y, z)
        turn = inverse @ gradient
        return _turned(z, turn * longest / jnp.maximum(jnp.linalg.norm(turn), longest))

    return jax.lax.fori_loop(0, _STEPS, improve, start)


@_nearest.defjvp
def _nearest_jvp(key: tuple[str, int | None], primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # The gradient stays zero: turn = (-Hessian)^-1 d(gradient)/dy dy, bounded where the nearest pose is hardly unique.
    (y,), (dy,) = primals, tangents
    z = _nearest(key, y)
    _, inverse = _slopes(key, y, z)
    change = _gradient(key, dy, z)
    return z, jax.jvp(functools.partial(_turned, z), (jnp.zeros(3, y.dtype),), (inverse @ change,))[1]

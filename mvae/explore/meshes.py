"""Nets of points over spaces of two dimensions, whose triangles an explorer finds the pointer in."""

import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import sparse
from scipy.spatial import ConvexHull, Delaunay

from mvae.figures import Solid, solid
from mvae.manifolds import Manifold

SMOOTHINGS = 8
COARSE = 40  # cubes along the diagonal of a body, of which its area is found well enough
_POINTS_OF_A_CELL = 4.0  # of a plane that marching tetrahedra cut along the sides of their cubes
_NEWTON = 3  # steps from a point next to the surface onto it


class Mesh(NamedTuple):
    """Triangles in the plane or in space.

    Attributes:
        places: Corners, (m, 2 or 3).
        cells: Corners of each triangle, (t, 3).
        normals: Unit normals at the corners, outward, (m, 3); None in the plane.
    """

    places: np.ndarray
    cells: np.ndarray
    normals: np.ndarray | None = None


def ball(num: int) -> Mesh:
    """Returns the unit sphere by the points of a Fibonacci lattice, all of nearly the same area, and their hull.

    >>> mesh = ball(100)
    >>> len(mesh.places), len(mesh.cells)
    (100, 196)

    Args:
        num: How many points, at least 4.
    """
    index = np.arange(num) + 0.5
    height, angle = 1 - 2 * index / num, np.pi * (1 + math.sqrt(5)) * index
    around = np.sqrt(1 - height**2)
    points = np.stack([around * np.cos(angle), around * np.sin(angle), height], axis=1)
    return Mesh(points, ConvexHull(points).simplices, points)


def disc(radius: float, num: int) -> Mesh:
    """Returns a disc of the plane by the points of a sunflower, all of nearly the same area, and some on its rim.

    >>> disc(0.5, 300).places.shape
    (300, 2)

    Args:
        radius: Of the disc.
        num: How many points, at least 16.
    """
    around = round(1.8 * math.sqrt(num))  # as far from each other on the rim as those within
    index = np.arange(num - around) + 0.5
    angle, length = np.pi * (1 + math.sqrt(5)) * index, radius * (1 - 1 / math.sqrt(num)) * np.sqrt(index / len(index))
    rim = np.linspace(0, 2 * np.pi, around, endpoint=False)
    angle, length = np.concatenate([angle, rim]), np.concatenate([length, np.full(around, radius)])
    points = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Mesh(points, Delaunay(points).simplices)


def rectangle(lower: np.ndarray, upper: np.ndarray, num: int) -> Mesh:
    """Returns a rectangle of the plane in squares of two triangles.

    >>> rectangle(np.zeros(2), np.array([2.0, 1.0]), 4).places.shape
    (8, 2)

    Args:
        lower: Least coordinates, (2,).
        upper: Greatest coordinates, (2,).
        num: Points on the longer side.
    """
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    counts = np.maximum(2, np.round(num * (upper - lower) / (upper - lower).max()).astype(int))
    axes = [np.linspace(low, high, count) for low, high, count in zip(lower, upper, counts, strict=True)]
    index = np.arange(counts.prod()).reshape(counts)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return Mesh(places, np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]))


def surface(manifold: Manifold, num: int) -> Mesh:
    """Returns a closed surface in space by about num points, evenly spread over it, up to twice as many if it is thin.

    Marching tetrahedra cut the level function of its `mvae.figures.solid`; then each point goes to the mean of its
    neighbours and back onto the surface, a few times, which makes the triangles alike.

    Args:
        manifold: A surface that has a `solid`.
        num: About how many points.
    """
    body = solid(manifold)
    area = _area(_cut(body, min(body.size / COARSE, body.reach)))
    usual = math.sqrt(_POINTS_OF_A_CELL * area / num)
    mesh = _cut(body, min(usual, max(body.reach, usual / math.sqrt(2))))
    sides = np.concatenate([mesh.cells[:, [0, 1]], mesh.cells[:, [1, 2]], mesh.cells[:, [2, 0]]])
    ones, size = np.ones(len(sides)), len(mesh.places)
    near = sparse.coo_matrix((ones, (sides[:, 0], sides[:, 1])), (size, size)).tocsr()
    near = ((near + near.T) > 0).astype(float)
    mean = sparse.diags(1 / np.asarray(near.sum(axis=1)).ravel()) @ near
    places, outward = _onto(body, mesh.places)
    for _ in range(SMOOTHINGS):
        places, outward = _onto(body, mean @ places)
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    return Mesh(places, mesh.cells, outward / np.where(length > 0, length, 1))


def _onto(body: Solid, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of the surface near those, by Newton's method along the gradient of the level function; and gradients."""
    slope = jax.grad(lambda x: jnp.sum(body.level(x)))

    @jax.jit
    def onto(x: Array) -> tuple[Array, Array]:
        def step(_: Any, x: Array) -> Array:
            gradient = slope(x)
            square = jnp.sum(gradient**2, axis=-1, keepdims=True)
            return x - body.level(x)[..., None] * gradient / jnp.where(square > 0, square, 1)

        x = jax.lax.fori_loop(0, _NEWTON, step, x)
        return x, slope(x)

    places, outward = onto(jnp.asarray(points, jnp.float32))
    return np.asarray(places, np.float64), np.asarray(outward, np.float64)


def _cut(body: Solid, step: float) -> Mesh:
    """The surface by marching tetrahedra in cubes of some width."""
    axes = [np.arange(low - step, high + 2 * step, step) for low, high in zip(body.lower, body.upper, strict=True)]
    level = jax.jit(body.level)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    levels = np.stack([np.asarray(level(jnp.asarray(plane, jnp.float32))) for plane in grid])
    return marching_tetrahedra(levels, np.array([axis[0] for axis in axes]), step)


def _area(mesh: Mesh) -> float:
    p, q, r = np.moveaxis(mesh.places[mesh.cells], 1, 0)
    return float(np.linalg.norm(np.cross(q - p, r - p), axis=1).sum() / 2)


def marching_tetrahedra(levels: np.ndarray, origin: np.ndarray, step: float) -> Mesh:
    """Returns where a function on a grid of space is zero, linear within tetrahedra, six to a cube.

    A closed surface of the function that lies within the grid is a closed surface of triangles.

    Args:
        levels: Values on the grid, (a, b, c).
        origin: Where the first of them is, (3,).
        step: Between points of the grid.
    """
    inside, (_, across, deep) = levels.ravel() < 0, levels.shape
    first = np.arange(levels.size).reshape(levels.shape)[:-1, :-1, :-1].ravel()
    edges = []
    for order in itertools.permutations((across * deep, deep, 1)):
        corners = first[:, None] + np.cumsum([0, *order])
        among = inside[corners].sum(axis=1)
        corners = corners[(among > 0) & (among < 4)]
        corners = np.take_along_axis(corners, np.argsort(~inside[corners], axis=1, kind="stable"), axis=1)
        among = inside[corners].sum(axis=1)
        for number, cut in ((1, ("ab", "ac", "ad")), (3, ("ad", "bd", "cd")), (2, ("ac", "ad", "bd", "bc"))):
            named = dict(zip("abcd", corners[among == number].T, strict=True))
            found = np.stack([np.stack([named[one], named[other]], axis=1) for one, other in cut], axis=1)
            edges += [found] if len(cut) == 3 else [found[:, [0, 1, 2]], found[:, [0, 2, 3]]]
    pairs = np.sort(np.concatenate(edges).reshape(-1, 2), axis=1)
    unique, cells = np.unique(pairs, axis=0, return_inverse=True)
    ends = np.stack(np.unravel_index(unique, levels.shape), axis=-1).astype(float)
    values = levels.ravel()[unique]
    share = (values[:, 0] / (values[:, 0] - values[:, 1]))[:, None]
    return Mesh(origin + step * (ends[:, 0] + share * (ends[:, 1] - ends[:, 0])), cells.reshape(-1, 3))

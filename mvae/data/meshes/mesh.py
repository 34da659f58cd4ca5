"""Triangle meshes: what one is, how it is centred, and two that are generated."""

import importlib
import math
from typing import Any, NamedTuple

import numpy as np

_BUMPS = np.array(  # direction (x, y, z), height, sharpness; every one different, so that no rotation is a symmetry
    [
        (1.0, 0.2, 0.3, 1.1, 5.0),
        (-0.5, 0.8, 0.1, 0.6, 9.0),
        (-0.3, -0.6, 0.7, 0.8, 14.0),
        (0.1, 0.3, -1.0, 0.5, 10.0),
        (0.3, 0.5, 0.8, 0.5, 25.0),
        (0.2, -0.7, -0.6, -0.5, 6.0),
        (-0.9, -0.2, -0.5, -0.4, 12.0),
    ]
)
_SUBDIVISIONS = 5
_TURNS = 1.6
_RINGS, _RING = 200, 64


class Mesh(NamedTuple):
    """A surface of triangles in space.

    Attributes:
        vertices: Corners (x, y, z), float64 `(V, 3)`; z is up, and -y is the front.
        faces: The three corners of each triangle, int `(F, 3)`, counted from 0.
    """

    vertices: np.ndarray
    faces: np.ndarray


def in_unit_ball(mesh: Mesh) -> Mesh:
    """Returns the mesh moved and scaled so that it lies in the unit ball and touches it.

    The centre of the box around it, sides along the axes, goes to the origin. Vertices that belong to no triangle
    are left out, and so are triangles of no area.

    Raises:
        ValueError: If no triangle has an area.
    """
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    has_area = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 0
    if not has_area.any():
        raise ValueError("no triangle has an area")
    used, faces = np.unique(mesh.faces[has_area], return_inverse=True)
    vertices = mesh.vertices[used]
    vertices = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return Mesh(vertices / np.linalg.norm(vertices, axis=1).max(), faces.reshape(-1, 3))


def icosphere(subdivisions: int) -> Mesh:
    """Returns the unit sphere as an icosahedron of which every triangle was divided into four, several times.

    Args:
        subdivisions: How many times, n; there are 20·4ⁿ triangles, their corners counter-clockwise from outside.

    >>> [part.shape for part in icosphere(1)]
    [(42, 3), (80, 3)]
    """
    sphere = trimesh_module().creation.icosphere(subdivisions=subdivisions)
    return Mesh(np.array(sphere.vertices, np.float64), np.array(sphere.faces))


def trimesh_module() -> Any:
    """Returns trimesh, imported when a mesh is asked for: other data need not wait for it."""
    return importlib.import_module("trimesh")


def blob() -> Mesh:
    """Returns a sphere with bumps and dents, no two alike, in the unit ball; 20 480 triangles.

    The point in direction u lies at distance 1 + Σ_i h_i exp(κ_i (u·d_i - 1)) from a centre, for fixed directions
    d_i, heights h_i and sharpnesses κ_i in no symmetric arrangement.
    """
    sphere = icosphere(_SUBDIVISIONS)
    directions = _BUMPS[:, :3] / np.linalg.norm(_BUMPS[:, :3], axis=1, keepdims=True)
    heights, sharpnesses = _BUMPS[:, 3:].T
    radii = 1 + np.exp(sharpnesses * (sphere.vertices @ directions.T - 1)) @ heights
    return in_unit_ball(Mesh(radii[:, None] * sphere.vertices, sphere.faces))


def horn() -> Mesh:
    """Returns a tube that winds outward and downward while it widens, closed at both ends, in the unit ball.

    Its parts hide each other: depth counts more than for `blob`. 25 472 triangles, less those of no area.
    """
    s = np.linspace(0.0, 1.0, _RINGS)[:, None]
    turn = 2 * math.pi * _TURNS * s
    outward = np.concatenate([np.cos(turn), np.sin(turn), np.zeros_like(s)], axis=1)
    upward = np.array([0.0, 0.0, 1.0])
    centres = (0.15 + 0.85 * s) * outward + (1.0 - 1.9 * s) * upward
    radii = (0.06 + 0.36 * s) * np.sqrt(np.clip(1 - (2 * s - 1) ** 40, 0.0, None))  # round ends of no radius
    angles = 2 * math.pi * np.arange(_RING)[:, None] / _RING
    rings = np.cos(angles) * outward[:, None] + np.sin(angles) * upward
    vertices = centres[:, None] + radii[:, None] * rings
    ring, corner = (part.ravel() for part in np.meshgrid(np.arange(_RINGS - 1), np.arange(_RING), indexing="ij"))
    a, b = ring * _RING + corner, ring * _RING + (corner + 1) % _RING
    faces = np.concatenate([np.stack([a, b, b + _RING], axis=1), np.stack([a, b + _RING, a + _RING], axis=1)])
    return in_unit_ball(Mesh(vertices.reshape(-1, 3), faces))

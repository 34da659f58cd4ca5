"""Images of triangle meshes: orthographic projection, a depth buffer, Lambert's law, light fixed to the camera.

Coordinates of the camera: x to the right, z upward, y away from it; it looks along +y from far away. The image
shows |x|, |z| ≤ `HALF_SIDE`, row 0 on top. Every pixel is the mean of `SAMPLES`² samples, one in the
middle of each of its parts: 0 where there is no surface, else

    AMBIENT + (1 - AMBIENT) max(0, n·l),

n the unit normal of the nearest triangle on the side towards the camera, l the direction to the light. A triangle
has two sides alike, so that it does not matter in which order its corners are given, nor whether the surface is closed.
"""

import logging
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from mvae.data.meshes.mesh import Mesh
from mvae.data.resize import area_average

LOGGER = logging.getLogger(__name__)

HALF_SIDE = 1.05
SAMPLES = 3
AMBIENT = 0.2
LARGEST = 256
LIGHT = np.array([-0.48, -0.64, 0.6])  # from the upper left behind the camera; a unit vector

_TOLERANCE = 1e-9  # in samples: a sample on the border of two triangles is in both, never in neither
_AT_ONCE = 1 << 20  # pairs of a triangle and a sample, of many triangles or all of one; bounds the memory
_PATIENCE = 3.0  # seconds after which progress is shown
_BAR = {"leave": False, "disable": None}  # on a terminal alone
_MUCH = 10**8  # triangles of all views, from which a line says what is going on
_VIEWS_AT_ONCE = 64  # images of samples; bounds the memory


class _Triangles(NamedTuple):
    """Triangles with the middle of a sample in the box around them, measured in samples; rows run downward."""

    first_corner: np.ndarray  # (column, row, depth), (3, F)
    edges: np.ndarray  # from there to the second and the third one, (3, 2, F)
    first_column: np.ndarray  # of the box, (F,)
    first_row: np.ndarray
    width: np.ndarray
    height: np.ndarray
    shade: np.ndarray  # bytes, (F,)


def render_views(mesh: Mesh, rotations: np.ndarray, size: int) -> np.ndarray:
    """Returns grey images of a mesh, rotated, by the module's formula.

    Samples are rounded to a byte, and so are their means. What takes longer than three seconds shows its progress; an
    interruption ends it within a view.

    Args:
        mesh: A mesh in the unit ball, no triangle without an area, as `in_unit_ball` returns it.
        rotations: Of every image, `(N, 3, 3)`: a point p of the mesh lies at R p in the camera's coordinates.
        size: Pixels along a side, from 1 to `LARGEST`.

    Returns:
        Bytes `(N, size, size, 1)`.
    """
    corners = np.ascontiguousarray(mesh.faces.T, np.int32)
    a, b, c = mesh.vertices[corners]
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    images = np.empty((len(rotations), size, size, 1), np.uint8)
    if len(rotations) * len(mesh.faces) > _MUCH:
        LOGGER.info("rendering %d views of %d triangles", len(rotations), len(mesh.faces))
    with tqdm(total=len(rotations), desc="rendering", unit="view", delay=_PATIENCE, **_BAR) as bar:
        for start in range(0, len(rotations), _VIEWS_AT_ONCE):
            samples = []
            for rotation in rotations[start : start + _VIEWS_AT_ONCE]:
                samples.append(_samples(mesh.vertices, corners, normals, rotation, SAMPLES * size))
                bar.update()
            images[start : start + _VIEWS_AT_ONCE] = area_average(np.stack(samples)[..., None], size)
    return images


def _samples(
    vertices: np.ndarray, corners: np.ndarray, normals: np.ndarray, rotation: np.ndarray, side: int
) -> np.ndarray:
    """Bytes (side, side), one for each sample."""
    triangles = _projected(vertices, corners, normals, rotation, side)
    depth = np.full(side * side, np.inf)
    samples = np.zeros(side * side, np.uint8)
    ends = np.cumsum(triangles.width * triangles.height)
    start = 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, before + _AT_ONCE, side="right")), start + 1)
        _draw(triangles, slice(start, stop), side, depth, samples)
        start = stop
    return samples.reshape(side, side)


def _projected(
    vertices: np.ndarray, corners: np.ndarray, normals: np.ndarray, rotation: np.ndarray, side: int
) -> _Triangles:
    x, depth, z = rotation @ vertices.T
    scale = side / (2 * HALF_SIDE)
    column, row = scale * (x + HALF_SIDE) - 0.5, scale * (HALF_SIDE - z) - 0.5
    boxes = []
    for place in (column, row):  # rounded for every vertex, not for every triangle
        first = np.clip(np.ceil(place - _TOLERANCE), 0, side).astype(np.int16)
        last = np.clip(np.floor(place + _TOLERANCE), -1, side - 1).astype(np.int16)
        boxes += [np.minimum.reduce([first.take(corner) for corner in corners])]
        boxes += [np.maximum.reduce([last.take(corner) for corner in corners]) - boxes[-1] + 1]
    first_column, width, first_row, height = boxes
    kept = np.flatnonzero((width > 0) & (height > 0))
    corners = corners[:, kept]
    places = np.stack([column.take(corners), row.take(corners), depth.take(corners)])  # (3, 3 corners, F)
    return _Triangles(
        first_corner=places[:, 0],
        edges=places[:, 1:] - places[:, :1],
        first_column=first_column[kept].astype(int),
        first_row=first_row[kept].astype(int),
        width=width[kept].astype(int),
        height=height[kept].astype(int),
        shade=_shade(normals[kept] @ rotation.T),
    )


def _shade(normals: np.ndarray) -> np.ndarray:
    """Bytes (F,) for unit normals (F, 3) in the camera's coordinates, of either side."""
    towards = np.where(normals[:, 1:2] > 0, -normals, normals)
    light = AMBIENT + (1 - AMBIENT) * np.maximum(towards @ LIGHT, 0)
    return np.rint(255 * light).astype(np.uint8)


def _draw(triangles: _Triangles, part: slice, side: int, depth: np.ndarray, samples: np.ndarray) -> None:
    """Draws some triangles into the samples, in place, where nothing nearer was drawn before."""
    width, counts = triangles.width[part], triangles.width[part] * triangles.height[part]
    which = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    down, across = np.divmod(place, width[which])
    column, row = triangles.first_column[part][which] + across, triangles.first_row[part][which] + down

    (ux, vx), (uy, vy), (uz, vz) = triangles.edges[:, :, part]
    area = ux * vy - uy * vx
    flat = np.abs(area) < _TOLERANCE  # seen from its edge: its neighbours cover what it does
    orientation = np.where(area < 0, -1.0, 1.0)
    x0, y0, z0 = triangles.first_corner[:, part]
    x, y = column - x0[which], row - y0[which]
    # Twice the areas, signed, of the triangles of the sample with two corners each: 0 on the edge between the two.
    second = (orientation * vy)[which] * x - (orientation * vx)[which] * y
    third = (orientation * ux)[which] * y - (orientation * uy)[which] * x
    first = (orientation * area)[which] - second - third
    inside = (np.minimum(np.minimum(first, second), third) >= -_TOLERANCE) & ~flat[which]

    which, second, third = which[inside], second[inside], third[inside]
    size = np.where(flat, 1.0, orientation * area)
    at = row[inside] * side + column[inside]
    distance = z0[which] + (second * (uz / size)[which]) + third * (vz / size)[which]
    before = depth[at]
    np.minimum.at(depth, at, distance)
    samples[at[depth[at] < before - _TOLERANCE]] = 0  # what was drawn there is hidden
    nearest = distance <= depth[at] + _TOLERANCE
    np.maximum.at(samples, at[nearest], triangles.shade[part][which[nearest]])  # of equals, in any order

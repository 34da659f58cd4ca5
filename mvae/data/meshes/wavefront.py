"""Triangle meshes in the text format OBJ of Wavefront, plain or compressed with gzip.

A line `v x y z` is a vertex; `f i j k ...` is a polygon whose corners are given by vertices, counted from 1 or, if
negative, back from the latest one. A corner may go on with a texture and a normal, `i/t`, `i//n` or `i/t/n`, which
are not looked at, and neither are lines that begin with other words. A backslash at the end of a line joins the next.

The reader of trimesh 5.2 is not used: it counts negative corners from the end of the file, loses the first vertex
behind a byte-order mark, takes vertex 0 for the first, drops lines that begin with a space and faces of two corners
without a word, fails at comments behind a face and at the line ends of old Macs, and divides concave polygons wrongly.
"""

import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from mvae.data.digits.idx import read_content
from mvae.data.meshes.mesh import Mesh
from mvae.errors import UsageError

REMEDY = "mend the line, or export the mesh anew as triangles"
_COMMENT = re.compile(r"(?:^|\s)#")  # not within a number: old programs wrote -1.#IND for one that is none
_ROUNDING = 1e-9  # of the area of a polygon: what may be missing, or turned over, for rounding


def read_obj(path: Path) -> Mesh:
    """Returns the triangles of a file, the polygons divided into triangles.

    A polygon is divided into a fan around its first corner; where that would not do, as it is concave, by
    `mapbox_earcut`. In the files y is up and z is the front, as is the custom; in the mesh z is up and -y is the front.

    Args:
        path: The file, compressed or not.

    Raises:
        UsageError: If the file cannot be read, holds no triangle, or a line of a vertex or a polygon is damaged; it
            names the line.
    """
    vertices: list[list[float]] = []
    polygons: list[tuple[int, str, list[int]]] = []
    for number, line in _lines(read_content(path)):
        word, *entries = _COMMENT.split(line, maxsplit=1)[0].split() or [""]
        try:
            if word == "v":
                vertices.append(_vertex(entries))
            elif word == "f":
                polygons.append((number, line, _corners(entries, len(vertices))))
        except ValueError as error:
            raise _damaged(path, number, line, error) from error
    if not polygons:
        raise UsageError(
            f"{path}: not a mesh in the format OBJ: it has {len(vertices)} vertices and no faces: "
            "export the mesh anew in that format"
        )
    points, faces = np.array(vertices).reshape(-1, 3), []
    for number, line, corners in polygons:
        try:
            if max(corners) >= len(points):
                raise ValueError(f"a face has vertex {max(corners) + 1}, but there are only {len(points)}")
            faces += [[corners[i] for i in triangle] for triangle in _triangles(points, corners)]
        except ValueError as error:
            raise _damaged(path, number, line, error) from error
    return Mesh(np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1), np.array(faces))


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    """The lines, with the number of the first where several are joined."""
    text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    start, parts = 1, []
    for number, line in enumerate(text.split("\n"), 1):
        if line.rstrip().endswith("\\"):
            parts.append(line.rstrip()[:-1])
            continue
        yield start, " ".join([*parts, line])
        start, parts = number + 1, []
    if parts:
        yield start, " ".join(parts)


def _damaged(path: Path, number: int, line: str, error: ValueError) -> UsageError:
    return UsageError(f"{path}: line {number}, {line.strip()[:60]!r}: {error}: {REMEDY}")


def _vertex(entries: list[str]) -> list[float]:
    if len(entries) < 3:
        raise ValueError("expected three coordinates")
    vertex = [float(entry) for entry in entries[:3]]
    if not np.isfinite(vertex).all():
        raise ValueError("a coordinate is not finite")
    return vertex


def _corners(entries: list[str], num_vertices: int) -> list[int]:
    """Indices of the vertices, counted from 0; those beyond the latest vertex may still come."""
    if len(entries) < 3:
        raise ValueError("expected at least three corners")
    corners = []
    for entry in entries:
        index = int(entry.split("/", 1)[0])
        if index == 0 or index < -num_vertices:
            raise ValueError(f"there is no vertex {index}")
        corners.append(index - 1 if index > 0 else index + num_vertices)
    return corners


def _triangles(points: np.ndarray, corners: list[int]) -> list[list[int]]:
    """Divides a polygon: triples of places in its list of corners."""
    fan = [[0, i, j] for i, j in itertools.pairwise(range(1, len(corners)))]
    if len(fan) == 1:
        return fan
    polygon = points[corners] - points[corners[0]]
    a, b, c = polygon[np.array(fan)].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    whole = normals.sum(axis=0)  # its length is twice the area of the polygon seen along it
    area = np.linalg.norm(whole)
    if area == 0 or (normals @ whole).min() >= -_ROUNDING * area**2:
        return fan
    axes = np.linalg.svd(whole[None] / area)[2][1:]
    flat = polygon @ axes.T
    found = _earcut().triangulate_float64(flat, np.array([len(flat)], np.uint32)).reshape(-1, 3).tolist()
    a, b, c = flat[np.array(found).reshape(-1, 3)].transpose(1, 0, 2)
    covered = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()
    if abs(covered - area) > _ROUNDING * area:
        raise ValueError("the sides of this polygon cross each other")
    turns = [np.dot(np.cross(polygon[j] - polygon[i], polygon[k] - polygon[i]), whole) for i, j, k in found]
    return [[i, j, k] if turn >= 0 else [i, k, j] for (i, j, k), turn in zip(found, turns, strict=True)]


def _earcut() -> ModuleType:
    """mapbox_earcut, which only concave polygons need."""
    try:
        return importlib.import_module("mapbox_earcut")
    except ModuleNotFoundError:
        raise ValueError("it is concave, which needs mapbox_earcut (pip install 'mvae[mesh]')") from None

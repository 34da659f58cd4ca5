"""Triangle meshes in the text format OBJ of Wavefront, plain or compressed with gzip.

A line `v x y z` is a vertex; `f i j k ...` is a polygon whose corners are given by vertices, counted from 1 or, if
negative, back from the latest one. A corner may go on with a texture and a normal, `i/t`, `i//n` or `i/t/n`, which
are not looked at, and neither are lines that begin with other words.
"""

import itertools
from pathlib import Path

import numpy as np

from mvae.data.digits.idx import read_content
from mvae.data.meshes.mesh import Mesh
from mvae.errors import UsageError


def read_obj(path: Path) -> Mesh:
    """Returns the triangles of a file, polygons divided into fans around their first corner.

    In the files y is up and z is the front, as is the custom; in the mesh z is up and -y is the front.

    Args:
      path: the file, compressed or not.

    Raises:
      UsageError: if the file cannot be read, holds no triangle, or a line of a vertex or a polygon is damaged; it
        names the line.
    """
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    text = read_content(path).decode("utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        word, *entries = line.split("#", 1)[0].split() or [""]
        try:
            if word == "v":
                vertices.append(_vertex(entries))
            elif word == "f":
                corners = _corners(entries, len(vertices))
                faces += [[corners[0], *pair] for pair in itertools.pairwise(corners[1:])]
        except ValueError as error:
            raise UsageError(f"{path}: line {number}, {line.strip()[:60]!r}: {error}") from error
    if not faces:
        raise UsageError(f"{path}: not a mesh in the format OBJ: it has {len(vertices)} vertices and no faces")
    points, triangles = np.array(vertices), np.array(faces)
    if triangles.max() >= len(points):
        raise UsageError(f"{path}: a face has vertex {triangles.max() + 1}, but there are only {len(points)}")
    if not np.isfinite(points).all():
        raise UsageError(f"{path}: vertex {np.argmin(np.isfinite(points).all(axis=1)) + 1} is not finite")
    return Mesh(np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1), triangles)


def _vertex(entries: list[str]) -> list[float]:
    if len(entries) < 3:
        raise ValueError("expected three coordinates")
    return [float(entry) for entry in entries[:3]]


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

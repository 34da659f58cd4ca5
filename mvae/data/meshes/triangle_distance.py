"""Distances of points from a surface of triangles, exact but for rounding."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from mvae.data.meshes.mesh import Mesh

_FIRST = 8  # triangles that bound the distance from above
_PAIRS_AT_ONCE = 1 << 16  # of a point and a triangle, or all of one point; bounds the memory


def mesh_distance(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Returns the distance of each point from the nearest point of the surface.

    The triangles with the nearest centroids bound the distance from above, by d. A triangle whose corners lie within
    r of its centroid can only be nearer if its centroid lies within d + r: of all these the least distance is taken,
    so that none is overlooked. A point that is far from the surface compared with how its distance varies over the
    surface, such as the centre of a ball, has all triangles for candidates.

    Args:
      mesh: a mesh, every triangle with an area.
      points: finite.
    """
    if not len(points):
        return np.zeros(0)
    corners = mesh.vertices[mesh.faces]
    centroids = corners.mean(axis=1)
    reach = np.linalg.norm(corners - centroids[:, None], axis=2).max()
    tree = KDTree(centroids)
    first = min(_FIRST, len(corners))
    _, nearest = tree.query(points, k=first)
    distances = triangle_distance(points[:, None], corners[nearest.reshape(-1, first)]).min(axis=1)
    radii = (distances + reach) * (1 + 1e-12)  # rounding leaves no candidate out
    pairs = np.cumsum(tree.query_ball_point(points, radii, return_length=True))
    for part in np.split(np.arange(len(points)), np.flatnonzero(np.diff(pairs // _PAIRS_AT_ONCE)) + 1):
        candidates = tree.query_ball_point(points[part], radii[part])
        numbers = np.array([len(found) for found in candidates])
        apart = triangle_distance(np.repeat(points[part], numbers, axis=0), corners[np.concatenate(candidates)])
        distances[part] = np.minimum.reduceat(apart, np.cumsum(numbers) - numbers)
    return distances


def triangle_distance(
    points: Float[np.ndarray, "*#batch 3"], corners: Float[np.ndarray, "*#batch 3 3"]
) -> Float[np.ndarray, "*batch"]:
    """Returns the distance of points from triangles.

    It is the distance from the plane where the foot of the perpendicular lies in the triangle, else that from the
    nearest side.

    Args:
      points: `(..., 3)`.
      corners: the three corners of each triangle, which has an area, `(..., 3, 3)`.
    """
    offsets = points[..., None, :] - corners
    sides = np.roll(corners, -1, axis=-2) - corners
    along = np.sum(offsets * sides, axis=-1) / np.sum(sides**2, axis=-1)
    to_sides = np.linalg.norm(offsets - np.clip(along, 0, 1)[..., None] * sides, axis=-1).min(axis=-1)
    normal = np.cross(sides[..., 0, :], sides[..., 1, :])
    inside = np.all(np.sum(np.cross(sides, offsets) * normal[..., None, :], axis=-1) >= 0, axis=-1)
    to_plane = np.abs(np.sum(offsets[..., 0, :] * normal, axis=-1)) / np.linalg.norm(normal, axis=-1)
    return np.where(inside, to_plane, to_sides)

"""Distances of points from a surface of triangles, exact but for rounding."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from mvae.data.meshes.mesh import Mesh, trimesh_module

_FIRST = 8  # triangles that bound the distance from above
_PAIRS_AT_ONCE = 1 << 16  # of a point and a triangle, or all of one point; bounds the memory


def mesh_distance(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Returns the distance of each point from the nearest point of the surface.

    The triangles with the nearest centroids bound the distance from above, by d. A triangle whose corners lie within
    r of its centroid can only be nearer if its centroid lies within d + r: of all these the least distance is taken,
    so that none is overlooked. A point that is far from the surface compared with how its distance varies over the
    surface, such as the centre of a ball, has all triangles for candidates. (`trimesh.proximity` needs rtree, and holds
    all pairs of a point and a candidate at once, however many.)

    Args:
        mesh: A mesh, every triangle with an area.
        points: Finite.
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

    Args:
        points: `(..., 3)`.
        corners: The three corners of each triangle, which has an area, `(..., 3, 3)`.
    """
    shape = np.broadcast_shapes(points.shape[:-1], corners.shape[:-2])
    points = np.broadcast_to(points, (*shape, 3)).reshape(-1, 3)
    nearest = trimesh_module().triangles.closest_point(
        np.broadcast_to(corners, (*shape, 3, 3)).reshape(-1, 3, 3), points
    )
    return np.linalg.norm(nearest - points, axis=1).reshape(shape)

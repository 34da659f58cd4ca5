"""Degree of maps between spheres, and between projective spaces, that are known at scattered points.

The points are triangulated by their convex hull, the map is extended over each simplex by the geodesic simplex
between the images of its corners, and the degree of that extension is counted at a regular value. Any images at
all make an extension that is continuous and has a degree; it is the degree of the map itself if the map takes each
simplex into the open half sphere about one of its corners, for then the two are nowhere antipodal. So a simplex
counts as resolved where the images of its corners are at acute angles to one another.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

MAX_GAP = np.pi / 4  # a map as simple as the identity is not resolved by simplices of twice that width
_JIGGLE = 1e-6  # far below the distance of points, far above the rounding of the hull
_NUM_VALUES = 5
_SEED = 1_597_463_007  # no usual one: values drawn like the points themselves would hit their images


class SimplicialDegree(NamedTuple):
    """Degree of a piecewise geodesic map.

    Attributes:
        degree: Degree, 0 where `resolved` is below 1.
        resolved: Share of the simplices that are resolved.
    """

    degree: int
    resolved: float


def _generic(source: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Moves the points of a sphere a little, so that every facet of their hull is a simplex that is not flat."""
    moved = source + _JIGGLE * np.random.default_rng(_SEED).normal(size=source.shape)
    return moved / np.linalg.norm(moved, axis=-1, keepdims=True)


def _triangulate(source: Float[np.ndarray, "n k"]) -> Int[np.ndarray, "simplices k"]:
    """Simplices of the convex hull of points of a sphere, oriented alike: det[x_0, ..., x_d] > 0."""
    n, k = source.shape
    if n <= k:
        raise ValueError(f"source must have {k + 1} points or more on the sphere, got {n}")
    hull = ConvexHull(source)
    # A facet at distance h from the centre cuts off a cap of radius arccos h that holds no point.
    gap = np.arccos(np.clip(-hull.equations[:, -1].max(), -1, 1))
    if gap >= MAX_GAP:
        raise ValueError(f"source must leave no gap of a radius of 45 degrees, got {np.rad2deg(gap):.0f}: add points")
    simplices = hull.simplices.copy()
    inverted = np.linalg.det(source[simplices]) < 0
    simplices[inverted, :2] = simplices[inverted, 1::-1]
    return simplices


def _count(corners: Float[np.ndarray, "simplices k k"], value: Float[np.ndarray, " k"]) -> int:
    """Simplices whose cone holds the value, those turned over counted negative."""
    cosines = np.einsum("sij,skj->sik", corners, corners)
    # Only corners nearer to the value than to their farthest neighbour span a cone that may hold it.
    corners = corners[(corners @ value >= cosines.min(axis=-1)).all(axis=-1)]
    k = len(value)
    # Cramer's rule: value = sum_i weight_i corner_i / volume, with no division where the image is flat.
    replaced = np.where(np.eye(k, dtype=bool)[:, :, None], value, corners[:, None])
    volume, weights = np.linalg.det(corners), np.linalg.det(replaced)
    holds = (weights * np.sign(volume)[:, None] > 0).all(axis=-1)
    return int(np.sign(volume[holds]).sum())


def _degree(corners: Float[np.ndarray, "simplices k k"]) -> int:
    """Count at generic values; all agree but for one so near to the side of a simplex that rounding decides."""
    values = np.random.default_rng(_SEED).normal(size=(_NUM_VALUES, corners.shape[-1]))
    return int(np.median([_count(corners, value) for value in values / np.linalg.norm(values, axis=-1, keepdims=True)]))


def sphere_degree(source: Float[np.ndarray, "n k"], image: Float[np.ndarray, "n k"]) -> SimplicialDegree:
    """Returns the degree of a map from S^d to itself, d ≥ 2.

    Args:
        source: Unit vectors, (n, d + 1), in any order.
        image: Unit vectors that they go to, (n, d + 1).

    Raises:
        ValueError: For a source that is too sparse.
    """
    corners = image[_triangulate(_generic(source))]
    resolved = float((np.einsum("sij,skj->sik", corners, corners) > 0).all(axis=(1, 2)).mean())
    return SimplicialDegree(_degree(corners) if resolved == 1 else 0, resolved)


def _liftable(corners: Float[np.ndarray, "simplices k k"]) -> Bool[np.ndarray, " simplices"]:
    """Whether the lines through the corners have representatives at acute angles to one another.

    If there are such, the signs of the cosines of corner 0 with the others tell them.
    """
    signs = np.where(np.einsum("sj,skj->sk", corners[:, 0], corners) < 0, -1, 1)
    lifted = signs[:, :, None] * corners
    return (np.einsum("sij,skj->sik", lifted, lifted) > 0).all(axis=(1, 2))


def _lift(image: Float[np.ndarray, "n k"], simplices: Int[np.ndarray, "simplices k"]) -> Float[np.ndarray, "n k"]:
    """Representatives that are at acute angles along all edges, where every simplex is liftable."""
    n, k = image.shape
    i, j = (simplices[:, ends].ravel() for ends in np.tril_indices(k, -1))
    negative = np.sum(image[i] * image[j], axis=-1) < 0
    # The cover of the graph, vertex v standing for z_v and v + n for -z_v, falls into two parts that are lifts.
    start, end = np.concatenate([i, i + n]), np.concatenate([j + n * negative, j + n * ~negative])
    _, part = connected_components(coo_array((np.ones(len(start), bool), (start, end)), shape=(2 * n, 2 * n)))
    return np.where(part[:n] == part[0], 1, -1)[:, None] * image


def projective_degree(source: Float[np.ndarray, "n k"], image: Float[np.ndarray, "n k"]) -> SimplicialDegree:
    """Returns the degree of a map f from RP^d to itself, d ≥ 2, as the degree of its lift to S^d.

    The sphere being simply connected, f has a lift F with ±F(x) = f(±x), odd or even, and deg f = deg F for odd d, by
    2 deg f = deg(S^d → RP^d → RP^d) = deg(S^d → S^d → RP^d) = 2 deg F. For even d the sign of deg F depends on the
    lift, and |deg F| is returned: the twisted degree of an odd map; an even map has none, and |deg F| = 0. An odd map
    has an odd degree (Borsuk), an even one an even degree.

    Args:
        source: Unit vectors, (n, d + 1), one of the two representatives of each point.
        image: Unit vectors, (n, d + 1), one of the two representatives of each image.

    Raises:
        ValueError: For a source that is too sparse.
    """
    source, image = _generic(source), np.concatenate([image, image])
    simplices = _triangulate(np.concatenate([source, -source]))
    resolved = float(_liftable(image[simplices]).mean())
    if resolved < 1:
        return SimplicialDegree(0, resolved)
    degree = _degree(_lift(image, simplices)[simplices])
    return SimplicialDegree(degree if source.shape[-1] % 2 == 0 else abs(degree), resolved)

"""Coordinates by functions on a double cover of the data: lines, and strips that close over a circle, flipped or not.

A class of H¹ modulo two is a double cover, and signs s_ij = ±1 on the edges of a complex. A function on the cover that
changes its sign with the sheet is one of the points, up to a sign at each; those of least energy
Σ w_ij (f_i - s_ij f_j)² are eigenvectors of the weights w_ij s_ij. They are the first coordinates of a line's two
directions; and of a Möbius band or a Klein bottle, whose fibre is turned over on the way around the circle, those of
the fibre.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mvae.errors import check_count
from mvae.manifolds import Cylinder, KleinBottle, MobiusBand
from mvae.topology.coordinates import (
    NUM_NEAREST,
    Candidate,
    circular_coordinates,
    cloud_of,
    nearest_landmarks,
    shown,
)
from mvae.topology.harmonic import edge_weights
from mvae.topology.persistence import persistent_cohomology

STRIPS = (Cylinder, MobiusBand, KleinBottle)
FRACTIONS = (0.3, 0.4, 0.5, 0.6)  # of the bar: near its birth a complex of two dimensions is torn
HARMONICS = 3  # of the base that the functions of a fibre are freed of
NUM_MODES = 3  # that are tried for each coordinate of a fibre that is a circle
_CHUNK = 4096


class Lines(NamedTuple):
    """Points of a projective space for the points of a cloud, known up to an isometry of it.

    Attributes:
        points: Unit vectors that stand for lines, of either sign, (n, dim + 1).
        bars: Birth and death of the most persistent classes of H¹ modulo two, most persistent first, (bars, 2).
        landmarks: Indices of the points that the complex is built on, (l,).
        scale: Of the complex, in units of distance.
    """

    points: Float[np.ndarray, "n m"]
    bars: Float[np.ndarray, "bars 2"]
    landmarks: Int[np.ndarray, " l"]
    scale: float


class Strip(NamedTuple):
    """Points of a flat space over a circle for the points of a cloud, known up to an isometry of it.

    Attributes:
        points: Points of the space, (n, 4).
        bars: Birth and death of the most persistent classes of H¹, most persistent first, (bars, 2).
        landmarks: Indices of the points that the complex is built on, (l,).
        chosen: How the angle around the circle was found.
    """

    points: Float[np.ndarray, "n 4"]
    bars: Float[np.ndarray, "bars 2"]
    landmarks: Int[np.ndarray, " l"]
    chosen: Candidate


def odd_modes(
    distances: Float[np.ndarray, "n n"], cocycle: Int[np.ndarray, "n n"], scale: float, num: int
) -> Float[np.ndarray, "n num"] | None:
    """Returns the slowest functions on a double cover that change their sign with the sheet.

    On the projective space of dimension d, whose cover is the sphere, the first d + 1 are its coordinates.

    Args:
        distances: Symmetric, (n, n).
        cocycle: Integers modulo two, symmetric: where they are odd an edge leads to the other sheet.
        scale: Of the complex, between birth and death of the class.
        num: Number of functions.

    Returns:
        Their values, of mean square 1, slowest first; the row of a point is known up to its sign. None where the
        complex has several parts.
    """
    linked = (distances <= scale) & ~np.eye(len(distances), dtype=bool)
    if not _is_connected(linked):
        return None
    weights = edge_weights(distances, linked)
    return _slowest(weights, np.where(cocycle % 2 == 1, -1.0, 1.0), np.zeros((len(distances), 0)), num)


def _is_connected(linked: Bool[np.ndarray, "n n"]) -> bool:
    return bool(linked.any()) and connected_components(csr_array(linked), directed=False)[0] == 1


def _slowest(
    weights: Float[np.ndarray, "n n"], signs: Float[np.ndarray, "n n"], known: Float[np.ndarray, "n k"], num: int
) -> Float[np.ndarray, "n num"]:
    """Functions of mean square 1 and least energy beside those that are known, orthogonal to them by degree."""
    root = np.sqrt(weights.sum(axis=1))
    matrix = weights * signs / (root[:, None] * root[None, :]) + np.eye(len(root))  # no eigenvalue below zero
    basis = np.linalg.qr(root[:, None] * known)[0]
    matrix = matrix - basis @ (basis.T @ matrix)
    matrix = matrix - (matrix @ basis) @ basis.T
    n = len(root)
    modes = scipy.linalg.eigh(matrix, subset_by_index=[n - num, n - 1])[1][:, ::-1] / root[:, None]
    return modes / np.sqrt(np.mean(modes**2, axis=0))


def projective_coordinates(
    x: ArrayLike, dim: int = 2, *, metric: str = "euclidean", num_landmarks: int = 400, fraction: float = 0.5
) -> Lines:
    """Returns coordinates with values in a projective space, from the most persistent class of H¹ modulo two.

    The class is a double cover of the data, as a line has two directions. The slowest functions that are odd on the
    cover, see `odd_modes`, are the coordinates of its points, where [perea2018] has principal components of a partition
    of unity. On data that are a projective space the map is one to one, where the data are sampled well.

    Limits: data that have a loop modulo two, such as a circle, a torus or a Klein bottle, have a map to a projective
    space, too; that they are one is not looked at. See `suggest_manifold` for that.

    Args:
        x: Data, (n, *event), or for metric "precomputed" their distances, (n, n).
        dim: Of the projective space.
        metric: "euclidean" or "precomputed".
        num_landmarks: Number of points, far from each other, that the complex is built on. The others take the mean
            line of their nearest landmarks. 400 take about a second.
        fraction: Where in the bar, from birth (0) to death (1), the complex is taken.

    Raises:
        ValueError: For wrong shapes, values that are not finite, numbers out of range, or data without such a class.
        ModuleNotFoundError: Where ripser is not installed.
    """
    dim = check_count("dim", dim, 1)
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be a number from 0 to below 1, got {fraction}")
    cloud = cloud_of(x, metric, num_landmarks)
    if len(cloud.landmarks) <= dim + 1:
        raise ValueError(f"x must have more than {dim + 1} points that are not copies, got {len(cloud.landmarks)}")
    distances = cloud.distances.astype(np.float32).astype(np.float64)  # as ripser has them, so that scales compare
    persistence = persistent_cohomology(distances, max_classes=4, prime=2, user="a coordinate")
    birth, death = persistence.bars[0] if len(persistence.bars) else (0.0, 0.0)
    scale = float(birth + fraction * (min(death, distances.max()) - birth))
    modes = odd_modes(distances, persistence.cocycles[0], scale, dim + 1) if len(persistence.bars) else None
    if modes is None:
        raise ValueError(f"x has not a loop modulo two in one piece: its classes live from {shown(persistence.bars)}")
    lines = _units(modes)
    num = min(NUM_NEAREST, len(lines))
    rows = cloud.rows.T
    parts = [_mean_lines(lines, rows[i : i + _CHUNK], num) for i in range(0, len(rows), _CHUNK)]
    return Lines(np.concatenate(parts), persistence.bars, cloud.landmarks, scale)


def _units(x: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.where(lengths > 0, x, np.eye(1, x.shape[1])) / np.where(lengths > 0, lengths, 1)


def _mean_lines(lines: Float[np.ndarray, "l m"], apart: Float[np.ndarray, "n l"], num: int) -> Float[np.ndarray, "n m"]:
    """The leading eigenvector of the mean of z zᵀ of the nearest landmarks, which no signs change."""
    nearest, weights = nearest_landmarks(apart, num)
    matrices = np.einsum("nk,nki,nkj->nij", weights, lines[nearest], lines[nearest])
    return np.linalg.eigh(matrices)[1][..., -1]


def strip_coordinates(
    x: ArrayLike,
    space: Cylinder | MobiusBand | KleinBottle,
    *,
    metric: str = "euclidean",
    num_landmarks: int = 400,
) -> Strip:
    """Returns coordinates with values in a cylinder, Möbius band or Klein bottle.

    The angle φ around the circle is that of `circular_coordinates`. Across, the slowest functions beside those of φ
    alone tell where a point is: on a cylinder one of the points, on the other two one that changes its sign where φ
    has gone around. On a strip it is monotone, and its rank gives the place, so that places are uniform; on a Klein
    bottle the odd function is the sine of the angle across, and one that is not odd the cosine, the pair of the slowest
    three of each whose squares add up to what varies least.

    Limits: the space is taken for granted, and its circle for the longest loop of the data over the integers; see
    `suggest_manifold`.

    Args:
        x: Data, (n, *event), or for metric "precomputed" their distances, (n, n).
        space: Its lengths are those that coordinates are scaled to, whatever those of the data are.
        metric: "euclidean" or "precomputed".
        num_landmarks: Number of points, far from each other, that the complex is built on. The others take the mean of
            their nearest landmarks.

    Raises:
        ValueError: For another space, wrong shapes, values that are not finite, numbers out of range, or data without a
            loop.
        ModuleNotFoundError: Where ripser is not installed.
    """
    if not isinstance(space, STRIPS):
        raise ValueError(f"space must be a Cylinder, MobiusBand or KleinBottle, got {space!r}")
    cloud = cloud_of(x, metric, num_landmarks)
    found = circular_coordinates(
        cloud.distances, metric="precomputed", num_landmarks=len(cloud.landmarks), fractions=FRACTIONS
    )
    base = found.angles
    linked = (cloud.distances <= found.chosen.scale) & ~np.eye(len(base), dtype=bool)
    if not _is_connected(linked):
        raise ValueError(f"x falls into parts at the scale {found.chosen.scale:.3g} of its loop")
    across = _across(space, base, edge_weights(cloud.distances, linked))
    num = min(NUM_NEAREST, len(base))
    rows = cloud.rows.T
    parts = [_mean_places(space, base, across, rows[i : i + _CHUNK], num) for i in range(0, len(rows), _CHUNK)]
    angles = np.concatenate(parts)
    points = np.asarray(space.from_coordinates(jnp.asarray(angles * space.radii, jnp.float32)))
    return Strip(points, found.bars, cloud.landmarks, found.chosen)


def _flips(base: Float[np.ndarray, "*n"], other: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """-1 between two angles in [-π, π) whose shorter way leads over π, else 1."""
    return np.where(np.abs(base - other) > np.pi, -1.0, 1.0)


def _across(
    space: Cylinder | MobiusBand | KleinBottle, base: Float[np.ndarray, " l"], weights: Float[np.ndarray, "l l"]
) -> Float[np.ndarray, " l"]:
    """The second angle of the landmarks on the cover, on the sheet where the first is that of the base, or half it."""
    order = np.arange(1, HARMONICS + 1)
    even = np.concatenate([np.ones((len(base), 1)), *_waves(base, order)], axis=1)
    signs = _flips(base[:, None], base[None])
    if isinstance(space, Cylinder):
        height = _slowest(weights, np.ones_like(signs), even, 1)[:, 0]
        return np.pi * _shares(height)
    odd = _slowest(weights, signs, np.concatenate(_waves(base, order - 0.5), axis=1), NUM_MODES)
    if isinstance(space, MobiusBand):
        place = odd[:, 0]
        return np.sign(place) * np.pi / 2 * _shares(np.abs(place))
    cosines = _slowest(weights, np.ones_like(signs), even, NUM_MODES)
    squares = cosines[:, :, None] ** 2 + odd[:, None, :] ** 2
    i, j = np.unravel_index(np.argmin(squares.std(axis=0)), (NUM_MODES, NUM_MODES))
    return np.arctan2(odd[:, j], cosines[:, i])


def _shares(values: Float[np.ndarray, " l"]) -> Float[np.ndarray, " l"]:
    """Share of the values that are less, of which half of the value itself counts."""
    return (np.argsort(np.argsort(values)) + 0.5) / len(values)


def _waves(base: Float[np.ndarray, " l"], order: np.ndarray) -> list[Float[np.ndarray, "l k"]]:
    return [np.cos(base[:, None] * order), np.sin(base[:, None] * order)]


def _mean_places(
    space: Cylinder | MobiusBand | KleinBottle,
    base: Float[np.ndarray, " l"],
    across: Float[np.ndarray, " l"],
    apart: Float[np.ndarray, "n l"],
    num: int,
) -> Float[np.ndarray, "n 2"]:
    """Angles of points on the cover, the mean of those of the nearest landmarks on one sheet."""
    nearest, weights = nearest_landmarks(apart, num)
    around = np.angle((weights * np.exp(1j * base[nearest])).sum(axis=1))
    flips = 1.0 if isinstance(space, Cylinder) else _flips(base[nearest], around[:, None])
    if isinstance(space, KleinBottle):
        second = np.angle((weights * np.exp(1j * flips * across[nearest])).sum(axis=1))
    else:
        second = (weights * flips * across[nearest]).sum(axis=1) / weights.sum(axis=1)
    return np.stack([around if isinstance(space, Cylinder) else around / 2, second], axis=1)

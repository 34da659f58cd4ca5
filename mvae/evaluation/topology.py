"""Topology of an encoder: the degree of the map from the torus of translations to the latent torus."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mvae.manifolds import FlatTorus, Manifold


class Degree(NamedTuple):
    """Degree of a map between tori.

    Attributes:
        degree: Determinant of the winding matrix where the map winds alike along all parallel loops,
            0 where it does not: such a map is torn somewhere, and has no degree.
        winding: (2, 2) integers; entry (i, j) says how often latent angle i turns while translation j makes
            one turn (the most frequent value among the parallel loops).
        consistent: Share of parallel loops that agree with `winding`, the smaller of the two directions.
    """

    degree: int
    winding: np.ndarray
    consistent: float


def _turns(angles: Float[np.ndarray, "loops points d"]) -> np.ndarray:
    """Turns of each angle along closed loops, (loops, d), by summing the shortest way from point to point."""
    steps = np.roll(angles, -1, axis=1) - angles
    shortest = (steps + np.pi) % (2 * np.pi) - np.pi
    return np.rint(shortest.sum(axis=1) / (2 * np.pi)).astype(int)


def _most_frequent(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """The most frequent row and its share."""
    values, counts = np.unique(rows, axis=0, return_counts=True)
    return values[counts.argmax()], float(counts.max() / len(rows))


def mapping_degree(manifold: Manifold, z: ArrayLike) -> Degree:
    """Returns the degree of an encoder from translations (a, b) to a flat torus.

    A map of tori turns latent angle i by W_ij turns along translation j; its degree is det W, and it is
    homotopic to a homeomorphism exactly if det W = ±1. A network followed by a projection is continuous but
    where the network's output meets the centre of a circle; around such a point parallel loops wind
    differently, which `consistent` < 1 tells.

    Args:
        manifold: FlatTorus(2).
        z: Encoded pictures on a periodic grid of translations, (n, m, 4): axis 0 runs through a, axis 1
            through b, neither endpoint repeated. n, m ≥ 8, fine enough that no latent angle moves by half a
            turn between neighbours.

    Raises:
        ValueError: For another manifold, another shape or values that are not finite.
    """
    if manifold != FlatTorus(2):
        raise ValueError(f"manifold must be FlatTorus(2), got {manifold}")
    z = np.asarray(z, dtype=np.float64)
    if z.ndim != 3 or z.shape[-1] != 4 or min(z.shape[:2]) < 8:
        raise ValueError(f"z must have shape (n, m, 4) with n, m of at least 8, got {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError("z must be finite")
    angles = np.arctan2(z[..., 1::2], z[..., 0::2])
    along_a, share_a = _most_frequent(_turns(angles.transpose(1, 0, 2)))
    along_b, share_b = _most_frequent(_turns(angles))
    winding = np.stack([along_a, along_b], axis=1)
    consistent = min(share_a, share_b)
    determinant = int(winding[0, 0] * winding[1, 1] - winding[0, 1] * winding[1, 0])
    return Degree(determinant if consistent == 1.0 else 0, winding, consistent)

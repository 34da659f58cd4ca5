"""Spaces of many dimensions in a plane: what is decoded at a place is the mean of the codes that are shown there."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import KDTree

from mvae.explore import meshes
from mvae.manifolds import Manifold

NEAR = 16  # codes that a point of a projection is the mean of
WIDE = 2.0  # of the bandwidth, from the nearest code: farther out nothing is decoded
MARGIN = 0.06


def projected(
    manifold: Manifold, codes: np.ndarray, shown: np.ndarray, num: int, period: float | None = None
) -> tuple[np.ndarray, meshes.Mesh]:
    """Returns points of a manifold that stand for the places of a plane, and where they are shown.

    Many points of the manifold are shown at one place; the codes near it stand for them.

    Args:
        manifold: The manifold.
        codes: Points on it, (n, ambient_dim).
        shown: Where they are shown, (n, 2).
        num: How many places there may be.
        period: Of both coordinates of places, where they have one.
    """
    if period is None:
        lower, upper = box(shown)
    else:
        lower, upper = np.full(2, -period / 2), np.full(2, period / 2)
    mesh = meshes.rectangle(lower, upper, round(math.sqrt(num)))
    tree = KDTree(_around(shown, period), boxsize=period)
    near = min(NEAR, len(codes))
    own = tree.query(tree.data, near)[0].reshape(len(codes), near)
    width = max(float(np.median(own[:, near // 2])), float((upper - lower).max()) / math.sqrt(num))
    distance, index = (each.reshape(-1, near) for each in tree.query(_around(mesh.places, period), near))
    weights = np.exp(-(distance**2 - distance[:, :1] ** 2) / (2 * width**2))
    weights /= weights.sum(axis=1, keepdims=True)
    nodes = _means(manifold, codes[index], weights)
    known = (distance[:, 0] <= WIDE * width) & np.isfinite(nodes).all(axis=1)
    number = np.cumsum(known) - 1
    cells = number[mesh.cells[known[mesh.cells].all(axis=1)]]
    return nodes[known], meshes.Mesh(mesh.places[known], cells)


def _around(places: np.ndarray, period: float | None) -> np.ndarray:
    """Places in [0, period)."""
    if period is None:
        return places
    turned = np.mod(places, period)
    return np.where(turned < period, turned, 0.0)  # of what is just below 0


def _means(manifold: Manifold, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means exp(z, Σ w log(z, z_k)) of points (m, k, n) seen from z, the first of each."""

    @jax.jit
    def mean(points: Any, weights: Any) -> Any:
        first = points[:, 0]
        velocity = jnp.sum(weights[..., None] * manifold.log(points[:, :1], points), axis=1)
        return manifold.exp(first, velocity)

    return np.asarray(mean(jnp.asarray(points, jnp.float32), jnp.asarray(weights, jnp.float32)))


def box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the corners of a box around all but a few points, (n, d), with a margin."""
    lower, upper = np.quantile(points, [0.002, 0.998], axis=0)
    sides = np.maximum(upper - lower, 1e-6 * max(1.0, float(np.abs(points).max())))
    return lower - MARGIN * sides.max(), upper + MARGIN * sides.max()

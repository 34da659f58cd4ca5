"""How far a map stretches and compresses its domain locally: the bi-Lipschitz measure [li2020, Sec. 4.3]."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.evaluation.samples.point_sets import flat_rows
from mvae.spectral import nearest_neighbors


def bilipschitz(z: ArrayLike, x: ArrayLike, k: int, *, rescale: bool = False) -> Float[np.ndarray, " n"]:
    """Returns the bi-Lipschitz measure of a map f at each of the points z, with x = f(z).

        bilip_k(z) = min{K : 1/K ≤ |f(z) - f(z')| / |z - z'| ≤ K for z' among the k nearest of z},

    which is 1 or more, and 1 for an isometry; the published figure is its median. Distances are Euclidean.

    It depends on the units of z and x: a map that doubles all lengths has 2. With `rescale` the ratios are divided by
    the median of all of them, so that such a map has 1 and only the spread of the ratios counts.

    A neighbour that coincides with z counts among the k, and makes K infinite where the images differ; where they
    coincide, too, it is ignored. A neighbour apart from z with the same image makes K infinite as well. A point all
    of whose neighbours are ignored has K = 1.

    Args:
        z: Latent points, (n, ...); what follows the first axis is one vector.
        x: Their images, (n, ...), likewise.
        k: Number of neighbours, 1 to n - 1; of points at the same distance those given first are taken. All is
            computed in float64.
        rescale: Whether to divide the ratios by their median.

    Returns:
        K, (n,).

    Raises:
        ValueError: For wrong shapes, values that are not finite, k out of range, or with `rescale` a map more than half
            of whose ratios are zero or infinite.

    >>> angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    >>> float(np.round(bilipschitz(angle[:, None], 3 * np.stack([np.cos(angle), np.sin(angle)], 1), 1)[1], 3))
    3.0
    """
    latent, images = flat_rows("z", z, 2), flat_rows("x", x, 2)
    n, k = len(latent), check_count("k", k, 1)
    if len(images) != n:
        raise ValueError(f"x must have {n} points as z has, got {len(images)}")
    if k >= n:
        raise ValueError(f"k must be below the number of points, {n}, got {k}")
    with jax.enable_x64(True):  # points apart in float64 may be one in float32
        neighbours = np.asarray(nearest_neighbors(jnp.asarray(latent), k).indices)
    apart = np.linalg.norm(latent[neighbours] - latent[:, None], axis=-1)
    moved = np.stack([np.linalg.norm(images[column] - images, axis=-1) for column in neighbours.T], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = moved / apart  # NaN where both are zero
        if rescale:
            ratios = ratios / _median(ratios)
        return np.fmax.reduce(np.maximum(ratios, 1 / ratios), axis=1, initial=1.0)


def _median(ratios: Float[np.ndarray, "n k"]) -> float:
    known = ratios[~np.isnan(ratios)]
    median = float(np.median(known)) if known.size else 1.0
    if not 0 < median < np.inf:
        raise ValueError(f"rescale must be False where the median of the ratios is {median}")
    return median

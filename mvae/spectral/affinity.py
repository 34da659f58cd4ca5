"""Gaussian affinities whose bandwidth follows the density of the points."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.spectral.checks import check_bandwidth, check_count, check_points
from mvae.spectral.copies import first_copies
from mvae.spectral.distances import squared_distances


def gaussian_affinity(
    x: Float[Array, "n d"], *, num_neighbors: int = 10, bandwidth: float | None = None
) -> Float[Array, "n n"]:
    """Returns W_ij = exp(-|x_i - x_j|² / (s_i s_j)), s_i the distance from x_i to its k-th nearest distinct neighbour.

    These local scales make W independent of the unit of length; a bandwidth s in their place is the same for all. Rows
    that repeat a point weigh as many as they are, and count once among the neighbours: where a point has k copies its
    scale is still that of the cloud around it.

    >>> import jax.numpy as jnp
    >>> [f"{entry:.3f}" for entry in gaussian_affinity(jnp.array([[0.0], [1.0], [2.0]]), num_neighbors=1)[0].tolist()]
    ['1.000', '0.368', '0.018']

    Args:
        x: Points, one a row.
        num_neighbors: k, from 1 to n - 1.
        bandwidth: s in units of length; None for the local scales.

    Returns:
        W, symmetric, 1 on the diagonal and between copies. Where there are fewer than k other points, the local scale
        is the distance to the farthest.

    Raises:
        ValueError: If x is not a matrix of floats, or k or the bandwidth is out of range; outside of compiled code also
            if x is not finite.

    Source: [zelnikmanor2004, Eq. 3].
    """
    return affinity_and_scales(x, num_neighbors, bandwidth)[0]


def affinity_and_scales(
    x: Float[Array, "n d"], num_neighbors: int, bandwidth: float | None
) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
    """Returns `gaussian_affinity` and the scales s_i it was made with."""
    x = check_points("x", x)
    check_count("num_neighbors", num_neighbors, len(x) - 1, f"{len(x)} points of which each leaves itself out")
    check_bandwidth(bandwidth)
    first = first_copies(x)
    distances = jnp.where(first[:, None] == first, 0, squared_distances(x))
    if bandwidth is not None:
        return jnp.exp(-distances / bandwidth**2), jnp.full(len(x), bandwidth, x.dtype)
    distinct = first == jnp.arange(len(x))
    scale = jnp.sqrt(kth_smallest(jnp.where(distinct, distances, jnp.inf), num_neighbors + 1))
    scale = jnp.maximum(scale, jnp.sqrt(jnp.finfo(x.dtype).tiny))
    return jnp.exp(-distances / (scale[:, None] * scale[None, :])), scale


def kth_smallest(values: Float[Array, "b n"], k: int) -> Float[Array, " b"]:
    """Returns the k-th smallest of the finite values of each row; the largest of them where there are fewer."""
    smallest = -jax.lax.top_k(-values, k)[0]
    return jnp.max(jnp.where(jnp.isfinite(smallest), smallest, 0), axis=1)

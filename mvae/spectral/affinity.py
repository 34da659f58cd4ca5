"""Gaussian affinities whose bandwidth follows the density of the points."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators


def squared_distances(x: Float[Array, "n d"]) -> Float[Array, "n n"]:
    """Returns |x_i - x_j|² as |x_i|² + |x_j|² - 2 <x_i, x_j> of the centred points, 0 on the diagonal.

    Its absolute error is a few units of rounding of the largest |x_i - mean|². Distances below the root of that
    are lost: points that lie as close as that count as one.

    Args:
        x: Points, one a row, in any unit of length.
    """
    centred = x - jnp.mean(x, axis=0)
    gram = jnp.matmul(centred, centred.T, precision=_EXACT)
    squares = jnp.diagonal(gram)
    distances = jnp.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0)
    return jnp.where(jnp.eye(len(x), dtype=bool), 0, distances)


def gaussian_affinity(
    x: Float[Array, "n d"], *, num_neighbors: int = 10, bandwidth: float | None = None
) -> Float[Array, "n n"]:
    """Returns W_ij = exp(-|x_i - x_j|² / (s_i s_j)), s_i the distance from x_i to its k-th nearest neighbour.

    These local scales make W independent of the unit of length; a bandwidth s in their place is the same for all.

    >>> import jax.numpy as jnp
    >>> [f"{entry:.3f}" for entry in gaussian_affinity(jnp.array([[0.0], [1.0], [2.0]]), num_neighbors=1)[0].tolist()]
    ['1.000', '0.368', '0.018']

    Args:
        x: Points, one a row.
        num_neighbors: k, from 1 to n - 1.
        bandwidth: s in units of length; None for the local scales.

    Returns:
        W, symmetric, 1 on the diagonal. A point with k copies of itself has the local scale 0: it is given the smallest
        positive number in its place, and is then linked to its copies alone.

    Raises:
        ValueError: If x is not a matrix of floats, or k or the bandwidth is out of range.

    Source: Zelnik-Manor & Perona, Self-tuning spectral clustering, 2004, Eq. 3.
    """
    x = jnp.asarray(x)
    if x.ndim != 2 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"x must be floats of shape (n, d), got {x.dtype} {x.shape}")
    if not 1 <= num_neighbors < len(x):
        raise ValueError(f"num_neighbors must lie in [1, n - 1] with n = {len(x)} points, got {num_neighbors}")
    if bandwidth is not None and not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth}")
    distances = squared_distances(x)
    if bandwidth is not None:
        return jnp.exp(-distances / bandwidth**2)
    nearest, _ = jax.lax.top_k(-distances, num_neighbors + 1)
    scale = jnp.maximum(jnp.sqrt(-nearest[:, -1]), jnp.sqrt(jnp.finfo(x.dtype).tiny))
    return jnp.exp(-distances / (scale[:, None] * scale[None, :]))

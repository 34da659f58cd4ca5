"""Whether neighbours in the latent space are neighbours in truth."""

import numpy as np
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.evaluation.disentanglement.inputs import scikit_learn

LARGEST = 10_000  # codes; seven matrices of n × n numbers of 8 bytes are in memory at once, 6 GB


def trustworthiness(codes: ArrayLike, distances: ArrayLike, *, num_neighbours: int = 5) -> float:
    """Returns how far the nearest neighbours of codes are near in truth, too, by scikit-learn.

        T(k) = 1 - 2 / (n k (2n - 3k - 1)) Σ_i Σ_{j among the k nearest codes of i} max(0, r(i, j) - k),

    where r(i, j) is the rank of j among the true distances from i, 1 for the nearest. It is 1 if the k nearest codes
    are the k nearest in truth for all i, near 1/2 for codes that have nothing to do with it, and never negative. Only
    the order of distances counts, on both sides: a latent space that is scaled, bent or stretched evenly enough to
    keep neighbours together loses nothing, one that folds, tears the neighbours apart or lays distant parts on each
    other does; a cut alone costs little, as it costs only the neighbours of the points beside it.

    Of points at the same true distance, as those of another class are which are infinitely far, the first given has
    the lowest rank or the highest: T is the mean of both. Beyond the rank k that is as if they shared their mean rank.

    Args:
        codes: Codes, (n, d), 10 000 at most.
        distances: True distances, (n, n), zero or more; infinite ones are allowed. The diagonal is not read.
        num_neighbours: k, below n / 2.

    Raises:
        ValueError: For another shape, more codes, codes that are not finite, distances that are NaN or negative, or a
            k out of range.
        ModuleNotFoundError: Where scikit-learn is not installed.

    Source: [venna2001, Eq. 1].

    >>> line = np.arange(20.0)
    >>> truth = np.abs(line[:, None] - line)
    >>> trustworthiness(line[:, None] ** 1.01, truth, num_neighbours=2)
    1.0
    """
    z = np.asarray(codes, np.float64)
    if z.ndim != 2 or z.size == 0 or not np.isfinite(z).all():
        raise ValueError(f"codes must be finite, of shape (n, d), not empty, got shape {z.shape}")
    n, k = len(z), check_count("num_neighbours", num_neighbours, 1)
    if n > LARGEST:
        raise ValueError(
            f"codes must be {LARGEST} at most, got {n}: take as many of them at random, and their distances"
        )
    truth = np.array(distances, np.float64)
    if truth.shape != (n, n):
        raise ValueError(f"distances must have shape ({n}, {n}), a row for each code, got {truth.shape}")
    np.fill_diagonal(truth, 0.0)
    if not (truth >= 0).all():
        raise ValueError("distances must be zero or more, without NaN")
    if 2 * k >= n:
        raise ValueError(f"num_neighbours must be below half the {n} codes, got {k}")
    score = scikit_learn("manifold", "trustworthiness").trustworthiness
    z = z - z.mean(axis=0)  # it computes distances of many-dimensional codes from products, which cancel
    return float(np.mean([score(_ranks(d), c, n_neighbors=k, metric="precomputed") for d, c in _both_ways(truth, z)]))


def _both_ways(truth: np.ndarray, z: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The points in the order given and backwards."""
    return (truth, z), (truth[::-1, ::-1], z[::-1])


def _ranks(distances: np.ndarray) -> np.ndarray:
    """Ranks within each row, of equal distances the first given having the lowest: finite and without ties."""
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty(order.shape)
    np.put_along_axis(ranks, order, np.arange(len(order), dtype=float)[None], axis=1)
    return ranks

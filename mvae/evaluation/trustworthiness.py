"""Whether neighbours in the latent space are neighbours in truth."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from mvae.evaluation.disentanglement_inputs import check_count


def trustworthiness(codes: ArrayLike, distances: ArrayLike, *, num_neighbours: int = 5) -> float:
    """Returns how far the nearest neighbours of codes are near in truth, too.

        T(k) = 1 - 2 / (n k (2n - 3k - 1)) Σ_i Σ_{j among the k nearest codes of i} max(0, r(i, j) - k),

    where r(i, j) is the rank of j among the true distances from i, 1 for the nearest. It is 1 if the k nearest codes
    are the k nearest in truth for all i, near 1/2 for codes that have nothing to do with it, and never negative. Only
    the order of distances counts, on both sides: a latent space that is scaled, bent or stretched evenly enough to
    keep neighbours together loses nothing, one that folds, tears the neighbours apart or lays distant parts on each
    other does; a cut alone costs little, as it costs only the neighbours of the points beside it.

    Points at the same true distance share the mean of their ranks, so that points infinitely far, as those of another
    class are, all count the same. Of codes at the same distance those given first are taken.

    Args:
        codes: Codes, (n, d).
        distances: True distances, (n, n), zero or more; infinite ones are allowed. The diagonal is not read.
        num_neighbours: k, below n / 2.

    Raises:
        ValueError: For another shape, codes that are not finite, distances that are NaN or negative, or a k out of
            range.

    Source: Venna & Kaski, Neighborhood preservation in nonlinear projection methods, 2001, Eq. 1.

    >>> line = np.arange(20.0)
    >>> truth = np.abs(line[:, None] - line)
    >>> trustworthiness(line[:, None] ** 1.01, truth, num_neighbours=2)
    1.0
    """
    z, truth = np.asarray(codes, np.float64), np.array(distances, np.float64)
    if z.ndim != 2 or z.size == 0 or not np.isfinite(z).all():
        raise ValueError(f"codes must be finite, of shape (n, d), not empty, got shape {z.shape}")
    n, k = len(z), check_count("num_neighbours", num_neighbours, 1)
    if truth.shape != (n, n):
        raise ValueError(f"distances must have shape ({n}, {n}), a row for each code, got {truth.shape}")
    np.fill_diagonal(truth, 0.0)
    if not (truth >= 0).all():
        raise ValueError("distances must be zero or more, without NaN")
    if 2 * k >= n:
        raise ValueError(f"num_neighbours must be below half the {n} codes, got {k}")
    excess = _ranks(truth)[np.arange(n)[:, None], _nearest(z, k)] - k
    return float(1.0 - 2.0 * np.maximum(excess, 0.0).sum() / (n * k * (2 * n - 3 * k - 1)))


def _ranks(distances: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Ranks within each row from 1 on, equal distances sharing their mean; the diagonal has rank 0."""
    from scipy.stats import rankdata  # here, since importing it takes half a second

    truth = distances.copy()
    np.fill_diagonal(truth, -1.0)  # before all others, also those that coincide
    return np.asarray(rankdata(truth, axis=1)) - 1.0


def _nearest(z: Float[np.ndarray, "n d"], k: int) -> np.ndarray:
    """Indices of the k nearest others of each point, (n, k)."""
    apart = cdist(z, z)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1, kind="stable")[:, :k]

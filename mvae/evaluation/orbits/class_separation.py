"""Whether classes stay apart in the latent space."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

from mvae.evaluation.rounding import rounding

PERCENTILE = 95.0


class ClassSeparation(NamedTuple):
    """How far classes of codes are apart.

    Attributes:
        accuracy: Share of the codes whose nearest neighbour, themselves left out, is of their class.
        gap: Least distance between codes of different classes in units of the spacing within classes; above 1 they
            are apart. Infinite where codes of a class coincide and classes do not, 0 where all do, to the rounding of
            their dtype.
    """

    accuracy: float
    gap: float


def class_separation(codes: ArrayLike, labels: ArrayLike) -> ClassSeparation:
    """Returns how well the classes of codes are separated, without a fit and free of the latent space's scale.

        accuracy = share of i with label(argmin_{j ≠ i} |z_i - z_j|) = label(i),
        gap = min_{label(i) ≠ label(j)} |z_i - z_j| / Q_95 { min_{j ≠ i, label(j) = label(i)} |z_i - z_j| : i }

    Accuracy asks whether classes mix; it needs no shape of them, so that circles one in the other can have 1. It is
    1 for classes that all but touch, too. The gap asks whether there is room between them: if gap > 1, no step as
    short as that spacing leads from a class to another. Its numerator is a minimum, since a single bridge joins two
    classes; its denominator is a percentile, since a single stray code says nothing of the spacing.

    Args:
        codes: Codes, (n, d).
        labels: Class of each code, (n,), of integers or names; two classes or more, of two codes or more each.

    Raises:
        ValueError: For another shape, codes that are not finite, a single class, or a class of a single code.

    >>> class_separation([[0.0], [1.0], [5.0], [6.0]], [0, 0, 1, 1])
    ClassSeparation(accuracy=1.0, gap=4.0)
    """
    z, names, noise = np.asarray(codes, np.float64), np.asarray(labels), rounding(codes)
    if z.ndim != 2 or z.size == 0 or not np.isfinite(z).all():
        raise ValueError(f"codes must be finite, of shape (n, d), not empty, got shape {z.shape}")
    if names.shape != (len(z),):
        raise ValueError(f"labels must have shape ({len(z)},), one for each code, got {names.shape}")
    found, counts = np.unique(names, return_counts=True)
    if len(found) < 2:
        raise ValueError(f"labels must have two classes or more, got {found.tolist()} alone")
    if counts.min() < 2:
        raise ValueError(f"labels must have two codes of each class or more, got one of {found[counts.argmin()]}")
    own, other = np.empty(len(z)), np.inf
    for name in found:
        inside = names == name
        tree = KDTree(z[inside])
        own[inside] = tree.query(z[inside], k=2)[0][:, 1]
        other = min(other, float(tree.query(z[~inside])[0].min()))
    within = float(np.percentile(own, PERCENTILE))
    return ClassSeparation(_neighbour_accuracy(z, names), _ratio(other, within, noise))


def _neighbour_accuracy(z: Float[np.ndarray, "n d"], names: np.ndarray) -> float:
    index = np.asarray(KDTree(z).query(z, k=2)[1])
    # Where codes coincide, a code need not be the first of its own neighbours.
    neighbour = np.where(index[:, 0] == np.arange(len(z)), index[:, 1], index[:, 0])
    return float((names[neighbour] == names).mean())


def _ratio(between: float, within: float, noise: float) -> float:
    """Their ratio; what is not above the noise is 0."""
    if within > noise:
        return between / within
    return float("inf") if between > noise else 0.0

"""Tests of uniformity on the circle and on spheres of any dimension."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special

from mvae.errors import check_count
from mvae.evaluation.samples.point_sets import flat_rows


class Uniformity(NamedTuple):
    """Result of a test of uniformity.

    Attributes:
        statistic: The test's statistic, larger the less uniform the points.
        p_value: Chance that as many independent uniform points have as large a statistic.
    """

    statistic: float
    p_value: float


def _directions(z: ArrayLike, ambient_dim: int | None = None) -> Float[np.ndarray, "n p"]:
    """Returns points divided by their lengths."""
    points = flat_rows("z", z, 2)
    if points.shape[1] < 2 or ambient_dim not in (None, points.shape[1]):
        wanted = "two or more" if ambient_dim is None else ambient_dim
        raise ValueError(f"z must have {wanted} coordinates, got {points.shape[1]}")
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError("z must not have points at the origin, which have no direction")
    return points / lengths


def rayleigh_test(z: ArrayLike) -> Uniformity:
    """Tests whether directions have no mean direction, by Rayleigh's test on S^(p-1).

    S = p n |mean|² is χ² with p degrees of freedom for many uniform points; the statistic is Jupp's
    (1 - 1/(2n)) S + S²/(2n (p + 2)), which is so up to O(1/n²). Without power against distributions of mean 0, such as
    equal lumps on opposite sides.

    Args:
        z: Points in R^p, p ≥ 2, (n, p), n ≥ 2; their lengths do not count.

    Raises:
        ValueError: For another shape, values that are not finite, or a point at the origin.

    Source: [mardia2000, Eqs. 10.4.4 and 10.4.6].
    """
    directions = _directions(z)
    n, p = directions.shape
    plain = p * n * np.sum(directions.mean(axis=0) ** 2)
    statistic = float((1 - 1 / (2 * n)) * plain + plain**2 / (2 * n * (p + 2)))
    return Uniformity(statistic, _chi_squared_tail(statistic, p))


def bingham_test(z: ArrayLike) -> Uniformity:
    """Tests whether the second moments of directions are those of the uniform distribution on S^(p-1), I/p.

    S = p (p + 2)/2 · n (tr T² - 1/p) with T = mean z zᵀ is χ² with (p - 1)(p + 2)/2 degrees of freedom for many uniform
    points, up to O(1/n). It sees bands and lumps on opposite sides, and not what is odd, a mean direction alone.

    Args:
        z: Points in R^p, p ≥ 2, (n, p), n ≥ 2; their lengths do not count.

    Raises:
        ValueError: As `rayleigh_test`.

    Source: [mardia2000, Eq. 10.7.1]; on the circle it is Rayleigh's test of 2θ.
    """
    directions = _directions(z)
    n, p = directions.shape
    moments = directions.T @ directions / n
    statistic = float(p * (p + 2) / 2 * n * (np.sum(moments**2) - 1 / p))
    return Uniformity(statistic, _chi_squared_tail(statistic, (p - 1) * (p + 2) / 2))


def watson_test(z: ArrayLike) -> Uniformity:
    """Tests uniformity on the circle against all other distributions, by Watson's U².

    U² = Σ_i (u_i - ū - (2i - 1)/(2n) + 1/2)² + 1/(12n) with the sorted angles u as shares of a turn; it does not depend
    on where angles begin. The statistic is Stephens' (U² - 0.1/n + 0.1/n²)(1 + 0.8/n), whose distribution is close to
    that of infinitely many points, P(U² > v) = 2 Σ_k (-1)^(k-1) exp(-2 k² π² v), for n ≥ 8.

    Args:
        z: Points in R², (n, 2), n ≥ 2; their lengths do not count.

    Raises:
        ValueError: As `rayleigh_test`.

    Source: [mardia2000, Eqs. 6.3.34 to 6.3.37; stephens1970].
    """
    directions = _directions(z, 2)
    n = len(directions)
    turns = np.sort(np.arctan2(directions[:, 1], directions[:, 0]) / (2 * np.pi) % 1.0)
    steps = (np.arange(n) + 0.5) / n
    plain = np.sum((turns - steps - turns.mean() + 0.5) ** 2) + 1 / (12 * n)
    statistic = float((plain - 0.1 / n + 0.1 / n**2) * (1 + 0.8 / n))
    # Below the threshold the series sums to 1 - 4e-15 and more, too slowly.
    k = np.arange(1, 50)
    terms = 2 * (-1.0) ** (k - 1) * np.exp(-2 * (k * np.pi) ** 2 * max(statistic, 0.0))
    return Uniformity(statistic, float(np.clip(terms.sum(), 0.0, 1.0)) if statistic > 0.01 else 1.0)


def equal_area_test(z: ArrayLike, num_bands: int | None = None) -> Uniformity:
    """Tests uniformity on S² by χ² of the counts in cells of equal area.

    Bands of equal height have equal area; each of the B bands is cut into 2B cells of equal longitude. Against any
    distribution that fills the cells unevenly, be it odd or even.

    Args:
        z: Points in R³, (n, 3); their lengths do not count.
        num_bands: B, 1 or more, with ten points or more for each of the 2B² cells, as the χ² distribution needs; None
            for the most of that, 6 at most.

    Raises:
        ValueError: As `rayleigh_test`, or for too few points.
    """
    directions = _directions(z, 3)
    n = len(directions)
    most = math.isqrt(n // 20)
    if most < 1:
        raise ValueError(f"z must have 20 points or more, got {n}")
    bands = min(most, 6) if num_bands is None else check_count("num_bands", num_bands, 1)
    if bands > most:
        raise ValueError(f"num_bands must be at most {most} for {n} points, got {bands}")
    height = np.minimum((directions[:, 2] + 1) / 2 * bands, bands - 1).astype(int)
    turn = np.arctan2(directions[:, 1], directions[:, 0]) / (2 * np.pi) % 1.0
    cell = height * 2 * bands + np.minimum(turn * 2 * bands, 2 * bands - 1).astype(int)
    from scipy.stats import chisquare  # here, since its import takes half a second

    found = chisquare(np.bincount(cell, minlength=2 * bands**2))
    return Uniformity(float(found.statistic), float(found.pvalue))


def _chi_squared_tail(statistic: float, degrees: float) -> float:
    """P(X > statistic) of the chi-squared distribution."""
    return float(special.chdtrc(degrees, statistic))

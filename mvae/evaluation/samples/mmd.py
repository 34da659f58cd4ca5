"""Kernel maximum mean discrepancy of two samples, and its permutation test [gretton2012]."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist

from mvae.errors import check_count
from mvae.evaluation.rounding import rounding
from mvae.evaluation.samples.point_sets import flat_pair
from mvae.spectral.distances import CERTAIN, EXACT, rounding_of_product

MEDIAN_POINTS = 2000
BLOCK = 512  # rows of the kernel matrix at a time
PERMUTATIONS_AT_ONCE = 256


class MmdTest(NamedTuple):
    """Result of the permutation test.

    Attributes:
        statistic: The unbiased MMD².
        p_value: (1 + number of permutations whose MMD² is at least that) / (1 + number of permutations).
    """

    statistic: float
    p_value: float


def median_bandwidth(x: ArrayLike, y: ArrayLike) -> float:
    """Returns the median of the distances between all points of both sets together.

    Of more than 2000 points, 2000 at even intervals in the order x, y are taken.

    Args:
        x: Points, (n, ...).
        y: Points, (m, ...).

    Raises:
        ValueError: For wrong shapes, values that are not finite, or a median that is 0 but for rounding.
    """
    points = np.concatenate(flat_pair(x, y, 2))
    kept = np.linspace(0, len(points) - 1, min(len(points), MEDIAN_POINTS)).round().astype(int)
    median = float(np.median(pdist(points[kept])))
    if median <= max(rounding(x), rounding(y)):
        raise ValueError("bandwidth must be given where more than half of all points coincide, but for rounding")
    return median


def mmd(x: ArrayLike, y: ArrayLike, *, bandwidth: float | None = None, unbiased: bool = True) -> float:
    """Returns the squared maximum mean discrepancy of two samples with the kernel k(a, b) = exp(-|a - b|²/(2 h²)).

        MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y),

    with pairs x ≠ x' for the unbiased estimate, which is negative for about half of all samples of equal distributions,
    and all pairs for the biased one, the squared distance of the mean embeddings. It is 0 for equal distributions
    alone. On the device, in blocks of 512 rows of the kernel matrix. In float32 rounding is about 1e-6. Squared
    distances come from products of matrices; in a cloud so much wider than h that these cancel, from differences, at
    some ten times the cost.

    Args:
        x: Points, (n, ...), n ≥ 2; what follows the first axis is one vector.
        y: Points, (m, ...), m ≥ 2.
        bandwidth: h > 0, in units of the points; None for `median_bandwidth`.
        unbiased: Which estimate.

    Raises:
        ValueError: For wrong shapes, values that are not finite, or a bandwidth that is not positive or cannot be had.

    Source: [gretton2012, Eqs. 3 and 5].
    """
    points, labels = _pooled(x, y, bandwidth)
    return float(_statistics(points, labels[:, None], unbiased=unbiased, cancels=_cancels(points))[0])


def mmd_test(
    key: Key[Array, ""], x: ArrayLike, y: ArrayLike, num_permutations: int = 500, *, bandwidth: float | None = None
) -> MmdTest:
    """Tests whether two samples have one distribution: compares their MMD² with that of random divisions of all points.

    Under that hypothesis the chance of p_value ≤ α is at most α, for any α and any size.

    Args:
        key: Source of the permutations.
        x: Points, (n, ...), n ≥ 2.
        y: Points, (m, ...), m ≥ 2.
        num_permutations: Random divisions, 1 or more.
        bandwidth: As in `mmd`.

    Raises:
        ValueError: As `mmd`, or for no permutations.
    """
    check_count("num_permutations", num_permutations, 1)
    points, labels = _pooled(x, y, bandwidth)
    statistics = partial(_statistics, points, unbiased=True, cancels=_cancels(points))
    statistic = statistics(labels[:, None])[0]
    # Divisions into the same two sets must count as ties, whatever order their kernels were added in.
    least = statistic - 32 * jnp.finfo(points.dtype).eps
    at_least = 0
    for first in range(0, num_permutations, PERMUTATIONS_AT_ONCE):
        indices = first + jnp.arange(PERMUTATIONS_AT_ONCE)  # as many each time, so that one program is compiled
        reached = statistics(_permuted(key, labels, indices)) >= least
        at_least += int(jnp.sum(reached & (indices < num_permutations)))
    return MmdTest(float(statistic), (1 + at_least) / (1 + num_permutations))


def _pooled(x: ArrayLike, y: ArrayLike, bandwidth: float | None) -> tuple[Float[Array, "N d"], Float[Array, " N"]]:
    """Points of both sets around their mean in units of the bandwidth, and 1 for those of x, 0 for those of y."""
    if bandwidth is not None and not (math.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"bandwidth must be a positive number, got {bandwidth}")
    first, second = flat_pair(x, y, 2)
    h = median_bandwidth(x, y) if bandwidth is None else bandwidth
    points = np.concatenate([first, second])
    points = jnp.asarray((points - points.mean(axis=0)) / h)
    return points, jnp.asarray(np.arange(len(points)) < len(first), points.dtype)


def _cancels(points: Float[Array, "N d"]) -> bool:
    """Whether squared distances from products of matrices may be wrong by a thousandth of h²."""
    largest = float(jnp.max(jnp.sum(points**2, axis=1)))
    return not 2 * largest * rounding_of_product(points.shape[1], points.dtype) <= CERTAIN


@jax.jit
def _permuted(key: Key[Array, ""], labels: Float[Array, " N"], indices: Int[Array, " P"]) -> Float[Array, "N P"]:
    return jax.vmap(lambda index: jax.random.permutation(jax.random.fold_in(key, index), labels), out_axes=1)(indices)


@partial(jax.jit, static_argnames=("unbiased", "cancels"))
def _statistics(
    points: Float[Array, "N d"], labels: Float[Array, "N P"], *, unbiased: bool, cancels: bool
) -> Float[Array, " P"]:
    """MMD² with h = 1 for each of P divisions of the points into two sets, 1 and 0 in a column of labels."""
    num = jnp.sum(labels, axis=0)
    rest = points.shape[0] - num
    # The difference of the mean embeddings is Σ_i w_i k(·, p_i); its terms cancel before they are squared.
    weights = labels / num - (1 - labels) / rest
    squares = jnp.sum(points**2, axis=1)
    ones = jnp.ones_like(squares)[:, None]

    def add_block(sums: Array, rows: tuple[Array, ...]) -> tuple[Array, None]:
        row_points, row_squares, row_weights, row_labels, row_ones = rows
        if cancels:
            distances = jax.lax.map(lambda point: jnp.sum((point - points) ** 2, axis=-1), row_points)
        else:
            products = jnp.matmul(row_points, points.T, precision=EXACT)
            distances = jnp.maximum(row_squares[:, None] + squares[None] - 2 * products, 0.0)
        kernel = jnp.exp(-0.5 * distances)

        def quadratic(left: Array, right: Array) -> Array:
            return jnp.sum(left * jnp.matmul(kernel, right, precision=EXACT), axis=0)

        of_all = jnp.matmul(kernel, ones, precision=EXACT)
        found = [quadratic(row_weights, weights), quadratic(row_labels, labels), jnp.sum(row_labels * of_all, axis=0)]
        return sums + jnp.stack([*found, jnp.broadcast_to(jnp.sum(row_ones * of_all), num.shape)]), None

    def blocks(array: Array) -> Array:
        padded = jnp.pad(array, [(0, -len(array) % BLOCK)] + [(0, 0)] * (array.ndim - 1))
        return padded.reshape(-1, BLOCK, *array.shape[1:])

    rows = tuple(blocks(array) for array in (points, squares, weights, labels, ones))
    (biased, both, one, every), _ = jax.lax.scan(add_block, jnp.zeros((4, labels.shape[1]), points.dtype), rows)
    if not unbiased:
        return biased
    # Leaving out pairs of a point with itself, whose kernel is 1, changes S/n² to (S - n)/(n (n - 1)).
    neither = every - 2 * one + both
    return biased + (both / num**2 - 1) / (num - 1) + (neither / rest**2 - 1) / (rest - 1)

"""Disentanglement scores that ask which factor was kept fixed: those of β-VAE and FactorVAE.

Both are defined with a generator that draws images of chosen factors. Here a finite data set stands in for it: a
row is drawn uniformly, and rows that share the value of factor j with it are drawn uniformly among those that do.
Where the factors are independent in the data set, this is the original protocol; where they are not, fixing one
factor also changes the distribution of the others. Values with few rows make batches of few distinct rows: there should
be many more rows for each value than a batch has.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.evaluation.disentanglement.inputs import check_data, numbered, scikit_learn, standardized
from mvae.evaluation.progress import with_progress

_CHUNK = 2**16  # rows that are gathered at a time


class _Groups(NamedTuple):
    """The rows sorted by the value of one factor.

    Attributes:
        order: Row numbers, those of one value next to each other.
        position: Where each row is in `order`.
        start: For each row, where the rows of its value begin in `order`.
        size: For each row, how many rows have its value.
    """

    order: Int[np.ndarray, " n"]
    position: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]
    size: Int[np.ndarray, " n"]


def _groups(factors: Int[np.ndarray, "n f"]) -> list[_Groups]:
    """Groups the rows by each factor; refuses values that only one row has."""
    groups = []
    for j, factor in enumerate(factors.T):
        rank = numbered(factor)
        order = np.argsort(rank, kind="stable")
        counts = np.bincount(rank)
        if counts.min() < 2:
            value = factor[order[(np.cumsum(counts) - counts)[counts.argmin()]]]
            raise ValueError(f"factors must have two rows or more for each value, column {j} has one with {value}")
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        groups.append(_Groups(order, position, (np.cumsum(counts) - counts)[rank], counts[rank]))
    return groups


def _same_value(
    rng: np.random.Generator, group: _Groups, rows: Int[np.ndarray, " m"], num: int
) -> Int[np.ndarray, "m num"]:
    """Draws, for each row, others (or itself) of the same value, with replacement."""
    step = rng.integers(group.size[rows, None], size=(len(rows), num))
    return group.order[group.start[rows, None] + step]


def _partner(rng: np.random.Generator, group: _Groups, rows: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """Draws, for each row, another one of the same value."""
    step = rng.integers(1, group.size[rows])
    ahead = (group.position[rows] - group.start[rows] + step) % group.size[rows]
    return group.order[group.start[rows] + ahead]


def _mean_differences(
    rng: np.random.Generator, z: Float[np.ndarray, "n k"], group: _Groups, num_points: int, batch_size: int
) -> Float[np.ndarray, "points k"]:
    """Means over a batch of |c - c'|, for pairs of rows that share a factor's value."""
    per_chunk = max(1, _CHUNK // batch_size)
    means = [np.empty((0, z.shape[1]))]
    for done in with_progress(range(0, num_points, per_chunk), "differences", "chunk"):
        rows = rng.integers(len(z), size=min(per_chunk, num_points - done) * batch_size)
        differences = np.abs(z[rows] - z[_partner(rng, group, rows)])
        means.append(differences.reshape(-1, batch_size, z.shape[1]).mean(axis=1))
    return np.concatenate(means)


def _steadiest(
    rng: np.random.Generator, z: Float[np.ndarray, "n k"], group: _Groups, num_points: int, batch_size: int
) -> Int[np.ndarray, " k"]:
    """How often each code has the least variance in batches of rows that share a factor's value."""
    per_chunk = max(1, _CHUNK // batch_size)
    votes = np.zeros(z.shape[1], dtype=np.int64)
    for done in with_progress(range(0, num_points, per_chunk), "votes", "chunk"):
        first = rng.integers(len(z), size=min(per_chunk, num_points - done))
        variance = z[_same_value(rng, group, first, batch_size)].var(axis=1, ddof=1)
        votes += np.bincount(variance.argmin(axis=1), minlength=z.shape[1])
    return votes


def beta_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    batch_size: int = 64,
    num_train: int = 10_000,
    num_test: int = 5_000,
    standardize: bool = False,
    seed: int | np.random.Generator = 0,
) -> float:
    """Returns the β-VAE score, an accuracy from 0 to 1, near 1/f for codes that know of no factor.

    A point is the mean of |c - c'| over a batch of pairs of rows; the two rows of a pair differ, and share the value
    of one factor, which is drawn uniformly for each point. A linear classifier (logistic regression with the penalty
    |w|²/2) learns from `num_train` points which factor it was; the score is its accuracy on `num_test` others. The
    module's head says how a data set stands in for a generator of images.

    Source: [higgins2017]; batch and numbers of points are those of [locatello2019].

    Args:
        codes: Codes, (n, k).
        factors: Integers, the values of the factors, (n, f), f ≥ 2; each value in two rows or more.
        batch_size: Pairs per point, at least 1.
        num_train: Points for training, at least f: the first f have a factor each.
        num_test: Points for testing, at least 1.
        standardize: Whether to give each code mean 0 and standard deviation 1. The protocol does not, and then the
            penalty lowers the score of codes with small differences (below about 0.1), down to chance.
        seed: Seed or generator of all draws.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, codes that are not finite, fewer than
            two factors, a constant factor, a value in one row only, or too few pairs or points.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    z, v = check_data(codes, factors, min_factors=2)
    num_factors = v.shape[1]
    batch_size = check_count("batch_size", batch_size, 1)
    num_train = check_count("num_train", num_train, num_factors)
    num_test = check_count("num_test", num_test, 1)
    groups = _groups(v)
    linear_model = scikit_learn("linear_model", "beta_vae_score")
    rng = np.random.default_rng(seed)
    if standardize:
        z = standardized(z)

    def points(total: int, least: int) -> tuple[Float[np.ndarray, "points k"], Int[np.ndarray, " points"]]:
        drawn = np.bincount(rng.integers(num_factors, size=total - least * num_factors), minlength=num_factors) + least
        means = [_mean_differences(rng, z, groups[j], drawn[j], batch_size) for j in range(num_factors)]
        return np.concatenate(means), np.repeat(np.arange(num_factors), drawn)

    classifier = linear_model.LogisticRegression(max_iter=10_000)
    classifier.fit(*points(num_train, 1))
    return float(classifier.score(*points(num_test, 0)))


def factor_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    batch_size: int = 64,
    num_train: int = 10_000,
    num_test: int = 5_000,
    prune_std: float = 0.05,
    seed: int | np.random.Generator = 0,
) -> float:
    """Returns the FactorVAE score, an accuracy from 0 to 1, near 1/f for codes that know of no factor.

    A vote is the number of the code with the least variance in a batch of rows that share the value of one factor,
    the variance of each code being divided by that over all rows. The factor is drawn uniformly for each vote. The
    classifier answers, for each code, with the factor most frequent among its `num_train` votes; the score is its
    accuracy on `num_test` others. The module's head says how a data set stands in for a generator of images.

    Codes of standard deviation below `prune_std`, in their own units, do not vote; it is meant for codes that have
    about unit variance under the prior. The score does not change if a code is shifted, or scaled so that it stays
    on its side of this threshold. If no code votes, no factor is ever named and the score is 0.

    Source: [kim2018]; numbers as in [locatello2019], in whose code the threshold is one of the standard deviation. The
    protocol estimates the variance of the codes from 10 000 rows, here it is from all.

    Args:
        codes: Codes, (n, k).
        factors: Integers, the values of the factors, (n, f), f ≥ 2; each value in two rows or more.
        batch_size: Rows per vote, at least 2.
        num_train: Votes for training, at least 1.
        num_test: Votes for testing, at least 1.
        prune_std: Least standard deviation of a code that votes, at least 0; constant codes never do.
        seed: Seed or generator of all draws.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, codes that are not finite, fewer than
            two factors, a constant factor, a value in one row only, too few rows or votes, or a negative threshold.
    """
    z, v = check_data(codes, factors, min_factors=2)
    num_factors = v.shape[1]
    batch_size = check_count("batch_size", batch_size, 2)
    num_train = check_count("num_train", num_train, 1)
    num_test = check_count("num_test", num_test, 1)
    if not prune_std >= 0:
        raise ValueError(f"prune_std must be at least 0, got {prune_std!r}")
    groups = _groups(v)
    rng = np.random.default_rng(seed)
    z = z[:, (np.ptp(z, axis=0) > 0) & (z.std(axis=0, ddof=1) >= prune_std)]
    if not z.shape[1]:
        return 0.0
    z = standardized(z)

    def votes(total: int) -> Int[np.ndarray, "f k"]:
        drawn = np.bincount(rng.integers(num_factors, size=total), minlength=num_factors)
        return np.stack([_steadiest(rng, z, groups[j], drawn[j], batch_size) for j in range(num_factors)])

    answers = votes(num_train).argmax(axis=0)
    return float(votes(num_test)[answers, np.arange(z.shape[1])].sum() / num_test)

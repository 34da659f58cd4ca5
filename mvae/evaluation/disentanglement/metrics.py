"""Disentanglement of codes with respect to known factors: MIG, SAP, DCI and IRS.

The protocol is that of [locatello2019]. Scores that fix one factor are in `fixed_factor`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from mvae.errors import check_between, check_count
from mvae.evaluation.disentanglement.inputs import bins, check_data, numbered, scikit_learn, split_rows, standardized
from mvae.evaluation.progress import progress


def _entropy(counts: Int[np.ndarray, "..."]) -> float:
    """Entropy of the distribution with the given counts, in nats."""
    positive = counts[counts > 0]
    share = positive / positive.sum()
    return float(-np.sum(share * np.log(share)))


def _mutual_information(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    """Mutual information of two columns of numbers from 0, in nats: that of their joint frequencies."""
    joint = np.zeros((a.max() + 1, b.max() + 1), dtype=np.int64)
    np.add.at(joint, (a, b), 1)
    shared = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0)) - _entropy(joint)
    return max(shared, 0.0)  # rounding


def _mean_gap(scores: Float[np.ndarray, "k f"]) -> float:
    """Mean over the factors of the gap between the best and the second best code."""
    ranked = np.sort(scores, axis=0)
    return float(np.clip(np.mean(ranked[-1] - ranked[-2]), 0, 1))  # rounding


def mig(codes: ArrayLike, factors: ArrayLike, *, num_bins: int = 20) -> float:
    """Returns the mutual information gap, from 0 to 1.

    MIG = (1/f) Σ_j [I(c_best; v_j) - I(c_second; v_j)] / H(v_j), where best and second are the two codes with the
    largest mutual information with factor j. It is 1 if each factor is determined by one code and no other code
    knows of it. Mutual information is that of a histogram of each code with bins of equal width between its least
    and largest value, so the score does not change if a code is shifted or scaled. With n rows such an estimate is
    too large by about (bins - 1)(values - 1)/(2n) nats, for the best code and the second alike.

    Source: [chen2018]; the protocol has 10 000 rows and 20 bins.

    >>> v = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> round(mig(v, v), 6), round(mig(np.repeat(v, 2, axis=1), v), 6)
    (1.0, 0.0)

    Args:
        codes: Codes, (n, k), k ≥ 2.
        factors: Integers, the values of the factors, (n, f).
        num_bins: Bins of the histogram of each code, at least 2.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, codes that are not finite, fewer than
            two codes, or a constant factor.
    """
    z, v = check_data(codes, factors, min_codes=2)
    cells = bins(z, check_count("num_bins", num_bins, 2))
    columns = [numbered(factor) for factor in v.T]
    shares = [[_mutual_information(cell, v_j) / _entropy(np.bincount(v_j)) for v_j in columns] for cell in cells.T]
    return _mean_gap(np.array(shares))


def sap(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    continuous: bool = False,
    standardize: bool = False,
    test_fraction: float = 1 / 3,
    seed: int | np.random.Generator = 0,
) -> float:
    """Returns the separated attribute predictability, from 0 to 1.

    SAP = (1/f) Σ_j [S(best, j) - S(second, j)], where S(i, j) says how well code i alone predicts factor j. For
    integer factors it is the accuracy on test rows of a linear support vector machine (C = 0.01, classes balanced,
    one against the rest); for continuous ones the squared correlation over all rows.

    Two limits of the definition for integer factors. A code that knows nothing still guesses: with a factor of m
    equally frequent values the best possible gap is 1 - 1/m. And one against the rest, a line is cut into half-lines:
    of a factor with many values, a code equal to it tells little more than the two at the ends, a gap of about 1/m.

    Source: [kumar2018, Sec. 3]; the protocol has 10 000 training and 5 000 test rows, so 15 000 here.

    Args:
        codes: Codes, (n, k), k ≥ 2.
        factors: Values of the factors, (n, f): integers, or real numbers if `continuous`.
        continuous: Whether to use the squared correlation. It does not depend on `test_fraction` and `seed`, nor on
            the scale of a code.
        standardize: Whether to give each code mean 0 and standard deviation 1. The protocol does not, and then the
            penalty of the machines makes the score depend on the scale of the codes.
        test_fraction: Share of the rows, drawn at random, that is kept for testing.
        seed: Seed or generator of that draw.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, codes that are not finite, fewer than
            two codes, or a factor that is constant, over all or over the training rows.
        ModuleNotFoundError: If integer factors are given and scikit-learn is not installed.
    """
    z, v = check_data(codes, factors, min_codes=2, continuous=continuous)
    if continuous:
        return _mean_gap((standardized(z).T @ standardized(v) / len(z)) ** 2)
    svm = scikit_learn("svm", "sap")
    if standardize:
        z = standardized(z)
    train, test = split_rows(v, test_fraction, np.random.default_rng(seed))

    def accuracy(code: Float[np.ndarray, "n 1"], factor: Int[np.ndarray, " n"]) -> float:
        # One column and many rows: the primal problem, whose solver draws no random numbers.
        machine = svm.LinearSVC(C=0.01, class_weight="balanced", dual=False)
        return machine.fit(code[train], factor[train]).score(code[test], factor[test])

    with progress("sap", z.shape[1], "code") as done:
        found = []
        for code in z.T:
            found.append([accuracy(code[:, None], factor) for factor in v.T])
            done(1)
    return _mean_gap(np.array(found))


class DciScores(NamedTuple):
    """Disentanglement, completeness and informativeness, each from 0 to 1.

    Attributes:
        disentanglement: 1 if each code is important for one factor only.
        completeness: 1 if one code only is important for each factor.
        informativeness: Accuracy of the predicted factors on the test rows, mean over the factors.
        importance: Importance of code i for factor j, (k, f). Each column sums to 1, or to 0 where the trees found
            no code of use.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray


def _concentration(importance: Float[np.ndarray, "a b"]) -> float:
    """Weighted mean over the rows of 1 - H(row)/log b, the weight of a row being its share of the sum."""
    total = importance.sum(axis=1, keepdims=True)
    share = np.divide(importance, total, out=np.full_like(importance, 1 / importance.shape[1]), where=total > 0)
    terms = np.where(share > 0, share * np.log(np.where(share > 0, share, 1)), 0)
    score = 1 + terms.sum(axis=1) / np.log(importance.shape[1])
    weights = total[:, 0]
    return float(np.clip(np.average(score, weights=weights), 0, 1)) if weights.sum() > 0 else 0.0


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    num_trees: int = 100,
    test_fraction: float = 1 / 3,
    seed: int | np.random.Generator = 0,
) -> DciScores:
    """Returns disentanglement, completeness and informativeness, each from 0 to 1.

    A classifier of gradient boosted trees predicts each factor from all codes; R_ij is the importance (share of the
    decrease of impurity) of code i for factor j. Then

    - disentanglement = Σ_i ρ_i (1 - H(R_i· / Σ_j R_ij) / log f), with weights ρ_i = Σ_j R_ij / Σ R;
    - completeness = Σ_j ρ_j (1 - H(R_·j / Σ_i R_ij) / log k), with weights ρ_j = Σ_i R_ij / Σ R;
    - informativeness is the accuracy on the test rows, mean over the factors.

    The first two are 0 if no code is of any use. Trees see only the order of the values of a code, so the scores do
    not change if a code is shifted or scaled, but for the choice between splits that are equally good. Work grows
    with rows × codes × trees × values of the factors: the protocol's 15 000 rows of ten codes take tens of seconds
    for each factor, on one core. Of more rows, pass as many drawn at random.

    Source: [eastwood2018]. The weights of completeness, the trees and accuracy in place of prediction error are the
    protocol's, which has 10 000 training and 5 000 test rows, so 15 000 here.

    Args:
        codes: Codes, (n, k), k ≥ 2.
        factors: Integers, the values of the factors, (n, f), f ≥ 2.
        num_trees: Rounds of boosting, at least 1; the protocol has 100.
        test_fraction: Share of the rows, drawn at random, that is kept for testing.
        seed: Seed or generator of that draw and of the trees.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, codes that are not finite, fewer than
            two codes or factors, or a factor that is constant, over all or over the training rows.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    z, v = check_data(codes, factors, min_codes=2, min_factors=2)
    num_trees = check_count("num_trees", num_trees, 1)
    ensemble = scikit_learn("ensemble", "dci")
    rng = np.random.default_rng(seed)
    z = standardized(z)  # the trees work in single precision
    train, test = split_rows(v, test_fraction, rng)
    importance, accuracy = [], []
    with progress("dci", num_trees * v.shape[1], "round") as done:
        for factor in v.T:
            trees = ensemble.GradientBoostingClassifier(n_estimators=num_trees, random_state=int(rng.integers(2**31)))
            trees.fit(z[train], factor[train], monitor=lambda *round_: done(1))  # it returns None, so that all are done
            importance.append(trees.feature_importances_)
            accuracy.append(trees.score(z[test], factor[test]))
    matrix = np.stack(importance, axis=1)
    return DciScores(_concentration(matrix), _concentration(matrix.T), float(np.mean(accuracy)), matrix)


def irs(codes: ArrayLike, factors: ArrayLike, *, quantile: float = 0.99, num_bins: int = 20) -> float:
    """Returns the interventional robustness score, from 0 to 1.

    Among the rows where factor j has one value, a code that depends on factor j alone does not move. With D_ij the
    mean over the values of factor j of the quantile of |c_i - mean c_i| among those rows, and D_i the largest
    |c_i - mean c_i| of all rows,

        IRS = Σ_i D_i max_j (1 - D_ij / D_i) / Σ_i D_i.

    It is 1 if each code is a function of one factor. Codes that are constant say nothing and drop out; if all are,
    the score is 0. All codes may be shifted, and scaled together; the scale of one code is its weight. Codes that
    know of no factor score near 0 only if their quantile is near their largest deviation: uniform ones do, normal
    ones do not. A value of a factor with few rows pulls the score up.

    Source: [suter2019], where the quantile is 1; the protocol has 0.99 and 10 000 rows.

    Args:
        codes: Codes, (n, k).
        factors: Integers, the values of the factors, (n, f).
        quantile: Which quantile of the deviations stands for the largest, above 0, at most 1.
        num_bins: A factor with more values than this is cut into so many classes of neighbouring values, at least 2.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, codes that are not finite, or a
            constant factor.
    """
    z, v = check_data(codes, factors)
    quantile = check_between("quantile", quantile, 0, 1)
    num_bins = check_count("num_bins", num_bins, 2)
    z = z[:, np.ptp(z, axis=0) > 0]
    if not z.shape[1]:
        return 0.0
    largest = np.abs(z - z.mean(axis=0)).max(axis=0)
    classes = bins(np.stack([numbered(factor) for factor in v.T], axis=1).astype(np.float64), num_bins)
    robust = []
    for column in classes.T:
        groups = [z[column == value] for value in np.unique(column)]
        deviation = [np.quantile(np.abs(group - group.mean(axis=0)), quantile, axis=0) for group in groups]
        robust.append(1 - np.mean(deviation, axis=0) / largest)
    best = np.max(robust, axis=0)
    return float(np.clip(np.average(best, weights=largest), 0, 1))

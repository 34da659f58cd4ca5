"""Scores of codes whose score is known."""

import itertools
import sys

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn import metrics, svm

from mvae.evaluation import beta_vae_score, dci, factor_vae_score, irs, mig, sap
from mvae.evaluation.disentanglement.fixed_factor import _groups, _partner, _same_value
from mvae.evaluation.disentanglement.inputs import split_rows
from mvae.evaluation.disentanglement.metrics import _concentration

QUICK = {"num_train": 2000, "num_test": 1000}
NOISE = 5 * 0.5 / np.sqrt(1000)  # five standard deviations, at most, of an accuracy over 1000 points


def continuous_sap(codes, factors):
    return sap(codes, factors, continuous=True)


def scaled_sap(codes, factors):
    return sap(codes, factors, standardize=True)


def quick_dci(codes, factors):
    return dci(codes, factors, num_trees=10)


def disentanglement(codes, factors):
    return quick_dci(codes, factors).disentanglement


def completeness(codes, factors):
    return quick_dci(codes, factors).completeness


def informativeness(codes, factors):
    return quick_dci(codes, factors).informativeness


def beta_vae(codes, factors):
    return beta_vae_score(codes, factors, **QUICK)


def factor_vae(codes, factors):
    return factor_vae_score(codes, factors, **QUICK)


def small_beta_vae(codes, factors):
    return beta_vae_score(codes, factors, batch_size=4, standardize=True, **QUICK)


def small_factor_vae(codes, factors):
    return factor_vae_score(codes, factors, batch_size=4, **QUICK)


GAPS = [mig, sap, continuous_sap]
TREES = [disentanglement, completeness]
FIXED = [beta_vae, factor_vae]
EVERY = [*GAPS, *TREES, informativeness, irs, *FIXED]
HARD = [*GAPS, *TREES, informativeness, irs, small_beta_vae, small_factor_vae]  # below 1 on noisy codes


def grid(*sizes, repeat=1):
    """Every combination of factors with the given numbers of values, each `repeat` times."""
    return np.tile(np.array(list(itertools.product(*map(range, sizes)))), (repeat, 1))


def channel(bits, errors, out_of):
    """Each row `out_of` times, with each of its bits flipped in `errors` of them, independently."""
    flips = np.array(list(itertools.product([1] * errors + [0] * (out_of - errors), repeat=bits.shape[1])))
    factors = np.repeat(bits, len(flips), axis=0)
    return factors ^ np.tile(flips, (len(bits), 1)), factors


@pytest.mark.parametrize("score", [mig, continuous_sap, *TREES, informativeness, irs, *FIXED])
@pytest.mark.parametrize("sizes", [(2, 2), (3, 5, 4)])
def test_a_code_for_each_factor_scores_one(score, sizes):
    factors = grid(*sizes, repeat=1200 // np.prod(sizes))
    assert score(factors, factors) == pytest.approx(1, abs=1e-6)
    more = np.concatenate([np.zeros((len(factors), 1)), factors[:, ::-1] * -3.0 + 1], axis=1)
    assert score(more, factors) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("values", "expected"), [(2, 1 - 1 / 2), (3, 1 - 1 / 3), (8, 2 / 8 - 1 / 8)])
def test_sap_of_a_code_for_each_factor(values, expected):
    """The second best code guesses; of many values the machines tell the two at the ends."""
    factors = grid(values, values, repeat=4000 // values**2)
    assert scaled_sap(factors, factors) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("score", "expected", "noise"),
    [
        (mig, 0, 0.02),
        (sap, 0, 0.05),
        (continuous_sap, 0, 0.02),
        (disentanglement, 0, 0.15),
        (completeness, 0, 0.15),
        (informativeness, 1 / 3, 0.08),
        (irs, 0, 0.05),
        (beta_vae, 1 / 4, NOISE),
        (factor_vae, 1 / 4, NOISE),
    ],
)
def test_codes_that_know_nothing(score, expected, noise):
    factors = grid(3, 3, 3, 3, repeat=25)
    codes = np.random.default_rng(1).uniform(-1, 1, size=(len(factors), 4))
    assert score(codes, factors) == pytest.approx(expected, abs=noise)


@pytest.mark.parametrize(
    ("score", "expected", "noise"),
    [
        (mig, 0, 1e-6),
        (sap, 0, 0.05),
        (continuous_sap, 0, 1e-6),
        (disentanglement, 0, 0.1),
        (completeness, 0, 0.1),
        (informativeness, 1, 1e-6),
        (irs, 1 / 2, 1e-6),
        (beta_vae, 1 / 2, NOISE),
        (factor_vae, 1 / 2, NOISE),
    ],
)
def test_codes_turned_by_45_degrees(score, expected, noise):
    """Each code is as close to one factor as to the other; together they know everything."""
    factors = grid(2, 2, repeat=500)
    codes = (2 * factors - 1) @ np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert score(codes, factors) == pytest.approx(expected, abs=noise)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(mig, 0), (sap, 0), (continuous_sap, 0), (disentanglement, 1), (informativeness, 1), (irs, 1)]
    + [(score, 1) for score in FIXED],
)
def test_two_codes_for_each_factor(score, expected):
    factors = grid(2, 3, repeat=100)
    assert score(np.repeat(factors, 2, axis=1), factors) == pytest.approx(expected, abs=1e-6)
    assert completeness(np.repeat(factors, 2, axis=1), factors) < 0.9


@pytest.mark.parametrize("errors", [0, 1, 2, 3, 4])
def test_mig_of_a_noisy_channel(errors):
    """The mutual information of a binary symmetric channel is 1 bit less the entropy of its errors."""
    codes, factors = channel(grid(2, 2), errors, 8)
    expected = 1 - entropy([errors / 8, 1 - errors / 8], base=2)
    assert mig(codes, factors) == pytest.approx(expected, abs=1e-12)


def test_mig_of_a_lossy_code():
    """A code that merges two of four values keeps 1 1/2 bits of 2; the other factor is kept whole."""
    factors = grid(4, 2)
    codes = np.stack([np.array([0, 1, 2, 2])[factors[:, 0]], factors[:, 1]], axis=1)
    assert mig(codes, factors) == pytest.approx((0.75 + 1) / 2, abs=1e-12)


def test_mig_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    factors = rng.integers([2, 5, 9], size=(3000, 3)) * [1, -7, 3]
    codes = factors @ rng.normal(size=(3, 4)) + rng.normal(size=(3000, 4))
    gaps = []
    for factor in factors.T:
        cells = [np.digitize(code, np.histogram(code, 20)[1][:-1]) for code in codes.T]
        second, best = np.sort([metrics.mutual_info_score(factor, cell) for cell in cells])[-2:]
        gaps.append((best - second) / metrics.mutual_info_score(factor, factor))
    assert mig(codes, factors) == pytest.approx(np.mean(gaps), abs=1e-12)


def test_sap_agrees_with_scikit_learn():
    """Balanced classes and rows that are kept for testing, on factors whose values are not equally frequent."""
    rng = np.random.default_rng(0)
    factors = (rng.uniform(size=(600, 2)) < [0.15, 0.4]).astype(int) + (rng.uniform(size=(600, 2)) < 0.2)
    codes = factors @ rng.normal(size=(2, 3)) + 0.5 * rng.normal(size=(600, 3))
    train, test = split_rows(factors, 1 / 3, np.random.default_rng(0))
    assert len(test) == 200
    assert sorted([*train, *test]) == list(range(600))
    gaps = []
    for factor in factors.T:
        accuracies = []
        for code in codes.T[:, :, None]:
            machine = svm.LinearSVC(C=0.01, class_weight="balanced", dual=True, max_iter=100_000, random_state=0)
            predicted = machine.fit(code[train], factor[train]).predict(code[test])
            accuracies.append(np.mean(predicted == factor[test]))
        gaps.append(sorted(accuracies)[-1] - sorted(accuracies)[-2])
    assert sap(codes, factors) == pytest.approx(np.mean(gaps), abs=1e-2)


@pytest.mark.parametrize("s", [0.0, 0.25, 0.5, 1.0])
def test_a_code_mixed_with_a_share_of_the_other_factor(s):
    """Codes (v + s w, w) of balanced signs v, w."""
    factors = grid(2, 2, repeat=10)
    v, w = (2.0 * factors - 1).T
    codes = np.stack([v + s * w, w], axis=1)
    assert continuous_sap(codes, factors) == pytest.approx(1 / (1 + s**2), abs=1e-12)
    assert irs(codes, factors) == pytest.approx(2 / (2 + s), abs=1e-12)


def test_continuous_sap_takes_real_factors():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(20_000, 2))
    codes = factors + [0.5, 1.0] * rng.normal(size=(20_000, 2))
    assert continuous_sap(codes, factors) == pytest.approx((0.8 + 0.5) / 2, abs=0.02)


@pytest.mark.parametrize("errors", [0, 1, 2])
def test_accuracy_of_a_noisy_channel(errors):
    codes, factors = channel(grid(2, 2, repeat=20), errors, 8)
    noise = 5 * 0.5 / np.sqrt(len(factors) / 3)
    assert sap(codes, factors) == pytest.approx(1 / 2 - errors / 8, abs=noise)
    assert informativeness(codes, factors) == pytest.approx(1 - errors / 8, abs=noise)


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        (np.eye(3)[[2, 0, 1]], 1),
        (np.ones((4, 3)), 0),
        (np.zeros((4, 3)), 0),
        ([[1, 0], [0, 1], [0, 0]], 1),
        ([[1, 1], [0, 2]], 0.5),
        ([[3, 1], [0, 0]], 1 - entropy([3, 1], base=2)),
    ],
)
def test_concentration_of_importance(importance, expected):
    """Rows of a matrix that is known, weighted by their sums."""
    assert _concentration(np.array(importance, dtype=float)) == pytest.approx(expected, abs=1e-12)


def test_dci_tells_disentangled_from_complete():
    """One code holds two factors: each factor has one code, but the code has two factors."""
    factors = grid(2, 2, 3, repeat=60)
    codes = np.stack([2 * factors[:, 0] + factors[:, 1], factors[:, 2], factors[:, 2]], axis=1)
    scores = quick_dci(codes, factors)
    assert scores.informativeness == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(scores.importance.sum(axis=0), 1)
    np.testing.assert_allclose(scores.importance[0], [1, 1, 0], atol=1e-6)
    # Of the importances (1, 1, 0) of the first code the entropy is log 2; its weight is 2/3.
    assert scores.disentanglement == pytest.approx(1 - 2 / 3 * np.log(2) / np.log(3), abs=1e-6)
    shares = scores.importance[1:, 2]
    assert scores.completeness == pytest.approx(1 - entropy(shares) / np.log(3) / 3, abs=1e-6)


def test_beta_vae_score_of_codes_that_know_one_factor_of_three():
    """That factor is told from the others, the others are guessed."""
    factors = grid(4, 4, 4, repeat=10)
    assert beta_vae(factors[:, :1], factors) == pytest.approx(1 / 3 + 2 / 3 / 2, abs=NOISE)


def test_factor_vae_score_of_codes_that_know_one_factor_of_three():
    """The other two are named only if the second code, independent but distributed alike, varies less."""
    rng = np.random.default_rng(0)
    factors = rng.integers(50, size=(10_000, 3))
    codes = np.stack([factors[:, 0], rng.permutation(factors[:, 0])], axis=1)
    assert factor_vae(codes, factors) == pytest.approx(1 / 3 + 1 / 3 / 2, abs=NOISE)


def test_rows_that_share_a_value_are_drawn_uniformly():
    factor = np.array([5, -1, 5, 7, -1, 5, 7, 5])
    group = _groups(factor[:, None])[0]
    rows = np.repeat(np.arange(8), 6000)
    pairs = np.stack([rows, _partner(np.random.default_rng(0), group, rows)])
    batch = _same_value(np.random.default_rng(0), group, np.arange(8), 6000)
    alike = factor[:, None] == factor
    for drawn, allowed in [(pairs, alike & ~np.eye(8, dtype=bool)), (np.stack([rows, batch.ravel()]), alike)]:
        counts = np.zeros((8, 8), dtype=int)
        np.add.at(counts, tuple(drawn), 1)
        expected = 6000 * allowed / allowed.sum(axis=1, keepdims=True)
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected)).all()


def test_collapsed_codes_have_no_vote():
    factors = grid(3, 3, repeat=50)
    collapsed = 1e-3 * factors[:, ::-1]
    assert factor_vae(collapsed, factors) == 0
    assert factor_vae_score(collapsed, factors, prune_std=0, **QUICK) == 1
    # Where the collapsed ones vote too, ties go either way; here they are outvoted.
    assert factor_vae(np.concatenate([collapsed, factors], axis=1), factors) == 1
    assert factor_vae_score(np.ones((len(factors), 2)), factors, prune_std=0) == 0


@pytest.mark.parametrize("score", [mig, sap, continuous_sap, *TREES, irs])
def test_constant_codes_score_zero(score):
    factors = grid(2, 3, repeat=50)
    assert score(np.ones((len(factors), 3)), factors) == pytest.approx(0, abs=1e-12)


def reordering(score):
    """How much a score may change if it sees the same columns or classes in another order."""
    if score in {mig, continuous_sap, irs}:
        return 1e-12
    return 0.05 if score in {sap, *TREES, informativeness} else NOISE


def entangled():
    rng = np.random.default_rng(3)
    factors = rng.integers([2, 4, 3], size=(900, 3))
    mix = np.array([[1, 0.5, 0, 0.1], [0, 1, 0.3, 0.2], [0.2, 0, 1, 0.1]])
    return factors @ mix + 0.3 * rng.normal(size=(900, 4)), factors


@pytest.mark.parametrize("score", HARD)
def test_order_of_codes_and_of_factors_does_not_matter(score):
    codes, factors = entangled()
    reference = score(codes, factors)
    assert 0 < reference < 1
    tolerance = reordering(score)
    assert score(codes[:, [2, 0, 3, 1]], factors) == pytest.approx(reference, abs=tolerance)
    assert score(codes, factors[:, [2, 0, 1]]) == pytest.approx(reference, abs=tolerance)


@pytest.mark.parametrize(
    "score", [mig, continuous_sap, scaled_sap, *TREES, informativeness, small_beta_vae, small_factor_vae]
)
def test_shift_and_scale_of_a_code_do_not_matter(score):
    codes, factors = entangled()
    changed = codes * [4, -0.5, 1024, 2] + [0, 3, -50, 1]
    tolerance = 1e-2 if score in TREES else 1e-6  # trees choose between equally good splits by their order
    assert score(changed, factors) == pytest.approx(score(codes, factors), abs=tolerance)


@pytest.mark.parametrize("score", [mig, continuous_sap, disentanglement, irs])
@pytest.mark.parametrize("scale", [1e-200, 1e100])
def test_scales_far_from_one(score, scale):
    factors = grid(2, 3, repeat=50)
    assert score(scale * factors, factors) == pytest.approx(1, abs=1e-6)


def test_common_scale_does_not_matter_to_irs():
    codes, factors = entangled()
    assert irs(1e-3 * codes + 7, factors) == pytest.approx(irs(codes, factors), abs=1e-9)


@pytest.mark.parametrize("score", HARD)
def test_names_of_the_values_do_not_matter(score):
    """Integers are names: only their equality counts, and their order for the correlation."""
    codes, factors = entangled()
    names = factors * 10 - 5 if score is continuous_sap else np.array([7, -3, 100, 20])[factors]
    assert score(codes, names) == pytest.approx(score(codes, factors), abs=reordering(score))


def test_irs_merges_neighbouring_values_of_long_factors():
    """Each value has one row, in which nothing moves; in classes of values something does."""
    factors = np.arange(1000)[:, None]
    codes = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    assert irs(codes, factors, num_bins=1000) == 1
    assert irs(codes, factors) < 0.15
    assert irs(codes, factors, num_bins=2, quantile=1.0) < 0.05


@pytest.mark.parametrize("score", [sap, quick_dci, small_beta_vae, small_factor_vae])
def test_same_seed_same_score(score):
    codes, factors = entangled()
    np.testing.assert_equal(score(codes, factors), score(codes, factors))


def test_generator_for_a_seed():
    codes, factors = entangled()
    for score in (beta_vae_score, factor_vae_score):
        options = {**QUICK, "batch_size": 4}
        seeded = score(codes, factors, seed=5, **options)
        assert score(codes, factors, seed=np.random.default_rng(5), **options) == seeded
        assert len({score(codes, factors, seed=seed, **options) for seed in range(4)}) > 1


FACTORS = grid(2, 2, repeat=10)
CODES = FACTORS.astype(float)


@pytest.mark.parametrize("score", EVERY)
@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.where(CODES == 1, np.nan, CODES), FACTORS, "codes must be finite"),
        (np.where(CODES == 1, np.inf, CODES), FACTORS, "codes must be finite"),
        (CODES[:, 0], FACTORS, r"codes must have shape \(n, k\)"),
        (CODES, FACTORS[:, 0], r"factors must have shape \(n, f\)"),
        (CODES[:0], FACTORS[:0], "codes must have shape .* not empty"),
        (CODES[:, :0], FACTORS, "codes must have shape .* not empty"),
        (CODES[1:], FACTORS, "codes and factors must have the same number of rows, got 39 and 40"),
        (CODES, FACTORS * [1, 0], "factors must vary, got a constant in column 1"),
        (CODES.astype(complex), FACTORS, "codes must hold real numbers"),
        (CODES.astype(str), FACTORS, "codes must hold real numbers"),
        ([[1.0, 2.0], [3.0]], FACTORS, "codes must be an array"),
    ],
)
def test_bad_data(score, codes, factors, message):
    with pytest.raises(ValueError, match=message):
        score(codes, factors)


@pytest.mark.parametrize("score", [score for score in EVERY if score is not continuous_sap])
def test_factors_must_be_integers(score):
    with pytest.raises(ValueError, match="factors must be integers"):
        score(CODES, FACTORS + 0.5)


@pytest.mark.parametrize("score", [*GAPS, *TREES])
def test_one_code_has_no_gap(score):
    with pytest.raises(ValueError, match="codes must have at least 2 columns"):
        score(CODES[:, :1], FACTORS)


@pytest.mark.parametrize("score", [*TREES, *FIXED])
def test_one_factor_cannot_be_told_from_others(score):
    with pytest.raises(ValueError, match="factors must have at least 2 columns"):
        score(CODES, FACTORS[:, :1])


@pytest.mark.parametrize("score", FIXED)
def test_values_of_one_row_have_no_pairs(score):
    factors = FACTORS.copy()
    factors[7, 1] = 9
    with pytest.raises(ValueError, match="factors must have two rows or more for each value, column 1 has one with 9"):
        score(CODES, factors)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (mig, {"num_bins": 1}, "num_bins must be at least 2"),
        (mig, {"num_bins": 2.5}, "num_bins must be an integer"),
        (irs, {"num_bins": 1}, "num_bins must be at least 2"),
        (irs, {"quantile": 0}, "quantile must be above 0"),
        (irs, {"quantile": 1.1}, "quantile must be above 0 and at most 1"),
        (sap, {"test_fraction": 1.0}, "test_fraction must be between 0 and 1"),
        (sap, {"test_fraction": 0.001}, "leaves no rows"),
        (sap, {"test_fraction": 0.97}, "factors must vary among the 1 training rows"),
        (dci, {"test_fraction": float("nan")}, "test_fraction must be between 0 and 1"),
        (dci, {"num_trees": 0}, "num_trees must be at least 1"),
        (beta_vae_score, {"batch_size": 0}, "batch_size must be at least 1"),
        (beta_vae_score, {"num_train": 1}, "num_train must be at least 2"),
        (beta_vae_score, {"num_test": 0}, "num_test must be at least 1"),
        (factor_vae_score, {"batch_size": 1}, "batch_size must be at least 2"),
        (factor_vae_score, {"num_train": 0}, "num_train must be at least 1"),
        (factor_vae_score, {"num_test": 0}, "num_test must be at least 1"),
        (factor_vae_score, {"prune_std": -1.0}, "prune_std must be at least 0"),
    ],
)
def test_bad_options(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(CODES, FACTORS, **options)


@pytest.mark.parametrize("function", [sap, dci, beta_vae_score])
def test_missing_scikit_learn_is_said_with_the_remedy(function, monkeypatch):
    for module in ("svm", "ensemble", "linear_model"):
        monkeypatch.setitem(sys.modules, f"sklearn.{module}", None)
    with pytest.raises(
        ModuleNotFoundError, match=rf"{function.__name__} needs scikit-learn.*pip install 'mvae\[eval\]'"
    ):
        function(CODES, FACTORS)


@pytest.mark.parametrize("function", [mig, irs, factor_vae_score, continuous_sap])
def test_scores_without_scikit_learn(function, monkeypatch):
    for module in ("sklearn", "sklearn.svm", "sklearn.ensemble", "sklearn.linear_model"):
        monkeypatch.setitem(sys.modules, module, None)
    assert function(CODES, FACTORS) == pytest.approx(1)


@pytest.mark.slow
def test_the_whole_protocol():
    """10 000 and 5 000 points, every option at its default: a code for each factor, and noise."""
    rng = np.random.default_rng(0)
    factors = rng.integers([3, 4, 2], size=(15_000, 3))
    noise = rng.uniform(size=(15_000, 4))
    scores = dci(np.concatenate([factors, noise], axis=1), factors)
    np.testing.assert_allclose(scores[:3], 1, atol=1e-3)
    useless = dci(noise, factors)
    assert useless.disentanglement < 0.1
    assert useless.completeness < 0.1
    assert useless.informativeness == pytest.approx((1 / 3 + 1 / 4 + 1 / 2) / 3, abs=0.02)
    assert beta_vae_score(noise, factors) == pytest.approx(1 / 3, abs=0.035)
    assert factor_vae_score(noise, factors) == pytest.approx(1 / 3, abs=0.035)

"""The estimator: conventions of scikit-learn, and what it learns."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from mvae.sklearn import ManifoldAutoencoder

SMALL = {"num_steps": 4, "widths": (8,), "random_state": 0}
SMALL["settings"] = {"encoder_init": "random", "num_walk_steps": 2}
X = np.random.default_rng(0).normal(size=(60, 5)) * [1, 2, 3, 4, 5] + 7


@pytest.fixture(scope="module")
def fitted():
    return ManifoldAutoencoder(manifold="sphere:1", **SMALL).fit(X)


def test_codes_lie_on_the_manifold_and_decode_to_rows(fitted):
    codes = fitted.transform(X)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, rtol=1e-5)
    decoded = fitted.inverse_transform(codes)
    assert decoded.shape == X.shape
    np.testing.assert_allclose(decoded.mean(axis=0), X.mean(axis=0), rtol=0.2)  # in units of the data
    np.testing.assert_array_equal(fitted.transform(X[:7]), codes[:7])
    assert list(fitted.get_feature_names_out()) == [f"manifoldautoencoder{i}" for i in range(2)]


def test_it_is_pickled_and_cloned(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "trained_")


def test_the_score_is_a_log_density_of_the_data(fitted):
    """Of scaled rows the density is divided by the scale: the same rows in other units, ten times as large."""
    tenfold = ManifoldAutoencoder(manifold="sphere:1", **SMALL).fit(10 * X)
    assert fitted.score(X) - tenfold.score(10 * X) == pytest.approx(5 * np.log(10), abs=0.05)


@pytest.mark.slow
def test_frames_come_out_where_they_are_asked_for(fitted):
    pandas = pytest.importorskip("pandas")
    frame = clone(fitted).set_output(transform="pandas").fit_transform(pandas.DataFrame(X, columns=list("abcde")))
    assert list(frame.columns) == [f"manifoldautoencoder{i}" for i in range(2)]


def test_what_is_wrong_is_a_value_error(fitted):
    with pytest.raises(ValueError, match="5 features"):
        fitted.transform(X[:, :3])
    with pytest.raises(ValueError, match=r"off|on the manifold"):
        fitted.inverse_transform(np.ones((2, 2)))
    with pytest.raises(ValueError, match="unknown manifold 'spher'"):
        ManifoldAutoencoder(manifold="spher:2", **SMALL).fit(X)
    with pytest.raises(ValueError, match="likelihood must be one of"):
        ManifoldAutoencoder(likelihood="cauchy", **SMALL).fit(X)


@pytest.mark.slow
def test_manifolds_are_searched_over_in_a_pipeline():
    """Points near a circle: its score is above that of the line."""
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, 300)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ np.random.default_rng(2).normal(size=(2, 10))
    rows = around + 0.1 * np.random.default_rng(3).normal(size=around.shape)
    model = ManifoldAutoencoder(num_steps=600, widths=(32,), random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    spaces = {"manifoldautoencoder__manifold": ["sphere:1", "euclidean:1"]}
    search = GridSearchCV(pipeline, spaces, cv=3).fit(rows)
    assert search.best_params_ == {"manifoldautoencoder__manifold": "sphere:1"}


# Nothing here depends on the space or the start, and these compile in half the time.
QUICK = {
    "manifold": "euclidean:2",
    "likelihood": "gaussian",
    "settings": {"num_walk_steps": 1, "encoder_init": "random"},
}
CHECKS = list(estimator_checks_generator(ManifoldAutoencoder(**{**SMALL, "num_steps": 2, **QUICK})))
FAST = {  # those that fit nothing, or one model
    "check_estimator_cloneable",
    "check_valid_tag_types",
    "check_no_attributes_set_in_init",
    "check_estimators_unfitted",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_sparse_array",
    "check_complex_data",
    "check_fit2d_1sample",
    "check_fit1d",
    "check_get_params_invariance",
    "check_set_params",
    "check_n_features_in",
    "check_methods_subset_invariance",
}


def named(check):
    return check.func.__name__


@pytest.mark.parametrize(
    ("model", "check"),
    [
        pytest.param(model, check, id=named(check), marks=() if named(check) in FAST else pytest.mark.slow)
        for model, check in CHECKS
    ],
)
def test_check_of_scikit_learn_passes(model, check):
    """All that `check_estimator` runs, one at a time."""
    check(model)


def test_scikit_learn_has_its_checks():
    names = {named(check) for _, check in CHECKS}
    assert len(names) > 40
    assert names >= FAST

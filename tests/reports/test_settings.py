"""What an evaluation cannot have is refused before training, with the setting and the remedy."""

import numpy as np
import pytest

from mvae.errors import UsageError
from mvae.manifolds import Euclidean, Sphere
from mvae.reports import EvaluationConfig, check_evaluation
from mvae.reports import settings as module
from tests.reports.truth import circle_data


def known(values):
    values = np.asarray(values)
    columns = {"factors": values}
    names = tuple("abc"[: values.shape[1]])
    return circle_data(
        train=dict(columns, angles=np.zeros(len(values))),
        test=dict(columns, angles=np.zeros(len(values))),
        factor_names=names,
        factor_sizes=(9,) * len(names),
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"importance_samples": 0}, "importance_samples must be at least 1, got 0"),
        ({"bound_samples": 1_000_000}, "bound_samples must be at most 100000"),
        ({"degree_grid": 7}, "degree_grid must be at least 8"),
        ({"degree_grid": 20_000}, "at most 2048, got 20000"),
        ({"scores": ("mug",)}, "scores must be of mig"),
        ({"score_rows": 99}, "score_rows must be at least 100, got 99"),
    ],
)
def test_numbers_out_of_range(setting, message):
    with pytest.raises(ValueError, match=message):
        EvaluationConfig(**setting)


def test_defaults_fit():
    check_evaluation(EvaluationConfig(), circle_data(), Sphere(1))


def test_a_batch_that_does_not_fit_names_one_that_does(monkeypatch):
    monkeypatch.setattr(module, "memory_limit", lambda: 10**6)
    settings = EvaluationConfig(importance_samples=1000)
    with pytest.raises(UsageError, match=r"batch_size = 100: 1000 draws of 12 examples .* take batch_size = 5 or less"):
        check_evaluation(settings, circle_data(), Sphere(1))
    check_evaluation(EvaluationConfig(importance_samples=1000, batch_size=5), circle_data(), Sphere(1))


def test_many_draws_are_made_in_parts_and_fit(monkeypatch):
    monkeypatch.setattr(module, "memory_limit", lambda: 4 * 2**30)
    check_evaluation(EvaluationConfig(importance_samples=10**6), circle_data((64, 64, 3)), Sphere(1))


@pytest.mark.parametrize(("platform", "most"), [("cpu", 8333333), ("gpu", 83333333)])
def test_draws_that_would_never_end(platform, most, monkeypatch):
    monkeypatch.setattr(module, "memory_limit", lambda: 10**15)
    monkeypatch.setattr(module.jax, "default_backend", lambda: platform)
    with pytest.raises(UsageError, match=rf"importance_samples = 1000000000: .* take {most} or fewer"):
        check_evaluation(EvaluationConfig(importance_samples=10**9, batch_size=1), circle_data(), Sphere(1))


TWO, ONE = [[0, 0], [0, 1], [1, 0], [1, 1]] * 3, [[0, 5], [1, 5]] * 3


@pytest.mark.parametrize(
    ("values", "manifold", "scores", "message"),
    [
        (None, Sphere(1), ("mig",), "circle has no known factors"),
        (TWO, Euclidean(1), ("mig", "irs"), "mig need codes of two columns or more"),
        (ONE, Sphere(1), ("dci", "mig"), "dci need two factors that vary"),
        ([[5, 5]] * 4, Sphere(1), ("irs",), "no factor of circle varies"),
    ],
)
def test_scores_that_cannot_be(values, manifold, scores, message):
    dataset = circle_data() if values is None else known(values)
    with pytest.raises(UsageError, match=message):
        check_evaluation(EvaluationConfig(scores=scores), dataset, manifold)


def test_a_value_in_one_example_only():
    dataset = known(TWO)
    lonely = dataset.test | {"factors": dataset.test["factors"].at[0, 0].set(7)}
    dataset = dataset._replace(test=lonely)
    with pytest.raises(UsageError, match="factor_vae need each value of a factor in two examples or more"):
        check_evaluation(EvaluationConfig(scores=("factor_vae", "mig")), dataset, Sphere(1))
    check_evaluation(EvaluationConfig(scores=("mig",)), dataset, Sphere(1))

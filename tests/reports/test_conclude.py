"""Numbers come before figures; what fails is set aside with its reason, and the same call does that again alone."""

import errno
import json
import os
import signal

import numpy as np
import pytest
from matplotlib.figure import Figure

from mvae import figures
from mvae.engine.signals import Interrupted
from mvae.errors import UsageError
from mvae.main import _table
from mvae.reports import EvaluationConfig, Report, conclude, finished
from mvae.reports.conclude import summarize
from tests.reports.truth import FACTS, circle_view, concluded

SETTINGS = EvaluationConfig(importance_samples=3)


def strict(path):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def asking(name, answer, **more):
    """A report that counts how often it is asked for numbers of which seeds."""
    asked = []

    def numbers(member):
        asked.append(member.seed)
        return answer(member)

    return Report(name, lambda view: True, numbers, **more), asked


def drawing(name, draw):
    """A report that counts how often its figure is drawn."""
    drawn = []

    def figure():
        drawn.append(name)
        return draw()

    return Report(name, lambda view: True, figures=lambda view: iter([(f"{name}.png", figure)])), drawn


def broken(*_):
    raise RuntimeError("a very\nlong story")


def test_numbers_of_the_truth(tmp_path):
    results = concluded(circle_view(importance_samples=3), tmp_path)
    assert results == strict(tmp_path / "results.json")
    first, second = results["members"]
    assert (first["seed"], second["seed"]) == (3, 4)
    assert first["elbo"] == pytest.approx(10 - 5.5)
    assert second["log_likelihood"] == pytest.approx(11 - 5.5 + 3)
    assert results["mean"]["elbo"] == pytest.approx(5.0)
    assert results["std"]["elbo"] == pytest.approx(np.sqrt(0.5))
    assert results["evaluation"]["importance_samples"] == 3
    assert (results["failed"], results["figures_unavailable"], results["unavailable"]) == ({}, {}, {})
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "figures"}
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"latent_space_seed_3", "latent_space_seed_4", "reconstructions", "decoded_grid"}
    assert finished(tmp_path, SETTINGS) == results


def test_a_report_that_raises_is_unavailable_and_the_rest_goes_on(tmp_path):
    trouble = {"on": True}
    bad, asked = asking("bad", lambda member: broken() if trouble["on"] else {"one": 1.0}, gives=("one",))
    good, others = asking("good", lambda member: {"two": 2.0})
    view = circle_view(importance_samples=3)
    results = conclude(view, (bad, good), tmp_path, FACTS)
    assert strict(tmp_path / "results.json") == results
    assert results["failed"] == {"bad": "RuntimeError: a very long story"}
    assert results["unavailable"] == {"one": "RuntimeError: a very long story"}
    assert results["mean"] == {"two": 2.0, "one": None}
    assert "one                  not available: RuntimeError: a very long story" in _table(results)
    assert "Traceback" in (tmp_path / "errors.log").read_text()
    assert finished(tmp_path, SETTINGS) is None
    trouble["on"] = False
    again = conclude(circle_view(importance_samples=3), (bad, good), tmp_path, FACTS)
    assert again["mean"] == {"one": 1.0, "two": 2.0}
    assert (asked, others) == ([3, 4, 3, 4], [3, 4])
    assert finished(tmp_path, SETTINGS) == again
    assert not (tmp_path / "evaluation.json").exists()


def test_a_report_that_raises_for_one_seed_is_asked_again_for_that_one(tmp_path):
    bad, asked = asking("bad", lambda member: broken() if member.seed == 4 and len(asked) < 3 else {"one": 1.0})
    results = conclude(circle_view(importance_samples=3), (bad,), tmp_path, FACTS)
    assert results["members"][0]["one"] == 1.0
    assert results["mean"] == {"one": None, "bad": None}
    assert results["unavailable"]["one"] == "seed 4 has none"
    assert conclude(circle_view(importance_samples=3), (bad,), tmp_path, FACTS)["mean"] == {"one": 1.0}
    assert asked == [3, 4, 4]


def test_what_does_not_exist_is_not_asked_for_again(tmp_path):
    def lacking(member):
        raise NotImplementedError("no such number here")

    lacks, _ = asking("lacks", lacking)
    results = conclude(circle_view(importance_samples=3), (lacks,), tmp_path, FACTS)
    assert results["unavailable"] == {"lacks": "NotImplementedError: no such number here"}
    assert finished(tmp_path, SETTINGS) == results


@pytest.mark.parametrize("value", [float("nan"), -np.inf, np.float32("nan"), [1.0, float("inf")]])
def test_numbers_that_are_not_finite_are_null_with_the_reason(value, tmp_path):
    report, _ = asking("odd", lambda member: {"odd": value, "even": np.float32(0.5), "count": np.int64(2)})
    results = conclude(circle_view(), (report,), tmp_path, FACTS)
    member = strict(tmp_path / "results.json")["members"][0]
    assert (member["odd"], member["even"], member["count"]) == (None, 0.5, 2)
    assert member["unavailable"]["odd"].startswith("not finite")
    assert results["mean"] == {"even": 0.5, "odd": None}


def test_a_figure_that_raises_is_left_out_and_drawn_by_the_same_call(tmp_path, caplog):
    trouble = {"on": True}
    bad, tried = drawing("bad", lambda: broken() if trouble["on"] else Figure())
    good, drawn = drawing("good", Figure)
    number, asked = asking("number", lambda member: {"one": 1.0})
    results = conclude(circle_view(importance_samples=3), (bad, good, number), tmp_path, FACTS)
    assert results["figures_unavailable"] == {"bad.png": "RuntimeError: a very long story"}
    assert strict(tmp_path / "results.json") == results
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["good.png"]
    lines = [record.getMessage() for record in caplog.records if "bad.png" in record.getMessage()]
    assert lines[0] == "bad.png is left out: RuntimeError: a very long story"
    assert finished(tmp_path, SETTINGS) is None
    trouble["on"] = False
    results = conclude(circle_view(importance_samples=3), (bad, good, number), tmp_path, FACTS)
    assert results["figures_unavailable"] == {}
    assert (tried, drawn, asked) == (["bad", "bad"], ["good"], [3, 4])
    assert finished(tmp_path, SETTINGS) == results


def test_a_generator_of_figures_that_raises_does_not_stop_the_next_report(tmp_path):
    bad = Report("bad", lambda view: True, figures=broken)
    worse = Report("worse", broken, figures=lambda view: iter(()))
    good, drawn = drawing("good", Figure)
    results = conclude(circle_view(), (bad, worse, good), tmp_path, FACTS)
    assert results["figures_unavailable"].keys() == {"bad", "worse"}
    assert drawn == ["good"]


def test_a_disk_that_is_full_while_figures_are_drawn(tmp_path, monkeypatch):
    def full(figure, path):
        del figure
        assert (tmp_path / "results.json").exists()  # numbers come first
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(figures, "save", full)
        results = concluded(circle_view(importance_samples=3), tmp_path)
    assert strict(tmp_path / "results.json") == results
    assert results["mean"]["elbo"] == pytest.approx(5.0)
    assert "No space left" in results["figures_unavailable"]["reconstructions.png"]
    assert finished(tmp_path, SETTINGS) is None
    again = concluded(circle_view(importance_samples=3), tmp_path)
    assert again == results | {"figures_unavailable": {}}
    assert finished(tmp_path, SETTINGS) == again


def test_a_disk_that_is_full_all_along_is_one_line(tmp_path, monkeypatch):
    def full(source, destination):
        raise OSError(errno.ENOSPC, "No space left on device", str(destination))

    report, asked = asking("number", lambda member: {"one": 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UsageError, match=r"results\.json cannot be written: No space left on device"):
            conclude(circle_view(), (report,), tmp_path, FACTS)
    assert list(tmp_path.iterdir()) == []
    conclude(circle_view(), (report,), tmp_path, FACTS)
    assert asked == [3, 4, 3, 4]


def test_figures_that_are_a_file_are_a_line(tmp_path):
    (tmp_path / "figures").write_text("precious")
    results = concluded(circle_view(importance_samples=3), tmp_path)
    assert "is a file: remove it" in results["figures_unavailable"]["figures"]
    assert results["mean"]["elbo"] == pytest.approx(5.0)
    (tmp_path / "figures").unlink()
    assert concluded(circle_view(importance_samples=3), tmp_path)["figures_unavailable"] == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_evaluation_and_keeps_what_was_done(number, tmp_path):
    def interrupted(member):
        if member.seed == 4 and len(asked) == 2:
            os.kill(os.getpid(), number)
        return {"one": 1.0}

    report, asked = asking("number", interrupted)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"stopped by {number.name} during the evaluation") as stop:
        conclude(circle_view(), (report,), tmp_path, FACTS)
    assert stop.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    assert conclude(circle_view(), (report,), tmp_path, FACTS)["mean"] == {"one": 1.0}
    assert asked == [3, 4, 4]


def test_a_signal_amid_the_figures_keeps_those_that_are_drawn(tmp_path):
    def stop():
        if len(tried) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return Figure()

    first, drawn = drawing("first", Figure)
    second, tried = drawing("second", stop)
    with pytest.raises(Interrupted):
        conclude(circle_view(), (first, second), tmp_path, FACTS)
    assert (tmp_path / "results.json").exists()
    conclude(circle_view(), (first, second), tmp_path, FACTS)
    assert (drawn, tried) == (["first"], ["second", "second"])
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"first.png", "second.png"}


def test_other_settings_evaluate_everything_anew(tmp_path):
    report, asked = asking("number", lambda member: {"one": float(member.view.settings.bound_samples)})
    conclude(circle_view(), (report,), tmp_path, FACTS)
    assert finished(tmp_path, EvaluationConfig()) is not None
    assert finished(tmp_path, EvaluationConfig(bound_samples=4)) is None
    assert conclude(circle_view(bound_samples=4), (report,), tmp_path, FACTS)["mean"] == {"one": 4.0}
    assert finished(tmp_path, EvaluationConfig(bound_samples=4)) is not None
    assert asked == [3, 4, 3, 4]


def test_a_damaged_record_of_an_evaluation_is_made_anew(tmp_path):
    (tmp_path / "evaluation.json").write_text('{"settings": ')
    report, asked = asking("number", lambda member: {"one": 1.0})
    assert conclude(circle_view(), (report,), tmp_path, FACTS)["mean"] == {"one": 1.0}
    assert asked == [3, 4]
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(UsageError, match="remove it to evaluate again"):
        finished(tmp_path, EvaluationConfig())


def test_mean_and_std_over_members():
    members = [{"seed": 0, "elbo": 1.0, "degree": 1}, {"seed": 1, "elbo": 3.0, "degree": -1}]
    summary = summarize(members)
    assert summary["mean"] == {"elbo": 2.0}
    np.testing.assert_allclose(summary["std"]["elbo"], np.sqrt(2.0))
    assert summary["unavailable"] == {}
    assert summarize(members[:1])["std"] == {"elbo": None}


def test_numbers_that_are_not_known_are_listed_with_the_reason():
    reason = {"log_likelihood": "no log-likelihood on this manifold"}
    members = [{"seed": i, "elbo": 1.0 * i, "log_likelihood": None, "unavailable": reason} for i in range(2)]
    summary = summarize(members)
    assert summary["mean"]["log_likelihood"] is None
    assert summary["std"]["log_likelihood"] is None
    assert summary["unavailable"] == reason
    table = _table(summary | FACTS)
    assert "log_likelihood       not available: no log-likelihood on this manifold" in table
    assert "elbo                          0.5 ± 0.71" in table

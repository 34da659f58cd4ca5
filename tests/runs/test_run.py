"""A run whose evaluation fails, or whose settings of it change: evaluated anew from its checkpoint, not trained."""

import json
import shutil

import numpy as np
import pytest

from mvae import data
from mvae.errors import UsageError
from mvae.reports import REPORTS, report
from mvae.runs import experiment, running
from mvae.runs.overrides import resolve
from mvae.runs.running import run
from tests.sweep.tiny import members
from tests.test_configs import TORUS, tiny


@pytest.mark.slow
def test_what_failed_or_was_asked_for_anew_is_evaluated_without_training(tmp_path, monkeypatch):
    config = tiny(TORUS, "quick", tmp_path)
    config["num_seeds"] = 1
    workdir = tmp_path / "run"

    def broken(*arguments, **options):
        raise MemoryError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(report, "importance_log_likelihood", broken)
        first = run(config, workdir)
    assert first["failed"] == {"likelihood": "MemoryError: out of memory"}
    assert first["mean"]["log_likelihood"] is None
    trained = (workdir / "metrics.jsonl").read_bytes()
    second = run(config, workdir)
    assert second["failed"] == {}
    assert second["mean"]["log_likelihood"] >= second["mean"]["elbo"] - 5
    assert second["mean"]["elbo"] == first["mean"]["elbo"]
    stamp = (workdir / "results.json").stat().st_mtime_ns
    assert run(config, workdir) == second
    assert (workdir / "results.json").stat().st_mtime_ns == stamp

    (workdir / "metrics.jsonl").write_bytes(b"\xff broken\n" + trained)
    config["evaluation"]["bound_samples"] = 3
    third = run(config, workdir)
    assert third["evaluation"]["bound_samples"] == 3
    assert third["mean"]["elbo"] != first["mean"]["elbo"]
    assert third["mean"]["captured"] == second["mean"]["captured"]
    assert third["train_seconds"] == second["train_seconds"]
    assert json.loads((workdir / "results.json").read_text()) == third
    assert (workdir / "metrics.jsonl").read_bytes().endswith(trained)  # not a step more

    config["model"]["beta"] = 2.0
    with pytest.raises(UsageError, match=r"model.beta: 1.0 there, 2.0 asked for"):
        run(config, workdir)


@pytest.fixture
def bound_alone(monkeypatch):
    """Runs of which nothing is asked but the bound and the curves of training."""
    monkeypatch.setattr(experiment, "REPORTS", {name: REPORTS[name] for name in ("bound", "curves")})


def test_a_run_that_tripped_is_evaluated_anew_by_other_settings(tmp_path, monkeypatch, bound_alone):
    (member,) = members([("run", {"num_steps": 1})], "vae.py")
    config, workdir = resolve(member.config).block, tmp_path / "run"

    def tripped(*arguments, **options):
        raise RuntimeError("a number trips")

    with monkeypatch.context() as patch:
        patch.setattr(running, "conclude_view", tripped)
        with pytest.raises(RuntimeError):
            run(config, workdir)
    assert not (workdir / "results.json").exists()
    trained = (workdir / "metrics.jsonl").read_bytes()

    first = run(config, workdir)
    assert first["evaluation"]["bound_samples"] == 2
    assert (workdir / "figures" / "training_curves.png").exists()
    assert (workdir / "metrics.jsonl").read_bytes() == trained  # not a step more

    shutil.rmtree(workdir / "figures")
    (workdir / "metrics.jsonl").unlink()  # as in a copy of what matters
    config["evaluation"]["bound_samples"] = 3
    second = run(config, workdir)
    assert second["evaluation"]["bound_samples"] == 3
    assert second["mean"]["elbo"] != first["mean"]["elbo"]
    assert (second["failed"], second["figures_unavailable"], second["train_seconds"]) == ({}, {}, None)
    assert json.loads((workdir / "results.json").read_text()) == second
    assert not (workdir / "metrics.jsonl").exists()
    assert run(config, workdir) == second

    del second["evaluation"]["score_rows"]  # as before that could be set
    (workdir / "results.json").write_text(json.dumps(second))
    assert run(config, workdir) == second


def test_data_that_are_not_finite_are_refused_before_training(tmp_path, monkeypatch):
    points = data.load("circle", num_train=64, num_test=32)
    broken = points._replace(test=points.test | {"x": points.test["x"].at[5, 1].set(np.nan)})
    monkeypatch.setitem(data.BUILDERS, "broken", lambda: broken)
    config = {"method": "vae", "data": {"name": "broken"}, "manifold": "euclidean:2"}
    with pytest.raises(UsageError, match="the data set circle: 'x' of test row 5 is not finite"):
        run(config | {"model": {"likelihood": "gaussian"}}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_that_cannot_be_leave_no_folder(tmp_path):
    config = tiny(TORUS, "quick", tmp_path)
    for name, value, message in (
        ("degree_grid", 20_000, "at most 2048"),
        ("bound_samples", 1_000_000, "at most 100000"),
        ("importance_samples", 10**9, "would take days"),
    ):
        changed = config | {"evaluation": config["evaluation"] | {name: value}}
        with pytest.raises(UsageError, match=message):
            run(changed, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_examples_that_repeat_are_trained_on_and_judged(tmp_path, monkeypatch):
    """15 of 400 examples have ten copies of themselves or more, for a diffusion map of all and of neighbours."""
    points = data.load("circle", num_train=400, num_test=50)
    repeated = points._replace(train={name: array.at[385:].set(array[0]) for name, array in points.train.items()})
    monkeypatch.setitem(data.BUILDERS, "repeated", lambda: repeated)
    for num_neighbors in (None, 12):
        config = tiny(TORUS.with_name("vdae.py"), "quick", tmp_path)
        config["data"] = {"name": "repeated"}
        config["model"]["num_neighbors"] = 8  # fewer than there are copies
        config["model"]["spectral"] |= {"num_neighbors": num_neighbors, "scale_neighbor": 10}
        results = run(config, tmp_path / f"run {num_neighbors}")
        assert (results["failed"], results["figures_unavailable"]) == ({}, {})
        assert np.isfinite(results["mean"]["elbo"])

"""A run whose evaluation fails, or whose settings of it change: evaluated anew from its checkpoint, not trained."""

import json

import pytest

from mvae.errors import UsageError
from mvae.reports import report
from mvae.runs.running import run
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


def test_settings_that_cannot_be_leave_no_folder(tmp_path):
    config = tiny(TORUS, "quick", tmp_path)
    for name, value, message in (
        ("degree_grid", 20_000, "at most 2048"),
        ("bound_samples", 1_000_000, "at most 100000"),
        ("importance_samples", 10**9, "decoded examples at a time take about"),
    ):
        changed = config | {"evaluation": config["evaluation"] | {name: value}}
        with pytest.raises(UsageError, match=message):
            run(changed, tmp_path / "run")
    assert not (tmp_path / "run").exists()

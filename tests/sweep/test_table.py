"""The table is made from run folders alone."""

import json

import pytest

from mvae.errors import UsageError
from mvae.sweep import render


def folder(workdir, name, overrides, mean=None, std=None, seeds=2):
    (workdir / name).mkdir(parents=True)
    recorded = [f"--config.{key}={value}" for key, value in overrides.items()]
    (workdir / name / "config.json").write_text(json.dumps({"config": {}, "overrides": recorded}))
    if mean is not None:
        (workdir / name / "results.json").write_text(json.dumps({"num_seeds": seeds, "mean": mean, "std": std}))


@pytest.fixture
def workdir(tmp_path):
    common = {"num_steps": 5}
    folder(tmp_path, "beta_10", common | {"model.beta": 10.0}, {"elbo": -3772.0561, "kl": None}, {"elbo": 0.0123})
    folder(tmp_path, "beta_2", common | {"model.beta": 2.0}, {"elbo": -3780.25, "kl": 3.0}, {"elbo": None}, 1)
    folder(tmp_path, "sphere", common | {"manifold.name": "a|b"})
    (tmp_path / ".locks").mkdir()
    return tmp_path


def test_rows_columns_and_what_is_missing(workdir):
    assert render(workdir, ["elbo", "kl"]).splitlines() == [
        "All with num_steps=5.",
        "",
        "| name | model.beta | manifold.name | seeds | elbo | kl |",
        "|---|---|---|---|---|---|",
        "| beta_2 | 2.0 |  | 1 | -3780.25 | 3 |",
        "| beta_10 | 10.0 |  | 2 | -3772.056 ± 0.012 | – |",
        "| sphere |  | a\\|b | not finished | – | – |",
    ]


def test_members_in_the_order_of_the_sweep(workdir):
    lines = render(workdir, ["elbo"], ["sphere", "beta_10", "new"]).splitlines()[4:]
    assert [line.split("|")[1].strip() for line in lines] == ["sphere", "beta_10", "new"]
    assert "not finished" in lines[-1]


def test_unknown_metric_and_empty_folder(workdir, tmp_path_factory):
    with pytest.raises(UsageError, match="unknown metric 'elb': known are elbo, kl"):
        render(workdir, ["elb"])
    with pytest.raises(UsageError, match="holds no run folder"):
        render(tmp_path_factory.mktemp("empty"))
    (workdir / "sphere" / "config.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        render(workdir)

"""A run folder belongs to one config; writes are whole or not at all."""

import json
import os
from pathlib import Path

import pytest

from mvae.engine.files import write_atomically
from mvae.engine.metrics import MetricWriter, read_records
from mvae.errors import UsageError
from mvae.runs.run_folder import RunFolder

CONFIG = {"seed": 0, "model": {"widths": (3, 4)}, "data": {"name": "mnist", "dir": "here"}}


def test_same_config_is_accepted_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(CONFIG, ["--config.seed=0"])
    before = folder.config.read_text()
    folder.claim(CONFIG, [])
    assert folder.config.read_text() == before
    recorded = json.loads(before)
    assert recorded["config"]["model"]["widths"] == [3, 4]
    assert recorded["overrides"] == ["--config.seed=0"]
    assert {"versions", "devices", "git_revision"} <= recorded.keys()


def test_data_may_lie_elsewhere(tmp_path):
    folder = RunFolder(tmp_path)
    folder.claim(CONFIG, [])
    folder.claim(CONFIG | {"data": {"name": "mnist", "dir": "there"}}, [])


def test_other_config_is_refused_with_the_difference(tmp_path):
    folder = RunFolder(tmp_path)
    folder.claim(CONFIG, [])
    with pytest.raises(UsageError, match=r"model.widths: \[3, 4\] there, \[5\] asked for"):
        folder.claim(CONFIG | {"model": {"widths": (5,)}}, [])
    with pytest.raises(UsageError, match=r"extra: '\(absent\)' there, 1 asked for"):
        folder.claim(CONFIG | {"extra": 1}, [])


def test_foreign_folder_file_and_damaged_config_are_refused(tmp_path):
    (tmp_path / "something.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"holds files but no config.json"):
        RunFolder(tmp_path).claim(CONFIG, [])
    with pytest.raises(UsageError, match="is a file"):
        RunFolder(tmp_path / "something.txt").claim(CONFIG, [])
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        RunFolder(tmp_path).claim(CONFIG, [])
    assert (tmp_path / "something.txt").read_text() == "precious"


def test_failed_write_leaves_the_old_text(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    write_atomically(path, "old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"


def test_metrics_after_the_checkpoint_are_written_again(tmp_path):
    folder = RunFolder(tmp_path)
    lines = [{"stage": "a", "step": 10}, {"stage": "b", "step": 5}, {"stage": "b", "step": 10}]
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"stage": "b", "st')
    assert read_records(folder.metrics) == lines
    writer = MetricWriter(folder.metrics, folder.tensorboard, "b", 7)
    writer.write(10, {"loss": [1.0]}, 0.5)
    writer.close()
    assert read_records(folder.metrics) == [
        *lines[:2],
        {"stage": "b", "step": 10, "loss": [1.0], "seconds": 0.5},
    ]


def test_the_log_of_a_job_may_be_there_and_nothing_else(tmp_path):
    for name in ("run.log", "job.out", "job.err"):
        (tmp_path / name).write_text("said")
    assert not RunFolder(tmp_path).check(CONFIG)
    (tmp_path / "figures.log").mkdir()
    with pytest.raises(UsageError, match=r"holds files but no config.json, such as figures.log"):
        RunFolder(tmp_path).claim(CONFIG, [])


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RunFolder(Path("~/runs/one")).config == tmp_path / "runs" / "one" / "config.json"


def test_a_path_that_no_folder_can_have_is_named(tmp_path):
    for path in (tmp_path / ("a" * 300), tmp_path / ("b" * 300) / "c"):
        for ask in (lambda folder: folder.check(CONFIG), lambda folder: folder.has_results()):
            with pytest.raises(UsageError, match=r"--workdir=.* cannot be read: File name too long: give another"):
                ask(RunFolder(path))

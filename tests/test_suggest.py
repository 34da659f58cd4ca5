"""python -m mvae.suggest: the table of suggestions, the figure, and what is wrong with a call in one line."""

import sys

import numpy as np
import pytest

from tests.programs import assert_refused, call

PROGRAM = "mvae/suggest.py"
ANGLE = np.random.default_rng(1).uniform(0, 2 * np.pi, 300)
CIRCLE = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1) + 0.02 * np.random.default_rng(2).normal(size=(300, 2))


@pytest.fixture
def points(tmp_path):
    np.save(tmp_path / "points.npy", CIRCLE)
    return tmp_path / "points.npy"


def test_suggestions_and_figure(points, tmp_path):
    outcome = call(PROGRAM, f"--data={points}", f"--out={tmp_path}/figure.png", "--shown=2")
    assert outcome.code == 0, outcome.errors
    lines = outcome.output.splitlines()
    assert lines[0].startswith("1. circle, Sphere(dim=1, radius=1.0) (agreement 0.")
    assert lines[0].endswith(", certain)")
    assert any(line.startswith("   for: dimension 1") for line in lines)
    assert sum(line[0].isdigit() for line in lines) == 2
    assert lines[-1] == f"The figure is in {tmp_path}/figure.png."
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_other_files(ending, tmp_path):
    path = tmp_path / f"points.{ending}"
    if ending == "csv":
        np.savetxt(path, np.c_[CIRCLE, np.arange(300)], delimiter=",", header="a,b,row", comments="")
        options = ["--features=a,b"]
    else:
        np.savez(path, x=CIRCLE)
        options = []
    outcome = call(PROGRAM, f"--data={path}", *options)
    assert outcome.code == 0, outcome.errors
    assert outcome.output.startswith("1. circle")


def test_distances(tmp_path):
    np.save(tmp_path / "d.npy", np.linalg.norm(CIRCLE[:, None] - CIRCLE[None], axis=-1))
    outcome = call(PROGRAM, f"--data={tmp_path}/d.npy", "--distances")
    assert outcome.code == 0, outcome.errors
    assert outcome.output.startswith("1. circle")


def test_bad_input(points, tmp_path):
    assert_refused(call(PROGRAM), "give --data; --help says how")
    assert_refused(call(PROGRAM, f"--data={tmp_path}/none.npy"), "there is no")
    assert_refused(call(PROGRAM, f"--data={points}", "--out=a.txt"), "a file that ends in .png, .pdf, .svg")
    assert_refused(call(PROGRAM, f"--data={points}", f"--out={tmp_path}/no/a.png"), "there is no folder")
    assert_refused(call(PROGRAM, f"--data={points}", "--distances"), "x must be a square matrix of distances")
    assert_refused(call(PROGRAM, f"--data={points}", "extra"), "unexpected argument 'extra'")
    np.save(tmp_path / "few.npy", CIRCLE[:10])
    assert_refused(call(PROGRAM, f"--data={tmp_path}/few.npy"), "x must have 20 points or more")


def test_without_ripser(points, monkeypatch):
    monkeypatch.setitem(sys.modules, "ripser", None)
    assert_refused(call(PROGRAM, f"--data={points}"), "pip install 'mvae[eval]'")


def test_help():
    outcome = call(PROGRAM, "--help")
    assert outcome.code == 0
    assert "--distances" in outcome.output

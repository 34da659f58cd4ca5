"""The page of a run: what it holds is what the model says, in one file; the program."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import mvae
from mvae.errors import UsageError
from mvae.explore import explore
from mvae.explore.sheets import Look
from tests.paths import arrays_in
from tests.programs import assert_refused, call
from tests.runs.trained.test_training import SMALL

PROGRAM = "mvae/explore/__main__.py"
GENERATOR = np.random.default_rng(1)
ANGLES = np.linspace(0, 2 * np.pi, 80, endpoint=False)
ACROSS = np.linspace(-0.25, 0.25, 8)
IMAGES = 0.5 + np.cos(ANGLES)[:, None, None] * ACROSS[:, None] + np.sin(ANGLES)[:, None, None] * ACROSS
IMAGES = IMAGES[..., None].astype(np.float32)  # of a plane that turns


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("explore")
    np.savez(root / "images.npz", x=IMAGES, angle=ANGLES)
    settings = SMALL | {"config": SMALL["config"] | {"data.angle": "angle"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvae.runs.running.conclude_view", _without_figures)
        mvae.train("dvae", root / "images.npz", manifold="sphere:2", workdir=root / "run", **settings)
    return root


def _without_figures(view, reports, folder, facts):
    from mvae.reports import conclude

    return conclude(view, [report._replace(figures=None) for report in reports], folder, facts)


def content_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def numbers(text, dtype="<f4"):
    return np.frombuffer(base64.b64decode(text), dtype)


def pictures(sheet):
    """The examples of a sheet, (n, h, w), in bytes."""
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["source"].partition(",")[2]))))
    tall, wide, columns = sheet["tall"], sheet["wide"], sheet["columns"]
    tiles = image.reshape(-1, tall, columns, wide).swapaxes(1, 2).reshape(-1, tall, wide)
    return tiles[: sheet["count"], : sheet["height"], : sheet["width"]].astype(float)


def test_the_page_holds_what_the_model_says(folder):
    run = mvae.load(folder / "run")
    page = run.explore()
    content = content_of(page.html)
    codes = content["codes"]
    places = numbers(codes["places"]).reshape(-1, 3)
    originals = pictures(content["sheets"]["originals"]) / 255
    assert codes["count"] == len(places) == len(originals) == 80  # of test and training rows
    order = [int(np.abs(IMAGES[..., 0] - each).sum(axis=(1, 2)).argmin()) for each in originals]
    assert sorted(order) == list(range(80))
    np.testing.assert_allclose(places, run.best.embed(IMAGES[order]), atol=1e-5)
    np.testing.assert_allclose(originals, IMAGES[order, ..., 0], atol=0.03)  # by JPEG
    decoded = pictures(content["sheets"]["decoded"]) / 255
    expected = np.clip(run.best.reconstruct(IMAGES[order])[..., 0], 0, 1)
    np.testing.assert_allclose(decoded, expected, atol=0.03)
    nodes = numbers(content["space"]["nodes"]).reshape(-1, 3)
    at_nodes = np.clip(run.best.decode(nodes)[..., 0], 0, 1)
    np.testing.assert_allclose(pictures(content["sheets"]["nodes"]) / 255, at_nodes, atol=0.03)
    neighbours = numbers(codes["neighbours"], "<i4").reshape(80, -1)
    distances = np.asarray(run.best.manifold.distance(places[:, None], places[None])) + 9 * np.eye(80)
    chosen = np.take_along_axis(distances, neighbours, axis=1)
    np.testing.assert_allclose(chosen, np.sort(distances, axis=1)[:, : neighbours.shape[1]], atol=2e-3)
    names = [column["name"] for column in content["columns"]]
    assert names[0] == "angle"
    assert {"part", "squared error"} <= set(names)
    assert [row[0] for row in content["numbers"]] == sorted(run.results["mean"])
    assert content["curves"][0]["name"] == "elbo"


def test_the_page_is_one_file_without_addresses(folder):
    page = mvae.load(folder / "run").explore()
    assert not re.findall(r"(?:src|href)=\"(?!data:)|url\(|@import|fetch\(|https?://", page.html)
    assert "{{" not in page.html.partition('id="data"')[0]
    assert len(page.html.encode()) < 15e6
    shown = page._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script>" not in shown


def test_examples_of_ones_own_and_a_run_that_keeps_none():
    x = GENERATOR.normal(size=(40, 3)).astype(np.float32)
    run = mvae.train("vae", x, manifold="euclidean:2", **SMALL)
    with pytest.raises(UsageError, match="give them, x="):
        run.explore()
    with pytest.raises(UsageError, match="kind has shape"):
        run.explore(x, kind=np.arange(3))
    content = content_of(run.explore(x, kind=np.repeat(["a", "b"], 20)).html)
    assert content["look"]["kind"] == "point"
    assert content["space"]["geodesic"] == "flat"
    legend = content["columns"][0]["legend"]["classes"]
    assert [name for name, _ in legend] == ["a", "b"]


def test_a_known_condition_is_said():
    x, camera = GENERATOR.normal(size=(40, 5)).astype(np.float32), np.repeat(["left", "right"], 20)
    run = mvae.train("dvae", {"x": x, "condition": camera}, manifold="sphere:2", **SMALL)
    content = content_of(run.explore(x, condition=camera).html)
    assert "places decode with the condition left" in content["facts"]
    nodes = numbers(content["space"]["nodes"]).reshape(-1, 3)
    look, sheet = content["look"], content["sheets"]["nodes"]
    values = numbers(sheet["values"], "<u2").reshape(-1, 5) / 65535 * (look["high"] - look["low"]) + look["low"]
    expected = np.clip(run.best.decode(nodes, condition="left"), look["low"], look["high"])
    np.testing.assert_allclose(values, expected, atol=1e-3)


def test_data_that_have_gone(folder, tmp_path, monkeypatch):
    run = mvae.load(folder / "run")
    monkeypatch.setitem(run.config["data"], "path", str(tmp_path / "nowhere.npz"))
    content = content_of(explore(run).html)
    assert "originals" not in content["sheets"]
    assert any(fact.startswith("no originals: the data are not at hand") for fact in content["facts"])
    kept = arrays_in(folder / "run" / "codes.npz")["test"][0]
    np.testing.assert_allclose(numbers(content["codes"]["places"]).reshape(-1, 3), kept, atol=1e-6)


def test_a_method_without_an_encoder():
    x = GENERATOR.normal(size=(40, 3)).astype(np.float32)
    run = mvae.train("wgan", x, manifold="euclidean:2", **(SMALL | {"num_steps": 2}))
    with pytest.raises(UsageError, match="there are no codes to show"):
        run.explore(x)


def test_looks_of_examples():
    wide = GENERATOR.uniform(size=(20, 3000))
    line = Look((3000,), (), wide)
    assert line.kind == "line"
    assert line.sheet(wide)["width"] == 1000
    assert line.note == "1 in 3 of 3000 entries"
    scaled = wide * np.linspace(0, 1, 3000)
    genes = Look((3000,), tuple(f"g{k}" for k in range(3000)), scaled)
    assert (genes.kind, len(genes.features)) == ("bars", 40)
    assert int(genes.features[0][1:]) > 2000
    sheet = genes.sheet(scaled)
    values = numbers(sheet["values"], "<u2").reshape(20, 40) / 65535 * (genes.high - genes.low) + genes.low
    chosen = np.clip(scaled[:, genes._chosen], genes.low, genes.high)
    np.testing.assert_allclose(values, chosen, atol=2e-5)
    rare = np.where(GENERATOR.uniform(size=(20, 3000)) < 0.01, 50.0, scaled)  # as of counts
    assert Look((3000,), tuple(f"g{k}" for k in range(3000)), rare, scaled).high < 1.01
    large = Look((200, 100, 3), (), GENERATOR.uniform(size=(2, 200, 100, 3)))
    sheet = large.sheet(GENERATOR.uniform(size=(2, 200, 100, 3)))
    assert (sheet["height"], sheet["width"], sheet["tall"], sheet["wide"]) == (64, 32, 64, 32)


def test_program(folder, tmp_path):
    outcome = call(PROGRAM, f"--workdir={folder / 'run'}", f"--out={tmp_path / 'page.html'}")
    assert outcome.code == 0, outcome.errors
    assert outcome.output.startswith(f"{tmp_path / 'page.html'} (")
    assert content_of((tmp_path / "page.html").read_text())["codes"]["count"] == 80
    other = call(PROGRAM, f"--workdir={folder / 'run'}", f"--data={folder / 'images.npz'}", f"--out={tmp_path}/b.html")
    assert other.code == 0, other.errors


def test_bad_input(folder, tmp_path):
    run = f"--workdir={folder / 'run'}"
    assert_refused(call(PROGRAM), "give --workdir; --help says how")
    assert_refused(call(PROGRAM, f"--workdir={tmp_path / 'none'}"), "there is no such folder")
    assert_refused(call(PROGRAM, f"--workdir={tmp_path}"), "is not the folder of a run")
    assert_refused(call(PROGRAM, run, "--out=page.png"), "ends in .html")
    assert_refused(call(PROGRAM, run, f"--out={tmp_path}/no/page.html"), "there is no folder")
    assert_refused(call(PROGRAM, run, "--seed=99", f"--out={tmp_path}/p.html"), "--seed=99: the run has the seeds 0")
    assert_refused(call(PROGRAM, run, f"--data={tmp_path}/no.npz", f"--out={tmp_path}/p.html"), "no.npz")
    assert not list(tmp_path.iterdir())

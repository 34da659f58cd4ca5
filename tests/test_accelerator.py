"""The benchmark of accelerators: what a call measures, what it leaves behind, and what it writes into the pages."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

from experiments.benchmarks.accelerator import render, runner, steps, trainings
from experiments.benchmarks.accelerator.cells import Cell, Part, Setting
from experiments.benchmarks.accelerator.parts import PARTS, measure
from experiments.benchmarks.accelerator.runner import Clock, run_parts
from mvae.errors import UsageError
from mvae.runs import run_folder

ROOT = Path(__file__).parents[1]
FOREVER = Clock(0.0, 1e6, lambda: 0.0)


def part(cells, key="a"):
    return Part(key, "stub", lambda setting: cells)


@pytest.fixture
def called():
    return []


@pytest.fixture
def cell(called):
    def make(name, result=None, **options):
        def run():
            called.append(name)
            if isinstance(result, Exception):
                raise result
            return {"value": 1} if result is None else result

        return Cell(name, run, options.pop("seconds", 1.0), **options)

    return make


def run(parts, folder, clock=FOREVER, *, rehearse=False):
    said = []
    return run_parts(parts, folder, Setting(rehearse, folder), clock, said.append), "\n".join(said)


def test_what_is_missing_or_failed_is_measured_by_the_next_call(tmp_path, cell, called):
    broken = part([cell("first"), cell("second", ValueError("no memory\nand more")), cell("third")])
    code, said = run([broken], tmp_path)
    assert code == runner.SOME_FAILED == 1
    assert "second: ValueError: no memory" in said
    cells = json.loads((tmp_path / "a_stub.json").read_text())["cells"]
    assert cells["second"]["error"] == "ValueError: no memory"
    assert cells["first"]["result"] == cells["third"]["result"] == {"value": 1}
    called.clear()
    whole = part([cell("first"), cell("second"), cell("third"), cell("fourth")])
    assert run([whole], tmp_path)[0] == 0
    assert called == ["second", "fourth"]
    record = json.loads((tmp_path / "a_stub.json").read_text())
    assert all("result" in entry and entry["seconds"] >= 0 for entry in record["cells"].values())
    assert record["environments"][0]["versions"]["jax"]
    assert run([whole], tmp_path)[0] == 0
    assert called == ["second", "fourth"]


def test_cells_of_the_first_rank_come_first_whatever_their_part(tmp_path, cell, called):
    parts = [part([cell("a0"), cell("a1", rank=1)], "a"), part([cell("b0")], "b")]
    run(parts, tmp_path)
    assert called == ["a0", "b0", "a1"]


def test_what_does_not_fit_into_the_time_is_not_begun(tmp_path, cell, called):
    cells = [cell("long", seconds=200), cell("short", seconds=50), cell("other", seconds=70)]
    code, said = run([part(cells)], tmp_path, Clock(0.0, 100.0, lambda: 20.0))  # 80 s are left
    assert code == runner.TIME_RAN_OUT == 3
    assert called == ["short"]
    assert "left: a long (240 s)" in said
    assert "left: a other (84 s)" in said


def test_cells_that_are_done_say_how_long_others_take(tmp_path, cell, called):
    run([part([cell("one", seconds=1, like="space")])], tmp_path)
    path = tmp_path / "a_stub.json"
    record = json.loads(path.read_text())
    record["cells"]["one"]["seconds"] = 90.0
    path.write_text(json.dumps(record))
    called.clear()
    cells = [cell("one", seconds=1, like="space"), cell("two", seconds=1, like="space"), cell("three", seconds=1)]
    assert run([part(cells)], tmp_path, Clock(0.0, 100.0, lambda: 0.0))[0] == 3  # 108 s for the second
    assert called == ["three"]


def test_devices_and_sizes_are_not_mixed(tmp_path, cell, called, monkeypatch):
    run([part([cell("one")])], tmp_path)
    called.clear()
    with pytest.raises(UsageError, match="kind of 'measurement', this is 'rehearsal'"):
        run([part([cell("two")])], tmp_path, rehearse=True)
    monkeypatch.setattr(runner, "device_name", lambda: "gpu: other")
    with pytest.raises(UsageError, match="device of 'cpu: cpu', this is 'gpu: other'"):
        run([part([cell("two")])], tmp_path)
    (tmp_path / "a_stub.json").write_text("{")
    with pytest.raises(UsageError, match=r"a_stub\.json cannot be read"):
        run([part([cell("two")])], tmp_path)
    assert not called


@pytest.mark.parametrize("result", [{"value": float("nan")}, {"value": object()}])
def test_what_json_cannot_hold_is_a_failure(tmp_path, cell, result):
    assert run([part([cell("one", result)])], tmp_path)[0] == 1
    assert "error" in json.loads((tmp_path / "a_stub.json").read_text())["cells"]["one"]


def test_a_file_is_whole_at_any_moment(tmp_path, cell, monkeypatch):
    run([part([cell("one")])], tmp_path)
    before = (tmp_path / "a_stub.json").read_text()

    def killed(*paths):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(SystemExit):
            run([part([cell("one"), cell("two")])], tmp_path)
    assert (tmp_path / "a_stub.json").read_text() == before
    assert len(list(tmp_path.iterdir())) == 1
    assert run([part([cell("one"), cell("two")])], tmp_path)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a_stub.json"]


STUB = """
import sys, time
from pathlib import Path
from experiments.benchmarks.accelerator.cells import Cell, Part, Setting
from experiments.benchmarks.accelerator.runner import Clock, run_parts

def waits():
    print("waiting", flush=True)
    time.sleep(float(sys.argv[2]))
    return {}

cells = [Cell("quick", lambda: {"at": time.time()}, 1), Cell("waits", waits, 1)]
folder = Path(sys.argv[1])
sys.exit(run_parts([Part("a", "stub", lambda s: cells)], folder, Setting(True, folder), Clock(0, 1e9)))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_kill_loses_the_running_cell_alone(tmp_path, number):
    def begin(seconds):
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(STUB), str(tmp_path), str(seconds)],
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            text=True,
        )

    with begin(100) as process:
        for line in process.stdout:
            if line.startswith("waiting"):
                break
        process.send_signal(number)
    assert process.returncode == -number
    first = json.loads((tmp_path / "a_stub.json").read_text())["cells"]
    assert list(first) == ["quick"]
    again = begin(0)
    again.communicate(timeout=120)
    assert again.returncode == 0
    second = json.loads((tmp_path / "a_stub.json").read_text())["cells"]
    assert second["quick"] == first["quick"]
    assert "result" in second["waits"]


def test_wrong_input_is_refused_before_anything_is_measured(tmp_path):
    def call(keys, **options):
        given = {"rehearse": False, "data_dir": None} | options
        return measure(keys, tmp_path / "w", tmp_path / "scratch", 0.0, 0.0, **given)

    with pytest.raises(UsageError, match="--parts: no x"):
        call(["a", "x"])
    with pytest.raises(UsageError, match="give --data_dir=DIR"):
        call(["a", "d"])
    with pytest.raises(UsageError, match="nowhere"):
        call(["d"], data_dir=tmp_path / "nowhere")
    assert not list((tmp_path / "w").iterdir())


def test_parts_are_few_files_and_their_cells_have_names_of_their_own(tmp_path):
    for rehearse in (True, False):
        folder = trainings.digits_folder(Setting(True, tmp_path))
        setting = Setting(rehearse, tmp_path, Path(folder))
        names = {key: [cell.name for cell in each.cells(setting)] for key, each in PARTS.items()}
        assert all(len(set(each)) == len(each) for each in names.values())
    assert len({each.file for each in PARTS.values()}) == 6
    assert names["d"] == list(trainings.dvae_rows.ROWS)
    wanted = {
        steps.Case(batch, seeds, sequential, precision).name
        for batch in (640, 8192)
        for seeds, sequential in ((1, True), (10, False), (10, True), (64, False), (64, True))
        for precision in ("default", "float32", "tensorfloat32", "bfloat16")
    }
    assert set(names["c"]) == wanted | {"first_step"}


def test_table_of_spaces_trains_500_epochs_of_ten_seeds(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(trainings, "trained", lambda member, folder: asked.append(member) or {})
    trainings.table_row(Setting(False, tmp_path), "so3", "files")
    config = asked[0].config
    assert (config["num_seeds"], config["num_epochs"], config["num_steps"]) == (10, 500, None)
    assert (config["batch_size"], config["manifold"]["name"]) == (640, "so3")
    assert config["num_epochs"] * 93 / config["checkpoint_every"] == 3


def numbers(values):
    return {"median": values, "least": values, "greatest": values}


def records():
    environment = {"versions": {"python": "3.12.3", "jax": "0.11.2", "mvae": "0.1.0"}, "git_revision": "abc"}
    mean = {"elbo": -739.2, "kl": 5.1, "mse": 0.035, "time": 0.002, "log_likelihood": -738.8}
    results = {"num_seeds": 10, "mean": mean, "std": dict.fromkeys(mean, 0.01), "train_seconds": 21.0, "resumed": False}
    step = dict.fromkeys(("steps_per_second", "flops", "of_large_product", "of_own_products"), numbers(0.625))
    start = dict.fromkeys(("imports", "data_and_model", "trace", "compile", "first_step", "all"), 2.5)
    walk = {"steps_per_second": numbers(1e9), "of_noise": numbers(0.75)}
    density = dict.fromkeys(("densities", "density_gradients", "kls", "kl_gradients"), numbers(2e8))
    cells = {
        "a": {"product_default": {"size": 8192, "flops": numbers(4e14)}, "copy": {"bytes_per_second": numbers(3e12)}},
        "b": {"kl_so3": {"kl": {"error": 3e-3, "tolerance": 1e-4, "passed": False}}},
        "c": {"first_step": {"10 seeds": {"cold": start}}, "step_batch640_seeds10_sequential_default": step},
        "d": {"sphere2": {"num_epochs": 500, "results": results}},
        "e": {"walk_so3_10000000": {"geodesic": walk}, "density_so3": density},
        "f": {"vdae_sphere": {"results": results}, "vaells_circles": {"inference": {"milliseconds": numbers(0.5)}}},
    }
    return {
        key: {"kind": "measurement", "device": "gpu: card", "environments": [environment]}
        | {"cells": {name: {"result": result, "seconds": 44.0} for name, result in each.items()}}
        for key, each in cells.items()
    }


@pytest.fixture
def pages(tmp_path):
    for path, _ in render.PAGES.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    return tmp_path


def test_pages_say_what_was_measured_and_what_was_not(pages):
    workdir = pages / "w"
    workdir.mkdir()
    render.render_pages(workdir, pages)
    benchmarks = pages / "experiments" / "benchmarks" / "README.md"
    assert benchmarks.read_text().count("GPU: not measured") == 5
    for key, record in records().items():
        (workdir / PARTS[key].file).write_text(json.dumps(record))
    for _ in range(2):  # what is written is found again
        render.render_pages(workdir, pages)
        text = benchmarks.read_text()
        assert "GPU: not measured" not in text
        assert "| kl_so3 | kl | 0.003 | 0.0001 | **no** |" in text
        assert "| product of 8192 × 8192, default | 400 (400 to 400) | TFLOP/s |" in text
        assert "| 640 | 10 | sequential | default | 0.625 (0.625 to 0.625)" in text
        assert "| 10 seeds | cold | 2.5 |" in text
        assert "| so3 | 10000000 | geodesic | 1e+09 (1e+09 to 1e+09) | 0.75 (0.75 to 0.75) |" in text
        dvae = (pages / "experiments" / "dvae" / "README.md").read_text()
        assert "| S² | 10 × 500 | -738.80 ± 0.01 | -739.20 ± 0.01 |" in dvae
        assert "| S² | 44 | 21 |" in dvae
        assert "0.62 of its own products" in (pages / "docs/cost.md").read_text()


def test_rehearsals_are_not_written_into_the_pages(pages):
    record = records()["a"] | {"kind": "rehearsal"}
    (pages / PARTS["a"].file).write_text(json.dumps(record))
    before = {path: (pages / path).read_text() for path, _ in render.PAGES.values()}
    with pytest.raises(UsageError, match=r"a_device\.json is of a rehearsal"):
        render.render_pages(pages, pages)
    assert before == {path: (pages / path).read_text() for path in before}
    (pages / PARTS["a"].file).write_text(json.dumps(records()["a"]))
    (pages / "docs/cost.md").write_text("no markers")
    with pytest.raises(UsageError, match="must hold the lines"):
        render.render_pages(pages, pages)


def test_versions_without_an_installation(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(run_folder.metadata, "version", missing)
    versions = run_folder.environment()["versions"]
    assert versions["mvae"] == "0.1.0"
    assert versions["jax"] is None
    assert versions["python"]


NEEDED = {
    *("jax", "flax", "optax", "orbax-checkpoint", "absl-py", "jaxtyping", "matplotlib", "ml_collections", "numpy"),
    *("pillow", "scipy", "tensorboardX", "tqdm"),
}


def installed_for(names):
    """The packages of that name and what they need in turn, without extras."""
    found, waiting = set(), list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            found.add(name)
            with contextlib.suppress(metadata.PackageNotFoundError):
                waiting += [
                    re.split(r"[^\w.-]", each)[0] for each in metadata.requires(name) or [] if "extra ==" not in each
                ]
    return found


def test_what_the_page_lists_is_all_that_is_imported():
    """Every other installed package is made to fail on import."""
    allowed = installed_for(NEEDED) | {"mvae"}
    others = [
        module
        for module, owners in metadata.packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & allowed
    ]
    code = f"""
import sys
for name in set({others!r}) - set(sys.stdlib_module_names):
    sys.modules.setdefault(name, None)
import experiments.benchmarks.accelerator.parts, experiments.benchmarks.accelerator.render
"""
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=120)
    page = (ROOT / "experiments" / "benchmarks" / "README.md").read_text()
    assert all(name in page for name in NEEDED)

"""Scripts of `experiments/` that turn run folders into tables."""

import importlib.util
import json
import os
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmarks import timing, workloads
from mvae.data import Dataset
from mvae.manifolds import symmetry_group
from mvae.manifolds.quotient.space import orbit as orbit_of
from mvae.models.stage import Stage
from mvae.runs.config import RunConfig
from mvae.runs.experiment import Experiment
from mvae.runs.manifolds import build_manifold
from tests.paths import ROOT
from tests.sweep.tiny import CONFIGS, TINY

EXPERIMENTS = ROOT / "experiments"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables():
    return load(EXPERIMENTS / "dvae" / "rows.py")


@pytest.mark.parametrize("table", ["1", "2"])
def test_rows_of_the_tables_are_valid_configs(tables, table):
    found = dict(tables.members(table, 3, 20, None))
    assert set(found) == set(tables.ROWS)
    dims = {name: build_manifold(config.manifold.to_dict()).dim for name, config in found.items()}
    assert dims == {name: row.manifold["dim"] for name, row in tables.ROWS.items()}
    assert all(config.num_seeds == 3 and config.num_epochs == 20 for config in found.values())


def test_table_is_made_from_run_folders_alone(tables, tmp_path):
    mean = {"elbo": -3772.06, "kl": 7.07, "mse": 0.0005, "time": 0.002, "log_likelihood": -3772.05}
    results = {"num_seeds": 2, "mean": mean, "std": dict.fromkeys(mean, 0.01), "members": [mean]}
    (tmp_path / "flat_torus").mkdir()
    (tmp_path / "flat_torus" / "results.json").write_text(json.dumps(results))
    (tmp_path / "flat_torus" / "config.json").write_text(json.dumps({"config": {"num_epochs": 20}}))
    rows = {line.split("|")[1].strip(): line for line in tables.render("2", tmp_path).splitlines()}
    # 7.07 + log 2 pi, as the published formula has it.
    assert "| 2 × 20 | -3772.05 ± 0.01 | -3772.06 ± 0.01 | 7.07 ± 0.01 | 0.050 ± 1.000 | 8.91 |" in rows["flat torus"]
    assert rows["flat torus"].endswith("| -3773.99 ± 1.70 | -3813.00 ± 5.16 | 6.42 ± 0.00 | 0.90 ± 0.25 |")
    assert "not run" in rows["S²"]
    assert tables.worst_identity(tmp_path, 4096) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(
    ("row", "printed"), [("sphere2", 3.45), ("flat_torus", 6.42), ("projective3", 3.70), ("embedded_torus", 6.56)]
)
def test_published_kls_are_the_formula_at_its_largest_time(tables, row, printed):
    """log t = -3.75 is the cap of the published code; its KL there is what the paper prints."""
    import jax.numpy as jnp

    from mvae.diffusion import kl_to_uniform

    row = tables.ROWS[row]
    manifold, t = build_manifold(row.manifold), float(jnp.exp(-3.75))
    z = manifold.project(jnp.zeros(manifold.ambient_dim).at[0].set(3.6))
    kl = float(kl_to_uniform(manifold, t, z, method="asymptotic")) + row.shift + row.slope * t
    assert kl == pytest.approx(printed, abs=0.08 if manifold.ambient_dim == 3 and "Torus" in repr(manifold) else 0.012)


def test_course_of_the_capacity_is_read_from_the_run_folder(tmp_path):
    compare = load(EXPERIMENTS / "hyperspherical_dvae" / "rows_of_comparison.py")
    model = {"capacity_steps": None, "min_capacity": 0.0, "max_capacity": 10.0}
    (tmp_path / "config.json").write_text(json.dumps({"config": {"model": model}}))
    records = [
        {"stage": "train", "step": step, "kl": [kl, kl + 1.0]} for step, kl in ((20, 1.0), (60, 4.0), (100, 9.0))
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    course = compare.course(tmp_path)
    assert course.capacity.tolist() == [1.0, 4.0, 8.0]  # at the middle of the steps that a record averages
    largest, last = compare.gaps(course)
    assert largest == pytest.approx(1.5)  # 1 of the first member, 2 of the second
    assert last == pytest.approx(1.5)
    assert compare.Row("sphere", 10, 2.5).folder == "sphere_10_beta_2.5"


def test_circles_are_listed_with_what_is_missing(tmp_path):
    circles = load(EXPERIMENTS / "hyperspherical_dvae" / "circle_table.py")
    members = [
        {"captured": 1.0, "latent_azimuth_correlation": -0.9},
        {"captured": 0.0, "latent_azimuth_correlation": 0.1},
    ]
    folder = tmp_path / "spectral" / "object_3"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"members": members}))
    table = circles.table(tmp_path, [3, 4], ["spectral"])
    assert "| 3 | 1 of 2 | 0.500 |" in table
    assert "| 4 | not run | – |" in table
    assert "| all | 1 of 2 | 0.500 |" in table


@pytest.fixture
def planar(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS / "vaells"))
    return load(EXPERIMENTS / "vaells" / "planar_methods.py"), load(EXPERIMENTS / "vaells" / "planar_rows.py")


@pytest.mark.parametrize("data", ["swiss_roll", "concentric_circles"])
def test_four_methods_in_the_plane_share_networks_steps_and_variance(planar, data):
    methods, _ = planar
    configs = {name: methods.config_of(name, data, 2, num_steps=30) for name in methods.METHODS}
    assert [config["method"] for config in configs.values()] == list(methods.METHODS)
    ours = configs.pop("vaells")
    for config in configs.values():
        assert {key: config[key] for key in ("seed", "batch_size", "data", "optimizer")} == {
            key: ours[key] for key in ("seed", "batch_size", "data", "optimizer")
        }
        for key in ("encoder_widths", "decoder_widths", "likelihood", "beta", "max_capacity"):
            assert config["model"][key] == ours["model"][key]
        assert config["num_steps"] == ours["num_steps"] + ours["model"]["training"]["warm_up_steps"] == 530


def test_true_distances_are_lengths_of_the_curve(planar):
    _, rows = planar
    u = np.linspace(0, 1, 2001)
    angle = 1.5 * np.pi * (1 + 2 * u)
    plane = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    length = np.linalg.norm(np.diff(plane, axis=0), axis=-1).sum()
    roll = rows.true_distances("swiss_roll", np.zeros(2001), u)
    assert roll[0, -1] == pytest.approx(length, rel=1e-5)
    circles = rows.true_distances("concentric_circles", np.array([0, 0, 1]), np.array([0.1, 0.9, 0.1]))
    np.testing.assert_allclose(circles, [[0, 0.2, np.inf], [0.2, 0, np.inf], [np.inf, np.inf, 0]], atol=1e-12)


def test_table_of_the_plane_is_made_from_run_folders_alone(planar, tmp_path):
    methods, rows = planar
    test = rows.test_set("concentric_circles")
    for seed, elbo in enumerate((1.0, 3.0)):
        folder = tmp_path / "vae" / f"seed_{seed}"
        folder.mkdir(parents=True)
        np.savez(folder / methods.MEASURED, codes=test["latent"], elbo=elbo, log_likelihood=4.0, mse=2e-3)
        (folder / "results.json").write_text(json.dumps({"num_steps": 530}))
    table = rows.render("concentric_circles", tmp_path, ["vae", "svae"], 3).splitlines()
    assert len(table) == 3  # what has not been run is left out
    assert table[-1].startswith("| VAE | 2 × 530 | 2.00 ± 1.41 | 4.00 ± 0.00 | 2.000 ± 0.000 | 1.000 ± 0.000 |")
    assert table[-1].endswith("| 1.0000 ± 0.0000 |")
    assert rows.render("concentric_circles", tmp_path, ["svae"], 3) == "nothing has been run"
    assert len(rows.draw("concentric_circles", tmp_path, ["vae"]).axes) == 2


@pytest.fixture
def vdae(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS / "vdae"))
    return load(EXPERIMENTS / "vdae" / "methods.py"), load(EXPERIMENTS / "vdae" / "rows.py")


def test_methods_beside_the_vdae_have_its_data_decoder_and_dimensions(vdae):
    methods, _ = vdae
    for data in methods.DATA:
        configs = {name: methods.config_of(name, data, seeds=3, data_dir="files", beta=0.1) for name in methods.METHODS}
        ours = configs["vdae"]
        for name, config in configs.items():
            assert config["method"] == name
            assert config["data"] == ours["data"]
            assert config["num_seeds"] == 3
            assert config["model"]["decoder_widths"] == ours["model"]["decoder_widths"]
            assert build_manifold(config["manifold"]).ambient_dim == ours["manifold"]["dim"]
            if name in ("vae", "svae"):
                assert config["model"]["beta"] == 0.1
                assert config["num_steps"] == ours["num_steps"] + ours["model"]["spectral"]["num_steps"]
        folder = methods.DATA[data].folder
        assert ours["data"].get("dir") == (None if folder is None else f"files/{folder}")


def test_distortion_of_a_collapsed_decoder_is_infinite_in_any_scale(vdae):
    del vdae  # its path
    measures = load(EXPERIMENTS / "vdae" / "measures.py")
    code = np.random.default_rng(0).normal(size=(60, 2))
    assert measures.distortion(code, np.zeros((60, 3))) == {"bilipschitz": np.inf, "bilipschitz_rescaled": np.inf}
    doubled = measures.distortion(code, 2 * code)
    assert doubled["bilipschitz"] == pytest.approx(2.0)
    assert doubled["bilipschitz_rescaled"] == pytest.approx(1.0)


def test_table_of_the_four_methods_is_made_from_run_folders_alone(vdae, tmp_path):
    methods, rows = vdae
    for name, value in (("vdae", 0.001), ("svae", 0.003)):
        folder = tmp_path / "circle" / name
        folder.mkdir(parents=True)
        members = [
            {"seed": seed, "gromov_wasserstein": value * (1 + seed), "mmd": 0.0, "bilipschitz": 2.0 + seed}
            | {"bilipschitz_rescaled": 1.5}
            for seed in range(2)
        ]
        (folder / rows.MEASURED).write_text(json.dumps({"members": members}))
    (tmp_path / "circle" / rows.REFERENCE).write_text(json.dumps({"gromov_wasserstein": [0.0009, 0.0011]}))
    table = rows.render(tmp_path, ["circle"], list(methods.METHODS)).splitlines()
    line = (
        "| Circle | - / 14.9 (6.8) | - / 46.1 (9.7) | 4.5 (2.1) / 7.9 (2.2) | **1.5 (0.71)** / 2.6 (1.3) | 1 (0.14) |"
    )
    assert table[2] == line
    assert "| **2.5 (0.71)** / 3.1 |" in table[6]


def test_rows_of_the_toy_task_have_the_dimensions_of_the_paper():
    rows = load(EXPERIMENTS / "er" / "rows.py")
    for space, (dim, ambient) in rows.SPACES.items():
        members = rows.members(space, list(rows.ROWS), seeds=10, num_steps=None)
        assert [member.name for member in members] == list(rows.ROWS)
        manifolds = {member.name: build_manifold(member.config["manifold"]) for member in members}
        assert (manifolds["exact"].dim, manifolds["exact"].ambient_dim) == (dim, ambient)
        assert (manifolds["vae_d"].dim, manifolds["vae_m"].dim) == (dim, ambient)
        groups = {member.name for member in members if member.config["model"]["group"]}
        assert groups == {"learned_group", "learned_pushed_group", "exact_group"}


def test_least_dimension_is_chosen_among_candidates_that_tie():
    candidates = load(EXPERIMENTS / "er" / "candidates.py")
    noise = np.random.default_rng(0).normal(size=1000)
    values = {"interval": 5 + noise, "circle": 10 + noise, "plane": 10.05 + noise, "torus": 9 + noise[::-1]}
    assert candidates.greatest(values) == "plane"
    assert candidates.simplest(values) == "circle"  # 0.05 nats below, which another seed may make
    values["circle"] = values["circle"] - 1
    assert candidates.simplest(values) == "plane"  # point by point a nat below, whatever the points have in common


def test_confusion_matrix_is_made_from_run_folders_alone(tmp_path):
    candidates = load(EXPERIMENTS / "er" / "candidates.py")
    for candidate in candidates.CANDIDATES:
        folder = tmp_path / candidates.name_of("circle", candidate, 0)
        folder.mkdir()
        best = [[1.0, 2.0]] if candidate == "circle" else [[-1.0, 0.0]]
        (folder / candidates.MEASURED).write_text(json.dumps({"log_likelihood": [[-9.0, -9.0], *best]}))
    lines = candidates.render(tmp_path, ["circle", "sphere"], list(candidates.CANDIDATES), networks=1).splitlines()
    assert "| circle | -2.00 | 0.00 | -2.00 | -2.00 | -2.00 | -2.00 |" in lines
    assert lines.count("| circle | 0 | **1** | 0 | 0 | 0 | 0 |") == 2  # of the best seeds
    assert lines.count("| circle | 1 | **1** | 0 | 0 | 0 | 0 |") == 2  # of single ones, in the first of which all tie
    assert "| sphere | - | - | - | - | - | - |" in lines


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_benchmark_counts_the_products_of_a_step(num_seeds):
    """Of a linear map of a batch: forwards, and backwards for the map alone, since nothing asks for the images'."""
    batch, size = 32, 64
    images = jax.random.normal(jax.random.key(0), (100, size))
    rows = {"x": images}
    seen = []

    def step(key, state, batch):
        del key
        jax.debug.callback(lambda _: seen.append(1), state[0, 0])
        loss, slope = jax.value_and_grad(lambda weight: jnp.sum((batch["x"] @ weight) ** 2))(state)
        return state - 1e-6 * slope, {"loss": loss}

    stage = Stage("train", 10, lambda key, batch, previous: jax.random.normal(key, (size, size)), step)
    run = RunConfig(0, num_seeds, batch, 10, 1, None, 1, 1)
    dataset = Dataset("lines", rows, rows, lambda rows: rows, (size, 1, 1))
    experiment = Experiment(run, None, dataset, None, (stage,), lambda state: state)
    started = workloads.start(experiment, num_seeds)
    jax.effects_barrier()
    assert len(seen) == num_seeds
    started.run(4)
    jax.effects_barrier()
    assert len(seen) == 5 * num_seeds
    products = num_seeds * 2 * 2 * batch * size**2
    entries = num_seeds * (5 * batch * size + 3 * size**2)
    assert products < started.flops < products + entries
    assert all(seconds > 0 for seconds in started.times)


def test_benchmark_times_in_turns():
    calls = []
    runs = [lambda number, name=name: calls.append((name, number)) or time.sleep(2e-3 * number) for name in "ab"]
    times = timing.in_turns(runs, 3, 1e-2)
    assert [name for name, _ in calls[-6:]] == list("ababab")
    assert len(times) == 2
    assert all(len(column) == 3 for column in times)
    assert min(map(min, times)) >= 2e-3
    run, flops = timing.products(8)
    run(2)
    assert flops == 2 * 8 * 8 * 8


CONFIG = f"""from pathlib import Path

from ml_collections import ConfigDict
from mvae.runs.config_file import load_config
from mvae.runs.overrides import resolve

def get_config(arg=""):
    return ConfigDict(resolve(load_config(Path({str(CONFIGS / "dvae_torus.py")!r}), "quick"), {TINY!r}).block)
"""


@pytest.mark.slow
def test_benchmark_of_scaling_prints_all_its_tables(tmp_path):
    (tmp_path / "tiny.py").write_text(CONFIG)
    model = tmp_path / "tiny"
    sizes = "--rounds=1 --seconds=0.02 --seeds=1,2 --together=2 --run_steps=10 --devices=1,2 --matmul_size=128"
    done = subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.scaling", f"--models={model}", *sizes.split()],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        cwd=EXPERIMENTS.parent,
    )
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    titles = [cells[0].removeprefix(f"{model}") for cells in lines if str(model) in cells[0]]
    assert titles == [", one seed: s, tracing", ": seeds", ": 2 seeds", ": axis"]
    axes = [cells[:3] for cells in lines if cells[0] in ("replica", "data")]
    assert axes == [["replica", "1", "2"], ["replica", "2", "2"], ["data", "1", "1"], ["data", "2", "1"]]


def test_pictures_on_quotients_are_those_of_a_point():
    """The same for each representative, and others for other points, but for the ends of what is glued."""
    kinds = load(EXPERIMENTS / "quotients" / "pictures.py").KINDS
    for kind in kinds.values():
        z = kind.space.uniform(jax.random.key(0), (40,))
        x = kind.render(np.asarray(z))
        orbit = orbit_of(symmetry_group(kind.space), z)
        for representatives in np.asarray(orbit):
            np.testing.assert_allclose(kind.render(representatives), x, atol=1e-5)
        apart = np.asarray(kind.space.distance(z[:20], z[20:]))
        moved = np.abs(x[:20] - x[20:]).max(axis=(1, 2, 3))
        assert np.all(moved[apart > 0.3] > 0.05)

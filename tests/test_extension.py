"""mvae extended from outside: the files of examples/ add a manifold, a method, data, a measure and a figure."""

import ast
import importlib
import json
import math
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from mvae import data, diffusion, figures
from mvae.errors import UsageError
from mvae.manifolds import Product, Sphere
from mvae.methods import METHODS
from mvae.methods.dvae import missing_density
from mvae.reports import REPORTS
from mvae.runs.config_file import load_config
from mvae.runs.manifolds import MANIFOLDS, text_of
from mvae.runs.overrides import resolve
from tests.programs import ROOT, call

EXAMPLES = ROOT / "examples"
NAMES = ("ellipsoid", "laplace", "spectrum", "spiral")
CONFIG = """
import ellipsoid, laplace, spectrum, spiral
from mvae.runs import default_config


def get_config():
    config = default_config("dvae", data="spiral:turns=1.5:num_train=64:num_test=32", manifold="ellipsoid:c=1.5")
    config.update({"num_steps": 4, "batch_size": 32, "log_every": 2})
    config.model.update({"encoder_widths": (16,), "decoder_widths": (16,), "encoder_init": "random"})
    config.model.update({"kl": "asymptotic", "num_walk_steps": 2})
    return config
"""


@pytest.fixture(autouse=True)
def registries(monkeypatch):
    """Lets the examples be imported, and takes back what they have added."""
    monkeypatch.syspath_prepend(EXAMPLES)
    tables = (MANIFOLDS, data.BUILDERS, METHODS, REPORTS)
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
    for name in NAMES:
        sys.modules.pop(name, None)


def lines_of_code(source: str) -> int:
    """Counts lines but for blank ones, comments, docstrings and imports."""
    left_out = set()
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        for skipped in (node.body[:1] if documented else []) + [node] * isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= set(range(skipped.lineno, skipped.end_lineno + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and n not in left_out for n, line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_its_config_resolves(name):
    assert lines_of_code((EXAMPLES / f"{name}.py").read_text()) <= 40
    resolved = resolve(load_config(EXAMPLES / f"{name}.py"))
    assert resolved.block["method"] == ("laplace" if name == "laplace" else "vae" if name == "spectrum" else "dvae")


@pytest.mark.parametrize("axes", ["c=-1.0", "b=0.0", "a=inf"])
def test_an_ellipsoid_without_extent_is_refused(axes):
    load_config(EXAMPLES / "ellipsoid.py")
    with pytest.raises(UsageError, match="half axes, positive and finite"):
        resolve(load_config(EXAMPLES / "ellipsoid.py"), {"manifold": f"ellipsoid:{axes}"})


def results_of(folder) -> dict:
    results = json.loads((folder / "results.json").read_text())
    assert results["failed"] == results["figures_unavailable"] == {}
    return results


def test_all_of_them_run_together(tmp_path):
    (tmp_path / "config.py").write_text(CONFIG)
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "mvae.main", f"--config={tmp_path / 'config.py'}", f"--workdir={folder}"]
    env = os.environ | {"PYTHONPATH": str(EXAMPLES), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    results = results_of(folder)
    assert 1 <= results["mean"]["effective_dimension"] <= 3
    assert math.isfinite(results["mean"]["elbo"])
    assert results["mean"]["log_likelihood"] is None
    assert "there is no heat kernel for Ellipsoid" in results["unavailable"]["log_likelihood"]
    drawn = {path.name for path in (folder / "figures").glob("*.png")}
    assert drawn >= {"spectrum.png", "latent_space_seed_0.png", "training_curves.png"}
    config = json.loads((folder / "config.json").read_text())["config"]
    assert (config["manifold"]["name"], config["data"]["name"]) == ("ellipsoid", "spiral")


def test_a_method_of_ones_own_runs_on_the_config_of_another(tmp_path):
    (tmp_path / "config.py").write_text(CONFIG)
    arguments = (f"--config={tmp_path / 'config.py'}", "--config.method=laplace", f"--workdir={tmp_path / 'run'}")
    outcome = call("mvae/main.py", *arguments)
    assert outcome.code == 0, outcome
    results = results_of(tmp_path / "run")
    mean = results["mean"]
    assert mean["log_likelihood"] > mean["elbo"]
    assert mean["scale"] == pytest.approx(0.2, rel=0.1)  # where it started, a few steps ago
    assert 1 <= mean["effective_dimension"] <= 2
    assert (tmp_path / "run" / "figures" / "spectrum.png").exists()


def test_draws_of_the_ellipsoid_are_uniform():
    """The mean curvature of uniform points times the area is that of Gauss and Bonnet; moments are those of area."""
    ellipsoid = importlib.import_module("ellipsoid").Ellipsoid(1.0, 1.5, 2.0)
    z = ellipsoid.uniform(jax.random.key(0), (20_000,))
    np.testing.assert_allclose(ellipsoid(z), 0, atol=1e-5)
    total = np.asarray(ellipsoid.scalar_curvature(z), np.float64) * ellipsoid.volume
    np.testing.assert_allclose(total.mean(), 8 * np.pi, atol=4 * total.std() / np.sqrt(len(z)))
    height, weight = np.polynomial.legendre.leggauss(60)
    angle = 2 * np.pi * (np.arange(120) + 0.5) / 120
    u = np.stack(np.broadcast_arrays(*sphere_of(height[:, None], angle)), -1)
    area = np.linalg.norm(u / [1.0, 1.5, 2.0], axis=-1) * 3.0 * weight[:, None] * 2 * np.pi / 120
    assert ellipsoid.volume == pytest.approx(area.sum(), rel=1e-6)
    for k, axis in enumerate((1.0, 1.5, 2.0)):
        square = np.asarray(z[:, k], np.float64) ** 2
        expected = np.sum(area * (axis * u[..., k]) ** 2) / area.sum()
        np.testing.assert_allclose(square.mean(), expected, atol=4 * square.std() / np.sqrt(len(z)))


def sphere_of(height, angle):
    radius = np.sqrt(1 - height**2)
    return radius * np.cos(angle), radius * np.sin(angle), height


def test_what_a_manifold_has_not_registered_is_said():
    ellipsoid = importlib.import_module("ellipsoid").Ellipsoid()
    assert text_of(ellipsoid) == "ellipsoid"
    z, key = jnp.array([[1.0, 0.0, 0.0]]), jax.random.key(0)
    for call_it, message in (
        (lambda: diffusion.log_heat_kernel(ellipsoid, 0.1, z, z), r"no heat kernel .*log_heat_kernel\.register\(Ell"),
        (lambda: diffusion.kl_to_uniform(ellipsoid, 0.1, z), 'use method="asymptotic", or give it one by'),
        (lambda: diffusion.sample(key, ellipsoid, z, 0.1), r"no exact sampler .*sample\.register\(Ellipsoid\)"),
    ):
        with pytest.raises(NotImplementedError, match=message):
            call_it()
    for manifold in (ellipsoid, Product((Sphere(1), ellipsoid))):
        assert "there is no heat kernel for Ellipsoid" in missing_density(manifold)
    assert missing_density(Sphere(2)) is None
    np.testing.assert_allclose(diffusion.log_prior(ellipsoid, z), -ellipsoid.log_volume, rtol=1e-6)


def test_what_a_manifold_registers_is_used_in_products_too():
    ellipsoid = importlib.import_module("ellipsoid").Ellipsoid

    class Mine(ellipsoid):
        """A type of its own, so that what is registered for it is seen by no other test."""

    @diffusion.log_heat_kernel.register(Mine)
    def _(manifold, t, z, w):
        return -jnp.sum((z - w) ** 2, axis=-1) / (2 * t) - manifold.log_volume

    @figures.chart.register(Mine)
    def _(manifold):
        return figures.Chart(3.0, 2.0, lambda parent, cloud: [parent.add_subplot(title=f"{len(cloud.z)} points")])

    @figures.grid.register(Mine)
    def _(manifold):
        return figures.Grid(lambda rows, cols: np.zeros((rows, cols, 3)), ("a", "b"))

    z = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert missing_density(Mine()) is None
    pair = Product((Mine(), Sphere(2)))
    both = diffusion.log_heat_kernel(pair, 0.5, jnp.tile(z[0], 2), jnp.tile(z[1], 2))
    expected = -2 - Mine().log_volume + diffusion.log_heat_kernel(Sphere(2), 0.5, z[0], z[1])
    np.testing.assert_allclose(both, expected, rtol=1e-5)
    assert figures.latent_space(Mine(), np.asarray(z)).axes[0].get_title() == "2 points"
    assert figures.latent_grid(Mine(), 2, 5).shape == (2, 5, 3)


def test_divergence_of_the_laplace_distribution_is_its_integral():
    laplace = importlib.import_module("laplace")
    q = laplace.LaplacePosterior(jnp.array([[0.7, -1.2]]), jnp.array([[0.3, 1.5]]))

    def divergence(m, s):
        distribution = stats.laplace(m, s)
        return integrate.quad(
            lambda z: distribution.pdf(z) * (distribution.logpdf(z) - stats.norm.logpdf(z)), -40, 40, points=[m]
        )[0]

    expected = divergence(0.7, 0.3) + divergence(-1.2, 1.5)
    np.testing.assert_allclose(laplace.kl({}, q, None), [expected], rtol=1e-5)
    ratios = np.asarray(laplace.log_ratio({}, q, laplace.draw(jax.random.key(1), q, (20_000,))), np.float64)
    np.testing.assert_allclose(-ratios.mean(), expected, atol=4 * ratios.std() / np.sqrt(ratios.size))

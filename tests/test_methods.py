"""Every method, small: trained, stopped by a signal, resumed to the very same bits, evaluated, drawn."""

import json
import os
import signal
import subprocess
import sys

import chex
import jax
import numpy as np
import pytest

from mvae.engine import loop
from mvae.engine.program import build_program
from mvae.engine.signals import Interrupted
from mvae.methods import METHODS
from mvae.runs.experiment import build_experiment
from mvae.runs.run_folder import RunFolder
from mvae.runs.running import conclude, train
from tests.programs import ROOT
from tests.reports.test_compilations import compilations
from tests.test_configs import CONFIGS, tiny

# The smallest config of each method: images of few pixels, or points of the plane.
STEMS = {name: name for name in METHODS} | {"dvae": "dvae_torus", "vaells": "vaells_circles"}


def smallest(method: str) -> dict:
    """The config with one seed, and data that cost little to make and to draw."""
    path = next(path for path in CONFIGS if path.stem == STEMS[method])
    config = tiny(path, "quick", path.parent)
    config["num_seeds"] = 1
    config["evaluation"]["bound_samples"] = 2
    if config["data"]["name"] == "turntable":
        config["data"] |= dict.fromkeys(config["data"]) | {"name": "simple_picture", "size": 8}
        config["data"] |= {"num_train": 40, "num_test": 20}
    if method == "vamp":
        config["model"]["clip_pseudo_inputs"] = False  # pixels of these images are negative, too
    return config


def refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def stop_after(step: int):
    """A ProgressBar.advance that sends SIGTERM to this process once so many steps are done."""

    def advance(bar, done):
        del bar
        if done == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return advance


FIGURES = {
    **{name: {"latent_space_seed_0", "decoded_grid", "reconstructions"} for name in ("dvae", "vae", "svae", "vamp")},
    "vdae": {"latent_space_seed_0", "walk"},
    "vaells": {"latent_space_seed_0", "operator_orbits", "prior_samples", "paths"},
    "er": {"latent_space_seed_0", "reparametrization"},
    "wgan": {"samples"},
}


def built_once():
    """A `build_program` that compiles each stage once for several runs; compiled anew is tests/test_configs.py."""
    programs = {}

    def build(stage, *arguments, **options):
        if stage.name not in programs:
            programs[stage.name] = build_program(stage, *arguments, **options)
        return programs[stage.name]

    return build


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_stops_resumes_reports_and_draws(method, tmp_path, monkeypatch):
    config = smallest(method)
    experiment = build_experiment(config)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of one step
    monkeypatch.setattr(sys.modules[train.__module__], "build_program", built_once())
    with jax.debug_key_reuse(True):
        whole = train(experiment, RunFolder(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(loop.ProgressBar, "advance", stop_after(2))
        with pytest.raises(Interrupted):
            train(experiment, RunFolder(tmp_path / "run"))
    with compilations() as compiled:
        resumed = train(experiment, RunFolder(tmp_path / "run"))
    assert not compiled
    chex.assert_trees_all_equal(resumed, whole, strict=True)

    results = conclude(experiment, resumed, RunFolder(tmp_path / "run"))
    saved = json.loads((tmp_path / "run" / "results.json").read_text(), parse_constant=refuse_constant)
    assert saved == results
    unknown = {name for name, value in saved["mean"].items() if value is None}
    assert unknown == set(saved["unavailable"])  # what is not known has its reason
    assert all(np.isfinite(value) for name, value in saved["mean"].items() if name not in unknown)
    assert {figure.stem for figure in (tmp_path / "run" / "figures").glob("*.png")} >= FIGURES[method]


@pytest.mark.parametrize(
    "method", [pytest.param(m, marks=[pytest.mark.slow] * (m in ("vaells", "er"))) for m in METHODS]
)
def test_every_method_is_traced_in_double_precision(method):
    """What trains, and what evaluates, keeps the types of what it carries on; traced alone, nothing is compiled."""
    with jax.enable_x64(True):
        experiment = build_experiment(smallest(method))
        model, dataset = experiment.model, experiment.dataset
        shape = jax.eval_shape(dataset.render, dataset.train)
        batch = {name: jax.ShapeDtypeStruct((16, *leaf.shape[1:]), leaf.dtype) for name, leaf in shape.items()}
        key, state = jax.random.key(0), None
        for stage in experiment.stages:
            state = jax.eval_shape(stage.init, key, batch, state)
            after, _ = jax.eval_shape(stage.step, key, state, batch)
            assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)
        params = jax.eval_shape(experiment.params_of, state)
        for lack, function, *arguments in (
            ("encoder", model.encode, params, batch["x"]),
            ("bound", lambda params, key, batch: model.loss_terms(params, key, batch, None), params, key, batch),
            (
                "log_likelihood",
                lambda params, key, batch: model.log_likelihood(params, key, batch, 3),
                params,
                key,
                batch,
            ),
            ("sample", lambda params, key: model.sample(params, key, 3), params, key),
        ):
            if lack not in model.lacks:
                jax.eval_shape(function, *arguments)
        if "walk" in model.capabilities:
            walk = model.capabilities["walk"]
            path = jax.eval_shape(lambda params, key, x: walk(params, key, x, 4), params, key, batch["x"])
            assert path.shape == (5, *batch["x"].shape)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_and_is_judged_in_double_precision(method, tmp_path):
    """A process of its own, in which all arrays are made in double precision, as JAX_ENABLE_X64=1 does."""
    code = """
import sys, pathlib
from tests.test_methods import smallest
from mvae.runs.running import run

results = run(smallest(sys.argv[1]), pathlib.Path(sys.argv[2]))
assert (results["failed"], results["figures_unavailable"]) == ({}, {}), results
"""
    given = [sys.executable, "-c", code, method, str(tmp_path / "run")]
    subprocess.run(given, check=True, env=os.environ | {"JAX_ENABLE_X64": "1"}, cwd=ROOT)

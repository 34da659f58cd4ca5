"""Every config: builds, trains, is interrupted, and resumes to the very same parameters."""

import json
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from mvae.engine import loop
from mvae.engine.signals import Interrupted
from mvae.errors import UsageError
from mvae.main import _table
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from mvae.runs.run_folder import RunFolder
from mvae.runs.running import run, train
from tests import paths
from tests.data.digits.digit_files import DigitFiles

CONFIGS = sorted(paths.CONFIGS.glob("*.py"))
TORUS = next(path for path in CONFIGS if path.stem == "dvae_torus")
WITHOUT_SIZE = ("circle", "concentric_circles", "lifted", "swiss_roll")


def tiny(path: Path, argument: str, digits: Path) -> dict:
    """The config with everything made small that does not change what code runs."""
    config = load_config(path, argument)
    config.num_seeds = 2
    config.num_steps = 4
    config.batch_size = 16
    config.init_batch_size = 32
    config.log_every = 2
    config.checkpoint_every = 3
    config.model.encoder_widths = (16, 16)
    config.model.decoder_widths = (16,)
    if config.method == "vamp":
        config.model.num_pseudo_inputs = 6
    if config.method == "er":
        lifted = config.model.reparametrization
        lifted.widths, lifted.batch_size, lifted.num_steps = (8,), 16, 1 if argument == "quick" else 3
    if config.method == "vdae":
        config.model.num_neighbors = 8
        spectral = config.model.spectral
        spectral.widths, spectral.scale_neighbor, spectral.num_steps = (16,), 5, 1 if argument == "quick" else 3
    if config.method == "vaells":
        config.num_seeds = 1  # half the time of compilation
        config.init_batch_size = 40
        config.model.num_operators = config.model.num_restarts = 1
        config.model.num_anchors = 1 if config.data.name == "mnist" else 2  # of one digit there is no more
        training = config.model.training
        # The interruption after the second step is in the first stage, or in the second.
        training.warm_up_steps = 1 if argument == "quick" else 3
        training.operator_warm_up_steps, training.network_steps, training.operator_steps = 1, 1, 1
    config.evaluation.importance_samples = 3
    config.evaluation.degree_grid = 8
    if config.data.name in ("mnist", "rotated_mnist"):
        config.data.dir = str(digits)
    elif config.data.name == "file":
        config.data.path = str(digits / "rows.npy")
        np.save(config.data.path, np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32))
    elif config.data.name not in WITHOUT_SIZE:
        config.data.size = 8
    if config.data.name == "rotated_mnist":
        config.data.num_anchors = 2
    if config.data.name == "turntable":
        config.data.mesh, config.data.num_azimuths, config.data.num_elevations = "horn", 12, 5
    elif config.data.name != "file":
        config.data.num_train, config.data.num_test = 40, 20
    return config.to_dict()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return DigitFiles(tmp_path_factory.mktemp("mnist") / "digits").folder


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] * (path.stem == "dvae_genus_two"), id=path.stem) for path in CONFIGS],
)
def test_every_config_is_built(path, digits):
    """So that none is forgotten where all of them are trained, which takes minutes."""
    experiment = build_experiment(tiny(path, "", digits))
    assert experiment.dataset.num_train >= 40
    assert experiment.stages


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["", "quick"])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_trains_and_resumes_exactly(path, argument, digits, tmp_path, monkeypatch):
    config = tiny(path, argument, digits)
    whole = train(build_experiment(config), RunFolder(tmp_path / "whole"))
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of one step
    experiment = build_experiment(config)

    def stop_after_two(bar, step):
        del bar
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(loop.ProgressBar, "advance", stop_after_two)
        with pytest.raises(Interrupted):
            train(experiment, RunFolder(tmp_path / "stopped"))
    resumed = train(build_experiment(config), RunFolder(tmp_path / "stopped"))
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("manifold", ["euclidean", pytest.param("flat_torus", marks=pytest.mark.slow)])
def test_any_manifold_by_name_with_results_and_figures(manifold, digits, tmp_path):
    config = tiny(TORUS, "quick", digits)
    config["manifold"]["name"] = manifold
    results = run(config, tmp_path / manifold)
    assert np.isfinite(results["mean"]["log_likelihood"])
    assert (tmp_path / manifold / "figures" / "decoded_grid.png").stat().st_size > 1000


@pytest.mark.slow
def test_known_factors_are_scored_and_the_degree_of_their_torus_is_computed(digits, tmp_path):
    config = tiny(TORUS, "quick", digits)
    config["data"] |= {"name": "turntable", "mesh": "horn", "num_azimuths": 8, "num_elevations": 8}
    config["data"] |= {"num_train": None, "num_test": None, "max_elevation": 180.0}
    config["model"]["encoder_init"] = "spectral"
    config["num_seeds"] = 1
    config["evaluation"]["scores"] = ("mig",)
    mean = run(config, tmp_path / "run")["mean"]
    assert mean["captured"] in (0.0, 1.0)
    assert -1 <= mean["azimuth_correlation"] <= 1
    assert 0 <= mean["azimuth_error"] <= np.pi
    assert 0 <= mean["mig"] <= 1
    assert 0 <= mean["mig_angles"] <= 1


def test_scores_of_data_without_known_factors_are_refused(digits):
    config = tiny(TORUS, "quick", digits)
    config["evaluation"]["scores"] = ("mig",)
    with pytest.raises(UsageError, match="simple_picture has no known factors"):
        build_experiment(config)
    config["evaluation"]["scores"] = ("mug",)
    with pytest.raises(UsageError, match="scores must be of mig"):
        build_experiment(config)


def test_vae_needs_a_euclidean_latent_space(digits):
    config = tiny(next(path for path in CONFIGS if path.stem == "vae"), "quick", digits)
    config["manifold"] |= {"name": "sphere"}
    with pytest.raises(UsageError, match="latent space of the method vae is Euclidean"):
        build_experiment(config)


@pytest.mark.parametrize("change", [{"name": "flat_torus"}, {"name": "sphere", "radius": 2.0}])
def test_svae_needs_the_unit_sphere(change, digits):
    config = tiny(next(path for path in CONFIGS if path.stem == "svae"), "quick", digits)
    config["manifold"] |= {"dim": 2} | change
    with pytest.raises(UsageError, match="latent space of the method svae is Sphere"):
        build_experiment(config)


@pytest.mark.parametrize(
    ("block", "change", "message"),
    [
        ("manifold", {"name": "sphere"}, "latent space of the method wgan is Euclidean"),
        ("optimizer", {"encoder_warmup_steps": 10}, "which has no encoder"),
        ("model", {"prior": "cauchy"}, "prior must be one of normal, uniform"),
    ],
)
def test_wgan_refuses_what_it_does_not_have(block, change, message, digits):
    config = tiny(next(path for path in CONFIGS if path.stem == "wgan"), "quick", digits)
    config[block] |= change
    with pytest.raises(UsageError, match=message):
        build_experiment(config)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["turntable", "concentric_circles"])
def test_results_of_a_model_without_an_encoder_say_what_is_not_known(data, digits, tmp_path):
    config = tiny(next(path for path in CONFIGS if path.stem == "wgan"), "quick", digits)
    if data == "concentric_circles":
        config["data"] = dict.fromkeys(config["data"]) | {"name": data, "num_train": 40, "num_test": 20}
    else:
        config["evaluation"]["scores"] = ("mig",)
    results = run(config, tmp_path / "run")
    expected = {"elbo", "kl", "mse", "log_likelihood"} | set(config["evaluation"]["scores"])
    assert set(results["unavailable"]) == expected
    assert all(results["mean"][name] is None for name in expected)
    assert "elbo                 not available: a GAN has neither" in _table(results)
    figures = {figure.stem for figure in (tmp_path / "run" / "figures").glob("*.png")}
    assert figures == {"training_curves", "samples"}


def test_vamp_refuses_other_spaces_capacities_and_pictures_it_would_clip(digits):
    path = next(path for path in CONFIGS if path.stem == "vamp")
    config = tiny(path, "quick", digits)
    config["manifold"] |= {"name": "sphere"}
    with pytest.raises(UsageError, match="latent space of the method vamp is Euclidean"):
        build_experiment(config)
    config = tiny(path, "quick", digits)
    config["model"]["max_capacity"] = 5.0
    with pytest.raises(UsageError, match="max_capacity must be None with a VampPrior"):
        build_experiment(config)
    config["data"] = tiny(TORUS, "quick", digits)["data"]
    config["model"]["max_capacity"] = None
    with pytest.raises(UsageError, match="clip_pseudo_inputs = True needs values in"):
        build_experiment(config)


@pytest.mark.slow
def test_product_by_name_with_results_and_figures(digits, tmp_path):
    config = tiny(TORUS, "quick", digits)
    config["manifold"] |= {"name": "product", "factors": ("sphere:1", "euclidean:1"), "dim": 2}
    config["num_seeds"] = 1
    results = run(config, tmp_path / "run")
    assert np.isfinite(results["mean"]["log_likelihood"])
    assert results["unavailable"] == {}
    assert (tmp_path / "run" / "figures" / "latent_space_seed_0.png").stat().st_size > 1000


@pytest.mark.slow
def test_results_on_an_implicit_surface_say_what_is_not_known(digits, tmp_path):
    path = next(path for path in CONFIGS if path.stem == "dvae_genus_two")
    config = tiny(path, "quick", digits)
    results = run(config, tmp_path / "run")
    saved = json.loads((tmp_path / "run" / "results.json").read_text())
    assert saved["mean"]["log_likelihood"] is None
    assert saved["std"]["log_likelihood"] is None
    assert "expansion for small times" in saved["unavailable"]["log_likelihood"]
    assert np.isfinite(results["mean"]["elbo"])
    assert "log_likelihood       not available: no log-likelihood on Implicit" in _table(results)
    assert (tmp_path / "run" / "figures" / "latent_space_seed_0.png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["vaells_circles", "vaells_rotated_mnist", "vaells_mnist"])
def test_transport_operators_with_results_and_figures(stem, digits, tmp_path, monkeypatch):
    monkeypatch.setattr("mvae.methods.vaells.reports.CLASSIFIER_STEPS", 20)
    path = next(path for path in CONFIGS if path.stem == stem)
    config = tiny(path, "", digits)
    results = run(config, tmp_path / "run")
    expected = {
        "vaells_circles": {"orbit_error", "orbit_coverage", "orbit_precision", "separation_accuracy", "separation_gap"},
        "vaells_rotated_mnist": {"rotation_range", "rotation_error", "rotation_class_kept", "classifier_accuracy"},
        "vaells_mnist": {"elbo"},
    }
    assert all(np.isfinite(results["mean"][name]) for name in expected[stem] | {"log_likelihood"})
    figures = {
        "vaells_circles": {"operator_orbits", "prior_samples", "paths"},
        "vaells_rotated_mnist": {"rotations", "posterior_samples"},
        "vaells_mnist": {"posterior_samples"},
    }
    assert figures[stem] <= {figure.stem for figure in (tmp_path / "run" / "figures").glob("*.png")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["learned", "exact"])
def test_a_map_that_was_learned_is_judged_and_drawn(kind, digits, tmp_path):
    path = next(path for path in CONFIGS if path.stem == "er")
    config = tiny(path, "", digits)
    config["model"]["reparametrization"]["kind"] = kind
    mean = run(config, tmp_path)["mean"]
    assert mean["elbo"] <= mean["log_likelihood"]
    assert mean["likelihood_std"] > 0
    assert ("map_coverage" in mean) == (kind == "learned")
    assert (tmp_path / "figures" / "reparametrization.png").exists() == (kind == "learned")


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [("group", True, "Euclidean"), ("hidden", "cauchy", "hidden"), ("initial_variance", 0.3, "initial_variance")],
)
def test_what_an_er_cannot_have_is_named(key, value, named, digits):
    path = next(path for path in CONFIGS if path.stem == "er")
    config = tiny(path, "interval", digits)
    config["model"][key] = value
    with pytest.raises(UsageError, match=named):
        build_experiment(config)

"""Every config: builds, trains, is interrupted, and resumes to the very same parameters."""

import importlib.util
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from mvae.training import Interrupted, loop, run
from mvae.training.experiment import build_experiment
from mvae.training.run import train
from mvae.training.run_folder import RunFolder
from tests.data.digit_files import DigitFiles

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.py"))


def load(path: Path, argument: str):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(argument)


def tiny(path: Path, argument: str, digits: Path) -> dict:
    """The config with everything made small that does not change what code runs."""
    config = load(path, argument)
    config.num_seeds = 2
    config.num_steps = 4
    config.batch_size = 16
    config.init_batch_size = 32
    config.log_every = 2
    config.checkpoint_every = 3
    config.model.encoder_widths = (16, 16)
    config.model.decoder_widths = (16,)
    config.evaluation.importance_samples = 3
    config.evaluation.degree_grid = 8
    config.data.num_train, config.data.num_test = 40, 20
    if config.data.name == "mnist":
        config.data.dir = str(digits)
    else:
        config.data.size = 8
    return config.to_dict()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return DigitFiles(tmp_path_factory.mktemp("mnist") / "digits").folder


@pytest.mark.parametrize("argument", ["", pytest.param("quick", marks=pytest.mark.slow)])
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


@pytest.mark.parametrize("manifold", ["euclidean", pytest.param("flat_torus", marks=pytest.mark.slow)])
def test_any_manifold_by_name_with_results_and_figures(manifold, digits, tmp_path):
    config = tiny(CONFIGS[0], "quick", digits)
    config["manifold"]["name"] = manifold
    results = run(config, tmp_path / manifold)
    assert np.isfinite(results["mean"]["log_likelihood"])
    assert (tmp_path / manifold / "figures" / "decoded_grid.png").stat().st_size > 1000

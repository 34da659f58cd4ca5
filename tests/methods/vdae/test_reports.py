"""What a run of a VDAE leaves behind."""

import json

import pytest

from mvae.errors import UsageError
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from mvae.runs.run import run
from tests.paths import CONFIGS

CONFIG = CONFIGS / "vdae.py"


def tiny(argument="quick"):
    config = load_config(CONFIG, argument)
    config.num_seeds, config.num_steps, config.batch_size = 2, 3, 16
    config.data.num_train, config.data.num_test = 40, 20
    config.model.encoder_widths, config.model.decoder_widths = (8,), (8,)
    config.model.num_neighbors = 8
    config.model.spectral.widths, config.model.spectral.num_steps = (8,), 3
    config.model.spectral.scale_neighbor = 5
    return config


@pytest.mark.slow
def test_results_and_figures_of_a_walk(tmp_path):
    results = run(tiny().to_dict(), tmp_path)
    for name in ("elbo", "kl", "mse", "self_mse", "seed_share"):
        assert isinstance(results["mean"][name], float)
    assert results["mean"]["log_likelihood"] is None
    assert "stationary" in results["unavailable"]["log_likelihood"]
    assert 0 <= results["mean"]["seed_share"] <= 1
    assert (tmp_path / "figures" / "walk.png").stat().st_size > 1000
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["stage"] for record in records] == ["spectral_map", "autoencoder"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.manifold.update(name="sphere"), "Euclidean"),
        (lambda c: c.optimizer.update(encoder_warmup_steps=5), "encoder_warmup_steps must be 0"),
        (lambda c: c.model.spectral.update(scale_neighbor=40), "40 neighbours need more than the 40"),
        (lambda c: c.model.update(radius=1.0), "num_neighbors or radius"),
        (lambda c: c.model.update(num_neighbors=41), "num_neighbors"),
    ],
)
def test_configs_that_cannot_work_are_refused_before_anything_is_trained(change, message):
    config = tiny()
    change(config)
    with pytest.raises(UsageError, match=message):
        build_experiment(config.to_dict())


def test_unknown_arguments_of_the_config_are_named():
    with pytest.raises(UsageError, match="gaussian_grid"):
        load_config(CONFIG, "cube")

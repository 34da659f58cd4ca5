"""What a run of a VDAE leaves behind."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.errors import UsageError
from mvae.manifolds import Euclidean
from mvae.methods.vdae import reports
from mvae.reports import conclude
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from mvae.runs.running import run
from tests.paths import CONFIGS
from tests.reports.truth import FACTS, circle_data, circle_model, circle_view

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


DECAY = 0.6


def autoregression(event_shape):
    """A walk x' = 0.6 x + 0.8 ε in the first two entries of x, whose distribution is known."""

    def walk(params, key, x, num_steps):
        def step(x, key):
            following = DECAY * x + (1 - DECAY**2) ** 0.5 * jax.random.normal(key, x.shape)
            return following, following

        _, path = jax.lax.scan(step, x, jax.random.split(key, num_steps))
        return jnp.concatenate([x[None], path])

    return circle_model(event_shape, Euclidean(2), capabilities={"walk": walk})


@pytest.mark.parametrize("limit", [reports.WALK_BYTES, 1])
def test_numbers_of_a_walk_whose_distribution_is_known(limit, monkeypatch):
    monkeypatch.setattr(reports, "WALK_BYTES", limit)  # all chains at once, or one of each seed at a time
    if limit == 1:
        monkeypatch.setattr(reports, "NUM_STEPS", 20)
    view = circle_view(autoregression((2,)), circle_data((2,)))
    numbers = reports.walk_numbers(view.members[0])
    # The seeds, of mean square 1/2 a coordinate, shrink by 0.6 a step: after ten 0.6²⁰ of it is left, which is nothing.
    assert numbers["seed_share"] == pytest.approx((20 - 1) / (20 * 50 - 1), abs=5 * np.sqrt(2 / 19 / 2) * 0.02)
    assert 2 <= numbers["mixing_steps"] <= 15
    assert numbers["self_mse"] == pytest.approx(0, abs=1e-12)


def test_a_walk_that_stays_has_not_mixed_and_says_so():
    stays = circle_model((2,), Euclidean(2), capabilities={"walk": lambda params, key, x, n: jnp.stack([x] * (n + 1))})
    member = circle_view(stays, circle_data((2,))).members[0]
    numbers = reports.walk_numbers(member)
    assert numbers["mixing_steps"] is None
    assert "still remember" in member.reasons["mixing_steps"]
    assert numbers["seed_share"] == pytest.approx(1)


@pytest.mark.parametrize(("shape", "names"), [((2,), {"walk"}), ((4, 4, 2), {"walks", "around_seeds"}), ((20,), set())])
def test_figures_of_walks(shape, names, tmp_path):
    view = circle_view(autoregression(shape), circle_data(shape))
    assert conclude(view, reports.REPORTS, tmp_path, FACTS)["figures_unavailable"] == {}
    assert {path.stem for path in tmp_path.glob("figures/*.png")} == names

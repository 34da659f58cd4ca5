"""An evaluation of three seeds compiles exactly as many programs as one of one seed, whatever the method."""

import contextlib

import jax
import jax.numpy as jnp
import pytest

from mvae.reports import View, conclude
from mvae.runs.experiment import build_experiment
from tests.paths import CONFIGS
from tests.reports.truth import circle_view, concluded
from tests.test_configs import tiny

COMPILED = "/jax/core/compile/backend_compile_duration"
CASES = ["dvae_torus", "vdae", "vaells_circles", "er"]


@contextlib.contextmanager
def compilations():
    """A list that grows by one with every program that is compiled."""
    found = []

    def listen(event: str, duration_secs: float, **more: str | int) -> None:
        del duration_secs, more
        if event == COMPILED:
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def evaluated(stem, num_seeds, folder):
    """How many programs are compiled for the numbers and figures of seeds that start as training would."""
    config = tiny(CONFIGS / f"{stem}.py", "", folder)
    if stem == "vaells_circles":
        config["model"]["num_operators"] = 2  # their combination is tried, too
    experiment = build_experiment(config)
    batch = experiment.dataset.render(experiment.dataset.train)
    keys = jax.random.split(jax.random.key(0), num_seeds)
    params = [experiment.model.init(key, batch) for key in keys]
    params = jax.block_until_ready(jax.tree.map(lambda *leaves: jnp.stack(leaves), *params))
    view = View(experiment.model, experiment.dataset, experiment.evaluation, range(num_seeds), params)
    jax.clear_caches()
    with compilations() as found:
        results = conclude(view, experiment.reports, folder, {})
    assert (results["failed"], results["figures_unavailable"]) == ({}, {})
    return len(found)


def test_seeds_of_the_truth_share_their_programs(tmp_path):
    counts = []
    for num in (1, 3):
        view = circle_view(seeds=range(num))
        jax.clear_caches()
        with compilations() as found:
            concluded(view, tmp_path / str(num))
        counts.append(len(found))
    assert counts[0] == counts[1] > 5


@pytest.mark.slow
@pytest.mark.parametrize("stem", CASES)
def test_seeds_share_their_programs(stem, tmp_path):
    one, three = (evaluated(stem, num, tmp_path / str(num)) for num in (1, 3))
    assert one == three
    assert one > 10  # they are counted at all

"""Progress in the log where there is no terminal."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.evaluation import beta_vae_score, dci, factor_vae_score, rotation_angles, sap, train_classifier
from mvae.evaluation import progress as module
from mvae.evaluation.progress import progress, with_progress

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 2, size=(120, 2))
CODES = FACTORS + 0.1 * RNG.normal(size=(120, 2))
IMAGES = RNG.uniform(size=(5, 6, 6, 1)).astype(np.float32)


def lines_of(caplog):
    return [record.getMessage() for record in caplog.records if record.name == module.LOGGER.name]


def test_lines_are_written_now_and_then(monkeypatch, caplog):
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    with caplog.at_level("INFO"), progress("scores", 5) as done:
        for _ in range(5):
            done(1)
    lines = lines_of(caplog)
    assert lines[0].startswith("scores: ")
    assert lines[0].endswith(" of 5")
    assert 1 <= len(lines) < 5


def test_what_is_short_says_nothing_and_an_interruption_passes(caplog):
    with caplog.at_level("INFO"):
        assert list(with_progress(range(3), "short")) == [0, 1, 2]

    def stopped():
        for item in with_progress(range(3), "stopped"):
            if item:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not lines_of(caplog)


def train(monkeypatch):
    monkeypatch.setattr(sys.modules[train_classifier.__module__], "_STEPS_AT_ONCE", 2)
    rows = {"x": jnp.asarray(IMAGES), "label": jnp.arange(5) % 2}
    train_classifier(jax.random.key(0), rows, dict, num_classes=2, widths=(4,), num_steps=5, batch_size=3)


def turn(monkeypatch):
    monkeypatch.setattr(sys.modules[rotation_angles.__module__], "_IMAGES_TOGETHER", 2)
    rotation_angles(IMAGES, IMAGES, num_angles=4)


@pytest.mark.parametrize(
    ("run", "lines"),
    [
        (lambda patch: dci(CODES, FACTORS, num_trees=3), ["dci: 1 of 6", "dci: 6 of 6"]),
        (lambda patch: sap(CODES, FACTORS), ["sap: 1 of 2", "sap: 2 of 2"]),
        (lambda patch: beta_vae_score(CODES, FACTORS, num_train=40, num_test=20), ["differences: 1 of 1"]),
        (lambda patch: factor_vae_score(CODES, FACTORS, num_train=40, num_test=20), ["votes: 1 of 1"]),
        (train, ["classifier: 2 of 5", "classifier: 4 of 5", "classifier: 5 of 5"]),
        (turn, ["rotation angles: 1 of 3", "rotation angles: 3 of 3"]),
    ],
    ids=["dci", "sap", "beta_vae", "factor_vae", "classifier", "rotation"],
)
def test_what_may_take_minutes_says_how_far_it_is(run, lines, monkeypatch, caplog):
    monkeypatch.setattr(module, "SECONDS", -1.0)
    with caplog.at_level("INFO"):
        run(monkeypatch)
    assert set(lines) <= set(lines_of(caplog))


def test_a_score_can_be_interrupted(monkeypatch, caplog):
    def stop(message, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "SECONDS", -1.0)
    monkeypatch.setattr(module.LOGGER, "info", stop)
    with pytest.raises(KeyboardInterrupt):
        dci(CODES, FACTORS, num_trees=3)

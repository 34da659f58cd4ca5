"""The map of captured topology: its runs, its files and what is made of them."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data.pictures import Picture, fourier_picture, random_translations, simple_picture, translate
from tests.paths import ROOT

FOLDER = ROOT / "experiments" / "dvae"


@pytest.fixture(scope="module")
def capture():
    """The modules, which import each other by name as the program does."""
    sys.path.insert(0, str(FOLDER))
    try:
        import capture_cells
        import capture_runs
    finally:
        sys.path.remove(str(FOLDER))
    return capture_runs, capture_cells


def test_padded_coefficients_make_the_same_picture(capture):
    runs, _ = capture
    key, moves = jax.random.key(3), random_translations(jax.random.key(4), 5)
    for n, picture in ((0, simple_picture(runs.SIZE)), (4, fourier_picture(key, 4, 0.7, runs.SIZE))):
        padded = Picture(jnp.asarray(runs.coefficients(key, n, 0.7)), runs.SIZE)
        np.testing.assert_allclose(translate(padded, moves), translate(picture, moves), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("coordinate_steps", [0, 3])
def test_every_ingredient_runs_and_schedules_end(capture, monkeypatch, coordinate_steps):
    runs, _ = capture
    monkeypatch.setattr(runs, "NUM_STEPS", 4)
    monkeypatch.setattr(runs, "COORDINATE_BATCH", 500)
    recipe = runs.Recipe("mlp", (8, 8), "principal", 2, 0.05, 1.0, 1, 1.5, coordinate_steps)
    keys = jax.random.split(jax.random.key(0), 3)
    targets = jnp.stack([runs.coefficients(key, 2, 0.5) for key in keys])
    found = [runs.coordinates(recipe, key, target) for key, target in zip(keys, targets, strict=True)]
    learned = jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)
    outcome = runs.train_all(recipe, keys, targets, learned, 2)
    assert outcome.end.shape == (3, runs.GRID, runs.GRID, 4)
    assert all(np.isfinite(leaf).all() for leaf in outcome)
    assert np.abs(np.asarray(outcome.end - outcome.start)).max() > 0
    assert learned.points.shape == (3, 500 if coordinate_steps else 0, 4)
    left = runs._shown(recipe, targets[0], jnp.int32(2)).coefficients  # half of the training is over
    np.testing.assert_allclose(left, targets[0])
    shown = runs._shown(recipe._replace(pretrain_steps=0), targets[0], jnp.int32(0)).coefficients
    assert 0 < np.abs(shown).sum() < np.abs(targets[0]).sum()


def test_share_and_interval_come_from_the_files(capture, tmp_path):
    _, cells = capture
    n = 16
    a, b = np.meshgrid(*(2 * np.pi * np.arange(n) / n,) * 2, indexing="ij")
    unfolded = np.stack([np.cos(a), np.sin(a), np.cos(b), np.sin(b)], axis=-1)
    folded = np.stack([np.cos(a), np.sin(a), np.cos(np.sin(b)), np.sin(np.sin(b))], axis=-1)
    cell = cells.Cell("plain", 4, 0.5, 4, 0)
    end = np.stack([unfolded, unfolded, unfolded, folded])
    np.savez(tmp_path / cell.file, start=np.stack([folded] * 4), end=end, elbo=[-1.0, -1, -1, -5], seconds=60.0)
    summary = cells.summary(cell, tmp_path / cell.file)
    assert (summary.start, summary.captured) == (0, 3)
    assert summary.gap == pytest.approx(4)
    # Clopper and Pearson's interval of 3 in 4, from beta quantiles.
    assert (summary.low, summary.high) == (pytest.approx(0.19412, abs=1e-5), pytest.approx(0.99369, abs=1e-5))
    assert "| 4 | 0.5 | 0 of 4 | 3 | 0.75 (0.19 to 0.99) | 4.0 |" in cells.table([summary])
    axes = cells.draw([summary, summary._replace(cell=cell._replace(max_frequency=2))]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2", "4"]

"""The scripts of examples/, at small size, each with its image."""

import importlib
import sys

import numpy as np
import pytest

from tests.data.own.test_own_data import new_cells
from tests.programs import ROOT

SMALL = {"num_steps": 3, "batch_size": 8, "encoder_widths": (8,), "decoder_widths": (8,)}


@pytest.fixture
def example(monkeypatch):
    """Imports an example, and forgets it."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    before = set(sys.modules)

    def imported(name):
        return importlib.import_module(name)

    yield imported
    for name in set(sys.modules) - before:
        if name.startswith("own_") or name == "ellipsoid":
            del sys.modules[name]


def test_own_images(example, tmp_path):
    module = example("own_images")
    module.draw_views(tmp_path, num=16, size=8)
    model = module.main(str(tmp_path), str(tmp_path / "turn.png"), **SMALL)
    assert model.event_shape == (8, 8, 1)
    assert (tmp_path / "turn.png").stat().st_size > 100


def test_own_cells(example, tmp_path):
    path = new_cells(tmp_path / "cells.h5ad")
    model = example("own_cells").main(str(path), "kind", str(tmp_path / "cells.png"), **SMALL)
    assert model.event_shape == (2,)
    assert (tmp_path / "cells.png").stat().st_size > 1000


def test_own_seasons(example, tmp_path):
    weeks = np.arange(300)
    lines = [f"{week},{np.sin(2 * np.pi * week / 52.2) + 0.01 * week}" for week in weeks]
    (tmp_path / "series.csv").write_text("week,value\n" + "\n".join(lines) + "\n300,\n")
    model = example("own_seasons").main(str(tmp_path / "series.csv"), str(tmp_path / "seasons.png"), **SMALL)
    assert model.event_shape == (26,)
    assert (tmp_path / "seasons.png").stat().st_size > 1000


@pytest.mark.slow
def test_own_networks(example, tmp_path):
    model = example("own_networks").main(str(tmp_path / "networks.png"), num_steps=3)
    assert type(model.manifold).__name__ == "Ellipsoid"
    assert (tmp_path / "networks.png").stat().st_size > 1000

"""What a run keeps of what it computed before training: read again for the same data and settings, never for others."""

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import graph
from mvae.kept import NOTHING_KEPT, Kept
from mvae.runs import running
from mvae.runs.run_folder import RunFolder
from mvae.runs.trained.saved import write_npz
from tests.test_configs import CONFIGS, tiny

GIVEN = np.arange(6.0).reshape(2, 3)


def once():
    """A function that may be called once."""
    results = [{"a": np.arange(3), "text": np.asarray("words")}]
    return results.pop


def test_arrays_are_read_where_input_and_settings_are_the_same(tmp_path):
    kept = Kept(tmp_path / "kept.npz")
    first = kept.arrays(GIVEN, "k = 3", once())
    write_npz(tmp_path / "kept.npz", kept.computed)
    again = Kept(tmp_path / "kept.npz").arrays(GIVEN.copy(), "k = 3", pytest.fail)
    assert again.keys() == first.keys() == {"a", "text"}
    np.testing.assert_array_equal(again["a"], np.arange(3))
    assert str(again["text"]) == "words"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npz"]


@pytest.mark.parametrize(
    ("given", "settings"),
    [(GIVEN + 1, "k = 3"), (GIVEN.reshape(3, 2), "k = 3"), (GIVEN.astype(np.float32), "k = 3"), (GIVEN, "k = 4")],
)
def test_arrays_of_anything_else_are_computed(tmp_path, given, settings):
    kept = Kept(tmp_path / "kept.npz")
    kept.arrays(GIVEN, "k = 3", once())
    write_npz(tmp_path / "kept.npz", kept.computed)
    assert "a" in Kept(tmp_path / "kept.npz").arrays(given, settings, once())


def test_a_file_that_is_damaged_is_made_anew(tmp_path, caplog):
    path = tmp_path / "kept.npz"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    kept = Kept(path)
    kept.arrays(GIVEN, "", once())
    assert "cannot be read and is made anew" in caplog.text
    write_npz(tmp_path / "kept.npz", kept.computed)
    Kept(path).arrays(GIVEN, "", pytest.fail)


def test_a_folder_that_cannot_be_written_costs_the_file_alone(tmp_path, caplog):
    folder = RunFolder(tmp_path)
    folder.prepared.mkdir()  # nothing can take its place
    (folder.prepared / "something").touch()
    kept = Kept(folder.prepared)
    assert "a" in kept.arrays(GIVEN, "", once())
    running._write_prepared(folder, kept)
    assert "cannot be written" in caplog.text


def test_nothing_is_kept_without_a_file():
    NOTHING_KEPT.arrays(GIVEN, "", once())
    assert NOTHING_KEPT.arrays(GIVEN, "", once())
    assert not NOTHING_KEPT.computed


def test_a_run_that_goes_on_takes_its_graph(tmp_path, monkeypatch):
    config = tiny(next(path for path in CONFIGS if path.stem == "vdae"), "quick", CONFIGS[0].parent)
    taken = []
    monkeypatch.setattr(running, "train", lambda experiment, *rest, **options: taken.append(experiment.dataset.train))
    monkeypatch.setattr(running, "conclude", lambda *arguments: {})
    running.run(config, tmp_path / "run")
    monkeypatch.setattr(graph, "_graph", lambda *arguments: pytest.fail("computed again"))
    running.run(config, tmp_path / "run")
    for name in ("scale", "radius", "density", "weight"):
        np.testing.assert_array_equal(taken[0][name], taken[1][name])


def test_a_search_for_nearly_all_neighbours_is_a_setting(tmp_path):
    pytest.importorskip("faiss")
    x = jnp.asarray(np.random.default_rng(0).normal(size=(600, 4)), jnp.float32)
    few = graph._graph(x, 5, 3, 1.0, 0.5)
    every = graph._graph(x, 5, 3, 1.0, None)
    assert few.scale.shape == every.scale.shape
    assert jnp.mean(few.scale >= every.scale * (1 - 1e-6)) == 1  # neighbours that were missed are never nearer

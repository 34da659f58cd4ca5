"""Runs of every method are loaded without data, initialisation or training, and do what a trained model does."""

import json
import pickle
import re
import shutil

import jax
import numpy as np
import pytest

import mvae
from mvae import data
from mvae.errors import UsageError
from mvae.manifolds import Euclidean
from mvae.models import Model
from mvae.runs.trained.saved import assemble, structure


def content(folder) -> dict:
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def lacking(model: mvae.Trained, *names: str):
    """A context in which a call must raise if the model lacks something, with the reason."""
    lacks = model._functions.model.lacks
    reason = next((lacks[name] for name in names if name in lacks), None)
    return None if reason is None else pytest.raises(NotImplementedError, match=re.escape(reason))


def test_a_run_is_loaded_without_data_initialisation_or_training(finished, monkeypatch):
    def forbidden(*arguments, **options):
        raise AssertionError("this is not what loading does")

    for name in data.BUILDERS:
        monkeypatch.setitem(data.BUILDERS, name, forbidden)
    monkeypatch.setattr(Model, "init", property(forbidden, lambda self, value: None), raising=False)
    monkeypatch.setattr("mvae.engine.checkpoints.Checkpoints", forbidden)
    before = content(finished.folder)
    run = mvae.load(finished.folder)
    assert content(finished.folder) == before
    assert len(run) == 1
    jax.tree.map(np.testing.assert_array_equal, run[0].params, jax.tree.map(lambda leaf: leaf[0], finished.params))
    assert run.results == json.loads((finished.folder / "results.json").read_text())
    assert run.config == json.loads((finished.folder / "config.json").read_text())["config"]
    assert [record["step"] for record in run.metrics()][-1] == 4
    assert run.workdir == finished.folder


def test_codes_are_those_of_the_trained_model_and_lie_on_the_manifold(finished):
    model = finished.run[0]
    if context := lacking(model, "encoder"):
        with context:
            model.embed(finished.x)
        return
    params = jax.tree.map(lambda leaf: leaf[0], finished.params)
    expected = jax.jit(finished.experiment.model.encode)(params, finished.x)
    codes, posterior = model.embed(finished.x), model.encode(finished.x)
    np.testing.assert_allclose(codes, expected.location, atol=2e-5, rtol=2e-5)
    assert type(posterior) is type(expected)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4), posterior, expected)
    assert codes.shape == (len(finished.x), model.manifold.ambient_dim)
    assert bool(np.all(model.manifold.contains(codes, atol=1e-4)))


def test_a_pickled_model_gives_the_very_same_numbers(finished):
    run = pickle.loads(pickle.dumps(finished.run))
    assert (run.results, run.metrics(), run.workdir) == (
        finished.run.results,
        finished.run.metrics(),
        finished.run.workdir,
    )
    model, again = finished.run[0], pickle.loads(pickle.dumps(finished.run[0]))
    z = np.asarray(model.manifold.project(np.ones((3, model.manifold.ambient_dim), np.float32)))
    np.testing.assert_array_equal(again.decode(z), model.decode(z))
    if "encoder" not in finished.experiment.model.lacks:
        np.testing.assert_array_equal(again.embed(finished.x), model.embed(finished.x))


def test_every_function_gives_what_it_says_or_why_it_cannot(finished):
    model, x, columns = finished.run[0], finished.x, finished.columns
    event = finished.experiment.dataset.event_shape
    calls = {
        ("encoder",): (lambda: model.reconstruct(x), x.shape),
        ("encoder", ""): (lambda: model.interpolate(x[0], x[1], 4), (4, *event)),
        ("sample",): (lambda: model.sample(5), (5, *event)),
        ("bound",): (lambda: model.elbo(x, num_samples=2, **columns), (len(x),)),
        ("log_likelihood",): (lambda: model.log_likelihood(x, 3, **columns), (len(x),)),
    }
    for names, (call, shape) in calls.items():
        if context := lacking(model, *names):
            with context:
                call()
        else:
            found = call()
            assert found.shape == shape
            assert np.isfinite(found).all()


def test_what_a_vaells_needs_of_each_row_is_named(finished):
    model = finished.run[0]
    if finished.experiment.model.columns:
        with pytest.raises(UsageError, match="needs the label of each row: give label="):
            model.elbo(finished.x)
        with pytest.raises(UsageError, match=r"label has shape \(3,\), but x has rows \(20,\)"):
            model.elbo(finished.x, label=[0, 1, 2])
    elif "bound" not in finished.experiment.model.lacks:
        with pytest.raises(UsageError, match="unknown column label"):
            model.elbo(finished.x, label=np.zeros(len(finished.x)))


@pytest.mark.parametrize("finished", ["vae"], indirect=True)
def test_what_cannot_be_loaded_is_named(finished, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(UsageError, match="there is no such folder"):
        mvae.load(folder)
    folder.mkdir()
    with pytest.raises(UsageError, match="is not the folder of a run"):
        mvae.load(folder)
    shutil.rmtree(folder)
    shutil.copytree(finished.folder, folder)
    with pytest.raises(UsageError, match="leave out encoder="):
        mvae.load(folder, encoder=(lambda key, x: {}, lambda params, x: x))
    path = folder / "model.npz"
    whole = path.read_bytes()
    leaf = max(jax.tree.leaves(finished.params), key=lambda leaf: leaf.size)
    middle = whole.index(np.asarray(leaf).tobytes()) + leaf.nbytes // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(UsageError, match=r"model\.npz is damaged"):
        mvae.load(folder)
    path.write_bytes(whole[:middle])
    with pytest.raises(UsageError, match=r"model\.npz is damaged"):
        mvae.load(folder)
    path.write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"model\.npz is damaged \(it is no archive of arrays\)"):
        mvae.load(folder)
    with np.load(finished.folder / "model.npz") as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    for change in ({"another": 1}, {"dtypes": about["dtypes"][:1]}):
        text = json.dumps(about | change).encode()
        np.savez(path, **arrays | {"about": np.frombuffer(text, np.uint8)})
        with pytest.raises(UsageError, match=r"model\.npz is damaged or of another version of mvae"):
            mvae.load(folder)
    results = (folder / "results.json").read_text()
    path.write_bytes(whole)
    for text in ("[]", "{}"):
        (folder / "results.json").write_text(text)
        with pytest.raises(UsageError, match="has no results of the seeds: remove it to evaluate again"):
            mvae.load(folder)
    (folder / "results.json").write_text(results)
    path.unlink()
    with pytest.raises(UsageError, match="as its training has not ended"):
        mvae.load(folder)
    path.write_bytes(whole)
    (folder / "results.json").unlink()
    with pytest.raises(UsageError, match="as its evaluation has not ended"):
        mvae.load(folder)


def test_structures_are_kept_as_json():
    tree = {"b": [1.0, (2.0, {"c": None})], "a": {}, "d": ()}
    leaves, treedef = jax.tree.flatten(tree)
    described = json.loads(json.dumps(structure(tree)))
    assert jax.tree.structure(assemble(described, iter(leaves))) == treedef
    assert assemble(described, iter(leaves)) == tree
    assert structure({"a": {1: 2.0}}) is None
    assert structure({"a": Euclidean(2)}) == {"dict": {"a": "array"}}

"""mvae.train: a user's arrays in, a trained model out, with a folder or without; bad input is named."""

import json
import os
import pickle
import signal
import sys
import threading

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import mvae
from mvae.data import from_arrays
from mvae.engine import loop
from mvae.errors import UsageError
from mvae.manifolds import Sphere
from tests.programs import call

SMALL = {
    "num_steps": 4,
    "batch_size": 16,
    "log_every": 2,
    "encoder_widths": (8,),
    "decoder_widths": (8,),
    "config": {"evaluation.importance_samples": 2, "evaluation.bound_samples": 2},
}
RNG = np.random.default_rng(0)
X = (5 + 2 * RNG.normal(size=(60, 3))).astype(np.float32)


COUNTS = RNG.poisson(3, (200, 3))
COUNTS[170, 1] = -1
UNIT = np.where(np.arange(200)[:, None] == 150, 2, RNG.random((200, 3)))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No figures: they are the reports' affair."""
    monkeypatch.setattr(sys.modules["mvae.reports.conclude"], "_draw", lambda *arguments: {})


@pytest.fixture(scope="module")
def in_memory():
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr("mvae.runs.run_folder.RunFolder.claim", None)  # nothing is written
        return mvae.train("vae", from_arrays(X, scale="standard"), manifold="euclidean:2", seeds=2, **SMALL)


def test_a_folder_and_memory_give_the_same_run(in_memory, tmp_path):
    dataset = from_arrays(X, scale="standard")
    kept = mvae.train("vae", dataset, manifold="euclidean:2", seeds=2, workdir=tmp_path / "run", **SMALL)
    assert (len(kept), len(in_memory)) == (2, 2)
    assert in_memory.workdir is None
    assert (tmp_path / "run" / "config.json").exists()
    for name in ("mean", "std", "members"):
        assert kept.results[name] == in_memory.results[name]
    assert [record["step"] for record in kept.metrics()] == [record["step"] for record in in_memory.metrics()] == [2, 4]
    assert kept.metrics()[-1]["loss"] == in_memory.metrics()[-1]["loss"]
    assert kept.config == json.loads(json.dumps(in_memory.config))
    for one, other in zip(kept, in_memory, strict=True):
        np.testing.assert_array_equal(one.embed(X), other.embed(X))
    elbos = [member["elbo"] for member in kept.results["members"]]
    assert kept.best is kept[int(np.argmax(elbos))]


def test_the_same_call_reads_a_finished_run_and_refuses_other_data_or_settings(in_memory, tmp_path, monkeypatch):
    folder, options = tmp_path / "run", {"manifold": "euclidean:2", "seeds": 2, **SMALL}
    first = mvae.train("vae", X, workdir=folder, **options)
    with monkeypatch.context() as patch:
        patch.setattr("mvae.runs.running.train", None)
        again = mvae.train("vae", X, workdir=folder, **options)
    np.testing.assert_array_equal(again[1].embed(X), first[1].embed(X))
    changed = X.copy()
    changed[31, 1] += 1e-3
    for other, message in (
        (X + 1, "some rows or columns differ"),
        (X[:50], "training examples"),
        (changed, "rows or columns"),
    ):
        with pytest.raises(UsageError, match=message):
            mvae.train("vae", other, workdir=folder, **options)
    with pytest.raises(UsageError, match="made from another config"):
        mvae.train("vae", X, workdir=folder, **options | {"beta": 2.0})
    with pytest.raises(UsageError, match="with the networks of the config, not with your own encoder"):
        mvae.train("vae", X, workdir=folder, encoder=nn.Dense(4), **options)


def test_codes_do_not_depend_on_the_number_of_rows_or_the_kind_of_array(in_memory):
    model = in_memory[0]
    many = np.tile(X, (30, 1))
    codes = model.embed(many)
    np.testing.assert_allclose(codes[:7], model.embed(X[:7]), atol=1e-6)
    np.testing.assert_allclose(codes[-60:], codes[:60], atol=1e-6)
    for x in (X.astype(np.float64), jnp.asarray(X), X.tolist()):
        np.testing.assert_array_equal(model.embed(x), model.embed(X))
    assert model._functions._compiled["embed x"]._cache_size() == 1


def test_scaling_is_undone_by_what_comes_out(in_memory):
    model = in_memory[0]
    assert model._functions.saved.scaling.kind == "standard"
    scaling = model._functions.saved.scaling
    seen = model._functions.model.decode(model.params, jnp.zeros((1, 2)))
    np.testing.assert_allclose(model.decode(np.zeros((1, 2))), seen * scaling.scale + scaling.shift, rtol=1e-5)
    assert np.abs(model.reconstruct(X).mean(axis=0) - X.mean(axis=0)).max() < 1  # data of mean 5
    assert model.decode(np.zeros((4, 5, 2))).shape == (4, 5, 3)
    np.testing.assert_array_equal(model.sample(3, seed=1), model.sample(7, seed=1)[:3])
    assert not np.array_equal(model.sample(3, seed=1), model.sample(3, seed=2))


def test_interpolation_starts_and_ends_at_the_reconstructions(in_memory):
    model = in_memory[0]
    path = model.interpolate(X[:2], X[2:4], 5)
    assert path.shape == (2, 5, 3)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(X[:2]), atol=1e-4)
    np.testing.assert_allclose(path[:, -1], model.reconstruct(X[2:4]), atol=1e-4)
    np.testing.assert_allclose(model.interpolate(X[0], X[2], 5), path[0], atol=1e-4)


def test_a_run_is_pickled(in_memory):
    again = pickle.loads(pickle.dumps(in_memory))
    assert again.results == in_memory.results
    for one, other in zip(again, in_memory, strict=True):
        np.testing.assert_array_equal(one.embed(X), other.embed(X))


WRONG = {
    "one row": (X[0], r"x has shape \(3,\), .* give x\[None\]"),
    "other columns": (X[:, :2], r"x has shape \(60, 2\), the run was trained on \(n, 3\)"),
    "other axes": (X.reshape(60, 1, 3), r"give x\.reshape\(-1, 3\)"),
    "nothing": (X[:0], "x is empty"),
    "texts": (X.astype(str), "of dtype <U.*: give real numbers"),
    "objects": (np.array([[None, 1.0, 2.0]]), "entries of type NoneType, float"),
    "complex": (X + 1j, "of dtype complex"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]], "rows differ in shape"),
    "nan": (np.where(np.arange(60)[:, None] == 7, np.nan, X), r"x\[7, 0\] is nan"),
    "beyond float32": (np.where(np.arange(3) == 2, 1e300, X.astype(float)), r"x\[0, 2\] is 1e\+300"),
    "another scale": (X * 255, "x is far too large"),
    "a smaller scale": (X / 255, "x is far too small"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_encoded_is_named(name, in_memory):
    x, message = WRONG[name]
    with pytest.raises(UsageError, match=message):
        in_memory[0].embed(x)


def test_what_cannot_be_decoded_or_drawn_is_named(in_memory):
    model = in_memory[0]
    with pytest.raises(UsageError, match=r"z has shape \(4, 3\): points of Euclidean\(dim=2\) are \(..., 2\)"):
        model.decode(np.zeros((4, 3)))
    with pytest.raises(UsageError, match=r"z\[0, 1\] is inf"):
        model.decode([[0.0, np.inf]])
    with pytest.raises(UsageError, match="num must be at least 1"):
        model.sample(0)
    with pytest.raises(UsageError, match="num must be an integer"):
        model.interpolate(X[0], X[1], 2.5)
    with pytest.raises(UsageError, match="x0 has shape"):
        model.interpolate(X[0], X[:2], 3)
    with pytest.raises(UsageError, match="seed must be below"):
        model.sample(3, seed=2**70)


def test_a_sparse_matrix_is_encoded(in_memory):
    np.testing.assert_array_equal(in_memory[0].embed(scipy.sparse.csr_matrix(X)), in_memory[0].embed(X))


OPTIONS = {
    "no manifold": ({"manifold": None}, "give the latent space: manifold="),
    "method": ({"method": "vea"}, "unknown method 'vea': known are vae"),
    "near": ({"num_step": 3}, "unknown setting num_step of the method vae: near are num_steps"),
    "far": ({"qqq": 3}, "unknown setting qqq of the method vae: there are batch_size"),
    "type": ({"num_steps": "many"}, "num_steps must be int or None, got 'many'"),
    "range": ({"learning_rate": -1.0}, "learning_rate must be positive"),
    "twice": ({"config": {"num_steps": 3}}, "num_steps is given twice"),
    "seeds": ({"seeds": 0}, "seeds must be a number of 1 or more"),
    "config": ({"config": "quick"}, "config must map dotted names to values"),
    "config entry": ({"config": {"model.bta": 3}}, "unknown config key 'config.model.bta'"),
    "manifold": ({"manifold": Sphere(2)}, "latent space of the method vae is Euclidean"),
    "encoder": ({"encoder": 3}, r"encoder must be a pair \(init, apply\) of functions or a Flax module, got 3"),
    "data": ({"data": "simple_pictures"}, "near are simple_picture"),
    "dict": ({"data": {"y": X}}, "data has no 'x': its entries are y"),
    "name of a column": ({"data": {"x": X, 3: X}}, "data has the entry 3: names of columns are texts"),
    "late count": ({"data": COUNTS, "likelihood": "poisson"}, "'poisson' is of counts.* arrays has -1: .*scale=none"),
    "late value": ({"data": {"x": UNIT, "scale": "none"}, "likelihood": "bernoulli"}, "reach from .* scale=unit"),
    "parameters": ({"encoder": (lambda key, x: "none", lambda params, x: x)}, "encoder fails on a batch of shape"),
    "label": ({"data": {"x": X, "label": [1, 2]}}, r"label has shape \(2,\), but x has 60 rows"),
    "vector": ({"data": X[:, 0]}, r"x has shape \(60,\): give examples by rows"),
    "one row": ({"data": X[:1]}, "x has 1 row: two are needed"),
    "decoder": ({"decoder": nn.Dense(4)}, r"decoder must give \(2, 3\) of points \(2, 2\), it gives \(2, 4\)"),
    "features": ({"encoder": (lambda key, x: {}, lambda params, x: x[0])}, r"encoder must give features \(b, k\)"),
    "failing": ({"encoder": (lambda key, x: {}, lambda params, x: x @ x)}, "encoder fails on a batch of shape"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_cannot_be_trained_is_named(name, tmp_path):
    change, message = OPTIONS[name]
    arguments = {"method": "vae", "data": X, "manifold": "euclidean:2"} | SMALL | change
    folder = tmp_path / "run"
    with pytest.raises(UsageError, match=message):
        mvae.train(**arguments, workdir=folder)
    assert not folder.exists()


def test_a_folder_is_a_path_that_is_not_empty():
    for workdir in ("", 3):
        with pytest.raises(UsageError, match="workdir must be the path of a folder"):
            mvae.train("vae", X, manifold="euclidean:2", workdir=workdir, **SMALL)
        with pytest.raises(UsageError, match="workdir must be the path of a folder"):
            mvae.load(workdir)


def test_the_command_line_gives_the_same_numbers(tmp_path):
    """The same file and settings, by a call and by configs/own_data.py; both folders are loaded."""
    columns = [*X.T, np.arange(len(X)) % 2, RNG.integers(0, 3, len(X))]
    lines = [",".join(f"{entry:.9g}" for entry in row) for row in np.stack(columns, axis=1)]
    source = tmp_path / "own.csv"
    source.write_text("\n".join(["one,two,three,batch,kind", *lines]) + "\n")
    options = {"data.condition": "batch", "data.label": "kind", "data.scale": "standard", **SMALL["config"]}
    settings = {name: value for name, value in SMALL.items() if name != "config"}
    likelihood = {"likelihood": "gaussian_feature_variance"}
    options |= {"data.test_fraction": 0.2, "seed": 5}
    run = mvae.train("vae", source, manifold="euclidean:2", seeds=2, config=options, **settings, **likelihood)
    flags = {"method": "vae", "manifold": "euclidean:2", "num_seeds": 2, "data.path": source, **options}
    flags |= {"num_steps": 4, "batch_size": 16, "log_every": 2}
    flags |= {"model.encoder_widths": "8,", "model.decoder_widths": "8,", "model.likelihood": likelihood["likelihood"]}
    arguments = [f"--config.{name}={value}" for name, value in flags.items()]
    outcome = call("mvae/main.py", "--config=configs/own_data.py", f"--workdir={tmp_path / 'run'}", *arguments)
    assert outcome.code == 0, outcome.errors
    other = mvae.load(tmp_path / "run")
    assert other.config == json.loads(json.dumps(run.config))
    assert other.results["members"] == run.results["members"]
    assert other[1].seed == 6
    for one, same in zip(run, other, strict=True):
        np.testing.assert_array_equal(one.embed(X, condition="1"), same.embed(X, condition="1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvae.runs.running.train", None)  # the folder is that of the call, too
        calls = {"manifold": "euclidean:2", "workdir": tmp_path / "run", "config": options, **settings, **likelihood}
        again = mvae.train("vae", source, seeds=2, **calls)
    np.testing.assert_array_equal(again.best.embed(X, condition=0), run.best.embed(X, condition=0))


def test_a_setting_of_several_places_is_named(monkeypatch):
    monkeypatch.setattr("mvae.runs.trained.training._homes", lambda method: {"rate": ["model.rate", "optimizer.rate"]})
    with pytest.raises(UsageError, match=r"setting rate may be model.rate or optimizer.rate: give config="):
        mvae.train("vae", X, manifold="euclidean:2", rate=1.0)


def test_ctrl_c_keeps_what_there_is_and_the_same_call_goes_on(in_memory, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of one step
    options = {"manifold": "euclidean:2", "seeds": 2, **SMALL}
    data = from_arrays(X, scale="standard")

    def stop_after_two(bar, done):
        del bar
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(loop.ProgressBar, "advance", stop_after_two)
        with pytest.raises(KeyboardInterrupt, match=r"stopped by SIGINT at step 2 .* the same call goes on"):
            mvae.train("vae", data, workdir=tmp_path / "run", **options)
        with pytest.raises(KeyboardInterrupt, match="nothing was kept"):
            mvae.train("vae", data, **options)
    with pytest.raises(UsageError, match="its training has not ended"):
        mvae.load(tmp_path / "run")
    run = mvae.train("vae", data, workdir=tmp_path / "run", **options)
    np.testing.assert_array_equal(run[0].embed(X), in_memory[0].embed(X))


def test_a_thread_trains(in_memory):
    found = []
    data = from_arrays(X, scale="standard")
    call = lambda: found.append(mvae.train("vae", data, manifold="euclidean:2", seeds=2, **SMALL))  # noqa: E731
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0][1].embed(X), in_memory[1].embed(X))


def features(params, x):
    return jnp.tanh(x @ params["layers"][0][0] + params["layers"][0][1])


def start(key, x):
    return {"layers": [(jax.random.normal(key, (x.shape[-1], 6)), jnp.zeros((1, 6)))]}


@pytest.mark.parametrize("method", [pytest.param("dvae", marks=pytest.mark.slow), "wgan"])
def test_own_networks_are_trained_kept_and_asked_for_again(method, tmp_path):
    encoder, decoder = (start, features), nn.Dense(3)
    folder, latent = tmp_path / "run", {"dvae": Sphere(1), "wgan": "euclidean:2"}[method]
    options = SMALL | ({} if method == "wgan" else {"num_walk_steps": 2})
    run = mvae.train(method, X, manifold=latent, encoder=encoder, decoder=decoder, workdir=folder, **options)
    with pytest.raises(UsageError, match="networks of your own: give them again, encoder=…, decoder=…"):
        mvae.load(folder)
    again = mvae.load(folder, encoder=encoder, decoder=decoder)
    z = np.float32([[1, 0], [0, -1]])
    np.testing.assert_array_equal(again[0].decode(z), run[0].decode(z))
    with pytest.raises(UsageError, match="the decoder of your own cannot be pickled"):
        pickle.dumps(run)
    with pytest.raises(UsageError, match="the decoder of your own cannot be pickled"):
        pickle.dumps(run[0])
    kernel = run[0].params["decoder"]["params"]["kernel"]
    assert kernel.shape == (2, 3)


def test_a_small_array_is_trained_in_batches_of_all_its_rows():
    options = {name: value for name, value in SMALL.items() if name != "batch_size"}
    run = mvae.train("vae", {"x": X[:20], "label": np.arange(20)}, manifold="euclidean:1", **options)
    assert run.config["batch_size"] == 18


def test_bytes_are_brought_to_the_unit_interval_and_back():
    images = RNG.integers(0, 256, size=(40, 4, 4, 1)).astype(np.uint8)
    run = mvae.train("vae", images, manifold="euclidean:1", **SMALL)
    model = run.best
    assert run.results["mean"]["mse"] < 1  # of entries in [0, 1]
    assert 0 < model.reconstruct(images[:3]).mean() < 255
    np.testing.assert_array_equal(model.embed(images), model.embed(images.astype(np.float64)))
    with pytest.raises(UsageError, match="x is far too small"):
        model.embed(images / 255.0)


class Frame:
    """What frames of pandas and polars have in common: columns of numbers as one array."""

    def __init__(self, columns):
        self._columns = columns

    def to_numpy(self):
        return np.stack(list(self._columns.values()), axis=1)


def test_frames_are_arrays(in_memory):
    frame = Frame({"height": X[:, 0], "width": X[:, 1], "depth": X[:, 2]})
    np.testing.assert_array_equal(in_memory[0].embed(frame), in_memory[0].embed(X))
    dataset = from_arrays(frame, label=Frame({"only": np.arange(60)}).to_numpy()[:, 0])
    assert dataset.event_shape == (3,)
    assert dataset.digest == from_arrays(X, label=np.arange(60)).digest

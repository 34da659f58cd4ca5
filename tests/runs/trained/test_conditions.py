"""A trained model that is given a condition, or a size factor of counts: by name, through files, in programs."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import mvae
from mvae.data import Dataset
from mvae.errors import UsageError
from tests.data.own.test_own_data import Frame
from tests.paths import arrays_in
from tests.runs.trained.test_training import SMALL

RNG = np.random.default_rng(2)
CAMERA = RNG.integers(0, 2, 40).astype(np.int32)
X = (RNG.normal(size=(40, 3)) + 2 * CAMERA[:, None]).astype(np.float32)


def dataset(x, **columns) -> Dataset:
    rows = {"x": jnp.asarray(x)} | {name: jnp.asarray(column) for name, column in columns.items()}
    names = ("left", "right") if "condition" in columns else ()
    return Dataset("own", rows, rows, lambda rows: rows, x.shape[1:], condition_names=names)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("condition") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvae.runs.running.conclude_view", _numbers_alone)
        mvae.train("vae", dataset(X, condition=CAMERA), manifold="euclidean:2", workdir=folder, **SMALL)
    return mvae.load(folder)


@pytest.fixture
def model(run):
    return run[0]


def _numbers_alone(view, reports, folder, facts):
    from mvae.reports import REPORTS, conclude

    return conclude(view, [REPORTS["bound"]], folder, facts)


def test_names_and_numbers_of_a_condition_are_one(run):
    model = run[0]
    names = np.array(["left", "right"])[CAMERA]
    codes = model.embed(X, condition=CAMERA)
    np.testing.assert_array_equal(model.embed(X, condition=names), codes)
    np.testing.assert_array_equal(model.embed(X, condition="left")[CAMERA == 0], codes[CAMERA == 0])
    assert np.abs(model.embed(X, condition="left") - codes)[CAMERA == 1].max() > 1e-4
    one, other = (model.decode(codes, condition=name) for name in ("left", "right"))
    assert one.shape == other.shape == (40, 3)
    assert model.decode(codes.reshape(4, 10, 2), condition=names.reshape(4, 10)).shape == (4, 10, 3)
    assert model.reconstruct(X, condition=names).shape == (40, 3)
    assert model.interpolate(X[0], X[1], 4, condition="right").shape == (4, 3)
    assert model.elbo(X, num_samples=2, condition=names).shape == (40,)
    stored = arrays_in(run.workdir / "codes.npz")
    np.testing.assert_array_equal(stored["test"][0], codes)
    np.testing.assert_array_equal(stored["test_condition"], CAMERA)


def test_what_is_wrong_with_a_condition_is_named(model):
    with pytest.raises(UsageError, match="needs the condition of each row: give condition="):
        model.embed(X)
    with pytest.raises(UsageError, match="unknown condition 'up': the run was trained with left, right"):
        model.embed(X, condition="up")
    with pytest.raises(UsageError, match="names of categories, left, right, or their numbers, 0 to 1"):
        model.embed(X, condition=2)
    with pytest.raises(UsageError, match=r"condition has shape \(3,\), but x has rows \(40,\)"):
        model.embed(X, condition=[0, 1, 1])
    with pytest.raises(UsageError, match="unknown column size_factor: this model of the method vae reads condition"):
        model.embed(X, condition=0, size_factor=1.0)


def test_a_program_takes_the_condition_after_x(model, tmp_path):
    pytest.importorskip("flatbuffers", reason="jax writes exported programs with flatbuffers")
    from jax import export

    folder = model.export(tmp_path / "export")
    signature = json.loads((folder / "signature.json").read_text())
    assert signature["conditions"] == ["left", "right"]
    assert [each["name"] for each in signature["programs"]["encoder"]["inputs"]] == ["x", "condition"]
    program = export.deserialize(bytearray((folder / "encoder.jax_export").read_bytes()))
    np.testing.assert_allclose(program.call(X, CAMERA)["location"], model.embed(X, condition=CAMERA), atol=1e-5)


def test_a_size_factor_scales_what_counts_decode_to():
    counts = RNG.poisson(4.0, (40, 3)).astype(np.float32)
    sizes = RNG.uniform(0.5, 2, 40).astype(np.float32)
    data = dataset(counts, size_factor=sizes)
    model = mvae.train("vae", data, manifold="euclidean:1", likelihood="poisson", **SMALL)[0]
    codes = model.embed(counts, size_factor=sizes)
    np.testing.assert_allclose(model.decode(codes, size_factor=sizes), sizes[:, None] * model.decode(codes), rtol=1e-5)
    np.testing.assert_array_equal(model.embed(counts), model.embed(counts, size_factor=1.0))


def test_conditions_that_are_numbers_are_the_values_of_training():
    """Batches 2, 3 and 5 are not taken for the numbers of categories, 0 to 2."""
    batch = np.array([2, 3, 5, 3] * 10)
    model = mvae.train("vae", {"x": X, "condition": batch}, manifold="euclidean:2", **SMALL)[0]
    codes = model.embed(X, condition=batch)
    for same in (batch.astype(str), batch.astype(float), list(batch)):
        np.testing.assert_array_equal(model.embed(X, condition=same), codes)
    np.testing.assert_array_equal(model.embed(X[:1], condition=2), codes[:1])
    ends = model.reconstruct(X[:2], condition=3)
    np.testing.assert_allclose(model.interpolate(X[0], X[1], 3, condition=3)[[0, 2]], ends, atol=1e-5)
    with pytest.raises(UsageError, match="unknown condition '0': the run was trained with 2, 3, 5"):
        model.embed(X, condition=0)


def test_interpolation_divides_size_factors_once():
    counts, sizes = RNG.poisson(4.0, (40, 3)), RNG.uniform(50, 200, 40)
    data = {"x": counts, "size_factor": sizes}
    model = mvae.train("vae", data, manifold="euclidean:1", likelihood="poisson", **SMALL)[0]
    ends = model.reconstruct(counts[:2], size_factor=sizes[0])
    path = model.interpolate(counts[0], counts[1], 3, size_factor=sizes[0])
    np.testing.assert_allclose(path[[0, 2]], ends, rtol=1e-4)


def test_frames_are_read_by_the_names_of_their_columns(tmp_path):
    frame = Frame({"one": X[:, 0], "two": X[:, 1], "three": X[:, 2]})
    mvae.train("vae", frame, manifold="euclidean:2", workdir=tmp_path / "run", **SMALL)
    model = mvae.load(tmp_path / "run")[0]
    assert model.features == ("one", "two", "three")
    other = Frame({"kind": np.asarray(["a"] * 40), "three": X[:, 2], "one": X[:, 0], "two": X[:, 1]})
    np.testing.assert_array_equal(model.embed(other), model.embed(X))
    with pytest.raises(UsageError, match="x lacks the feature 'one' and 1 more of the training data"):
        model.embed(Frame({"three": X[:, 2]}))

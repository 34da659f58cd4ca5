import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import BUILDERS, Dataset, load
from mvae.errors import UsageError
from tests.data.factors import factor_files
from tests.data.meshes import mesh_files

WRITERS = {
    "bunny": lambda folder: mesh_files.write_ellipsoid(folder / "stanford-bunny.obj.gz"),
    "cars3d": lambda folder: factor_files.write_cars3d(folder / "nips2015-analogy-data.tar.gz"),
    "coil20": lambda folder: factor_files.write_coil20(folder / "coil-20-proc.zip"),
    "dsprites": lambda folder: factor_files.write_dsprites(folder / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"),
    "frey": lambda folder: factor_files.write_frey(folder / "frey_rawface.mat"),
    "shapes3d": lambda folder: factor_files.write_shapes3d(folder / "3dshapes.h5"),
    "smallnorb": factor_files.write_smallnorb,
}
KNOWN_FACTORS = (*(WRITERS.keys() - {"bunny", "frey"}), "turntable")
PLANAR = ("concentric_circles", "swiss_roll")
POINTS = ("binary_tree", "circle", "gaussian_grid", "lifted", "loop", "sphere", "torus", "two_moons")
LABELLED = (*KNOWN_FACTORS, *PLANAR, "gaussian_grid", "mnist", "rotated_mnist", "two_moons")
TRANSLATED = ("fourier_picture", "simple_picture")


@pytest.fixture(params=sorted(BUILDERS))
def dataset(request, digit_files, tmp_path, small_sizes):
    options = {"size": 12, "num_train": 30}
    if request.param in ("mnist", "rotated_mnist"):
        options = {"dir": str(digit_files.folder)}
    elif request.param in (*PLANAR, *POINTS):
        options = {"num_train": 30, "num_test": 30}
    elif request.param.endswith("_cells"):
        options = {"num_train": 30, "num_test": 20, "num_cells": 4}
    elif request.param == "turntable":
        options = {"size": 12, "num_azimuths": 8, "num_elevations": 2}
    elif request.param == "file":
        np.savez(tmp_path / "own.npz", x=np.random.default_rng(0).normal(size=(50, 3)), label=np.arange(50) % 3)
        options = {"path": str(tmp_path / "own.npz"), "label": "label"}
    elif request.param in WRITERS:
        if request.param == "shapes3d":
            pytest.importorskip("h5py")
        WRITERS[request.param](tmp_path)
        options = {"dir": str(tmp_path)}
        if request.param in ("bunny", "cars3d", "dsprites", "shapes3d"):
            options |= {"num_train": 30, "num_test": 20}
    return load(request.param, **options)


def test_every_data_set_keeps_the_contract(dataset):
    assert isinstance(dataset, Dataset)
    assert load.__module__ == "mvae.data"
    assert dataset.name in BUILDERS
    assert dataset.train.keys() == dataset.test.keys()
    for arrays, num in ((dataset.train, dataset.num_train), (dataset.test, dataset.num_test)):
        assert all(isinstance(array, jax.Array) and array.shape[0] == num for array in arrays.values())
    rows = {name: array[jnp.array([3, 0, 3, 7])] for name, array in dataset.train.items()}
    batch = jax.jit(dataset.render)(rows)
    assert batch["x"].shape == (4, *dataset.event_shape)
    assert batch["x"].dtype == jnp.float32
    assert jnp.array_equal(batch["x"][0], batch["x"][2])
    assert not jnp.array_equal(batch["x"][0], batch["x"][1])
    if dataset.name in KNOWN_FACTORS:
        assert batch["factors"].shape == (4, len(dataset.factor_names))
        assert batch["factors"].dtype == jnp.int32
        for factors in (dataset.train["factors"], dataset.test["factors"]):
            assert jnp.all((factors >= 0) & (factors < jnp.array(dataset.factor_sizes)))
    else:
        assert (dataset.factor_names, dataset.factor_sizes) == ((), ())
    if dataset.name in LABELLED:
        assert batch["label"].shape == (4,)
        assert batch["label"].dtype == jnp.int32
    if dataset.name in TRANSLATED:
        assert batch["translation"].shape == (4, 2)
        assert batch["translation"].dtype == jnp.float32


def test_options_are_keywords_with_defaults():
    for name, builder in BUILDERS.items():
        for parameter in inspect.signature(builder).parameters.values():
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY or (name, parameter.name) == ("file", "path")
            assert parameter.default is not inspect.Parameter.empty


def test_unknown_name_lists_the_known():
    with pytest.raises(UsageError, match="unknown data set 'minst': known are mnist, "):
        load("minst")


def test_unknown_option_lists_the_known():
    with pytest.raises(UsageError, match="unknown option of the data set simple_picture 'sise': known are size, "):
        load("simple_picture", sise=8)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        *[
            (name, option, value)
            for name in ("simple_picture", "fourier_picture")
            for option, value in [
                ("size", 1),
                ("size", 64.0),
                ("size", True),
                ("size", None),
                ("num_train", 0),
                ("num_test", 0),
                ("seed", -1),
                ("seed", 2**32),
            ]
        ],
        ("fourier_picture", "max_frequency", 0),
        ("fourier_picture", "gamma", 0.0),
        ("fourier_picture", "gamma", 1.5),
        ("fourier_picture", "gamma", float("nan")),
        ("fourier_picture", "gamma", "0.5"),
        ("mnist", "num_train", -1),
        ("mnist", "num_test", 2.5),
    ],
)
def test_options_out_of_range_are_named(name, option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load(name, **{option: value})

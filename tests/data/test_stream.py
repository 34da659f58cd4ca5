"""Data sets with their training rows on the host: the same rows as on the device, and the file of MNIST left unread."""

import jax
import numpy as np
import pytest

from mvae import data
from mvae.data import load, load_streamed
from mvae.data.factors.known_factors import all_rows
from mvae.data.rows import ArrayRows, RecordRows
from mvae.data.stream import cpu
from mvae.errors import UsageError


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("simple_picture", {"size": 8, "num_train": 20, "num_test": 5}, marks=pytest.mark.slow),
        pytest.param("concentric_circles", {"num_train": 20, "num_test": 5}, marks=pytest.mark.slow),  # has curves
        ("turntable", {"mesh": "horn", "size": 8, "num_azimuths": 6, "num_elevations": 3}),
    ],
)
def test_any_data_set_is_the_same_on_the_host(name, options):
    streamed, whole = load_streamed(name, **options), load(name, **options)
    assert isinstance(streamed.source, ArrayRows)
    assert (streamed.num_train, streamed.num_test) == (whole.num_train, whole.num_test)
    rows = np.array([4, 1, 1])
    taken = streamed.source.take(rows)
    for key, array in whole.train.items():
        assert type(streamed.train[key]) is np.ndarray
        np.testing.assert_array_equal(taken[key], array[rows])
        assert isinstance(streamed.test[key], jax.Array)
        np.testing.assert_array_equal(streamed.test[key], whole.test[key])
    for key, array in (whole.curves or {}).items():
        assert isinstance(streamed.curves[key], jax.Array)
        np.testing.assert_array_equal(streamed.curves[key], array)
    np.testing.assert_array_equal(streamed.render(taken)["x"], whole.render(taken)["x"])
    for key, array in all_rows(whole).items():
        assert type(all_rows(streamed)[key]) is np.ndarray
        np.testing.assert_array_equal(all_rows(streamed)[key], array)


def test_mnist_in_a_folder_lies_in_memory(digit_files):
    dataset = load_streamed("mnist", dir=str(digit_files.folder), num_train=7)
    assert isinstance(dataset.source, ArrayRows)
    digit = dataset.source.take(np.array([6]))
    np.testing.assert_array_equal(digit["x"][..., 0], digit_files.images["train"][6:7])


@pytest.fixture
def prepared(digit_files, tmp_path, monkeypatch):
    from mvae.data.digits.mnist_builder import load_prepared

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    load_prepared(idx_dir=str(digit_files.folder))
    return digit_files


def test_prepared_mnist_stays_in_its_file(prepared):
    dataset = load_streamed("mnist", num_train=40, num_test=3)
    assert isinstance(dataset.source, RecordRows)
    assert (dataset.num_train, dataset.num_test) == (40, 3)
    assert not any(isinstance(array, np.ndarray | jax.Array) for array in dataset.train.values())
    rows = np.array([[39, 0], [17, 17]])
    taken = dataset.source.take(rows)
    np.testing.assert_array_equal(taken["x"][..., 0], prepared.images["train"][rows])
    np.testing.assert_array_equal(taken["label"], prepared.labels["train"][rows])
    assert (taken["x"].dtype, taken["label"].dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(dataset.test["x"][..., 0], prepared.images["test"][:3])
    with pytest.raises(UsageError, match="data option num_train=51: there are only 50 images"):
        load_streamed("mnist", num_train=51)


def test_unknown_names_and_options_are_those_of_load():
    with pytest.raises(UsageError, match="unknown data set 'mnst': known are mnist"):
        load_streamed("mnst")
    with pytest.raises(UsageError, match="unknown option of the data set mnist 'sise'"):
        load_streamed("mnist", sise=3)
    assert data.OF_RECORDS.keys() <= data.BUILDERS.keys()


def test_without_a_cpu_the_remedy_is_told(monkeypatch):
    def no_cpu(*_args, **_kwargs):
        raise RuntimeError("Unknown backend cpu")

    monkeypatch.setattr(jax, "local_devices", no_cpu)
    with pytest.raises(UsageError, match="leave JAX_PLATFORMS unset, or add ,cpu to it"):
        cpu()

"""dSprites, 3D Shapes, small NORB and Cars3D from small files in their original formats."""

import functools
import gzip
import http.server
import shutil
import sys
import tarfile
import threading

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load
from mvae.data.factors import cars3d_files
from mvae.data.factors.known_factors import random_split
from mvae.data.factors.smallnorb import read_matrix
from mvae.errors import UsageError
from tests.data.factors import factor_files
from tests.data.factors.factor_files import combinations, mat_bytes, norb_bytes, norb_name

DSPRITES = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
CARS = "nips2015-analogy-data.tar.gz"


def assert_every_combination_once(dataset, sizes):
    assert dict(zip(dataset.factor_names, dataset.factor_sizes, strict=True)) == sizes
    found = np.concatenate([dataset.train["factors"], dataset.test["factors"]])
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, combinations(sizes).tolist()))


# The split.


def test_split_is_decided_by_the_seed_and_the_test_set_not_by_the_size_of_the_training_set():
    train, test = random_split(1000, 0, 100, seed=3)
    assert sorted([*train, *test]) == list(range(1000))
    fewer, same = random_split(1000, 50, 100, seed=3)
    np.testing.assert_array_equal(same, test)
    assert len(fewer) == 50
    assert set(fewer) < set(train)
    assert np.all(np.diff(fewer) > 0)
    assert set(random_split(1000, 0, 100, seed=4)[1]) != set(test)
    assert abs(np.mean(test) - 499.5) < 5 * 288.7 / 10  # all over the file


@pytest.mark.parametrize("options", [{"num_test": 144}, {"num_train": 140, "num_test": 10}])
def test_more_pictures_than_there_are(small_sizes, options):
    with pytest.raises(UsageError, match="there are only 144 images for both"):
        load("dsprites", **options)


@pytest.mark.parametrize("name", ["cars3d", "dsprites", "shapes3d"])
@pytest.mark.parametrize(("option", "value"), [("num_train", -1), ("num_test", 0), ("seed", -1), ("seed", 2**32)])
def test_options_out_of_range_are_named(name, option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value}: must be an integer of at least"):
        load(name, **{option: value})


@pytest.mark.parametrize("name", ["cars3d", "dsprites", "shapes3d", "smallnorb"])
def test_missing_files_name_the_places_and_the_remedy(name, tmp_path):
    if name != "cars3d":  # which is downloaded
        with pytest.raises(UsageError, match=r"needs the folder of its files: pass --config\.data\.dir=DIR"):
            load(name)
    with pytest.raises(UsageError) as raised:
        load(name, dir=str(tmp_path))
    message = str(raised.value)
    assert f"{tmp_path} (" in message
    assert f"{tmp_path / name} (no such folder)" in message
    assert "To get it: put the " in message
    assert "\n" not in message


# dSprites.


def test_dsprites(tmp_path, small_sizes):
    (tmp_path / "dsprites").mkdir()
    factor_files.write_dsprites(tmp_path / "dsprites" / DSPRITES)
    dataset = load("dsprites", dir=str(tmp_path), num_test=40)
    assert_every_combination_once(dataset, factor_files.DSPRITES_SIZES)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (104, 40, (64, 64, 1))
    for rows in (dataset.train, dataset.test):
        batch = dataset.render(rows)
        assert rows["x"].nbytes == len(rows["x"]) * 512
        np.testing.assert_array_equal(batch["x"][:, [0, 10, 20, 30, 40]].sum(axis=(2, 3)), rows["factors"])
        np.testing.assert_array_equal(batch["x"].sum(axis=(1, 2, 3)), rows["factors"].sum(axis=1))
        assert jnp.all(batch["x"][:, :, :7] == 0)  # the white pixels begin in column 7
        np.testing.assert_array_equal(batch["label"], rows["factors"][:, 0])


ARRAYS = factor_files.dsprites_arrays()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"imgs": None}, "cannot be read, or is damaged .*imgs.npy"),
        ({"imgs": ARRAYS["imgs"][1:]}, r"expected imgs of uint8 \(144, 64, 64\), found uint8 \(143, 64, 64\)"),
        ({"imgs": ARRAYS["imgs"] / 2}, "expected imgs of uint8 .* found float64"),
        ({"latents_classes": ARRAYS["latents_classes"][:, 1:]}, r"expected latents_classes of integers \(144, 6\)"),
        ({"latents_classes": ARRAYS["latents_classes"] + 1}, "expected values 0 to 2 of the factor shape, found 1 to"),
    ],
)
def test_wrong_dsprites_are_named(tmp_path, small_sizes, change, message):
    factor_files.write_dsprites(tmp_path / DSPRITES, change)
    with pytest.raises(UsageError, match=f"^{tmp_path / DSPRITES}: {message}"):
        load("dsprites", dir=str(tmp_path), num_test=10)


@pytest.mark.parametrize("cut", [slice(0, -300), slice(0, 100), slice(300, None)])
def test_damaged_dsprites_are_named(tmp_path, small_sizes, cut):
    path = tmp_path / DSPRITES
    factor_files.write_dsprites(path)
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(UsageError, match=f"^{path}: cannot be read, or is damaged"):
        load("dsprites", dir=str(tmp_path), num_test=10)


# 3D Shapes.


def test_shapes3d(tmp_path, small_sizes, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.setattr(sys.modules["mvae.data.factors.shapes3d"], "_AT_A_TIME", 50)
    factor_files.write_shapes3d(tmp_path / "3dshapes.h5")
    dataset = load("shapes3d", dir=str(tmp_path), num_test=100)
    assert_every_combination_once(dataset, factor_files.SHAPES3D_SIZES)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (188, 100, (64, 64, 3))
    for rows in (dataset.train, dataset.test):
        np.testing.assert_array_equal(rows["x"][:, 0, :6, 1], 10 * rows["factors"])
        np.testing.assert_array_equal(rows["label"], rows["factors"][:, 4])
        np.testing.assert_allclose(dataset.render(rows)["x"][:, 1, 0, 2], 200 / 255)


SHAPES = factor_files.shapes3d_arrays()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "cannot be read, or is damaged .*labels"),
        ({"labels": SHAPES["labels"][:, :5]}, r"expected labels of shape \(288, 6\), found \(288, 5\)"),
        ({"labels": SHAPES["labels"] * 0}, "expected 2 values of the factor floor_hue, found 1"),
        ({"images": SHAPES["images"][:, :32]}, r"expected images of uint8 \(288, 64, 64, 3\), found uint8"),
    ],
)
def test_wrong_shapes3d_are_named(tmp_path, small_sizes, change, message):
    pytest.importorskip("h5py")
    factor_files.write_shapes3d(tmp_path / "3dshapes.h5", change)
    with pytest.raises(UsageError, match=f"^{tmp_path / '3dshapes.h5'}: {message}"):
        load("shapes3d", dir=str(tmp_path), num_test=10)


def test_damaged_shapes3d_are_named(tmp_path, small_sizes):
    pytest.importorskip("h5py")
    path = tmp_path / "3dshapes.h5"
    factor_files.write_shapes3d(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match=f"^{path}: cannot be read, or is damaged"):
        load("shapes3d", dir=str(tmp_path), num_test=10)


def test_shapes3d_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "3dshapes.h5").write_bytes(b"")
    with pytest.raises(UsageError, match=r"reading it needs h5py: pip install 'mvae\[hdf5\]'"):
        load("shapes3d", dir=str(tmp_path))


# Small NORB.


@pytest.fixture
def norb(tmp_path):
    factor_files.write_smallnorb(tmp_path)
    return tmp_path


def test_smallnorb(norb):
    (norb / f"{norb_name('training', 'cat')}.gz").unlink()
    category = factor_files.norb_arrays("training")["cat"]
    (norb / norb_name("training", "cat")).write_bytes(norb_bytes(category))  # not compressed
    dataset = load("smallnorb", dir=str(norb), size=96)
    assert dataset.factor_names == ("category", "instance", "elevation", "azimuth", "lighting")
    assert dataset.factor_sizes == (5, 10, 9, 18, 6)
    for rows, part in ((dataset.train, "training"), (dataset.test, "testing")):
        arrays = factor_files.norb_arrays(part)
        np.testing.assert_array_equal(rows["x"][..., 0], arrays["dat"][:, 0])
        np.testing.assert_array_equal(rows["label"], arrays["cat"])
        np.testing.assert_array_equal(rows["factors"][:, [1, 2, 4]], arrays["info"][:, [0, 1, 3]])
        np.testing.assert_allclose(rows["azimuth"], np.radians(10.0 * arrays["info"][:, 2]), rtol=1e-6)


def test_smallnorb_in_a_subfolder_the_first_pictures_smaller(norb, tmp_path):
    (tmp_path / "above" / "smallnorb").mkdir(parents=True)
    for path in norb.glob("*.gz"):
        shutil.move(path, tmp_path / "above" / "smallnorb")
    dataset = load("smallnorb", dir=str(tmp_path / "above"), num_train=7)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (7, 20, (64, 64, 1))
    np.testing.assert_array_equal(dataset.train["label"], factor_files.norb_arrays("training")["cat"][:7])
    with pytest.raises(UsageError, match="data option num_test=21: there are only 20 images; 0 keeps all"):
        load("smallnorb", dir=str(tmp_path / "above"), num_test=21)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("cat", norb_bytes(np.zeros(29, np.int32)), r"expected integers of shape \(30,\), found int32 \(29,\)"),
        ("cat", norb_bytes(np.full(30, 5, np.int32)), "expected values 0 to 4 of the factor category, found 5 to 5"),
        ("info", norb_bytes(np.ones((30, 4), np.int32)), "expected even numbers for the azimuth"),
        ("info", norb_bytes(np.full((30, 4), 36, np.int32)), "expected values 0 to 9 of the factor instance"),
        ("dat", norb_bytes(np.zeros((30, 96, 96), np.uint8)), r"expected uint8 \(N, 2, 96, 96\), found uint8"),
        ("dat", norb_bytes(np.zeros((30, 2, 96, 96), np.uint8))[:-1], "damaged: expected 552984 bytes"),
        ("dat", b"<html>Not found</html>", "not a file of NORB: it begins with 3c 68"),
    ],
)
def test_wrong_smallnorb_are_named(norb, kind, content, message):
    path = norb / f"{norb_name('training', kind)}.gz"
    path.write_bytes(gzip.compress(content, mtime=0))
    named = norb / f"{norb_name('training', 'info')}.gz" if "factor" in message else path
    with pytest.raises(UsageError, match=f"^{named}: {message}"):
        load("smallnorb", dir=str(norb))


def test_header_of_norb_always_has_three_sizes(tmp_path):
    path = tmp_path / "matrix"
    content = norb_bytes(np.arange(4, dtype=np.int32))
    assert len(content) == 8 + 12 + 16
    path.write_bytes(content)
    assert read_matrix(path).tolist() == [0, 1, 2, 3]
    for damaged in (b"", content[:6], content[:15]):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=f"^{path}: (not a file of NORB|truncated)"):
            read_matrix(path)


# Cars3D.


def assert_holds_cars(dataset, size):
    assert_every_combination_once(dataset, factor_files.CARS3D_SIZES)
    assert dataset.event_shape == (size, size, 3)
    for rows in (dataset.train, dataset.test):
        elevation, azimuth, car = np.asarray(rows["factors"]).T
        np.testing.assert_array_equal(rows["x"][:, 0, 0, 0], 20 * (car + 1))
        np.testing.assert_array_equal(rows["x"][:, 0, -1, 1], 10 * azimuth)
        np.testing.assert_array_equal(rows["x"][:, -1, 0, 2], 50 * elevation)
        np.testing.assert_allclose(rows["azimuth"], np.radians(15.0 * azimuth), rtol=1e-6)
        np.testing.assert_array_equal(rows["label"], car)


def test_cars3d_from_the_archive_and_from_its_folder(tmp_path, small_sizes):
    factor_files.write_cars3d(tmp_path / CARS)
    assert_holds_cars(load("cars3d", dir=str(tmp_path), num_test=30), 64)
    with tarfile.open(tmp_path / CARS) as archive:
        archive.extractall(tmp_path / "extracted", filter="data")
    for folder in (tmp_path / "extracted", tmp_path / "extracted" / "data"):
        assert_holds_cars(load("cars3d", dir=str(folder), num_test=30, size=4), 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"car_1.mat": None}, "expected 3 files of cars .* found 2"),
        ({"car_3.mat": mat_bytes(factor_files.cars3d_images(3))}, "expected 3 files of cars .* found 4"),
        ({"car_1.mat": b"MATLAB"}, "car_1.mat: damaged file"),
        ({"car_1.mat": mat_bytes(factor_files.cars3d_images(1), "other")}, r"car_1.mat: damaged file \(KeyError"),
        ({"car_1.mat": mat_bytes(np.zeros((8, 8, 3, 24, 4), np.uint8))}, "car_1.mat: expected im of uint8"),
    ],
)
def test_wrong_cars3d_are_named(tmp_path, small_sizes, change, message):
    factor_files.write_cars3d(tmp_path / CARS, change)
    with pytest.raises(UsageError, match=f"^{tmp_path / CARS}: {message}"):
        load("cars3d", dir=str(tmp_path), num_test=30)


@pytest.mark.parametrize("content", [b"<html>", b""])
def test_no_archive_of_cars(tmp_path, small_sizes, content):
    (tmp_path / CARS).write_bytes(content)
    with pytest.raises(UsageError, match=f"^{tmp_path / CARS}: cannot be read, or is damaged"):
        load("cars3d", dir=str(tmp_path), num_test=30)


def test_truncated_archive_of_cars(tmp_path, small_sizes):
    factor_files.write_cars3d(tmp_path / CARS)
    content = (tmp_path / CARS).read_bytes()
    (tmp_path / CARS).write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match=f"^{tmp_path / CARS}: "):
        load("cars3d", dir=str(tmp_path), num_test=30)


# The builder of Cars3D. tensorflow_datasets is imported in the tests that need it: it takes seconds.


@pytest.fixture
def served(tmp_path, small_sizes, monkeypatch):
    """The address of the archive leads to this machine, and prepared data go to a folder of the test's own."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    (tmp_path / "web").mkdir()
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(cars3d_files, "URL", f"http://127.0.0.1:{running.server_port}/{CARS}")
        yield tmp_path / "web" / CARS
        running.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


def test_cars3d_is_downloaded_and_prepared_once(served, tmp_path):
    with pytest.raises(UsageError, match=r"holds no prepared Cars3D, .* cannot be downloaded \(HTTPError: .*404"):
        load("cars3d", num_test=30)
    factor_files.write_cars3d(served)
    assert_holds_cars(load("cars3d", num_test=30), 64)
    assert list((tmp_path / "tfds" / "cars3d_mat" / "1.0.0").glob("*array_record*"))
    assert "tensorflow" not in sys.modules
    served.unlink()
    prepared = load("cars3d", num_test=30, size=8)
    factor_files.write_cars3d(tmp_path / CARS)
    original = load("cars3d", num_test=30, size=8, dir=str(tmp_path))
    for found, expected in ((prepared.train, original.train), (prepared.test, original.test)):
        assert all(jnp.array_equal(found[name], expected[name]) for name in expected)


def test_a_damaged_download_of_cars_is_not_kept(served, tmp_path):
    factor_files.write_cars3d(served, {"car_1.mat": None})
    with pytest.raises(UsageError, match=r"could not be made.* expected 3 files of cars .* found 2"):
        load("cars3d", num_test=30)
    assert not (tmp_path / "tfds" / "cars3d_mat" / "1.0.0").exists()
    factor_files.write_cars3d(served)  # repaired: fetched anew
    assert_holds_cars(load("cars3d", num_test=30), 64)

import gzip
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io

from mvae.data import load
from mvae.data.frey import FILE
from mvae.errors import UsageError
from tests.data.factors.factor_files import frey_faces, write_frey
from tests.paths import SHARED


@pytest.mark.parametrize("subfolder", ["", "frey"])
def test_frames_in_order(tmp_path, subfolder):
    (tmp_path / subfolder).mkdir(exist_ok=True)
    write_frey(tmp_path / subfolder / FILE)
    dataset = load("frey", dir=str(tmp_path))
    assert dataset.event_shape == (28, 20, 1)
    assert dataset.test["frame"].tolist() == list(range(9, 1965, 10))
    assert sorted([*dataset.train["frame"].tolist(), *dataset.test["frame"].tolist()]) == list(range(1965))
    for rows in (dataset.train, dataset.test):
        assert (rows["x"].dtype, rows["frame"].dtype) == (jnp.uint8, jnp.int32)
        assert np.all(np.diff(rows["frame"]) > 0)
        np.testing.assert_array_equal(rows["x"][..., 0], frey_faces()[np.asarray(rows["frame"])])
        batch = dataset.render(rows)
        assert batch.keys() == {"x", "frame"}
        np.testing.assert_allclose(batch["x"], np.asarray(rows["x"]) / 255, atol=1e-7)


@pytest.mark.parametrize(("test_every", "num_test"), [(2, 982), (7, 280), (1965, 1)])
def test_every_kth_frame_is_held_out(tmp_path, test_every, num_test):
    write_frey(tmp_path / FILE)
    dataset = load("frey", dir=str(tmp_path), test_every=test_every)
    assert dataset.test["frame"].tolist() == list(range(test_every - 1, 1965, test_every))
    assert dataset.num_test == num_test


def test_missing_file_names_the_places_and_the_remedy(tmp_path):
    with pytest.raises(UsageError) as raised:
        load("frey", dir=str(tmp_path))
    message = str(raised.value)
    assert f"Frey faces not found. Looked at: {tmp_path} (has none of {FILE}); {tmp_path / 'frey'} (no such" in message
    assert f"put the file {FILE} into a folder DIR and pass --config.data.dir=DIR" in message
    with pytest.raises(UsageError, match=r"Frey faces needs the folder of its files: pass --config\.data\.dir=DIR"):
        load("frey")


def assert_refused(path, message):
    with pytest.raises(UsageError, match=f"^{path}: {message}"):
        load("frey", dir=str(path.parent))


@pytest.mark.parametrize("length", [0, 100, 180, 1_000_000])
def test_truncated_file_is_named(tmp_path, length):
    write_frey(tmp_path / FILE)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:length])
    assert_refused(tmp_path / FILE, f"truncated: expected 1100584 bytes, found {length}. To get it: put")


def test_file_that_is_too_long_or_compressed_and_damaged_is_named(tmp_path):
    write_frey(tmp_path / FILE)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content + b"0")
    assert_refused(tmp_path / FILE, "too long: expected 1100584 bytes, found 1100585")
    (tmp_path / FILE).write_bytes(gzip.compress(content, 1)[:-1000])
    assert_refused(tmp_path / FILE, "truncated: its gzip stream ends")
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    assert_refused(tmp_path / FILE, "cannot be read")


def test_every_damaged_byte_of_the_description_is_found(tmp_path):
    write_frey(tmp_path / FILE)
    content = (tmp_path / FILE).read_bytes()
    for place in range(124, 184):
        damaged = bytearray(content)
        damaged[place] ^= 64
        (tmp_path / FILE).write_bytes(damaged)
        assert_refused(tmp_path / FILE, "damaged, or another file: expected a matrix ff of bytes, 560×1965")


def test_other_matrices_are_refused(tmp_path):
    faces = frey_faces().reshape(1965, 560)
    for matrices in ({"gg": faces.T}, {"ff": faces}, {"ff": faces.T.astype(np.int8)}):
        scipy.io.savemat(tmp_path / FILE, matrices)
        assert_refused(tmp_path / FILE, "damaged, or another file")


@pytest.mark.parametrize("value", [1, 1966, 2.5, True])
def test_option_out_of_range_is_named(value):
    with pytest.raises(
        UsageError, match=f"data option test_every={value}: must be an integer of at least 2 and at most"
    ):
        load("frey", test_every=value)


def test_real_faces():
    folder = Path(os.environ.get("MVAE_DATA_DIR") or SHARED)
    if not (folder / "frey" / FILE).exists():
        pytest.skip(f"needs frey/{FILE} in {folder} (or in the folder that MVAE_DATA_DIR names)")
    dataset = load("frey", dir=str(folder))
    frames = np.concatenate([dataset.train["frame"], dataset.test["frame"]])
    images = np.concatenate([dataset.train["x"], dataset.test["x"]])[np.argsort(frames)]
    matrix = scipy.io.loadmat(folder / "frey" / FILE)["ff"]
    np.testing.assert_array_equal(images.reshape(1965, 560).T, matrix)
    # A video: the next frame is much nearer than any other; and rows are rows: neighbours in a column are alike.
    images = images[..., 0].astype(np.float32)
    step = np.abs(np.diff(images, axis=0)).mean()
    assert step < 0.6 * np.abs(images[500:] - images[:-500]).mean()
    assert np.abs(np.diff(images, axis=1)).mean() < 20
    assert np.abs(np.diff(images, axis=2)).mean() < 20

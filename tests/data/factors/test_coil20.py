import os
import shutil
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load
from mvae.data.factors.coil20 import ARCHIVE
from mvae.data.factors.known_factors import full_grid
from mvae.errors import UsageError
from tests.data.circle_check import assert_circle
from tests.data.factors.factor_files import coil20_picture, png, write_coil20
from tests.paths import SHARED


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of an archive in the original format. Not to be changed."""
    folder = tmp_path_factory.mktemp("coil20")
    write_coil20(folder / "coil-20-proc.zip")
    return folder


@pytest.fixture(scope="module")
def extracted(original, tmp_path_factory):
    """The same, extracted. Not to be changed."""
    folder = tmp_path_factory.mktemp("extracted")
    with zipfile.ZipFile(original / "coil-20-proc.zip") as archive:
        archive.extractall(folder)
    return folder


def assert_holds_all(dataset, size):
    for rows, angles in ((dataset.train, 54), (dataset.test, 18)):
        assert rows["x"].shape == (20 * angles, size, size, 1)
        assert rows["x"].dtype == jnp.uint8
        objects, azimuths = np.asarray(rows["factors"]).T
        np.testing.assert_array_equal(rows["x"][:, 0, 0, 0], 10 * (objects + 1))
        np.testing.assert_array_equal(rows["x"][:, 0, -1, 0], 3 * azimuths)
        np.testing.assert_array_equal(rows["label"], objects)
        np.testing.assert_allclose(rows["azimuth"], np.radians(5.0 * azimuths), rtol=1e-6)
        assert np.bincount(objects).tolist() == [angles] * 20
    assert set(np.asarray(dataset.test["factors"][:, 1]).tolist()) == set(range(3, 72, 4))


@pytest.mark.parametrize("subfolder", ["", "coil20"])
def test_reads_the_archive(original, tmp_path, subfolder):
    (tmp_path / subfolder).mkdir(exist_ok=True)
    (tmp_path / subfolder / "coil-20-proc.zip").symlink_to(original / "coil-20-proc.zip")
    dataset = load("coil20", dir=str(tmp_path))
    assert dataset.event_shape == (64, 64, 1)
    assert dataset.factor_names == ("object", "azimuth")
    assert dataset.factor_sizes == (20, 72)
    assert_holds_all(dataset, 64)


def test_reads_the_extracted_folder_and_the_pictures_themselves(extracted):
    for folder in (extracted, extracted / "coil-20-proc"):
        assert_holds_all(load("coil20", dir=str(folder), size=8), 8)


def test_one_object_scaled_to_the_unit_interval(original):
    dataset = load("coil20", dir=str(original), object=7, size=128)
    assert (dataset.num_train, dataset.num_test) == (54, 18)
    batch = dataset.render(dataset.test)
    assert batch.keys() == {"x", "label", "factors", "azimuth"}
    assert set(np.asarray(batch["label"]).tolist()) == {6}
    expected = np.stack([coil20_picture(7, angle) for angle in range(3, 72, 4)]) / 255
    np.testing.assert_allclose(batch["x"][..., 0], expected, atol=1e-7)


@pytest.mark.parametrize("objects", [(1, 2, 3, 4, 5), [7, 3]])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_several_objects(original, objects, size):
    dataset = load("coil20", dir=str(original), objects=objects, size=size)
    assert (dataset.event_shape, dataset.factor_sizes) == ((size, size, 1), (20, 72))
    for rows, angles in ((dataset.train, 54), (dataset.test, 18)):
        assert rows["label"].tolist() == [number - 1 for number in objects for _ in range(angles)]
        np.testing.assert_array_equal(rows["x"][:, 0, 0, 0], 10 * (rows["label"] + 1))
        alone = load("coil20", dir=str(original), object=objects[1], size=size)
        theirs = alone.train if angles == 54 else alone.test
        for name, array in rows.items():
            np.testing.assert_array_equal(array[angles : 2 * angles], theirs[name])


@pytest.mark.parametrize("objects", [(), []])
def test_no_objects_named_are_all_or_the_one(original, objects):
    assert load("coil20", dir=str(original), objects=objects, size=2).num_train == 20 * 54
    assert load("coil20", dir=str(original), objects=objects, object=2, size=2).num_train == 54


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objects": (1, 21)}, "data option objects=21: must be an integer of at least 1 and at most 20"),
        ({"objects": (0,)}, "data option objects=0: must be an integer of at least 1"),
        ({"objects": ("1",)}, "data option objects='1': must be an integer"),
        ({"objects": 5}, r"data option objects=5: must be a sequence of integers, such as \(1, 2, 3\)"),
        ({"objects": "12"}, "data option objects='12': must be a sequence of integers"),
        ({"objects": (3, 3)}, r"data option objects=\(3, 3\): must not name an object twice"),
        ({"objects": (3, 4), "object": 3}, r"data options object=3, objects=\(3, 4\): only one of the two"),
    ],
)
def test_wrong_objects_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        load("coil20", **options)


@pytest.mark.parametrize(("test_every", "num_test"), [(2, 36), (5, 14), (72, 1)])
def test_every_kth_angle_is_held_out(original, test_every, num_test):
    dataset = load("coil20", dir=str(original), object=1, size=2, test_every=test_every)
    held_out = np.asarray(dataset.test["factors"][:, 1])
    assert held_out.tolist() == list(range(test_every - 1, 72, test_every))
    assert len(held_out) == num_test
    assert sorted([*held_out, *np.asarray(dataset.train["factors"][:, 1])]) == list(range(72))


def test_random_split_is_that_of_each_object(original):
    whole, one = (
        load("coil20", dir=str(original), size=8, split="random", seed=3, **given) for given in ({}, {"object": 5})
    )
    for dataset, num in ((whole, 20), (one, 1)):
        assert (dataset.num_train, dataset.num_test) == (54 * num, 18 * num)
    factors = np.asarray(whole.test["factors"])
    tests = [factors[factors[:, 0] == number, 1].tolist() for number in range(20)]
    assert np.asarray(one.test["factors"])[:, 1].tolist() == tests[4]
    assert len({tuple(angles) for angles in tests}) == 20
    other = load("coil20", dir=str(original), size=8, split="random", seed=4, object=5)
    assert np.asarray(other.test["factors"])[:, 1].tolist() != tests[4]
    with pytest.raises(UsageError, match="unknown data option split 'odd': known are"):
        load("coil20", dir=str(original), split="odd")


def test_missing_data_name_the_places_and_the_remedy(tmp_path):
    (tmp_path / "coil20").mkdir()
    with pytest.raises(UsageError) as raised:
        load("coil20", dir=str(tmp_path))
    message = str(raised.value)
    assert f"{tmp_path} (has none of coil-20-proc.zip, coil-20-proc, obj1__0.png); {tmp_path / 'coil20'} (" in message
    assert "put the archive coil-20-proc.zip of the processed images" in message
    assert "\n" not in message
    with pytest.raises(UsageError, match=r"absent \(no such folder\)"):
        load("coil20", dir=str(tmp_path / "absent"))
    with pytest.raises(UsageError, match=r"COIL-20 needs the folder of its files: pass --config\.data\.dir=DIR"):
        load("coil20")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obj3__7.png": None}, r"expected 1440 images, .* found 1439 \(missing obj3__7.png\)"),
        (
            {f"obj{n}__0.png": None for n in range(1, 6)},
            r"found 1435 \(missing obj1__0.png, obj2__0.png, obj3__0.png, ...\)",
        ),
        ({"obj21__0.png": b""}, r"found 1441 \(unknown obj21__0.png\)"),
        ({"obj3__7.png": b"<html>"}, "obj3__7.png: damaged image"),
        ({"obj3__7.png": png(coil20_picture(3, 7))[:-30]}, "obj3__7.png: damaged image"),
        (
            {"obj3__7.png": png(np.zeros((128, 64), np.uint8))},
            r"obj3__7.png: expected a grey image of 128×128 pixels of a byte, found mode L, \(128, 64\)",
        ),
        ({"obj3__7.png": png(np.zeros((128, 128, 3), np.uint8))}, "found mode RGB"),
    ],
)
def test_damage_is_named(tmp_path, change, message):
    write_coil20(tmp_path / "coil-20-proc.zip", change)
    with pytest.raises(UsageError, match=message):
        load("coil20", dir=str(tmp_path), object=3)


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_damaged_archive_is_named(original, tmp_path, place):
    content = bytearray((original / "coil-20-proc.zip").read_bytes())
    path = tmp_path / "coil-20-proc.zip"
    if place == "end":
        content = content[:-1000]
    else:
        at = 200 if place == "start" else len(content) // 2
        content[at : at + 500] = bytes(500)
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"^{path}: cannot be read, or is damaged .* To get it: put the archive"):
        load("coil20", dir=str(tmp_path))


def test_missing_extracted_picture_is_named(extracted, tmp_path):
    folder = tmp_path / "coil-20-proc"
    shutil.copytree(extracted / "coil-20-proc", folder)
    (folder / "obj20__71.png").unlink()
    with pytest.raises(UsageError, match=rf"^{folder}: expected 1440 .*\(missing obj20__71.png\)"):
        load("coil20", dir=str(tmp_path))


@pytest.mark.parametrize(
    ("option", "value"),
    [("object", -1), ("object", 21), ("size", 0), ("size", 129), ("test_every", 1), ("test_every", 73)],
)
def test_options_out_of_range_are_named(option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value}: must be an integer of at least . and at most"):
        load("coil20", **{option: value})


def test_real_pictures():
    folder = Path(os.environ.get("MVAE_DATA_DIR") or SHARED)
    if not (folder / "coil20" / ARCHIVE).exists():
        pytest.skip(f"needs coil20/{ARCHIVE} in {folder} (or in the folder that MVAE_DATA_DIR names)")
    dataset = load("coil20", dir=str(folder), size=128)
    images = np.concatenate([dataset.train["x"], dataset.test["x"]])
    assert images.shape == (1440, 128, 128, 1)
    np.testing.assert_allclose(images.mean(), 76.8967, atol=1e-4)
    # Neighbouring angles look alike, also across 360°: the factor is the angle and it closes up.
    ordered = images[np.lexsort(np.concatenate([dataset.train["factors"], dataset.test["factors"]]).T[::-1])]
    ordered = ordered.reshape(20, 72, -1).astype(np.float32)
    step = np.abs(ordered - np.roll(ordered, 1, axis=1)).mean(axis=2)
    far = np.abs(ordered - np.roll(ordered, 18, axis=1)).mean(axis=(1, 2))
    assert np.all(step[:, 0] <= 1.5 * step[:, 1:].max(axis=1))
    assert np.median(step.mean(axis=1) / far) < 0.5


@pytest.mark.parametrize("size", [32, 128])
def test_one_real_object_goes_round_a_circle(size):
    folder = Path(os.environ.get("MVAE_DATA_DIR") or SHARED)
    if not (folder / "coil20" / ARCHIVE).exists():
        pytest.skip(f"needs coil20/{ARCHIVE} in {folder} (or in the folder that MVAE_DATA_DIR names)")
    rows = full_grid(load("coil20", dir=str(folder), object=1, size=size), ("azimuth",))
    assert_circle(rows["x"])

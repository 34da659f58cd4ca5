import math
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load
from mvae.data.factors.known_factors import full_grid
from mvae.data.factors.turntable import elevation_angles, rotations
from mvae.data.meshes.mesh import blob
from mvae.data.meshes.render import render_views
from mvae.errors import UsageError
from mvae.evaluation import mapping_degree
from mvae.manifolds import FlatTorus
from tests.data.circle_check import assert_circle
from tests.paths import SHARED

SMALL = {"size": 12, "num_azimuths": 8, "num_elevations": 3}
TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"


def test_views_factors_and_angles():
    dataset = load("turntable", **SMALL)
    assert dataset.event_shape == (12, 12, 1)
    assert (dataset.factor_names, dataset.factor_sizes) == (("elevation", "azimuth"), (3, 8))
    rows = full_grid(dataset)
    elevation, azimuth = np.repeat([-60.0, 0.0, 60.0], 8), np.tile(np.arange(8) * 45.0, 3)
    np.testing.assert_array_equal(rows["factors"], np.stack([np.arange(24) // 8, np.arange(24) % 8], axis=1))
    np.testing.assert_array_equal(rows["label"], np.arange(24) // 8)
    np.testing.assert_allclose(rows["elevation"], np.radians(elevation), rtol=1e-6)
    np.testing.assert_allclose(rows["azimuth"], np.radians(azimuth), rtol=1e-6)
    assert {name: array.dtype for name, array in rows.items()} == {
        "x": jnp.uint8,
        "factors": jnp.int32,
        "label": jnp.int32,
        "elevation": jnp.float32,
        "azimuth": jnp.float32,
    }
    expected = render_views(blob(), rotations(np.radians(elevation), np.radians(azimuth)), 12)
    np.testing.assert_array_equal(rows["x"], expected)
    batch = jax.jit(dataset.render)(rows)
    np.testing.assert_allclose(batch["x"], expected / 255.0, atol=1e-7)
    assert batch.keys() == rows.keys()


def test_is_deterministic():
    jax.tree.map(np.testing.assert_array_equal, load("turntable", **SMALL).train, load("turntable", **SMALL).train)


@pytest.mark.parametrize("test_every", [2, 3, 8])
def test_every_row_and_column_gives_its_share_to_the_test(test_every):
    dataset = load("turntable", size=2, num_azimuths=8, num_elevations=8, max_elevation=180, test_every=test_every)
    is_test = np.zeros((8, 8), int)
    for factors in np.asarray(dataset.test["factors"]):
        is_test[tuple(factors)] += 1
    assert is_test.max() == 1
    assert dataset.num_train + dataset.num_test == 64
    for axis in (0, 1):
        shares = is_test.sum(axis=axis)
        assert shares.min() >= 8 // test_every
        assert shares.max() <= math.ceil(8 / test_every)
        assert not np.any(np.diff(is_test, axis=axis) + 2 * np.take(is_test, range(7), axis=axis) == 2)


def test_one_elevation_is_a_circle_seen_horizontally():
    for max_elevation in (60.0, 180):
        dataset = load("turntable", size=8, num_azimuths=8, num_elevations=1, max_elevation=max_elevation, test_every=4)
        assert dataset.test["factors"].tolist() == [[0, 3], [0, 7]]
        assert not np.any(dataset.train["elevation"])


@pytest.mark.parametrize("mesh", ["blob", "horn"])
def test_one_elevation_is_a_circle_of_pictures(mesh):
    dataset = load("turntable", mesh=mesh, size=32, num_elevations=1)
    assert (dataset.num_train, dataset.num_test, dataset.periodic_factors) == (54, 18, ("azimuth",))
    assert_circle(full_grid(dataset)["x"])


def test_elevations():
    np.testing.assert_allclose(np.degrees(elevation_angles(5, 90)), [-90, -45, 0, 45, 90])
    np.testing.assert_allclose(np.degrees(elevation_angles(5, 180)), [0, 72, 144, 216, 288])


def test_rotations():
    e, a = np.meshgrid(2 * np.pi * np.arange(6) / 6, 2 * np.pi * np.arange(8) / 8, indexing="ij")
    turns = rotations(e.ravel(), a.ravel())
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-13)
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    one, other = turns[8 * 2], turns[3]  # R_x alone, R_z alone
    np.testing.assert_allclose(turns[8 * 2 + 3], one @ other, atol=1e-13)
    np.testing.assert_allclose(one @ [1, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(other @ [0, 0, 1], [0, 0, 1])
    apart = np.linalg.norm(turns[:, None] - turns, axis=(2, 3)) + np.eye(48)
    assert apart.min() > 0.5


@pytest.mark.parametrize("mesh", ["blob", "horn"])
def test_no_two_views_of_the_torus_are_alike(mesh):
    n = 12
    rows = full_grid(load("turntable", mesh=mesh, size=24, num_azimuths=n, num_elevations=n, max_elevation=180))
    images = np.asarray(rows["x"], np.float64).reshape(n, n, -1) / 255
    neighbours = np.concatenate([np.mean((images - np.roll(images, 1, axis)) ** 2, axis=-1).ravel() for axis in (0, 1)])
    flat = images.reshape(n * n, -1)
    apart = np.mean((flat[:, None] - flat) ** 2, axis=-1) + np.eye(n * n)
    assert apart.min() > 0.15 * np.median(neighbours)
    outlines = flat > 0.05
    assert np.mean(outlines[:, None] != outlines, axis=-1)[np.triu_indices(n * n, 1)].max() > 0.1


def test_grid_gives_the_degree_of_an_encoder():
    rows = full_grid(load("turntable", size=4, num_azimuths=12, num_elevations=8, max_elevation=180))
    angles = [rows["elevation"], rows["elevation"] - rows["azimuth"]]
    z = jnp.stack([part(angle) for angle in angles for part in (jnp.cos, jnp.sin)], axis=-1).reshape(8, 12, 4)
    degree = mapping_degree(FlatTorus(2), z)
    assert degree.consistent == 1.0
    assert degree.degree == -1


def test_grid_that_is_not_full_is_refused():
    dataset = load("turntable", **SMALL)
    fewer = dataset._replace(test={name: array[1:] for name, array in dataset.test.items()})
    with pytest.raises(ValueError, match=r"turntable does not have every .* of \('elevation', 'azimuth'\) once"):
        full_grid(fewer)


@pytest.mark.parametrize(
    ("mesh", "total", "row"),
    [
        ("blob", 198504, [0, 0, 68, 234, 227, 233, 215, 197, 159, 121, 97, 75, 54, 28, 0, 0]),
        ("horn", 165802, [0, 0, 109, 147, 100, 59, 17, 0, 0, 0, 72, 197, 127, 35, 0, 0]),
    ],
)
def test_pictures_of_generated_meshes_are_those_of_the_first_release(mesh, total, row):
    images = np.asarray(load("turntable", mesh=mesh, size=16, num_azimuths=8, num_elevations=3).train["x"], int)
    assert images.sum() == pytest.approx(total, rel=1e-4)
    np.testing.assert_allclose(images[0, 8, :, 0], row, atol=1)


@pytest.mark.parametrize("place", ["", "turntable"])
@pytest.mark.parametrize("name", ["thing.obj", "thing.obj.gz", "Thing.OBJ"])
def test_mesh_of_a_file(tmp_path, place, name):
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / name).write_text(TETRAHEDRON)
    dataset = load("turntable", mesh=name, dir=str(tmp_path), **SMALL)
    assert np.asarray(dataset.train["x"]).max() > 100
    by_path = load("turntable", mesh=str(tmp_path / place / name), **SMALL)
    np.testing.assert_array_equal(by_path.train["x"], dataset.train["x"])


def test_missing_files_name_the_places_and_the_remedy(tmp_path):
    with pytest.raises(UsageError) as raised:
        load("turntable", mesh="bunny", dir=str(tmp_path))
    message = str(raised.value)
    assert message.startswith(f"the mesh bunny not found. Looked at: {tmp_path} (has none of stanford-bunny.obj.gz, ")
    assert f"{tmp_path / 'bunny'} (no such folder)" in message
    assert "pass --config.data.dir=DIR" in message
    assert "the meshes blob, horn need no file" in message
    with pytest.raises(UsageError, match=r"the mesh bunny needs the folder of its files: pass --config\.data\.dir=DIR"):
        load("turntable", mesh="bunny")
    with pytest.raises(UsageError, match=r"the mesh thing\.obj not found\..*To get it: put thing\.obj into a folder"):
        load("turntable", mesh="thing.obj", dir=str(tmp_path))
    with pytest.raises(UsageError, match=r"unknown mesh 'bolb': known are blob, .*NAME\.obj"):
        load("turntable", mesh="bolb")


@pytest.mark.parametrize(
    ("text", "message"),
    [("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "no triangle has an area"), ("f 1 2 3\n", "but there are only 0")],
)
def test_damaged_files_are_named(tmp_path, text, message):
    (tmp_path / "thing.obj").write_text(text)
    with pytest.raises(UsageError, match=f"^{tmp_path / 'thing.obj'}: .*{message}"):
        load("turntable", mesh="thing.obj", dir=str(tmp_path), **SMALL)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("size", 0),
        ("size", 257),
        ("num_azimuths", 1),
        ("num_elevations", 0),
        ("test_every", 1),
        ("test_every", 73),
        ("max_elevation", 0),
        ("max_elevation", 180.5),
        ("max_elevation", float("nan")),
        ("max_elevation", "60"),
        ("max_elevation", True),
    ],
)
def test_options_out_of_range_are_named(option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load("turntable", **{option: value})


def test_real_bunny():
    folder = Path(os.environ.get("MVAE_DATA_DIR") or SHARED)
    if not (folder / "bunny" / "stanford-bunny.obj.gz").exists():
        pytest.skip(f"needs bunny/stanford-bunny.obj.gz in {folder} (or in the folder that MVAE_DATA_DIR names)")
    rows = full_grid(load("turntable", mesh="bunny", dir=str(folder), num_azimuths=8, num_elevations=1, test_every=8))
    images = np.asarray(rows["x"])[..., 0]
    assert max(images[:, [0, -1]].max(), images[:, :, [0, -1]].max()) == 0  # not cut off
    covered = (images > 20).mean(axis=(1, 2))
    assert covered.min() > 0.15
    assert covered.max() < 0.6
    assert np.all((images > 20)[:, 33:].sum(axis=(1, 2)) > (images > 20)[:, :31].sum(axis=(1, 2)))  # ears up
    assert len({image.tobytes() for image in images}) == 8

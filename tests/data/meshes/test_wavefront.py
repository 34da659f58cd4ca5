import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from mvae.data.meshes.wavefront import read_obj
from mvae.errors import UsageError
from tests.paths import SHARED

VERTICES = "v 0 0 0\nv 1 0 0\nv 1 2 0 1.0\nv 0 2 3 0.5 0.5 0.5\n"


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "corners",
    ["1 2 3 4", "1/1 2/2 3/3 4/4", "1//1 2//1 3//1 4//1", "1/1/1 2/2/1 3/3/1 4/4/1", "-4 -3 -2 -1", "1/ 2 -2 4/7"],
)
def test_every_way_to_give_corners(tmp_path, corners):
    text = (
        f"# a comment, ü\nmtllib a.mtl\n\no thing\n{VERTICES}vt 0 0\nvn 0 0 1\ns off\n  f {corners} # a square\nl 1 2\n"
    )
    mesh = read_obj(write(tmp_path / "a.obj", text))
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 0, 2], [0, -3, 2]])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])


def test_polygons_are_fans_and_negative_indices_count_from_where_they_are(tmp_path):
    text = VERTICES + "f -4 -3 -2\nv 5 5 5\nf -1 -2 -3 -4 -5\nf 1 2 6\nv 6 6 6\n"
    mesh = read_obj(write(tmp_path / "a.obj", text))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [4, 3, 2], [4, 2, 1], [4, 1, 0], [0, 1, 5]])


@pytest.mark.parametrize("name", ["a.obj.gz", "a.obj"])
def test_compressed_and_with_other_line_ends(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress((VERTICES + "f 1 2 3\n").replace("\n", "\r\n").encode()))
    assert read_obj(path).faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a mesh in the format OBJ: it has 0 vertices and no faces"),
        (VERTICES, "it has 4 vertices and no faces"),
        ("<html>404</html>", "it has 0 vertices and no faces"),
        ("v 1 2\n", "line 1, 'v 1 2': expected three coordinates"),
        ("v 1 2 x\n", "line 1, 'v 1 2 x': could not convert string to float: 'x'"),
        (VERTICES + "v 1 nan 2\nf 1 2 3\n", "vertex 5 is not finite"),
        (VERTICES + "f 1 2\n", "line 5, 'f 1 2': expected at least three corners"),
        (VERTICES + "f 1 2 0\n", "line 5, 'f 1 2 0': there is no vertex 0"),
        (VERTICES + "f 1 2 -5\n", "line 5, 'f 1 2 -5': there is no vertex -5"),
        (VERTICES + "f 1 2 5\n", "a face has vertex 5, but there are only 4"),
        (VERTICES + "f 1 2 /3\n", "line 5, 'f 1 2 /3': invalid literal"),
        (VERTICES + "f 1 2 3.5\n", "line 5, 'f 1 2 3.5': invalid literal"),
        (VERTICES + "f 1 2 \\\n3\n", r"line 5, 'f 1 2 \\\\': invalid literal"),
    ],
)
def test_damage_is_named_with_the_line(tmp_path, text, message):
    path = write(tmp_path / "a.obj", text)
    with pytest.raises(UsageError, match=f"^{path}: .*{message}") as raised:
        read_obj(path)
    assert "\n" not in str(raised.value)


def test_missing_and_truncated_files_are_named(tmp_path):
    path = tmp_path / "a.obj.gz"
    with pytest.raises(UsageError, match=f"^{path}: cannot be read"):
        read_obj(path)
    path.write_bytes(gzip.compress((VERTICES * 100).encode())[:-20])
    with pytest.raises(UsageError, match=f"^{path}: truncated"):
        read_obj(path)


def test_real_bunny():
    path = Path(os.environ.get("MVAE_DATA_DIR") or SHARED) / "bunny" / "stanford-bunny.obj.gz"
    if not path.exists():
        pytest.skip(f"needs {path.name} in {path.parent} (or in bunny in the folder that MVAE_DATA_DIR names)")
    mesh = read_obj(path)
    assert mesh.vertices.shape == (35947, 3)
    assert mesh.faces.shape == (69451, 3)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert np.argmin(high - low) == 1  # wide and high, and not so deep

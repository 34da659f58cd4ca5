import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ortho_group

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
    text = VERTICES + "f -4 -3 -2\nv -1 1 1\nf -1 -2 -3 -4 -5\nf 1 2 6\nv 6 6 6\n"
    mesh = read_obj(write(tmp_path / "a.obj", text))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [4, 3, 2], [4, 2, 1], [4, 1, 0], [0, 1, 5]])


def area(mesh):
    a, b, c = mesh.vertices[mesh.faces.T]
    return np.cross(b - a, c - a).sum(axis=0) / 2, np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


ARROW = [(0, 0), (4, 1), (0, 2), (1, 1)]
COMB = [(0, 0), (5, 0), (5, 3), (4, 1), (3, 3), (2, 1), (1, 3)]


@pytest.mark.parametrize("outline", [ARROW, COMB])
@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_concave_polygons_are_covered_once_whatever_their_first_corner(tmp_path, outline, first, backwards, scale):
    pytest.importorskip("mapbox_earcut")
    outline = np.roll(outline, first % len(outline), axis=0)[:: -1 if backwards else 1]
    x, y = outline.T
    signed = np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2
    plane = ortho_group.rvs(3, random_state=first)
    points = scale * (outline @ plane[:2] + 7 * plane[2])
    lines = [f"v {x:.17g} {y:.17g} {z:.17g}\n" for x, y, z in points]
    mesh = read_obj(write(tmp_path / "a.obj", "".join(lines) + "f " + " ".join(map(str, range(1, len(x) + 1)))))
    vector, total = area(mesh)
    assert total == pytest.approx(scale**2 * abs(signed), rel=1e-8)  # none lies on another
    upright = np.cross(plane[0], plane[1]) * scale**2 * signed
    np.testing.assert_allclose(vector, [upright[0], -upright[2], upright[1]], atol=1e-8 * scale**2)


def test_crossing_sides_are_refused(tmp_path):
    pytest.importorskip("mapbox_earcut")
    bow = [(0, 0), (4, 0), (1, 2), (3, 2)]
    for points in (bow, [(0, 0), (3, 0), (3, 1), (1, -1), (0, 3)]):
        text = "".join(f"v {x} {y} 0\n" for x, y in points) + "f " + " ".join(map(str, range(1, len(points) + 1)))
        with pytest.raises(UsageError, match=r"line \d, 'f 1 2 .*: the sides of this polygon cross each other: mend"):
            read_obj(write(tmp_path / "a.obj", text))


def test_missing_mapbox_earcut_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mapbox_earcut", None)
    text = "".join(f"v {x} {y} 0\n" for x, y in ARROW) + "f 1 2 3 4\n"
    with pytest.raises(
        UsageError, match=r"line 5, 'f 1 2 3 4': it is concave, .* \(pip install 'mvae\[mesh\]'\): mend"
    ):
        read_obj(write(tmp_path / "a.obj", text))
    assert len(read_obj(write(tmp_path / "b.obj", text.replace("1 2 3 4", "4 1 2 3"))).faces) == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_marks_and_lines_that_go_on(tmp_path, end, mark):
    text = mark + VERTICES + "f 1 \\\n 2 \\ \n3\nf 1 2 x\n"
    (tmp_path / "a.obj").write_bytes(text.replace("\n", end).encode())
    with pytest.raises(
        UsageError, match=r"a.obj: line 8, 'f 1 2 x': invalid literal .*: 'x': mend the line, or export"
    ):
        read_obj(tmp_path / "a.obj")
    (tmp_path / "a.obj").write_bytes(text.replace("f 1 2 x\n", "").replace("\n", end).encode())
    mesh = read_obj(tmp_path / "a.obj")
    assert mesh.faces.tolist() == [[0, 1, 2]]
    np.testing.assert_array_equal(mesh.vertices[0], 0)


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
        ("v 1 2 -1.#IND\n", "line 1, 'v 1 2 -1.#IND': could not convert string to float: '-1.#IND': mend the line, or"),
        (VERTICES + "v 1 nan 2\nf 1 2 3\n", "line 5, 'v 1 nan 2': a coordinate is not finite"),
        (VERTICES + "v 1 2 -inf\nf 1 2 3\n", "line 5, 'v 1 2 -inf': a coordinate is not finite"),
        (VERTICES + "f 1 2\n", "line 5, 'f 1 2': expected at least three corners"),
        (VERTICES + "f 1 2 0\n", "line 5, 'f 1 2 0': there is no vertex 0"),
        (VERTICES + "f 1 2 -5\n", "line 5, 'f 1 2 -5': there is no vertex -5"),
        (VERTICES + "f 1 2 5\n", "line 5, 'f 1 2 5': a face has vertex 5, but there are only 4"),
        (VERTICES + "f 1 2 /3\n", "line 5, 'f 1 2 /3': invalid literal"),
        (VERTICES + "f 1 2 3.5\n", "line 5, 'f 1 2 3.5': invalid literal"),
        (VERTICES + "f 1 2 \\\n3.5\n", r"line 5, 'f 1 2  3.5': invalid literal"),
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

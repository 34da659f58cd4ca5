import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import surface_distance
from mvae.data.meshes.mesh_points import bunny_mesh
from mvae.data.meshes.triangle_distance import mesh_distance
from mvae.errors import UsageError
from mvae.manifolds import EmbeddedTorus
from tests.data.meshes.mesh_files import write_ellipsoid

FINE = 2 * np.pi * np.arange(20_000) / 20_000


def loop(t):
    return np.stack([np.cos(t), np.sin(2 * t), np.sin(3 * t)], axis=-1)


def moons():
    t = FINE[: len(FINE) // 2 + 1]
    upper = np.stack([np.cos(t), np.sin(t)], axis=-1)
    return np.concatenate([upper, np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=-1)])


def assert_nearest(distances, points, curve, tolerance):
    dense = np.array([np.linalg.norm(curve - point, axis=1).min() for point in points])
    assert np.all(distances <= dense + 1e-9)
    assert np.all(dense**2 <= distances**2 + tolerance)


def test_circle_and_sphere():
    for name, dim in (("circle", 2), ("sphere", 3)):
        points = np.random.default_rng(0).normal(size=(50, dim))
        radii = np.sqrt(sum(points.T**2))
        np.testing.assert_allclose(surface_distance(name, points), abs(radii - 1), atol=1e-15)
        assert surface_distance(name, np.zeros(dim)) == 1


def test_torus_along_its_normals():
    torus, rng = EmbeddedTorus(2.0, 1.0), np.random.default_rng(0)
    angles = rng.uniform(-np.pi, np.pi, (200, 2))
    minor, major = angles.T
    normals = np.stack([np.cos(minor) * np.cos(major), np.cos(minor) * np.sin(major), np.sin(minor)], axis=1)
    offsets = rng.uniform(-0.99, 0.99, 200)  # up to the core circle, and outward short of the axis
    points = np.asarray(torus.from_angles(jnp.asarray(angles)), np.float64) + offsets[:, None] * normals
    np.testing.assert_allclose(surface_distance("torus", points), abs(offsets), atol=2e-6)
    np.testing.assert_allclose(surface_distance("torus", [[0, 0, 5], [2, 0, 0], [4, 0, 0]]), [np.sqrt(29) - 1, 1, 1])


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_loop_against_a_dense_set_of_its_points(scale):
    points = scale * np.random.default_rng(0).normal(size=(200, 3))
    points[:3] = [(0, 0, 0), (scale, 0, 0), (0, 0, scale)]
    # Half the second derivative of |γ(t) - p|² is at most |γ'|² + |γ''| |γ - p|, at most 14 + 10 (1.8 + |p|).
    curvature = 32 + 10 * np.linalg.norm(points, axis=1)
    assert_nearest(surface_distance("loop", points), points, loop(FINE), curvature * (np.pi / len(FINE)) ** 2)


def test_loop_on_it_and_beside_it():
    t = np.random.default_rng(0).uniform(0, 2 * np.pi, 2000)
    assert surface_distance("loop", loop(t)).max() < 1e-12
    tangent = np.stack([-np.sin(t), 2 * np.cos(2 * t), 3 * np.cos(3 * t)], axis=1)
    normal = np.cross(tangent, np.random.default_rng(1).normal(size=(2000, 3)))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose(surface_distance("loop", loop(t) + 0.05 * normal), 0.05, atol=1e-13)
    far = np.array([[0.0, 0, 1e6]])
    np.testing.assert_allclose(
        surface_distance("loop", far), np.linalg.norm(loop(FINE) - far, axis=1).min(), rtol=1e-12
    )


def test_moons_against_a_dense_set_of_their_points():
    points = np.random.default_rng(0).uniform(-2, 3, (500, 2))
    assert_nearest(surface_distance("two_moons", points), points, moons(), 6 * (np.pi / len(FINE)) ** 2)
    make_moons = pytest.importorskip("sklearn.datasets").make_moons
    assert surface_distance("two_moons", make_moons(500)[0]).max() < 1e-15


def test_grid_in_units_of_the_deviation():
    points = np.array([[1.1, -1.9], [0.5, 0.0], [-5.0, 2.0]])
    np.testing.assert_allclose(surface_distance("gaussian_grid", points), [np.sqrt(2), 5, 30])
    np.testing.assert_allclose(surface_distance("gaussian_grid", points, noise=0.2), [np.sqrt(0.5), 2.5, 15])


def test_bunny_is_that_of_the_data(tmp_path):
    write_ellipsoid(tmp_path / "stanford-bunny.obj")
    points = np.random.default_rng(0).normal(size=(100, 3))
    distances = surface_distance("bunny", points, dir=str(tmp_path))
    np.testing.assert_array_equal(distances, mesh_distance(bunny_mesh(str(tmp_path)), points))


@pytest.mark.parametrize("name", ["circle", "gaussian_grid", "loop", "sphere", "torus", "two_moons"])
def test_leading_axes_are_kept(name):
    dim = 2 if name in ("circle", "gaussian_grid", "two_moons") else 3
    points = np.random.default_rng(0).normal(size=(4, 5, dim))
    distances = surface_distance(name, points)
    assert (distances.shape, distances.dtype) == ((4, 5), np.float64)
    np.testing.assert_allclose(surface_distance(name, points[1, 2]), distances[1, 2], atol=1e-14)
    np.testing.assert_allclose(surface_distance(name, jnp.asarray(points, jnp.float32)), distances, atol=2e-5)
    assert surface_distance(name, np.zeros((0, dim))).shape == (0,)


def test_wrong_arguments_are_named():
    with pytest.raises(UsageError, match="unknown data set of points 'tours': known are torus, "):
        surface_distance("tours", np.zeros(3))
    with pytest.raises(ValueError, match=r"points must be \(\.\.\., 3\) for torus, got shape \(4, 2\)"):
        surface_distance("torus", np.zeros((4, 2)))
    with pytest.raises(ValueError, match="points must be finite, got nan"):
        surface_distance("circle", [[0.0, np.nan]])
    with pytest.raises(UsageError, match="data option noise=0: distances in units of it need a positive number"):
        surface_distance("gaussian_grid", np.zeros(2), noise=0)
    with pytest.raises(UsageError, match="bunny needs the folder of its files"):
        surface_distance("bunny", np.zeros(3))

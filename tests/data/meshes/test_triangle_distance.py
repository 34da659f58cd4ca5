import numpy as np
import pytest

from mvae.data.meshes.mesh import Mesh, icosphere
from mvae.data.meshes.triangle_distance import mesh_distance, triangle_distance


def cube(side):
    """Surface of [-side, side]³ in twelve triangles."""
    vertices = side * np.array([(x, y, z) for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    squares = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    return Mesh(vertices, np.array([half for a, b, c, d in squares for half in ((a, b, c), (a, c, d))]))


def soup(rng, num):
    """Triangles of very different sizes, anywhere."""
    sizes = 10 ** rng.uniform(-3, 0.3, (num, 1, 1))
    corners = rng.normal(size=(num, 1, 3)) + sizes * rng.normal(size=(num, 3, 3))
    return Mesh(corners.reshape(-1, 3), np.arange(3 * num).reshape(num, 3))


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((0.2, 0.3, 0.0), 0.0),  # in the triangle
        ((0.2, 0.3, -0.7), 0.7),  # beside its inside
        ((0.5, -2.0, 0.0), 2.0),  # a side
        ((1.0, 1.0, 0.0), np.sqrt(0.5)),  # the long side
        ((-3.0, -4.0, 0.0), 5.0),  # a corner
        ((2.0, 0.0, 1.0), np.sqrt(2)),  # another
        ((1.0, 0.0, 0.0), 0.0),  # on it
    ],
)
def test_one_triangle(point, expected):
    corners = np.array([(0.0, 0, 0), (1, 0, 0), (0, 1, 0)])
    for order in ((0, 1, 2), (2, 0, 1), (2, 1, 0)):
        np.testing.assert_allclose(triangle_distance(np.array(point), corners[list(order)]), expected, atol=1e-15)


def test_triangles_in_space_against_a_dense_set_of_their_points():
    rng = np.random.default_rng(0)
    corners, points = rng.normal(size=(100, 3, 3)), 2 * rng.normal(size=(100, 3))
    n = 200
    i, j = np.indices((n + 1, n + 1)).reshape(2, -1)
    weights = np.stack([i, j, n - i - j], axis=1)[i + j <= n] / n
    dense = np.linalg.norm(weights @ corners - points[:, None], axis=-1).min(axis=1)
    exact = triangle_distance(points, corners)
    spacing = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(axis=1) / n
    assert np.all(exact <= dense + 1e-12)
    assert np.all(dense**2 <= exact**2 + spacing**2)  # the foot of the nearest point is a minimum of a convex function


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_cube_inside_and_outside(scale):
    points = scale * np.random.default_rng(1).uniform(-2, 2, (3000, 3))
    beyond = np.abs(points) - 1.5
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
    expected = np.where(beyond.max(axis=1) > 0, outside, -beyond.max(axis=1))
    np.testing.assert_allclose(mesh_distance(cube(1.5), points), expected, atol=1e-14)


@pytest.mark.parametrize("num", [1, 5, 2000])
def test_none_of_the_triangles_is_overlooked(num):
    rng = np.random.default_rng(2)
    mesh = soup(rng, num)
    points = 10 ** rng.uniform(-2, 2, (300, 1)) * rng.normal(size=(300, 3))
    expected = triangle_distance(points[:, None], mesh.vertices[mesh.faces]).min(axis=1)
    np.testing.assert_allclose(mesh_distance(mesh, points), expected, rtol=1e-14, atol=1e-15)


def test_all_triangles_may_be_nearest():
    mesh = icosphere(4)
    distances = mesh_distance(mesh, np.zeros((40, 3)))
    a, b, c = mesh.vertices[mesh.faces.T]
    normals = np.cross(b - a, c - a)
    planes = np.abs(np.sum(a * normals, axis=1)) / np.linalg.norm(normals, axis=1)
    np.testing.assert_allclose(distances, planes.min(), rtol=1e-13)
    assert mesh_distance(mesh, np.zeros((0, 3))).shape == (0,)

import itertools

import numpy as np
import pytest

from mvae.data.factors.turntable import rotations
from mvae.data.meshes import render
from mvae.data.meshes.mesh import Mesh, blob, icosphere
from mvae.data.meshes.render import AMBIENT, HALF_SIDE, LIGHT, render_views

IDENTITY = np.eye(3)[None]
TURNS = rotations(np.radians([0.0, 20.0, -50.0, 171.0]), np.radians([0.0, 33.0, 200.0, -80.0]))


def cube(half):
    vertices = half * np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    quads = np.array([[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]])
    return Mesh(vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))


def soup(num, seed):
    """Triangles through each other in the unit ball."""
    vertices = np.random.default_rng(seed).uniform(-0.57, 0.57, (3 * num, 3))
    return Mesh(vertices, np.arange(3 * num).reshape(num, 3))


def moved(mesh, shift, scale=1.0):
    return Mesh(scale * mesh.vertices + np.array(shift), mesh.faces)


def merged(*meshes):
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def centres(side):
    """Coordinates (x, z) of the middles of the elements, each (side, side)."""
    along = HALF_SIDE * ((2 * np.arange(side) + 1) / side - 1)
    return np.broadcast_to(along, (side, side)), np.broadcast_to(-along[:, None], (side, side))


def shade(normals):
    return AMBIENT + (1 - AMBIENT) * np.maximum(normals @ LIGHT, 0)


def areas(images):
    return images.mean(axis=(1, 2, 3), dtype=float) / 255 * (2 * HALF_SIDE) ** 2


@pytest.fixture
def silhouettes(monkeypatch):
    monkeypatch.setattr(render, "AMBIENT", 1.0)


@pytest.mark.usefixtures("silhouettes")
def test_silhouette_of_a_sphere_is_a_disc():
    sphere = icosphere(5)
    for radius in (1.0, 0.37):
        np.testing.assert_allclose(
            areas(render_views(moved(sphere, (0, 0, 0), radius), TURNS, 64)), np.pi * radius**2, rtol=4e-3
        )


@pytest.mark.usefixtures("silhouettes")
def test_silhouette_of_a_cube_has_the_projected_area():
    half = 0.57
    exact = (2 * half) ** 2 * np.abs(TURNS[:, 1]).sum(axis=1)
    np.testing.assert_allclose(areas(render_views(cube(half), TURNS, 128)), exact, rtol=5e-3)


@pytest.mark.usefixtures("silhouettes")
def test_no_holes_where_triangles_meet_in_the_middle_of_samples():
    side = 3 * 16
    step = 2 * HALF_SIDE / side
    along = step * np.arange(-16, 17) + step / 2
    x, z = np.meshgrid(along, along, indexing="ij")
    i = (np.arange(32)[:, None] * 33 + np.arange(32)).ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + 34], axis=1), np.stack([i, i + 33, i + 34], axis=1)])
    image = render_views(Mesh(np.stack([x, 0.3 * x - z, z], axis=-1).reshape(-1, 3), faces), IDENTITY, 16)[0, ..., 0]
    assert np.all(image[6:-6, 6:-6] == 255)
    for seed in range(3):
        turns = rotations(*np.random.default_rng(seed).uniform(0, 7, (2, 4)))
        x, z = centres(32)
        assert np.all(render_views(icosphere(4), turns, 32)[:, np.hypot(x, z) < 0.9] == 255)


def test_shading_of_a_sphere_is_lamberts_law():
    images = render_views(icosphere(5), TURNS, 64)[..., 0] / 255
    x, z = centres(64)
    inside = np.hypot(x, z) < 0.9
    normals = np.stack([x, -np.sqrt(np.maximum(1 - x**2 - z**2, 0)), z], axis=-1)
    error = images[:, inside] - shade(normals[inside])
    assert np.abs(error).max() < 0.02  # a triangle's angle is up to 2°
    assert np.abs(error.mean(axis=1)).max() < 2e-3
    outside = np.hypot(x, z) > 1.05
    assert np.all(images[:, outside] == 0)


def ray_cast(mesh, rotation, side):
    """Bytes by the definition: every line along y against every triangle."""
    x, z = centres(side)
    a, b, c = (rotation @ mesh.vertices[mesh.faces].transpose(0, 2, 1)).transpose(2, 0, 1)
    normals = np.cross(b - a, c - a)
    matrices = np.stack([b - a, c - a, np.broadcast_to([0.0, -1.0, 0.0], a.shape)], axis=-1)
    points = np.stack([x, np.zeros_like(x), z], axis=-1)[:, :, None] - a
    u, v, depth = np.linalg.solve(matrices, points[..., None])[..., 0].transpose(3, 0, 1, 2)
    depth = np.where((u >= 0) & (v >= 0) & (u + v <= 1), depth, np.inf)
    normals *= -np.sign(normals[:, 1:2]) / np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(np.isinf(depth).all(axis=-1), 0, np.rint(255 * shade(normals))[depth.argmin(axis=-1)])


@pytest.mark.parametrize("at_once", [1, 1 << 20])
def test_the_nearest_of_many_triangles_is_seen(monkeypatch, at_once):
    monkeypatch.setattr(render, "SAMPLES", 1)
    monkeypatch.setattr(render, "_AT_ONCE", at_once)
    mesh = soup(40, seed=0)
    for image, rotation in zip(render_views(mesh, TURNS, 48), TURNS, strict=True):
        np.testing.assert_array_equal(image[..., 0], ray_cast(mesh, rotation, 48))


def test_order_of_triangles_and_of_their_corners_does_not_matter():
    mesh = soup(60, seed=1)
    image = render_views(mesh, TURNS, 32)
    np.testing.assert_array_equal(render_views(Mesh(mesh.vertices, mesh.faces[::-1, [1, 0, 2]]), TURNS, 32), image)


def test_a_picture_element_is_the_mean_of_its_samples(monkeypatch):
    small = render_views(blob(), TURNS, 20)
    monkeypatch.setattr(render, "SAMPLES", 1)
    samples = render_views(blob(), TURNS, 60).reshape(4, 20, 3, 20, 3).astype(float)
    assert np.abs(small[..., 0] - samples.mean(axis=(2, 4))).max() <= 0.5 + 1e-4


def test_where_things_are_seen():
    ball = icosphere(2)

    def place(shift, elevation, azimuth):
        turn = rotations(np.radians([elevation]), np.radians([azimuth]))
        image = render_views(moved(ball, shift, 0.1), turn, 63)[0, ..., 0].astype(float)
        x, z = centres(63)
        return [round(float((part * image).sum() / image.sum()), 1) for part in (x, z)]

    right, front, top = (0.6, 0, 0), (0, -0.6, 0), (0, 0, 0.6)
    assert [place(shift, 0, 0) for shift in (right, front, top)] == [[0.6, 0], [0, 0], [0, 0.6]]
    assert [place(shift, 0, 90) for shift in (right, front, top)] == [[0, 0], [0.6, 0], [0, 0.6]]
    assert [place(shift, 90, 0) for shift in (right, front, top)] == [[0.6, 0], [0, -0.6], [0, 0]]
    # A screen at the top hides the ball in the middle from above, one at the bottom does not.
    screen = Mesh(np.array([[-0.6, -0.6, 0], [0.6, -0.6, 0], [0, 0.6, 0]]), np.array([[0, 1, 2]]))
    above = rotations(np.radians([90.0]), np.zeros(1))
    alone = render_views(moved(screen, (0, 0, 0.5)), above, 32)
    np.testing.assert_array_equal(
        render_views(merged(moved(ball, (0, 0, 0), 0.2), moved(screen, (0, 0, 0.5))), above, 32), alone
    )
    assert np.any(render_views(merged(moved(ball, (0, 0, 0), 0.2), moved(screen, (0, 0, -0.5))), above, 32) != alone)


def test_full_turns_and_turns_of_a_symmetric_mesh_repeat_the_picture():
    angles = np.radians([10.0, 100.0, 222.0])
    once = render_views(blob(), rotations(angles, angles), 32)
    np.testing.assert_array_equal(render_views(blob(), rotations(angles + 2 * np.pi, angles - 2 * np.pi), 32), once)
    quarter = rotations(np.zeros(1), np.array([np.pi / 2]))[0]
    part = moved(soup(10, seed=2), (0.1, 0.0, 0.0), 0.8)
    parts = [part]
    for _ in range(3):
        parts.append(Mesh(parts[-1].vertices @ quarter.T, part.faces))
    turns = rotations(np.full(4, 0.4), 0.3 + np.pi / 2 * np.arange(4))
    images = render_views(merged(*parts), turns, 32)
    np.testing.assert_array_equal(images, np.broadcast_to(images[:1], images.shape))
    assert np.any(render_views(part, turns, 32)[0] != render_views(part, turns, 32)[1])


def test_nothing_is_drawn_outside_the_frame_of_a_mesh_that_is_too_large(monkeypatch):
    monkeypatch.setattr(render, "SAMPLES", 1)
    mesh = moved(soup(10, seed=3), (0.5, 0.0, 0.4), 3.0)
    np.testing.assert_array_equal(render_views(mesh, IDENTITY, 32)[0, ..., 0], ray_cast(mesh, IDENTITY[0], 32))


def test_a_long_rendering_says_so_and_can_be_interrupted(monkeypatch, caplog):
    mesh = icosphere(1)
    monkeypatch.setattr(render, "_MUCH", 100)
    drawn = []

    def interrupted(*arguments):
        drawn.append(arguments)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return np.zeros((9, 9), np.uint8)

    monkeypatch.setattr(render, "_samples", interrupted)
    with caplog.at_level("INFO", logger="mvae"), pytest.raises(KeyboardInterrupt):
        render.render_views(mesh, np.stack([np.eye(3)] * 936), 3)
    assert len(drawn) == 3
    assert "rendering 936 views of 80 triangles" in caplog.text

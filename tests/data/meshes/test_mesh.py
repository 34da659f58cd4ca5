import numpy as np
import pytest

from mvae.data.meshes.mesh import Mesh, blob, horn, icosphere, in_unit_ball

SQUARE = np.array([[0.0, 0, 0], [2, 0, 0], [2, 0, 4], [0, 0, 4], [9, 9, 9]])


def volume(mesh):
    return np.linalg.det(mesh.vertices[mesh.faces]).sum() / 6


def assert_closed(mesh):
    """Every directed edge occurs once, and once the other way round."""
    start = mesh.faces.ravel()
    end = np.roll(mesh.faces, -1, axis=1).ravel()
    assert sorted(zip(start, end, strict=True)) == sorted(zip(end, start, strict=True))
    assert len(set(zip(start, end, strict=True))) == len(start)


def test_unit_ball_centres_scales_and_leaves_out_what_is_not_seen():
    mesh = in_unit_ball(Mesh(SQUARE, np.array([[0, 1, 2], [0, 2, 2], [0, 2, 3]])))
    half = np.array([1, 0, 2]) / np.sqrt(5)
    np.testing.assert_allclose(mesh.vertices, [[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]] * half)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])


def test_without_area_is_refused():
    with pytest.raises(ValueError, match="no triangle has an area"):
        in_unit_ball(Mesh(SQUARE, np.array([[0, 1, 1]])))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_icosphere_is_a_closed_sphere(n):
    mesh = icosphere(n)
    assert len(mesh.faces) == 20 * 4**n
    assert len(mesh.vertices) == 10 * 4**n + 2  # Euler's formula
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 1, rtol=1e-12)
    assert_closed(mesh)
    if n == 0:
        golden = (1 + 5**0.5) / 2
        edge = 1 / np.sin(2 * np.pi / 5)
        np.testing.assert_allclose(volume(mesh), 5 / 6 * golden**2 * edge**3)
    if n == 3:
        np.testing.assert_allclose(volume(mesh), 4 / 3 * np.pi, rtol=0.01)


@pytest.mark.parametrize("build", [blob, horn])
def test_generated_meshes_lie_in_the_unit_ball_and_repeat(build):
    mesh = build()
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(1)
    np.testing.assert_allclose(mesh.vertices.min(axis=0), -mesh.vertices.max(axis=0), atol=1e-12)
    np.testing.assert_array_equal(build().vertices, mesh.vertices)
    a, b, c = mesh.vertices[mesh.faces.T]
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0


def test_blob_is_closed_and_has_no_symmetry():
    mesh = blob()
    assert_closed(mesh)
    moments = np.linalg.eigvalsh(mesh.vertices.T @ mesh.vertices / len(mesh.vertices))
    assert np.diff(moments).min() > 0.1 * moments[-1]  # leaves half turns about the axes, and
    centred = mesh.vertices - mesh.vertices.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1]
    skewness = np.mean((centred @ axes) ** 3, axis=0) / np.mean((centred @ axes) ** 2, axis=0) ** 1.5
    assert np.sum(np.abs(skewness) > 0.1) >= 2  # each of these turns two of three skewnesses round

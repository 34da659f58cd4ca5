"""Nets over surfaces: they close, their areas are those of the surfaces, and their corners lie on them."""

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.explore.meshes import ball, marching_tetrahedra, rectangle, surface
from mvae.manifolds import EmbeddedTorus, Implicit


def area(mesh):
    p, q, r = np.moveaxis(np.asarray(mesh.places, np.float64)[mesh.cells], 1, 0)
    return np.linalg.norm(np.cross(q - p, r - p), axis=1).sum() / 2


def euler(mesh):
    """Corners less sides plus triangles; of a closed mesh every side belongs to two."""
    sides = np.sort(np.concatenate([mesh.cells[:, [0, 1]], mesh.cells[:, [1, 2]], mesh.cells[:, [2, 0]]]), axis=1)
    unique, counts = np.unique(sides, axis=0, return_counts=True)
    assert (counts == 2).all()
    assert len(np.unique(mesh.cells)) == len(mesh.places)
    return len(mesh.places) - len(unique) + len(mesh.cells)


def test_ball():
    mesh = ball(1000)
    assert euler(mesh) == 2
    assert area(mesh) == pytest.approx(4 * np.pi, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(mesh.places, axis=1), 1)


def test_rectangle():
    mesh = rectangle(np.array([0.0, -1.0]), np.array([4.0, 1.0]), 9)
    assert mesh.places.shape == (9 * 4, 2)
    p, q, r = np.moveaxis(mesh.places[mesh.cells], 1, 0)
    a, b = q - p, r - p
    assert (np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2).sum() == pytest.approx(8)


def test_marching_tetrahedra_of_a_ball():
    axis = np.linspace(-1.2, 1.2, 25)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    mesh = marching_tetrahedra(x**2 + y**2 + z**2 - 1, np.full(3, -1.2), 0.1)
    assert euler(mesh) == 2
    longest = 1.01 * 3 * 0.1**2 / 8  # height of an arc over the diagonal of a cube
    np.testing.assert_allclose(np.linalg.norm(mesh.places, axis=1), 1, atol=longest)
    assert area(mesh) == pytest.approx(4 * np.pi, rel=0.01)


@pytest.mark.parametrize(
    ("manifold", "characteristic"),
    [(EmbeddedTorus(), 0), (EmbeddedTorus(2.0, 1.0), 0), (Implicit(lambda x: x @ x - 4, 2, 3), 2)],
)
def test_surfaces(manifold, characteristic):
    mesh = surface(manifold, 1500)
    assert euler(mesh) == characteristic
    assert 500 < len(mesh.places) < 6000
    assert area(mesh) == pytest.approx(manifold.volume, rel=0.02)
    assert bool(manifold.contains(jnp.asarray(mesh.places), 1e-4).all())
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    middle = mesh.places + 0.01 * mesh.normals
    np.testing.assert_allclose(manifold.project(jnp.asarray(middle)), mesh.places, atol=1e-4)

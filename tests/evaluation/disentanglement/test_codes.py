"""Codes of points: the angles give the points back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.evaluation import ambient_codes, angle_codes
from mvae.manifolds import SO3, EmbeddedTorus, Euclidean, FlatTorus, Product, Sphere


def points(manifold, num=200):
    return manifold.uniform(jax.random.key(0), (num,))


@pytest.mark.parametrize("manifold", [Sphere(2), FlatTorus(3), SO3(), Product((Sphere(1), Euclidean(2)))], ids=repr)
def test_ambient_codes_are_the_points(manifold):
    z = points(manifold)
    np.testing.assert_array_equal(ambient_codes(manifold, z), np.asarray(z))
    assert ambient_codes(manifold, z).dtype == np.float64


@pytest.mark.parametrize(("dim", "radius"), [(1, 1.0), (2, 3.0), (3, 1.0), (10, 0.5)])
def test_hyperspherical_angles_give_the_point_back(dim, radius):
    z = np.asarray(points(Sphere(dim, radius)))
    angles = angle_codes(Sphere(dim, radius), z)
    assert angles.shape == (200, dim)
    assert (angles[:, :-1] >= 0).all()
    assert (angles[:, :-1] <= np.pi).all()
    assert (np.abs(angles[:, -1]) <= np.pi).all()
    back, sines = [], np.ones(200)
    for angle in angles.T:
        back.append(radius * sines * np.cos(angle))
        sines = sines * np.sin(angle)
    back.append(radius * sines)
    np.testing.assert_allclose(np.stack(back, axis=1), z, atol=1e-6 * radius)


def test_angles_at_the_poles_and_the_cut():
    z = np.array([[1.0, 0, 0], [-1, 0, 0], [0, -1, 0], [0, -1, -0.0]])
    expected = [[0, 0], [np.pi, 0], [np.pi / 2, np.pi], [np.pi / 2, np.pi]]
    np.testing.assert_array_equal(angle_codes(Sphere(2), z), expected)


@pytest.mark.parametrize("manifold", [FlatTorus(1), FlatTorus(3), EmbeddedTorus()], ids=repr)
def test_angles_of_tori(manifold):
    a = np.random.default_rng(0).uniform(-3.1, 3.1, size=(50, 4, manifold.dim))
    z = manifold.from_angles(jnp.asarray(a))
    np.testing.assert_allclose(angle_codes(manifold, z), a, atol=1e-5)


def test_angles_of_euclidean_space_are_the_points():
    z = points(Euclidean(3))
    np.testing.assert_array_equal(angle_codes(Euclidean(3), z), np.asarray(z))


@pytest.mark.parametrize("manifold", [SO3(), Product((Sphere(1), Sphere(1)))], ids=repr)
def test_other_manifolds_have_no_angles(manifold):
    with pytest.raises(NotImplementedError, match="ambient_codes takes every manifold"):
        angle_codes(manifold, points(manifold))


@pytest.mark.parametrize("function", [ambient_codes, angle_codes])
@pytest.mark.parametrize(
    ("z", "message"),
    [
        (np.zeros((3, 2)), "z must have a last axis of size 3"),
        (np.zeros((3, 3), dtype=int), "z must have a floating dtype"),
        (np.full((3, 3), 0.7), "z must lie on the manifold"),
    ],
)
def test_bad_points(function, z, message):
    with pytest.raises(ValueError, match=message):
        function(Sphere(2), z)

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import FlatTorus, Sphere
from tests.precisions import DOUBLE_IS_SLOW


def test_angles_invert_from_angles(dtype):
    a = jnp.array([[-3.0, 0.0], [1e-7, math.pi], [-math.pi, 2.5]], dtype)
    torus = FlatTorus(2)
    angles = torus.angles(torus.from_angles(a))
    np.testing.assert_allclose(jnp.cos(angles - a), 1, atol=1e-6)
    assert jnp.all((angles > -math.pi) & (angles <= math.pi + 1e-6))


def test_half_turn_has_angle_pi_whatever_the_sign_of_zero():
    z = jnp.array([[-1.0, 0.0], [-1.0, -0.0]])
    np.testing.assert_allclose(FlatTorus(1).angles(z), [[math.pi], [math.pi]], rtol=1e-6)


def test_coordinates_are_interleaved():
    np.testing.assert_allclose(FlatTorus(2).from_angles(jnp.array([0.0, math.pi / 2])), [1, 0, 0, 1], atol=1e-6)


def test_volume_and_curvature():
    assert math.isclose(FlatTorus(3).volume, (2 * math.pi) ** 3)
    np.testing.assert_array_equal(FlatTorus(3).scalar_curvature(jnp.ones((2, 6))), [0, 0])


@DOUBLE_IS_SLOW
def test_squared_distance_is_the_sum_over_circles(dtype):
    z, w = (FlatTorus(3).uniform(jax.random.key(k), (100,)).astype(dtype) for k in (0, 1))
    circles = [Sphere(1).distance(z[:, i : i + 2], w[:, i : i + 2]) for i in (0, 2, 4)]
    np.testing.assert_allclose(FlatTorus(3).distance(z, w), np.linalg.norm(circles, axis=0), rtol=2e-6)


def test_tiny_turn_keeps_its_digits():
    torus = FlatTorus(2)
    z = torus.from_angles(jnp.array([2.0, -1.0]))
    turned = z + jnp.array([0.0, 0.0, -1e-6, 2e-6])
    exact = np.arctan2(*np.array(turned, float)[[3, 2]]) - np.arctan2(*np.array(z, float)[[3, 2]])
    np.testing.assert_allclose(torus.angles_between(z, turned), [0, exact], rtol=1e-6)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="dim must be an integer"):
        FlatTorus(0)
    with pytest.raises(ValueError, match="a must have a last axis of size 2"):
        FlatTorus(2).from_angles(jnp.zeros(4))
    with pytest.raises(ValueError, match="z must have a last axis of size 4"):
        FlatTorus(2).angles(jnp.zeros(2))
    with pytest.raises(ValueError, match="a must have a floating dtype"):
        FlatTorus(2).from_angles(jnp.array([0, 1]))


def test_contains_asks_every_circle():
    z = jnp.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.1]])
    np.testing.assert_array_equal(FlatTorus(2).contains(z, 1e-3), [True, False])

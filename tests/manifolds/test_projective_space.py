import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import ProjectiveSpace, Sphere
from tests.precisions import DOUBLE_IS_SLOW


def test_volume_and_curvature():
    assert math.isclose(ProjectiveSpace(1).volume, math.pi)
    assert math.isclose(ProjectiveSpace(3).volume, math.pi**2)
    assert math.isclose(ProjectiveSpace(3).log_volume, math.log(math.pi**2))
    assert ProjectiveSpace(1000).volume == 0
    assert math.isclose(ProjectiveSpace(1000).log_volume, Sphere(1000).log_volume - math.log(2))
    np.testing.assert_array_equal(ProjectiveSpace(3).scalar_curvature(jnp.ones((2, 4))), [6, 6])


@DOUBLE_IS_SLOW
def test_representatives_of_one_point_are_alike(dtype):
    space = ProjectiveSpace(2)
    z, w = (space.uniform(jax.random.key(k), (50,)).astype(dtype) for k in (0, 1))
    distance, log = jax.jit(space.distance), jax.jit(space.log)
    np.testing.assert_array_equal(distance(z, -z), 0)
    np.testing.assert_array_equal(distance(z, w), distance(-z, w))
    np.testing.assert_array_equal(log(z, w), log(z, -w))
    np.testing.assert_array_equal(log(-z, w), -log(z, w))
    angle = np.arccos(np.abs(np.sum(np.array(z) * np.array(w), axis=-1)))
    np.testing.assert_allclose(distance(z, w), angle, atol=1e-3)
    assert jnp.all(distance(z, w) <= math.pi / 2)


@DOUBLE_IS_SLOW
def test_cut_locus_is_at_a_right_angle(dtype):
    space = ProjectiveSpace(2)
    z, w = jnp.array([0.0, 1.0, 0.0], dtype), jnp.array([1.0, 0.0, 0.0], dtype)
    distance, log = jax.jit(jax.value_and_grad(space.distance, 1)), jax.jit(space.log)
    for end in (w, -w):
        length, slope = distance(z, end)
        np.testing.assert_allclose(length, math.pi / 2, rtol=1e-6)
        np.testing.assert_allclose(log(z, end), math.pi / 2 * end, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(slope, -z, atol=1e-6)  # towards z the angle falls, at unit speed


def test_projection_keeps_the_side():
    x = jnp.array([[0.0, 3.0, 4.0], [0.0, -3.0, -4.0]])
    np.testing.assert_allclose(ProjectiveSpace(2).project(x), [[0, 0.6, 0.8], [0, -0.6, -0.8]], rtol=1e-6)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="dim must be an integer of at least 1, got 0"):
        ProjectiveSpace(0)
    with pytest.raises(ValueError, match="w must have a last axis of size 3"):
        ProjectiveSpace(2).distance(jnp.zeros(3), jnp.zeros(2))

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.manifolds import SO3
from tests.precisions import DOUBLE_IS_SLOW

IDENTITY = np.eye(3).ravel()


def nearest_by_svd(x):
    """Nearest rotation, and the relative gap (s2 + s3) / s1, in float64."""
    u, s, vt = np.linalg.svd(np.array(x, np.float64).reshape(-1, 3, 3))
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    u[:, :, 2] *= sign[:, None]
    return (u @ vt).reshape(-1, 9), (s[:, 1] + sign * s[:, 2]) / s[:, 0]


@DOUBLE_IS_SLOW
def test_projection_against_svd(dtype):
    """Half of the matrices have a negative determinant; the error grows with one over the gap, as it must."""
    x = jax.random.normal(jax.random.key(0), (4000, 9), dtype)
    expected, gap = nearest_by_svd(x)
    error = np.max(np.abs(SO3().project(x) - expected), axis=-1)
    assert np.max(error * gap) < 100 * float(jnp.finfo(dtype).eps)


@pytest.mark.slow
def test_derivative_at_rotations_is_the_tangent_projection(dtype):
    """All singular values are equal there: rotations far from, at, and half a turn from the identity."""
    space = SO3()
    half_turns = space.from_quaternion(jnp.eye(4, dtype=dtype))
    z = jnp.concatenate([half_turns, space.uniform(jax.random.key(0), (8,)).astype(dtype)])
    basis = jnp.eye(9, dtype=dtype)
    expected = jnp.swapaxes(space.to_tangent(z[:, None], basis), 1, 2)
    both = jax.vmap(lambda z: (jax.jacfwd(space.project)(z), jax.jacrev(space.project)(z)))
    for jacobian in jax.jit(both)(z):
        np.testing.assert_allclose(jacobian, expected, atol=20 * float(jnp.finfo(dtype).eps))


@pytest.mark.slow
@DOUBLE_IS_SLOW
def test_projection_where_the_nearest_rotation_is_not_unique(dtype):
    """Zero, rank one, a reflection, minus the identity: a nearest rotation, with derivative 0."""
    rows = [np.zeros(9), np.outer([1, 2, 3], [3, 0, 1]).ravel(), np.diag([1, 1, -1]).ravel(), -IDENTITY]
    x = jnp.array(np.array(rows), dtype)
    z = SO3().project(x)
    assert jnp.all(SO3().contains(z, 1e-6))
    np.testing.assert_array_equal(z[0], IDENTITY)
    best = [0, math.sqrt(140), 1, 1]  # s1 + s2 + s3
    np.testing.assert_allclose(jnp.sum(x * z, axis=-1), best, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.jacrev(SO3().project)))(x), 0)


def test_projection_ignores_the_scale():
    x = jax.random.normal(jax.random.key(1), (5, 9))
    for scale in (1e-17, 1e30):
        np.testing.assert_allclose(SO3().project(scale * x), SO3().project(x), atol=1e-5)


@pytest.mark.slow
def test_second_derivatives_of_the_projection_are_finite():
    hessian = jax.jacfwd(jax.jacrev(lambda x: SO3().project(x)[1]))(jnp.asarray(IDENTITY, jnp.float32))
    assert jnp.all(jnp.isfinite(hessian))


@DOUBLE_IS_SLOW
def test_exp_log_and_distance_against_scipy(dtype):
    """Angles from 1e-6 to a half turn less 1e-6, and the half turn itself."""
    z = np.array(SO3().uniform(jax.random.key(0), (7,)), np.float64)
    z = SO3().project(jnp.asarray(z, dtype))
    axis = np.random.default_rng(0).normal(size=(7, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.array([1e-6, 1e-3, 0.5, 2.0, 3.0, math.pi - 1e-6, math.pi])
    start = np.array(z, np.float64).reshape(-1, 3, 3)
    turn = Rotation.from_rotvec(angle[:, None] * axis).as_matrix()
    w = jnp.asarray((start @ turn).reshape(-1, 9), dtype)
    v = jnp.asarray((start @ np.cross(np.eye(3), angle[:, None, None] * axis[:, None])).reshape(-1, 9), dtype)
    atol = 20 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(SO3().exp(z, v), w, atol=atol)
    np.testing.assert_allclose(SO3().distance(z, w), math.sqrt(2) * angle, atol=atol)
    log = SO3().log(z, w)
    np.testing.assert_allclose(log[:-1], v[:-1], atol=atol)
    np.testing.assert_allclose(jnp.minimum(jnp.abs(log - v), jnp.abs(log + v))[-1], 0, atol=atol)


def test_quaternions():
    q = jax.random.normal(jax.random.key(0), (5, 4))
    expected = Rotation.from_quat(np.array(q), scalar_first=True).as_matrix().reshape(-1, 9)
    np.testing.assert_allclose(SO3().from_quaternion(q), expected, atol=2e-6)
    np.testing.assert_array_equal(SO3().from_quaternion(-q), SO3().from_quaternion(q))


def test_volume_curvature_and_dimensions():
    space = SO3()
    assert (space.dim, space.ambient_dim) == (3, 9)
    assert math.isclose(space.volume, 223.3, rel_tol=1e-3)
    assert math.isclose(space.log_volume, math.log(space.volume))
    np.testing.assert_array_equal(space.scalar_curvature(jnp.ones((2, 9))), [0.75, 0.75])
    assert SO3() == space


def test_contains_rotations_only():
    z = jnp.array(np.array([IDENTITY, -IDENTITY, 1.001 * IDENTITY, np.full(9, np.nan)]), jnp.float32)
    np.testing.assert_array_equal(SO3().contains(z, 1e-4), [True, False, False, False])


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="x must have a last axis of size 9"):
        SO3().project(jnp.zeros((3, 3)))
    with pytest.raises(ValueError, match="q must have a last axis of size 4"):
        SO3().from_quaternion(jnp.zeros(3))

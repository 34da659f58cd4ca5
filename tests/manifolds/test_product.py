import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere
from tests.manifolds.test_identities import members
from tests.precisions import DOUBLE_IS_SLOW

FACTORS = (Sphere(2, radius=2.0), ProjectiveSpace(1), Euclidean(2))
SPACE = Product(FACTORS)


def parts(x):
    return x[..., :3], x[..., 3:5], x[..., 5:]


def test_members_are_those_of_the_factors():
    x, y = jax.random.normal(jax.random.key(0), (2, 6, 7))
    z = SPACE.project(x)
    whole = jax.jit(lambda *ends: members(SPACE)(*ends))(x, y)
    each = [
        jax.jit(lambda *ends, factor=factor: members(factor)(*ends))(a, b)
        for factor, a, b in zip(FACTORS, parts(x), parts(y), strict=True)
    ]
    for name in ("project", "to_tangent", "exp", "log"):
        expected = np.concatenate([member[name] for member in each], axis=-1)
        np.testing.assert_allclose(whole[name], expected, rtol=1e-5, atol=1e-6)
    distances = [member["distance"] for member in each]
    np.testing.assert_allclose(whole["distance"], np.linalg.norm(distances, axis=0), rtol=1e-6)
    np.testing.assert_allclose(whole["distance"], np.linalg.norm(whole["log"], axis=-1), rtol=1e-6)
    assert jnp.all(SPACE.contains(z))
    assert not jnp.any(SPACE.contains(z.at[:, 3:5].multiply(1.1)))
    np.testing.assert_array_equal(SPACE.join(SPACE.split(x)), x)


@DOUBLE_IS_SLOW
def test_distance_has_derivative_zero_at_the_diagonal(dtype):
    z = SPACE.uniform(jax.random.key(0)).astype(dtype)
    np.testing.assert_array_equal(jax.grad(SPACE.distance, 1)(z, z), 0)


@DOUBLE_IS_SLOW
def test_a_product_of_circles_is_the_flat_torus(dtype):
    torus, circles = FlatTorus(2), Product((Sphere(1), Sphere(1)))
    z, w = (torus.uniform(jax.random.key(k), (20,)).astype(dtype) for k in (0, 1))
    np.testing.assert_allclose(circles.distance(z, w), torus.distance(z, w), rtol=1e-5)
    np.testing.assert_allclose(circles.log(z, w), torus.log(z, w), rtol=1e-4, atol=1e-5)
    assert math.isclose(circles.volume, torus.volume)


def test_dimensions_volume_and_curvature_add_up():
    closed = Product((Sphere(2, radius=2.0), Product((SO3(), ProjectiveSpace(3)))))
    assert (closed.dim, closed.ambient_dim) == (8, 16)
    assert math.isclose(closed.volume, 16 * math.pi * 16 * math.sqrt(2) * math.pi**2 * math.pi**2)
    assert math.isclose(closed.log_volume, math.log(closed.volume))
    z = jnp.zeros((2, 16))
    np.testing.assert_allclose(closed.scalar_curvature(z), 0.5 + 0.75 + 6)
    assert SPACE.volume == SPACE.log_volume == math.inf
    assert hash(SPACE) == hash(Product((*FACTORS,)))


def test_points_broadcast_and_draws_are_independent():
    z, w = jnp.zeros((3, 1, 7)), jnp.zeros((4, 7))
    for function in (SPACE.log, SPACE.exp, SPACE.to_tangent):
        assert jax.eval_shape(function, z, w).shape == (3, 4, 7)
    pair = Product((Euclidean(1), Euclidean(1))).uniform(jax.random.key(0), (10_000,))
    assert abs(float(jnp.mean(pair[:, 0] * pair[:, 1]))) < 5 / 100


def test_wrong_arguments_are_named():
    for factors in ((), 3, (Sphere(2), "circle")):
        with pytest.raises(ValueError, match="factors must be"):
            Product(factors)
    with pytest.raises(ValueError, match="z must have a last axis of size 7"):
        SPACE.distance(jnp.zeros(6), jnp.zeros(7))
    with pytest.raises(ValueError, match="parts must be 3 arrays, got 1"):
        SPACE.join((jnp.zeros(3),))
    with pytest.raises(ValueError, match=r"parts\[1\] must have a last axis of size 2"):
        SPACE.join((jnp.zeros(3), jnp.zeros(3), jnp.zeros(2)))

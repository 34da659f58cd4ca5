import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from mvae.manifolds import Sphere


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
def test_volume_is_the_integral_over_shells(dim):
    shell = 2.0 if dim == 1 else Sphere(dim - 1).volume
    expected = shell * integrate.quad(lambda a: math.sin(a) ** (dim - 1), 0, math.pi)[0]
    assert math.isclose(Sphere(dim).volume, expected, rel_tol=1e-12)
    assert math.isclose(Sphere(dim, radius=2.0).volume, expected * 2.0**dim, rel_tol=1e-12)
    assert math.isclose(Sphere(dim, radius=2.0).log_volume, math.log(expected * 2.0**dim), rel_tol=1e-12)


def test_log_volume_outlives_the_volume():
    assert Sphere(1000).volume == 0
    assert math.isclose(Sphere(1000).log_volume, math.log(2) + 500.5 * math.log(math.pi) - math.lgamma(500.5))


@pytest.mark.parametrize(("dim", "radius", "curvature"), [(1, 1.0, 0.0), (2, 1.0, 2.0), (3, 2.0, 1.5)])
def test_scalar_curvature(dim, radius, curvature):
    np.testing.assert_allclose(Sphere(dim, radius).scalar_curvature(jnp.zeros((4, dim + 1))), curvature)


def test_origin_projects_to_the_pole():
    np.testing.assert_array_equal(Sphere(2, radius=3.0).project(jnp.zeros(3)), [3.0, 0.0, 0.0])


def test_tiny_and_huge_points_project_without_under_or_overflow():
    x = jnp.array([[3e-18, 0.0, 4e-18], [3e30, 0.0, 4e30]])
    np.testing.assert_allclose(Sphere(2).project(x), [[0.6, 0.0, 0.8]] * 2, rtol=1e-6)


@pytest.mark.parametrize("dim", [0, -1, 2.0, "2", True, None])
def test_dim_must_be_a_positive_integer(dim):
    with pytest.raises(ValueError, match="dim must be an integer"):
        Sphere(dim)


@pytest.mark.parametrize("radius", [0.0, -1.0, math.inf, math.nan, "one"])
def test_radius_must_be_positive_and_finite(radius):
    with pytest.raises(ValueError, match="radius must be"):
        Sphere(2, radius)


def test_wrong_points_are_named():
    sphere, z = Sphere(2), jnp.zeros((5, 3))
    with pytest.raises(ValueError, match=r"x must have a last axis of size 3, got shape \(5, 4\)"):
        sphere.project(jnp.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"x must have a last axis of size 3, got shape \(\)"):
        sphere.project(jnp.float32(1))
    with pytest.raises(ValueError, match="v must have a floating dtype, got int32"):
        sphere.exp(z, jnp.zeros((5, 3), int))
    with pytest.raises(ValueError, match="w must have a last axis"):
        sphere.log(z, jnp.zeros(2))
    with pytest.raises(ValueError, match=r"z and w must broadcast, got shapes \(5, 3\) and \(4, 3\)"):
        sphere.distance(z, jnp.zeros((4, 3)))


def test_contains():
    x = jnp.array([[1.0, 0.0], [1.0 + 1e-3, 0.0], [jnp.nan, 0.0]])
    np.testing.assert_array_equal(Sphere(1).contains(x, 1e-4), [True, False, False])

import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import integrate

from mvae.diffusion import kl_to_uniform
from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere
from tests.precisions import DOUBLE_IS_SLOW

from .oracles import log_circle_kernel_by_theta, log_kernel_by_series, log_kernel_of_rotations

TARGET = {"float32": 1e-4, "float64": 1e-5}
TIMES = [0.02, 0.05, 0.1, 0.3]
# Computed before this library existed, from spectral series in float64; printed to five decimals.
KNOWN = {
    2: [3.61517, 2.71391, 2.04588, 1.04857],
    3: [4.62379, 3.29418, 2.32882, 0.97369],
    5: [6.21911, 4.07601, 2.58454, 0.74102],
    10: [8.84630, 4.90921, 2.45777, 0.28118],
}


def pole(manifold, dtype=jnp.float32):
    return manifold.project(jnp.ones(manifold.ambient_dim, dtype))


def by_quadrature(dim, t, log_kernel):
    """KL by adaptive quadrature over the angle of a kernel that is not the library's."""
    shell = 2.0 if dim == 1 else Sphere(dim - 1).volume

    def integrand(angle):
        log_q = log_kernel(t, angle)
        return shell * math.sin(angle) ** (dim - 1) * math.exp(log_q) * (log_q + Sphere(dim).log_volume)

    width = min(math.pi, math.sqrt(t) * (math.sqrt(dim) + 7))
    return integrate.quad(integrand, 0, width, epsabs=1e-10, epsrel=1e-10)[0]


@pytest.mark.parametrize("dim", KNOWN)
def test_known_values(dim, dtype):
    value = kl_to_uniform(Sphere(dim), jnp.array(TIMES, dtype), pole(Sphere(dim), dtype))
    np.testing.assert_allclose(value, KNOWN[dim], atol=TARGET[dtype.name])


@pytest.mark.parametrize(("dim", "t"), [(2, 0.05), (2, 1.5), (4, 0.1)])
def test_sphere_against_quadrature_of_the_series(dim, t):
    expected = by_quadrature(dim, t, lambda s, a: log_kernel_by_series(dim, s, a))
    with jax.enable_x64(True):
        assert abs(float(kl_to_uniform(Sphere(dim), t, pole(Sphere(dim)))) - expected) < 1e-6
        value = float(kl_to_uniform(Sphere(dim), t, pole(Sphere(dim), jnp.float64)))
    assert abs(value - expected) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3, 7, 20, 50])
def test_sphere_against_quadrature_on_a_finer_grid(dim):
    times = np.geomspace(0.05, 8, 8) / dim
    expected = [by_quadrature(dim, t, lambda s, a: log_kernel_by_series(dim, s, a)) for t in times]
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            kl_to_uniform(Sphere(dim), times, pole(Sphere(dim), jnp.float64)), expected, atol=1e-9
        )


def by_quadrature_on_lines(dim, t):
    """KL on RP^d by adaptive quadrature of the even harmonics."""

    def integrand(angle):
        log_q = log_kernel_by_series(dim, t, angle, lines=True)
        shell = Sphere(dim - 1).volume * math.sin(angle) ** (dim - 1)
        return shell * math.exp(log_q) * (log_q + ProjectiveSpace(dim).log_volume)

    width = min(math.pi / 2, math.sqrt(t) * (math.sqrt(dim) + 7))
    return integrate.quad(integrand, 0, width, epsabs=1e-10, epsrel=1e-10)[0]


@pytest.mark.parametrize(
    ("dim", "t"),
    [(2, 0.3), (10, 0.1)]
    + [pytest.param(d, s / d, marks=pytest.mark.slow) for d in (2, 3, 20, 50) for s in (0.1, 0.3, 1.0, 3.0, 10.0)],
)
def test_projective_space_against_quadrature_of_the_series(dim, t):
    expected = by_quadrature_on_lines(dim, t)
    with jax.enable_x64(True):
        value = float(kl_to_uniform(ProjectiveSpace(dim), t, pole(ProjectiveSpace(dim), jnp.float64)))
    assert abs(value - expected) < 5e-9
    assert abs(float(kl_to_uniform(ProjectiveSpace(dim), t, pole(ProjectiveSpace(dim)))) - expected) < 5e-5


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("t", [0.1, 1.0, 4.0])
def test_rotations_against_quadrature_of_the_characters(t, dtype):
    def integrand(angle):  # the angle of a uniform rotation has density (1 - cos a) / pi
        log_ratio = log_kernel_of_rotations(t, angle) + SO3().log_volume
        return math.exp(log_ratio) * log_ratio * (1 - math.cos(angle)) / math.pi

    expected = integrate.quad(integrand, 0, min(math.pi, 7 * math.sqrt(t)), epsabs=1e-10, epsrel=1e-10)[0]
    value = kl_to_uniform(SO3(), t, pole(SO3(), dtype))
    assert abs(float(value) - expected) < (5e-5 if dtype == jnp.float32 else 1e-9)


@pytest.mark.parametrize("method", ["exact", "asymptotic"])
def test_product_is_the_sum_over_the_factors(method):
    space = Product((Sphere(2), Product((ProjectiveSpace(2), Euclidean(2)))))
    z, t = space.uniform(jax.random.key(0), (3,)), jnp.array([0.01, 0.1, 0.5])
    parts = zip((Sphere(2), ProjectiveSpace(2), Euclidean(2)), (z[:, :3], z[:, 3:6], z[:, 6:]), strict=True)
    expected = sum(kl_to_uniform(factor, t, part, method=method) for factor, part in parts)
    np.testing.assert_allclose(kl_to_uniform(space, t, z, method=method), expected, rtol=1e-5)


@pytest.mark.parametrize("t", [0.05, 1.0, 4.0])
def test_torus_is_a_sum_of_circles(t):
    expected = 3 * by_quadrature(1, t, log_circle_kernel_by_theta)
    with jax.enable_x64(True):
        value = float(kl_to_uniform(FlatTorus(3), t, pole(FlatTorus(3), jnp.float64)))
    assert abs(value - expected) < 1e-8


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("manifold", [Sphere(2), Sphere(50), FlatTorus(2)], ids=repr)
def test_finite_decreasing_and_positive_from_end_to_end(manifold, dtype):
    t = jnp.asarray(np.geomspace(1e-8, 60 / manifold.dim, 400), dtype)
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(lambda t: kl_to_uniform(manifold, t, pole(manifold, dtype)))))(t)
    assert jnp.all(jnp.isfinite(value) & (value > 0))
    assert jnp.all(jnp.isfinite(slope) & (slope < 0))
    assert jnp.all(jnp.diff(value) < 1e-5)
    later = kl_to_uniform(manifold, 1e6, pole(manifold, dtype))
    assert 0 <= later < 1e-30


@pytest.mark.parametrize(
    "manifold", [Sphere(2), Sphere(10), Sphere(3, radius=2.0), FlatTorus(2), ProjectiveSpace(3), SO3()], ids=repr
)
def test_asymptotic_is_exact_to_first_order(manifold):
    with jax.enable_x64(True):
        z = pole(manifold, jnp.float64)
        t = jnp.array([1e-7, 1e-4, 2e-4])
        gap = kl_to_uniform(manifold, t, z) - kl_to_uniform(manifold, t, z, method="asymptotic")
        assert abs(gap[0]) < 1e-9
        assert jnp.all(jnp.abs(gap) < 1e-9 + manifold.dim**3 * t**2)


def test_large_times_decay_with_the_first_harmonics():
    with jax.enable_x64(True):
        t = jnp.array([3.0, 8.0, 20.0])
        value = kl_to_uniform(Sphere(2), t, pole(Sphere(2), jnp.float64))
        np.testing.assert_allclose(value, 1.5 * jnp.exp(-2 * t), rtol=3e-3)


@pytest.mark.slow
def test_derivative_in_time(dtype):
    kl = lambda t: kl_to_uniform(Sphere(5), t, pole(Sphere(5), dtype))  # noqa: E731
    t = jnp.array([1e-3, 0.1, 1.0, 2.39, 2.41, 5.0], dtype)
    slope = jax.vmap(jax.grad(kl))(t)
    np.testing.assert_allclose(jax.vmap(jax.jacfwd(kl))(t), slope, rtol=1e-4)
    if dtype == jnp.float64:
        difference = (kl(t * (1 + 1e-6)) - kl(t * (1 - 1e-6))) / (2e-6 * t)
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["exact", "asymptotic"])
def test_euclidean_is_the_divergence_of_two_normals(method):
    z, t = jnp.array([[0.5, -1.0], [0.0, 2.0]]), jnp.array([0.3, 1.0])
    expected = [(2 * s + float(x @ x) - 2 - 2 * math.log(s)) / 2 for s, x in zip([0.3, 1.0], z, strict=True)]
    np.testing.assert_allclose(kl_to_uniform(Euclidean(2), t, z, method=method), expected, rtol=1e-5)


def test_radius_rescales_time():
    small = kl_to_uniform(Sphere(2), 0.1, pole(Sphere(2)))
    large = kl_to_uniform(Sphere(2, radius=3.0), 0.9, pole(Sphere(2, radius=3.0)))
    np.testing.assert_allclose(small, large, rtol=1e-6)


def test_time_broadcasts_and_wrong_arguments_are_named():
    z = jnp.tile(pole(Sphere(2)), (4, 1))
    assert kl_to_uniform(Sphere(2), 0.1, z).shape == (4,)
    assert kl_to_uniform(Sphere(2), jnp.full((3, 1), 0.1), z).shape == (3, 4)
    with pytest.raises(ValueError, match="method must be one of"):
        kl_to_uniform(Sphere(2), 0.1, z, method="exakt")
    with pytest.raises(ValueError, match="t must be positive"):
        kl_to_uniform(Sphere(2), -0.1, z)
    with pytest.raises(ValueError, match="t must broadcast"):
        kl_to_uniform(Sphere(2), jnp.ones(3), z)
    with pytest.raises(ValueError, match="z must have a last axis of size 3"):
        kl_to_uniform(Sphere(2), 0.1, z[:, :2])


def test_oracle_agrees_with_theta_at_one_point():
    with mp.workdps(30):
        images = mp.fsum(mp.exp(-((1 + 2 * mp.pi * k) ** 2) / 2) for k in range(-5, 6)) / mp.sqrt(2 * mp.pi)
    assert abs(log_circle_kernel_by_theta(1.0, 1.0) - float(mp.log(images))) < 1e-14

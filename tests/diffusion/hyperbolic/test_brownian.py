"""Brownian motion on hyperbolic space, against closed forms, mpmath's integrals and samples."""

import functools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

from mvae.diffusion import kl_to_uniform, log_heat_kernel, log_prior, random_walk, sample
from mvae.manifolds import Hyperbolic, Product, Sphere
from mvae.manifolds.hyperbolic.kernel import log_hyperbolic_kernel
from mvae.manifolds.hyperbolic.quantile import log_radial_density

TIMES = [0.005, 0.1, 1.0, 4.0]
DISTANCES = [0.0, 1e-6, 1e-2, 0.3, 1.0, 3.0, 6.0]
compiled = jax.jit(log_hyperbolic_kernel, static_argnums=(0, 3))


@functools.partial(jax.jit, static_argnums=0)
def kernel(space, t, z, w):
    return log_heat_kernel(space, t, z, w)


@functools.partial(jax.jit, static_argnums=(0, 4))
def draws(space, key, t, v, num):
    """Draws of Brownian motion from the point at v in the tangent space of the origin, and that point."""
    z = jnp.broadcast_to(space.from_tangent(v), (num, space.ambient_dim))
    return z, sample(key, space, z, t)


def line(t, r, derivatives):
    """(-1 / (2 pi sinh r) d/dr)^k of the Gaussian on the line, at a distance, by mpmath."""

    def at(x, k):
        if k == 0:
            return mpmath.exp(-(x**2) / (2 * t)) / mpmath.sqrt(2 * mpmath.pi * t)
        return -mpmath.diff(lambda s: at(s, k - 1), x) / (2 * mpmath.pi * mpmath.sinh(x))

    return at(r, derivatives)


def plane(t, r):
    """The integral over s from r to infinity for H^2, with s = r + u^2, by mpmath."""

    def integrand(u):
        s = r + u**2
        difference = 2 * mpmath.sinh((s + r) / 2) * mpmath.sinh(u**2 / 2)  # of cosh s and cosh r
        return 2 * u * s * mpmath.exp(-(s**2 - r**2) / (2 * t)) / mpmath.sqrt(difference)

    top = mpmath.sqrt(9 * mpmath.sqrt(t) + 3 * t)
    whole = mpmath.quad(integrand, [top * j / 8 for j in range(9)])
    return mpmath.sqrt(2) * (2 * mpmath.pi * t) ** -1.5 * mpmath.exp(-t / 8 - r**2 / (2 * t)) * whole


def exact(dim, t, r):
    """Log density: by recursion from the line for odd d, by the integral for H^2."""
    with mpmath.workdps(20 if dim == 2 else 60):
        t, r = mpmath.mpf(t), mpmath.mpf(max(r, 1e-8))
        if dim == 2:
            return float(mpmath.log(plane(t, r)))
        if dim == 3:
            return float(mpmath.log((2 * mpmath.pi * t) ** -1.5 * r / mpmath.sinh(r)) - t / 2 - r**2 / (2 * t))
        return float(mpmath.log(line(t, r, (dim - 1) // 2)) - mpmath.mpf((dim - 1) ** 2) / 8 * t)


@pytest.mark.parametrize("dim", [2, 3, 5, 7])
@pytest.mark.parametrize("t", TIMES)
def test_kernel_is_exact(dim, t, dtype):
    distances = np.array(DISTANCES)
    expected = np.array([exact(dim, t, r) for r in distances])
    shown = expected > -30
    log_q = compiled(jnp, jnp.full(len(distances), t, dtype), jnp.asarray(distances, dtype), dim)
    assert jnp.all(jnp.isfinite(log_q))
    error = 1e-4 if dtype == jnp.float32 else 1e-9
    np.testing.assert_allclose(np.array(log_q, float)[shown], expected[shown], atol=error)
    if dtype == jnp.float64:
        again = log_hyperbolic_kernel(np, np.full(len(distances), t), distances, dim)
        np.testing.assert_allclose(again, log_q, atol=1e-9)


@pytest.mark.parametrize("dim", [pytest.param(2, marks=pytest.mark.slow), 4, 6, 10])
@pytest.mark.parametrize("t", [0.05, 1.0, 4.0])
def test_two_dimensions_more_are_a_derivative(dim, t):
    with jax.enable_x64(True):
        r = jnp.linspace(0.2, 5, 9)

        def log_q(r):
            return compiled(jnp, jnp.asarray([t]), r[None], dim)[0]

        slope = jax.vmap(jax.grad(log_q))(r)
        expected = jax.vmap(log_q)(r) + jnp.log(-slope / (2 * math.pi * jnp.sinh(r))) - dim * t / 2
        found = compiled(jnp, jnp.full(len(r), t), r, dim + 2)
        np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("dim", [2, 3, 4, 8])
@pytest.mark.parametrize("t", [0.01, 0.3, 2.0])
def test_mass_is_one(dim, t):
    r = np.linspace(0, math.sqrt(t) * (math.sqrt(dim) + 10) + (dim - 1) * t / 2, 4001)[1:]
    density = np.exp(log_radial_density(dim, np.full(len(r), t), r))
    np.testing.assert_allclose(np.sum(density) * r[0], 1, atol=1e-9 if dim > 2 else 1e-5)


def test_times_add_up():
    """Integral over H^2 of q(s; z, w) q(t; w, v), in polar coordinates around z."""
    with jax.enable_x64(True):
        space = Hyperbolic(2)
        nodes, weights = np.polynomial.legendre.leggauss(200)
        r = 5 * (1 + nodes)
        turns = 2 * math.pi * np.arange(120) / 120
        around = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
        from_tangent = jax.jit(space.from_tangent)
        w = from_tangent(jnp.asarray(r[:, None, None] * around))
        z, v = from_tangent(jnp.zeros(2)), from_tangent(jnp.array([0.8, 0.4]))
        q = np.exp(kernel(space, 0.4, z, w) + kernel(space, 0.7, v, w))
        total = np.sum(q.mean(axis=1) * 2 * math.pi * np.sinh(r) * weights * 5)
        np.testing.assert_allclose(np.log(total), kernel(space, 1.1, z, v), atol=1e-9)


def test_curvature_is_a_unit_of_length(dtype):
    one, other = Hyperbolic(3), Hyperbolic(3, curvature=-0.25)
    z, w = jax.jit(lambda key: one.uniform(key, (2, 5)))(jax.random.key(0)).astype(dtype)
    expected = kernel(one, 0.3, z, w) - 3 * math.log(2)
    np.testing.assert_allclose(kernel(other, 1.2, 2 * z, 2 * w), expected, rtol=1e-4)


def test_derivatives_are_finite(dtype):
    space = Hyperbolic(2)
    v = jnp.asarray([[0.0, 0.0], [1e-9, 0.0], [0.5, 0.1], [3.0, -9.0], [20.0, 20.0]], dtype)
    z, w = jax.jit(space.from_tangent)(jnp.stack([v, jnp.roll(v, 1, axis=0)]))
    gradient = jax.jit(jax.vmap(jax.grad(lambda t, z, w: log_heat_kernel(space, t, z, w), (0, 1, 2)), (None, 0, 0)))
    for t in (1e-3, 0.3, 8.0):
        for end in (z, w):
            assert all(np.all(np.isfinite(slope)) for slope in gradient(jnp.asarray(t, dtype), z, end))


@pytest.mark.parametrize(("dim", "t"), [(2, 0.2), (2, 6.0), (3, 1.0), pytest.param(6, 0.5, marks=pytest.mark.slow)])
def test_samples_have_the_radial_distribution(dim, t):
    space = Hyperbolic(dim)
    z, w = draws(space, jax.random.key(0), t, jnp.full(dim, 0.7), 10_000)
    r = np.array(jax.jit(space.distance)(z, w), float)
    top = math.sqrt(t) * (math.sqrt(dim) + 9) + (dim - 1) * t / 2
    grid = np.linspace(1e-6, top, 4001)
    density = np.exp(log_radial_density(dim, np.full(len(grid), t), grid))
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    assert stats.kstest(r, lambda a: np.interp(a, grid, cumulative)).pvalue > 1e-4


def test_beyond_its_table_a_sample_is_nan():
    space = Hyperbolic(2)
    assert np.all(np.isnan(draws(space, jax.random.key(0), 13.0, jnp.full(2, 0.7), 20_000)[1]))


@pytest.mark.parametrize("kind", ["projection", "geodesic"])
def test_walks_tend_to_brownian_motion(kind):
    space, t, num = Product((Hyperbolic(3), Sphere(1))), 0.8, 5_000

    @jax.jit
    def distances(key):
        start = jnp.concatenate([space.factors[0].from_tangent(jnp.array([1.0, 0.5, 0.0])), jnp.array([1.0, 0.0])])
        z = jnp.broadcast_to(start, (num, 6))
        end = random_walk(key, space, z, t, num_steps=40, kind=kind)
        return space.factors[0].distance(z[:, :4], end[:, :4])

    r = np.array(distances(jax.random.key(0)), float)
    # E[cosh r] = exp(d t / 2), as cosh r is an eigenfunction.
    cosh = np.cosh(r)
    assert abs(cosh.mean() - math.exp(1.5 * t)) < 5 * cosh.std() / math.sqrt(num) + 0.02


@pytest.mark.parametrize("dim", [2, 3])
def test_divergence_is_the_mean_over_samples(dim):
    space = Hyperbolic(dim, curvature=-0.5, prior_time=2.0)
    prior, divergence = jax.jit(lambda w: log_prior(space, w)), jax.jit(lambda t, z: kl_to_uniform(space, t, z))
    for at, t in (((0.0, 0.0), 0.3), ((1.5, -1.0), 0.05), ((4.0, 1.0), 1.0)):
        z, w = draws(space, jax.random.key(1), t, jnp.zeros(dim).at[:2].set(jnp.array(at)), 10_000)
        ratio = np.array(kernel(space, t, z, w) - prior(w), float)
        kl = float(divergence(t, z[0]))
        assert abs(ratio.mean() - kl) < 5 * ratio.std() / math.sqrt(len(ratio)) + 1e-4


def test_divergence_of_the_prior_itself_is_nothing(dtype):
    space = Hyperbolic(2, prior_time=1.3)
    origin = space.from_tangent(jnp.zeros(2, dtype))
    np.testing.assert_allclose(kl_to_uniform(space, 1.3, origin), 0, atol=5e-5 if dtype == jnp.float32 else 1e-8)
    exact_kl = kl_to_uniform(space, 0.01, origin)
    small = kl_to_uniform(space, 0.01, origin, method="asymptotic")
    np.testing.assert_allclose(small, exact_kl, atol=1e-3)

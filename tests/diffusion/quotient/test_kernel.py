"""Heat kernels on quotients, against theta functions, sums of eigenfunctions, quadrature and samples."""

import functools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

from mvae.diffusion import log_heat_kernel, log_prior, random_walk, sample
from mvae.manifolds import (
    SO3,
    Cylinder,
    Interval,
    KleinBottle,
    LensSpace,
    MobiusBand,
    ProjectiveSpace,
    Quotient,
    RotationQuotient,
    Sphere,
    uniform_map,
)
from tests.precisions import DOUBLE_IS_SLOW

TIMES = [0.02, 0.3, 2.0]


@functools.partial(jax.jit, static_argnums=0)
def kernel(space, t, z, w):
    return log_heat_kernel(space, t, z, w)


def error_of(dtype):
    return 1e-4 if dtype == jnp.float32 else 1e-9


def check(dtype, log_q, density):
    """The relative error of the density, where it is above e^-30."""
    density = np.array(density, float)
    shown = density > math.exp(-30)
    assert shown.any()
    np.testing.assert_allclose(np.exp(np.array(log_q, float)[shown]), density[shown], rtol=error_of(dtype))


@pytest.mark.parametrize("t", TIMES)
def test_interval_has_theta_functions(dtype, t):
    """1/2L (theta_3(pi (x-y) / 2L, e^(-pi^2 t / 2L^2)) + theta_3(pi (x+y) / 2L, ...))."""
    length, space = 2.0, Interval(2.0)
    x, y = (np.random.default_rng(k).uniform(0, length, 12) for k in (0, 1))
    x[:2], y[0] = (0, length), 0
    z, w = (space.from_coordinates(jnp.asarray(a[:, None], dtype)) for a in (x, y))
    nome = mpmath.exp(-(mpmath.pi**2) * t / (2 * length**2))
    with mpmath.workdps(30):
        expected = [
            sum(mpmath.jtheta(3, mpmath.pi * a / (2 * length), nome) for a in (p - q, p + q)) / (2 * length)
            for p, q in zip(x, y, strict=True)
        ]
    check(dtype, kernel(space, t, z, w), expected)


def klein_modes(x, y, t, num=80):
    """Sum over eigenfunctions: e^(i m x) cos(n y) for even m, e^(i m x) sin(n y) for odd m, area 2 pi^2."""
    total = 0.0
    for m in range(-num, num + 1):
        for n in range(num + 1):
            weight = math.exp(-(m**2 + n**2) * t / 2)
            if weight < 1e-25:
                break
            turned = np.cos(m * (x[0] - y[0]))
            if m % 2 == 0:
                total += weight * turned * np.cos(n * x[1]) * np.cos(n * y[1]) * (2 if n else 1)
            else:
                total += weight * turned * np.sin(n * x[1]) * np.sin(n * y[1]) * 2
    return total / (2 * math.pi**2)


@pytest.mark.parametrize("t", [0.05, 0.3, 2.0])
def test_klein_bottle_has_its_eigenfunctions(dtype, t):
    x, y = (np.random.default_rng(k).uniform(-math.pi, math.pi, (2, 10)) for k in (0, 1))
    y[:, :4] = x[:, :4] + 0.3
    z, w = (KleinBottle().from_coordinates(jnp.asarray(a.T, dtype)) for a in (x, y))
    density = klein_modes(x, y, t)
    log_q = np.array(kernel(KleinBottle(), t, z, w), float)
    trusted = density > 1e-9  # below, the sum's own rounding shows
    np.testing.assert_allclose(np.exp(log_q[trusted]), density[trusted], rtol=max(error_of(dtype), 1e-6))
    np.testing.assert_allclose(np.exp(log_q[density > 1e-4]), density[density > 1e-4], rtol=error_of(dtype))


@pytest.mark.parametrize("space", [Interval(2.0), Cylinder(5.0, 2.0), MobiusBand(4.0, 1.5), KleinBottle()], ids=repr)
@pytest.mark.parametrize("t", [0.05, 1.0])
@DOUBLE_IS_SLOW
def test_mass_is_one_and_times_add_up(space, t, dtype):
    num = 200 if space.dim == 1 else 64
    line = (np.arange(num) + 0.5) / num  # the midpoint rule is exact to rounding on a cover without an edge
    grid = np.stack(np.meshgrid(*[line] * space.dim, indexing="ij"), axis=-1).reshape(-1, space.dim)
    w = jax.jit(uniform_map(space))(jnp.asarray(grid, dtype))
    z, end = space.uniform(jax.random.key(2), (2,)).astype(dtype)
    q = np.exp(kernel(space, t, z, w))
    cell = space.volume / len(grid)
    np.testing.assert_allclose(np.sum(q) * cell, 1, rtol=1e-5 if dtype == jnp.float32 else 1e-10)
    twice = np.sum(q * np.exp(kernel(space, t, end, w))) * cell
    np.testing.assert_allclose(np.log(twice), kernel(space, 2 * t, z, end), atol=1e-4)


@pytest.mark.parametrize("t", [0.1, 1.0])
@DOUBLE_IS_SLOW
def test_special_cases(dtype, t):
    general, special = Quotient(Sphere(2), -np.eye(3)), ProjectiveSpace(2)
    z, w = (special.uniform(jax.random.key(k), (10,)).astype(dtype) for k in (0, 1))
    pairs = [(general, special), (RotationQuotient("cyclic", 1), SO3()), (LensSpace(2, 1), ProjectiveSpace(3))]
    for one, other in pairs:
        z, w = (other.uniform(jax.random.key(k), (10,)).astype(dtype) for k in (0, 1))
        expected = kernel(other, t, z, w)
        np.testing.assert_allclose(kernel(one, t, z, w), expected, rtol=error_of(dtype), atol=error_of(dtype))
        np.testing.assert_allclose(log_prior(one, z), -other.log_volume, rtol=1e-6)


@pytest.mark.parametrize("space", [LensSpace(5, 2), RotationQuotient("icosahedral")], ids=repr)
def test_mass_is_one_by_uniform_draws(space):
    z = space.uniform(jax.random.key(0))
    w = space.uniform(jax.random.key(1), (3000,))
    q = np.exp(np.array(kernel(space, 0.3, z, w), float)) * space.volume
    assert abs(q.mean() - 1) < 5 * q.std() / math.sqrt(len(q))


def test_derivatives_are_finite_where_points_meet_their_images(dtype):
    space = Interval(2.0)
    z = space.from_coordinates(jnp.array([[0.0], [2.0], [0.7]], dtype))
    gradients = jax.jit(jax.jacrev(lambda t, z, w: log_heat_kernel(space, t, z, w), (0, 1, 2)))
    for t in (1e-3, 0.1, 5.0):
        assert all(np.all(np.isfinite(g)) for g in gradients(jnp.asarray(t, dtype), z, z))
    # No mass flows across the end: the derivative along the interval vanishes there.
    slope = jax.jit(jax.grad(lambda x: log_heat_kernel(space, 0.3, z[2], space.from_coordinates(x))))(
        jnp.zeros(1, dtype)
    )
    np.testing.assert_allclose(slope, 0, atol=1e-5)


@pytest.mark.parametrize("sampler", ["exact", "walk"])
def test_reflected_samples_have_the_kernel(sampler):
    space, t, num = Interval(2.0), 0.5, 20_000
    z = jnp.broadcast_to(space.from_coordinates(jnp.array([0.3])), (num, 2))

    @jax.jit
    def coordinates(key):
        exact = sampler == "exact"
        return space.coordinates(sample(key, space, z, t) if exact else random_walk(key, space, z, t, num_steps=200))

    x = np.array(coordinates(jax.random.key(0))[:, 0], float)
    grid = np.linspace(0, 2, 2001)
    density = np.exp(np.array(kernel(space, t, z[0], space.from_coordinates(jnp.asarray(grid[:, None])))))
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    assert stats.kstest(x, lambda a: np.interp(a, grid, cumulative)).pvalue > 1e-4

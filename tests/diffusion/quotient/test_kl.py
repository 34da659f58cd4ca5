"""Divergences on quotients, against quadrature over the space and averages over exact samples."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import kl_to_uniform, log_heat_kernel, log_prior, sample
from mvae.manifolds import (
    SO3,
    Cylinder,
    Interval,
    KleinBottle,
    LensSpace,
    MobiusBand,
    ProjectiveSpace,
    RotationQuotient,
    Sphere,
    uniform_map,
)
from tests.precisions import DOUBLE_IS_SLOW


@functools.partial(jax.jit, static_argnums=0)
def kernel(space, t, z, w):
    return log_heat_kernel(space, t, z, w)


@functools.partial(jax.jit, static_argnums=0)
def divergence(space, t, z):
    return kl_to_uniform(space, t, z)


@functools.partial(jax.jit, static_argnums=0)
def log_ratios(space, t, z):
    """Log of the kernel over the uniform density at exact samples."""
    z = jnp.broadcast_to(z, (10_000, space.ambient_dim))
    w = sample(jax.random.key(1), space, z, t)
    return log_heat_kernel(space, t, z, w) - log_prior(space, w)


@pytest.mark.parametrize("space", [Interval(2.0), Cylinder(5.0, 2.0), MobiusBand(4.0, 1.5), KleinBottle()], ids=repr)
@pytest.mark.parametrize("t", [0.01, 0.1, 1.0, 10.0])
@DOUBLE_IS_SLOW
def test_flat_divergence_is_the_integral(space, t, dtype):
    num = 2000 if space.dim == 1 else 200
    with jax.enable_x64(True):
        line = (np.arange(num) + 0.5) / num
        grid = np.stack(np.meshgrid(*[line] * space.dim, indexing="ij"), axis=-1).reshape(-1, space.dim)
        w = jax.jit(uniform_map(space))(jnp.asarray(grid, jnp.float64))
        z = space.uniform(jax.random.key(0), (3,)).astype(jnp.float64)
        low, high = (space.from_coordinates(jnp.asarray([side[k] for side in space.sides])) for k in (0, 1))
        z = jnp.concatenate([z, low[None], high[None]])
        log_ratio = np.array(kernel(space, t, z[:, None], w)) + space.log_volume
        expected = np.mean(np.exp(log_ratio) * log_ratio, axis=1)
    kl = divergence(space, t, z.astype(dtype))
    np.testing.assert_allclose(kl, expected, atol=5e-5 if dtype == jnp.float32 else 1e-8)


def test_flat_divergence_has_derivatives(dtype):
    space = MobiusBand()
    z = space.from_coordinates(jnp.array([[0.4, 0.9], [0.4, math.pi / 2]], dtype))

    def kl(t, z):
        return kl_to_uniform(space, t, space.project(z))

    by_t, by_z = jax.jit(jax.vmap(jax.grad(kl, (0, 1)), (None, 0)))(jnp.asarray(0.3, dtype), z)
    assert jnp.all(jnp.isfinite(by_t))
    assert jnp.all(jnp.isfinite(by_z))
    if dtype == jnp.float64:
        step = 1e-5
        difference = (kl(0.3 + step, z) - kl(0.3 - step, z)) / (2 * step)
        np.testing.assert_allclose(by_t, difference, rtol=1e-6)


@pytest.mark.parametrize("t", [0.01, 0.5, 2.0, 8.0])
def test_trivial_groups(t):
    with jax.enable_x64(True):
        for one, other in [
            (RotationQuotient("cyclic", 1), SO3()),
            (LensSpace(2, 1), ProjectiveSpace(3)),
            (LensSpace(1, 0), Sphere(3)),
        ]:
            z = other.uniform(jax.random.key(0)).astype(jnp.float64)
            np.testing.assert_allclose(divergence(one, t, z), divergence(other, t, z), atol=1e-7)


@pytest.mark.parametrize(
    "space",
    [
        RotationQuotient("dihedral", 3),
        pytest.param(RotationQuotient("octahedral"), marks=pytest.mark.slow),
        LensSpace(5, 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("t", [0.01, 0.1, 0.5])
def test_homogeneous_divergence_is_the_mean_over_samples(space, t):
    z = space.uniform(jax.random.key(0))
    ratio = np.array(log_ratios(space, t, z), float)
    kl = float(divergence(space, t, z))
    assert abs(ratio.mean() - kl) < 5 * ratio.std() / math.sqrt(len(ratio)) + 1e-4


def test_where_it_depends_on_the_point_there_is_a_reason():
    with pytest.raises(NotImplementedError, match="depends on the point"):
        kl_to_uniform(LensSpace(5, 2), 0.1, Sphere(3).uniform(jax.random.key(0)))
    small = float(kl_to_uniform(LensSpace(5, 2), 0.01, jnp.array([1.0, 0, 0, 0]), method="asymptotic"))
    expected = float(kl_to_uniform(Sphere(3), 0.01, jnp.array([1.0, 0, 0, 0])))
    assert math.isclose(small, expected - math.log(5), abs_tol=1e-3)

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import kl_to_uniform, log_heat_kernel
from mvae.diffusion.implicit_kernel import log_implicit_kernel
from mvae.manifolds import FlatTorus, Implicit, Sphere


def sphere(x):
    return jnp.sum(x**2) - 1


def circles(x):
    return jnp.stack([x[0] ** 2 + x[1] ** 2 - 1, x[2] ** 2 + x[3] ** 2 - 1])


SPHERE, CIRCLES = Implicit(sphere, 2, 3), Implicit(circles, 2, 4)
kernel = jax.jit(log_implicit_kernel, static_argnums=0)


def at_distances(r, dtype):
    r = jnp.asarray(r, dtype)
    return jnp.array([1, 0, 0], dtype), jnp.stack([jnp.cos(r), jnp.sin(r), 0 * r], axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize(("t", "error"), [(0.01, 5e-6), (0.1, 6e-4), (0.3, 9e-3)])
def test_error_on_the_sphere_is_as_stated(t, error, dtype):
    z, w = at_distances(np.linspace(0, min(4 * math.sqrt(t), 3), 30), dtype)
    value = kernel(SPHERE, t, z, w)
    assert value.dtype == dtype
    rounding = 100 * float(jnp.finfo(dtype).eps) / t
    np.testing.assert_allclose(value, log_heat_kernel(Sphere(2), t, z, w), atol=error + rounding)


@pytest.mark.slow
def test_error_is_of_second_order():
    """At distances in proportion to sqrt(t) halving t divides it by four."""
    with jax.enable_x64(True):
        gaps = []
        for t in (0.04, 0.02):
            z, w = at_distances(np.array([0, 1, 2]) * math.sqrt(t), jnp.float64)
            gaps.append(kernel(SPHERE, t, z, w) - log_heat_kernel(Sphere(2), t, z, w))
        np.testing.assert_allclose(gaps[0] / gaps[1], 4, atol=0.3)


@pytest.mark.slow
def test_flat_torus_leaves_out_only_the_images():
    torus = FlatTorus(2)
    with jax.enable_x64(True):
        z = torus.uniform(jax.random.key(0), (20,))
        w = torus.exp(z, torus.to_tangent(z, 0.3 * jax.random.normal(jax.random.key(1), z.shape)))
        np.testing.assert_allclose(kernel(CIRCLES, 0.1, z, w), log_heat_kernel(torus, 0.1, z, w), atol=1e-10)


@pytest.mark.slow  # compiling it takes half a minute
@pytest.mark.parametrize("dtype", ["float32", "float64"], indirect=True)
def test_derivatives_forward_reverse_and_by_differences(dtype):
    """Along the manifold, at a distance, on the diagonal and at the antipode."""
    z, w = at_distances([0.5, 0.0, math.pi], dtype)

    def function(s, x, y):
        return log_implicit_kernel(SPHERE, jnp.exp(s), *SPHERE.project(jnp.stack([x, y])))

    s = jnp.log(jnp.array(0.1, dtype))
    forward = jax.jit(jax.vmap(jax.jacfwd(function, (0, 1, 2)), (None, None, 0)))(s, z, w)
    reverse = jax.jit(jax.vmap(jax.jacrev(function, (0, 1, 2)), (None, None, 0)))(s, z, w)
    for one, other in zip(forward, reverse, strict=True):
        assert jnp.all(jnp.isfinite(one) & jnp.isfinite(other))
        np.testing.assert_allclose(one[:2], other[:2], atol=3e4 * float(jnp.finfo(dtype).eps))
    if dtype == jnp.float64:
        batched = jax.jit(jax.vmap(function, (None, None, 0)))
        moves = (1.0, jnp.array([0.2, -0.5, 0.3]), jnp.array([-0.4, 0.1, 0.7]))
        above, below = (batched(s + h * moves[0], z + h * moves[1], w + h * moves[2]) for h in (1e-5, -1e-5))
        slope = sum(
            jnp.sum(block * move, axis=tuple(range(1, block.ndim))) for block, move in zip(forward, moves, strict=True)
        )
        np.testing.assert_allclose(slope[:2], ((above - below) / 2e-5)[:2], rtol=1e-7, atol=1e-7)


@pytest.mark.slow
def test_divergence_uses_the_estimated_volume():
    z, _ = at_distances([0.0], jnp.float32)
    known = kl_to_uniform(Sphere(2), 0.05, z, method="asymptotic")
    np.testing.assert_allclose(kl_to_uniform(SPHERE, 0.05, z, method="asymptotic"), known, atol=1e-3)


@pytest.mark.slow
def test_wrong_arguments_are_named():
    z, w = at_distances([0.5], jnp.float32)
    with pytest.raises(ValueError, match="t must be positive"):
        log_implicit_kernel(SPHERE, 0.0, z, w)
    with pytest.raises(ValueError, match="w must have a last axis of size 3"):
        log_implicit_kernel(SPHERE, 0.1, z, w[:, :2])
    with pytest.raises(ValueError, match="z must lie on the manifold"):
        log_implicit_kernel(SPHERE, 0.1, 2 * z, w)

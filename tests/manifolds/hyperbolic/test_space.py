"""Identities of hyperbolic space, near the origin and far out, against mpmath."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

from mvae.manifolds import Hyperbolic
from mvae.manifolds.hyperbolic.quantile import log_radial_density
from tests.precisions import DOUBLE_IS_SLOW

SPACES = [Hyperbolic(2), Hyperbolic(3, curvature=-0.25), pytest.param(Hyperbolic(5), marks=pytest.mark.slow)]


@pytest.fixture(params=SPACES, ids=repr)
def space(request):
    return request.param


def spread(space, dtype, num=60, farthest=12.0):
    """Points at distances from 0 to `farthest` radii of the origin, the origin and both sides of thresholds too."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=(num, space.dim))
    r = np.concatenate([[0, 1e-20, 1e-4, 0.499, 0.501, 0.999, 1.001], rng.uniform(0, farthest, num - 7)])
    v = v / np.linalg.norm(v, axis=1, keepdims=True) * r[:, None] * space.radius
    return jax.jit(space.from_tangent)(jnp.asarray(v, dtype))


def exact_distance(space, z, w):
    """By the Minkowski form in 60 digits, of the points that the spatial parts are those of."""
    with mpmath.workdps(60):
        found = []
        for a, b in zip(np.array(z, float), np.array(w, float), strict=True):
            x, y = ([mpmath.mpf(c) / space.radius for c in point[1:]] for point in (a, b))
            times = mpmath.sqrt(1 + mpmath.fdot(x, x)) * mpmath.sqrt(1 + mpmath.fdot(y, y))
            found.append(float(space.radius * mpmath.acosh(max(times - mpmath.fdot(x, y), 1))))
    return np.array(found)


def tolerance(dtype):
    return 40 * float(jnp.finfo(dtype).eps)


def test_points_are_on_the_hyperboloid(space, dtype):
    z = spread(space, dtype)
    assert z.dtype == dtype
    assert jnp.all(space.contains(z, tolerance(dtype)))
    x = jax.random.normal(jax.random.key(0), (20, space.ambient_dim), dtype)
    np.testing.assert_allclose(jax.jit(space.project)(x)[:, 1:], x[:, 1:], rtol=tolerance(dtype))
    assert not jnp.any(space.contains(z.at[:, 0].mul(1.1)))


def test_distance_is_accurate_relative_to_its_size(space, dtype):
    z, distance = spread(space, dtype), jax.jit(space.distance)
    w = jnp.roll(z, 1, axis=0)
    np.testing.assert_allclose(distance(z, w), exact_distance(space, z, w), rtol=tolerance(dtype), atol=1e-18)
    near = jax.jit(space.project)(z + 1e-3 * jax.random.normal(jax.random.key(0), z.shape, dtype) * z[:, :1])
    expected = exact_distance(space, z, near)
    np.testing.assert_allclose(distance(z, near), expected, rtol=200 * tolerance(dtype))
    np.testing.assert_array_equal(distance(z, z), 0)


def test_from_tangent_and_back(space, dtype):
    v = jax.random.normal(jax.random.key(0), (50, space.dim), dtype) * 3

    @jax.jit
    def there_and_back(v):
        z, origin = space.from_tangent(v), space.project(jnp.zeros(space.ambient_dim, dtype))
        return space.to_origin(z), space.distance(origin, z), space.norm(space.log(z, origin), z)

    back, distance, length = there_and_back(v)
    np.testing.assert_allclose(back, v, rtol=tolerance(dtype), atol=tolerance(dtype))
    np.testing.assert_allclose(distance, np.linalg.norm(v, axis=-1), rtol=tolerance(dtype))
    np.testing.assert_allclose(length, np.linalg.norm(v, axis=-1), rtol=1e-2 if dtype == jnp.float32 else 1e-9)


@DOUBLE_IS_SLOW
def test_exp_of_log_reaches_the_point(space, dtype):
    z = spread(space, dtype, farthest=4.0)
    w = jnp.roll(z, 7, axis=0)
    v = space.log(z, w)
    size = float(jnp.finfo(dtype).eps) * math.exp(8)  # of coordinates, which grow as e^r, and their differences
    np.testing.assert_allclose(space.norm(v, z), space.distance(z, w), rtol=size, atol=size)
    np.testing.assert_allclose(space.distance(space.exp(z, v), w), 0, atol=20 * size)
    time, b = v[:, 0], v[:, 1:]
    np.testing.assert_allclose(time * z[:, 0], jnp.sum(b * z[:, 1:], axis=-1), rtol=1e-3, atol=1e-3)


def test_carried_steps_are_isometric(space, dtype):
    """Far out, too: lengths of steps are those of vectors."""
    z = spread(space, dtype)
    v = jax.random.normal(jax.random.key(0), (len(z), space.dim), dtype) * space.radius
    w = jax.jit(space.carry)(z, v)
    np.testing.assert_allclose(
        exact_distance(space, z, w), jnp.linalg.norm(v, axis=-1), rtol=0.1 if dtype == jnp.float32 else 1e-6
    )


def test_far_out_all_is_finite(space):
    z = spread(space, jnp.float32, farthest=38.0)
    w = jnp.roll(z, 1, axis=0)
    v = jax.random.normal(jax.random.key(0), (len(z), space.dim))

    @jax.jit
    @jax.vmap
    def values_and_slopes(z, w, v):
        values = space.distance(z, w), space.carry(z, v)
        return values, jax.jacrev(space.distance, (0, 1))(z, w), jax.jacfwd(space.carry, (0, 1))(z, v)

    for other in (w, z):
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(values_and_slopes(z, other, v)))


def test_derivatives_forward_reverse_and_by_differences(space):
    with jax.enable_x64(True):
        z = spread(space, jnp.float64, farthest=2.0)
        w = jnp.roll(z, 7, axis=0)

        n = space.ambient_dim

        def members(both):
            """exp, log, distance."""
            z, w = space.project(both[:n]), space.project(both[n:])
            values = space.exp(z, space.to_tangent(z, both[n:])), space.log(z, w), space.distance(z, w)[None]
            return jnp.concatenate(values)

        def slopes(both):
            values, forward = jax.linearize(members, both)
            (reverse,) = jax.vmap(jax.linear_transpose(forward, both))(jnp.eye(len(values)))
            return values, jax.vmap(forward, out_axes=1)(jnp.eye(2 * n)), reverse

        both = jnp.concatenate([z, w], axis=-1)
        values, forward, reverse = jax.jit(jax.vmap(slopes))(both)
        np.testing.assert_allclose(forward, reverse, rtol=1e-8, atol=1e-8)
        direction, step = jax.random.normal(jax.random.key(5), both.shape, jnp.float64), 1e-6
        above, below = (jax.jit(jax.vmap(members))(both + s * direction) for s in (step, -step))
        away = np.array(values[:, -1]) > 1e-2
        slope = jnp.einsum("bmn,bn->bm", forward, direction)
        np.testing.assert_allclose(slope[away], ((above - below) / (2 * step))[away], rtol=1e-5, atol=1e-5)


def test_uniform_draws_are_brownian_motion_from_the_origin():
    space, num = Hyperbolic(3), 20_000
    draws = jax.jit(lambda key: space.to_origin(space.uniform(key, (num,))))(jax.random.key(0))
    r = np.linalg.norm(np.array(draws, float), axis=-1)
    grid = np.linspace(1e-6, 12, 5001)
    density = np.exp(log_radial_density(3, np.ones_like(grid), grid))
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    np.testing.assert_allclose(cumulative[-1], 1, atol=1e-6)
    assert stats.kstest(r, lambda a: np.interp(a, grid, cumulative)).pvalue > 1e-4


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="dim must be at least 2"):
        Hyperbolic(1)
    with pytest.raises(ValueError, match="curvature must be negative"):
        Hyperbolic(2, curvature=1.0)
    with pytest.raises(ValueError, match="prior_time must be at most 12 at this dimension"):
        Hyperbolic(2, prior_time=13.0)
    with pytest.raises(ValueError, match="z must lie on the manifold"):
        Hyperbolic(2).distance(jnp.ones(3), jnp.ones(3))

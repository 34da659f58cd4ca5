"""The table of float32 against the exact code in float64, at the points and times as float32 has them."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import log_heat_kernel, radial_table
from mvae.diffusion.heat_kernel import log_line_kernel, log_radial_kernel
from mvae.diffusion.radial_table import log_chord_kernel, log_line_chord_kernel
from mvae.diffusion.sphere_kernel import series_start
from mvae.manifolds import SO3, ProjectiveSpace, Sphere

DIMS = [2, 9, pytest.param(3, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.slow)]
TABULATED = {False: log_chord_kernel, True: log_line_chord_kernel}
EXACT = {False: log_radial_kernel, True: log_line_kernel}


def times_and_chords(dim, *, lines):
    """Times from 1e-5 to 10, both sides of the table's end, and chords from 0 to the cut locus, dense at both ends."""
    switch = series_start(dim)[0]
    edges = [switch * (1 - 1e-6), switch, switch * (1 + 1e-6)]
    t = np.sort(np.concatenate([np.geomspace(1e-5, 10, 30), edges]))[:, None]
    cut = math.pi / 2 if lines else math.pi
    level = np.maximum(2 * t * (30 - dim / 2 * np.log(2 * math.pi * t)), 0)
    near = np.minimum(np.sqrt(level), cut) * np.linspace(0, 1, 20)
    angle = np.concatenate([near, cut * (1 - np.linspace(0, 1, 20) ** 3) + 0 * t], axis=1)
    u = (np.sin(angle / 2) ** 2).astype(np.float32)
    return np.broadcast_to(t, u.shape).astype(np.float32), u


def exact(dim, t, u, *, lines):
    return EXACT[lines](dim, t, 2 * jnp.arctan2(jnp.sqrt(u), jnp.sqrt(1 - u)))


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("dim", DIMS)
def test_values_and_slopes_are_those_of_the_exact_code(dim, lines):
    t, u = times_and_chords(dim, lines=lines)
    value = jax.jit(functools.partial(TABULATED[lines], dim))(t[:, :1], u)
    slopes = jax.jit(jax.vmap(jax.grad(functools.partial(TABULATED[lines], dim), (0, 1))))(t.ravel(), u.ravel())
    with jax.enable_x64(True):
        t, u = (np.asarray(x, np.float64) for x in (t, u))
        expected = np.array(exact(dim, t, u, lines=lines))
        of_pair = functools.partial(exact, dim, lines=lines)
        # The exact slope in u is infinity times zero at either end.
        inside = jnp.clip(u.ravel(), 1e-10, 1 - 1e-7)
        expected_slopes = jax.jit(jax.vmap(jax.grad(of_pair, (0, 1))))(jnp.asarray(t.ravel()), inside)

    error = np.abs(np.asarray(value, np.float64) - expected)
    required = expected > -30
    assert error[required].max() < 1e-4
    assert np.all(error < 1e-4 * np.maximum(1, np.abs(expected)))
    scales = (dim / (2 * t), np.ones_like(u))  # a slope that vanishes is known to a part of its leading term
    for slope, wanted, scale in zip(slopes, expected_slopes, scales, strict=True):
        slope, wanted = np.asarray(slope, np.float64).reshape(u.shape), np.asarray(wanted).reshape(u.shape)
        assert np.all(np.isfinite(slope))
        known = required & (u > 0) & (u < 1 - 1e-6) & ~(lines & (u > 0.499))
        assert np.all(np.abs(slope - wanted)[known] < 1e-3 * np.abs(wanted)[known] + 1e-6 * scale[known])


@pytest.mark.parametrize("lines", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_second_derivatives_are_finite_and_those_of_the_exact_code(lines):
    t, u = np.array([0.02, 0.3, 1.0, 3.0], np.float32), np.array([0.0, 0.01, 0.3, 0.45], np.float32)
    t, u = (x.ravel() for x in np.meshgrid(t, u))

    def bend(log_q, t, u):
        return jax.jit(jax.vmap(jax.hessian(lambda x: log_q(2, x[0], x[1]))))(jnp.stack([t, u], axis=-1))

    found = bend(TABULATED[lines], t, u)
    assert jnp.all(jnp.isfinite(found))
    with jax.enable_x64(True):
        t, u = (jnp.asarray(x, jnp.float64) for x in (t, u))
        expected = bend(functools.partial(exact, lines=lines), t, jnp.maximum(u, 1e-3))
    apart = np.array(u) > 0
    np.testing.assert_allclose(found[apart], expected[apart], rtol=1e-2, atol=1e-3)


def test_times_before_the_table_are_gaussian_with_their_curvature_factors():
    t, u = np.array([1e-7, 3e-6], np.float32), np.array([1e-7, 2e-6], np.float32)
    value = log_chord_kernel(20, t, u)
    with jax.enable_x64(True):
        expected = exact(20, *(jnp.asarray(x, jnp.float64) for x in (t, u)), lines=False)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_a_time_for_each_pair_is_the_same_in_chunks():
    size = radial_table._CHUNK + 7
    t = jnp.geomspace(1e-4, 1.0, size)
    u = jnp.linspace(0, 1, size)
    one = jnp.stack([log_chord_kernel(3, t[k], u[k]) for k in (0, size // 2, size - 1)])
    np.testing.assert_allclose(log_chord_kernel(3, t, u)[np.array([0, size // 2, size - 1])], one, rtol=1e-6)


@pytest.mark.parametrize(
    "manifold",
    [Sphere(2, radius=3.0), ProjectiveSpace(2), pytest.param(SO3(), marks=pytest.mark.slow)],
    ids=repr,
)
def test_points_at_any_distance_have_the_density_of_float64(manifold):
    """From equal points to the cut locus, where the two ways to the distance of rotations meet as well."""
    turn = jnp.concatenate([jnp.array([0.0, 1e-4]), jnp.linspace(0.1, 1, 30)])[:, None]
    z = manifold.uniform(jax.random.key(0))
    v = manifold.to_tangent(z, jax.random.normal(jax.random.key(1), z.shape))
    cut = {Sphere: math.pi, ProjectiveSpace: math.pi / 2, SO3: math.pi * math.sqrt(2)}[type(manifold)]
    w = manifold.exp(z, turn * cut * getattr(manifold, "radius", 1.0) * v / jnp.linalg.norm(v))
    for t in (0.01, 0.5, 2.0):
        value = log_heat_kernel(manifold, t, z, w)
        with jax.enable_x64(True):
            expected = log_heat_kernel(manifold, t, *(jnp.asarray(x, jnp.float64) for x in (z, w)))
        known = np.array(expected) > -30
        np.testing.assert_allclose(value[known], expected[known], atol=1e-4)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
        slope = jax.vmap(jax.grad(functools.partial(log_heat_kernel, manifold, t, z)))(w)
        assert jnp.all(jnp.isfinite(slope))

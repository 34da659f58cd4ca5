import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import random_walk
from mvae.diffusion.embedded_torus.kernel import FIRST, log_embedded_torus_kernel
from mvae.diffusion.embedded_torus.kl import embedded_torus_kl
from mvae.manifolds import EmbeddedTorus
from tests.diffusion.torus_oracle import log_densities

TORUS = EmbeddedTorus()
C, A = TORUS.major_radius, TORUS.minor_radius
# Computed before this library existed, from a spectral solution in float64; on the outer equator.
KNOWN = {0.003: 7.235500, 0.01: 6.033131, 0.0235: 5.181762, 0.05: 4.432534}
DIVERGENCE = {"float32": 1e-5, "float64": 5e-7}
COUNT = 600
EARLIEST = 0.05  # of the pseudo-spectral densities, in units of a^2
kernel = functools.partial(log_embedded_torus_kernel, TORUS)
slopes = jax.grad(lambda t, z, w: jnp.sum(kernel(t, z, w)), (0, 1, 2))
kl = jax.jit(lambda t, z: embedded_torus_kl(TORUS, t, z))


def log_q(t, z, w):
    """The library's log densities, padded to one shape, because it takes seconds to compile."""
    size = np.broadcast_shapes(np.shape(t), z.shape[:-1], w.shape[:-1])[0]
    t, z, w = jnp.broadcast_to(t, (size,)), jnp.broadcast_to(z, (size, 3)), jnp.broadcast_to(w, (size, 3))
    parts = []
    for start in range(0, size, COUNT):
        part = [x[start : start + COUNT] for x in (t, z, w)]
        extra = COUNT - len(part[0])
        part = [jnp.concatenate([x, jnp.broadcast_to(x[:1], (extra, *x.shape[1:]))]) for x in part]
        parts.append(kernel(*part)[: COUNT - extra])
    return jnp.concatenate(parts)


def place(minor, major, dtype):
    return TORUS.from_angles(jnp.asarray(np.stack(np.broadcast_arrays(minor, major), axis=-1), dtype))


@functools.cache
def generators(radii, t):
    """Pseudo-spectral generators of all orders m, diagonalised, for times from t on.

      L_m = (1/(a^2 w)) d/dx w d/dx - m^2/w^2,   w = c + a cos x,

    symmetric in L2(w dx). Returns the minor angles, an odd number of them, eigenvalues and eigenvectors.
    """
    c, a = radii
    half, highest = int(0.9 * a * math.sqrt(70 / t) + 12), int((c + a) * math.sqrt(70 / t)) + 2
    count = 2 * half + 1
    x = 2 * math.pi * np.arange(count) / count
    weight = c + a * np.cos(x)
    apart = np.arange(count)[:, None] - np.arange(count)
    sine = np.where(apart == 0, 1, np.sin(math.pi * apart / count))
    difference = np.where(apart == 0, 0, (-1.0) ** apart / (2 * sine))
    along = difference @ (weight[:, None] * difference) / a**2 / np.sqrt(np.outer(weight, weight))
    orders = np.arange(highest + 1)[:, None, None]
    return x, *np.linalg.eigh((along + along.T) / 2 - orders**2 * np.diag(1 / weight**2))


def densities(t, source, radii=(C, A)):
    """Density from the point `source` of the grid at major angle 0 to every point of the grid, (minor, major)."""
    c, a = radii
    x, values, vectors = generators(radii, EARLIEST * a**2)
    weight = c + a * np.cos(x)
    values = values[: int((c + a) * math.sqrt(70 / t)) + 2]
    vectors = vectors[: len(values)]
    columns = np.einsum("mxk,mk,mk->xm", vectors, np.exp(values * t / 2), vectors[:, source])
    orders = np.arange(len(values))
    turns = 2 * math.pi * np.arange(2 * len(orders) + 10) / (2 * len(orders) + 10)
    waves = np.cos(np.outer(orders, turns)) * np.where(orders == 0, 1, 2)[:, None] / (2 * math.pi)
    area = a * np.sqrt(np.outer(weight, weight))[:, source] * 2 * math.pi / len(x)
    return x, turns, columns @ waves / area[:, None]


def divergence_by_quadrature(t, sources, radii=(C, A)):
    """KL from the pseudo-spectral density, by the trapezoidal rule."""
    c, a = radii
    values = []
    for source in sources:
        x, turns, q = densities(t, source, radii)
        area = a * (c + a * np.cos(x))[:, None] * (2 * math.pi) ** 2 / len(x) / len(turns)
        values.append(np.sum(np.where(q > 0, q * np.log(np.maximum(q, 1e-300) * 4 * math.pi**2 * a * c), 0) * area))
    return np.array(values)


def against_the_oracle(t, radii, dtype):
    """Relative errors of the density and the true log densities, down to -30."""
    torus = EmbeddedTorus(*radii)
    minor, major, expected = log_densities(t, (0.0, 0.14, 0.25, 0.39, 0.5, 0.67), radii)
    first, last, turn = (x.ravel() for x in np.meshgrid(minor, minor, major, indexing="ij"))
    z, w = (torus.from_angles(jnp.asarray(np.stack(x, axis=-1), dtype)) for x in ((last, 0 * turn), (first, turn)))
    value = log_embedded_torus_kernel(torus, jnp.asarray(t, dtype), z, w)
    assert value.dtype == dtype
    assert jnp.all(jnp.isfinite(value))
    expected = expected.ravel()
    known = expected > -30
    return np.abs(np.expm1(np.clip(np.array(value, float) - expected, -5, 5)))[known], expected[known]


@pytest.mark.slow
@pytest.mark.parametrize("time", [0.6, pytest.param(2.5, marks=pytest.mark.slow)])
def test_density_against_ball_arithmetic(time, dtype):
    error, expected = against_the_oracle(time * A**2, (C, A), dtype)
    assert np.sum(expected < -22) > 30
    assert np.max(error) < (2e-5 if dtype == jnp.float32 else 4e-6)
    if dtype == jnp.float64:
        assert np.max(error[expected > -18]) < 1e-10
        assert np.max(error[expected > -10]) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("time", [0.03, 0.06, 0.099, 0.101, 0.16, 0.25])
def test_early_density_against_ball_arithmetic(time, dtype):
    error, expected = against_the_oracle(time * A**2, (C, A), dtype)
    assert np.max(error) < (2e-5 if dtype == jnp.float32 else 4e-6)
    if dtype == jnp.float64:
        assert np.max(error[expected > -18]) < 2e-10


@pytest.mark.slow
@pytest.mark.parametrize(("radii", "early"), [((3.0, 0.3), 1e-6), ((2.0, 1.0), 4e-5), ((3.0, 2.1), 1e-3)], ids=str)
def test_density_of_other_tori(radii, early, dtype):
    least = min(radii[1], radii[0] - radii[1])
    for time in (0.09, 0.15, 1.0):
        error, _ = against_the_oracle(time * least**2, radii, dtype)
        assert np.max(error) < max(2e-5, early if time < FIRST else 0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"], indirect=True)
def test_expansion_and_series_meet(dtype):
    """At the time that parts them: values and their slopes in time, down to log q = -30."""
    generator = np.random.default_rng(0)
    z, w = (place(*(generator.uniform(-1, 1, (2, COUNT)) * [[0.7], [0.2]]), dtype) for _ in range(2))
    switch, step = FIRST * A**2, 1e-3
    before, after = (log_q(jnp.asarray(switch * factor, dtype), z, w) for factor in (1 - step, 1 + step))
    slope = jax.grad(lambda t: jnp.sum(log_embedded_torus_kernel(TORUS, t, z, w)))(jnp.full(COUNT, switch, dtype))
    known = np.array(before) > -30
    assert np.sum(known) > COUNT / 3
    np.testing.assert_allclose((after - before)[known], 2 * step * switch * slope[known], atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_mass_is_one_and_the_kernel_symmetric_at_early_times():
    """Where the expansion alone is used."""
    nodes, weights = np.polynomial.legendre.leggauss(34)
    with jax.enable_x64(True):
        for t in (1e-5, 0.02):
            one, two = (7 * math.sqrt(t) * x.ravel() for x in np.meshgrid(nodes, nodes, indexing="ij"))
            minor, major = 1.3 + one / A, two / (C + A * math.cos(1.3))
            z, w = place(1.3, 0.0, float), place(minor, major, float)
            log_density = log_q(jnp.asarray(t), z, w)
            area = 49 * t * np.outer(weights, weights).ravel() * (C + A * np.cos(minor)) / (C + A * math.cos(1.3))
            assert abs(np.sum(np.exp(log_density) * area) - 1) < 2e-6
            np.testing.assert_allclose(log_q(jnp.asarray(t), w, z), log_density, atol=2e-6)


@pytest.mark.slow
def test_semigroup_and_mass_at_late_times():
    with jax.enable_x64(True):
        minor, major = (x.ravel() for x in np.meshgrid(np.arange(24), np.arange(50), indexing="ij"))
        middle = place(minor * 2 * math.pi / 24, major * 2 * math.pi / 50, float)
        area = A * (C + A * np.cos(minor * 2 * math.pi / 24)) * (2 * math.pi) ** 2 / 24 / 50
        z, w = place(0.3, 0.0, float), place(-2.0, 1.0, float)
        first, second = log_q(jnp.asarray(0.8), z, middle), log_q(jnp.asarray(0.5), middle, w)
        assert abs(np.sum(np.exp(first) * area) - 1) < 1e-10
        whole = log_q(jnp.asarray(1.3), z[None], w[None])[0]
        assert abs(math.log(np.sum(np.exp(first + second) * area)) - float(whole)) < 1e-8


@pytest.mark.slow
def test_density_against_a_random_walk():
    """Means of two functions of the end point, within 5 standard errors and the bias of a fine walk."""
    count, t = 20_000, 0.3
    x, _, q = densities(t, 8)
    z = jnp.broadcast_to(TORUS.from_angles(jnp.array([x[8], 0.0])), (count, 3))
    end = np.array(random_walk(jax.random.key(0), TORUS, z, t, num_steps=100), np.float64)
    with jax.enable_x64(True):
        minor, major = (a.ravel() for a in np.meshgrid(np.arange(24), np.arange(50), indexing="ij"))
        nodes = place(minor * 2 * math.pi / 24, (major - 25) * 2 * math.pi / 50, float)
        area = A * (C + A * np.cos(minor * 2 * math.pi / 24)) * (2 * math.pi) ** 2 / 24 / 50
        mass = np.exp(log_q(jnp.asarray(t), place(x[8], 0.0, float), nodes)) * area
    for sample, expected in ((end, mass @ np.array(nodes)), (end**2, mass @ np.array(nodes) ** 2)):
        allowed = 5 * sample.std(axis=0) / math.sqrt(count) + 0.01 * t
        np.testing.assert_array_less(np.abs(sample.mean(axis=0) - expected), allowed)
    del q


@pytest.mark.slow
def test_derivatives(dtype):
    """Finite everywhere; forward as reverse; by differences where the points are apart."""
    z = place(np.array([0.4, 2.0]), np.array([0.2, -1.0]), dtype)
    ends = [z, TORUS.project(z + 1e-4), place(np.array([2.9, -2.0]), np.array([0.5, -0.8]), dtype), -z]
    times = np.repeat([1e-6, 1e-3, 0.03, 0.3, 3.0, 100.0], 8)
    t, z, w = jnp.asarray(times, dtype), jnp.tile(z, (24, 1)), jnp.tile(jnp.concatenate(ends), (6, 1))
    reverse = slopes(t, z, w)
    for block in reverse:
        assert block.dtype == dtype
        assert jnp.all(jnp.isfinite(block))
    moves = [jax.random.normal(jax.random.key(k), x.shape, dtype) for k, x in enumerate((t, z, w))]
    moves[0] = moves[0] * t
    value, forward = jax.jvp(kernel, (t, z, w), tuple(moves))
    assert jnp.all(jnp.isfinite(value))
    along = moves[0] * reverse[0] + jnp.sum(moves[1] * reverse[1] + moves[2] * reverse[2], axis=-1)
    size = (
        1 + np.abs(moves[0] * reverse[0]) + jnp.sum(np.abs(moves[1] * reverse[1]) + np.abs(moves[2] * reverse[2]), -1)
    )
    np.testing.assert_allclose(forward / size, along / size, atol=1e-5)
    if dtype == jnp.float64:
        step = 1e-6
        shifted = ([x + s * m for x, m in zip((t, z, w), moves, strict=True)] for s in (step, -step))
        above, below = (jax.jvp(kernel, tuple(x), tuple(moves))[0] for x in shifted)  # compiled already
        inside = np.flatnonzero((np.array(t) > 0.02) & (np.arange(48) % 8 // 2 == 2))
        np.testing.assert_allclose(((above - below) / (2 * step))[inside], along[inside], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_late_density_is_uniform_and_arguments_are_named(dtype):
    z = place(np.array([0.4]), np.array([0.2]), dtype)
    np.testing.assert_allclose(log_q(jnp.asarray(1e4, dtype), z, -z), -TORUS.log_volume, rtol=1e-6)
    with pytest.raises(ValueError, match="t must be positive"):
        log_embedded_torus_kernel(TORUS, -1.0, z, z)
    with pytest.raises(ValueError, match="w must have a last axis of size 3"):
        log_embedded_torus_kernel(TORUS, 1.0, z, z[:, :2])
    with pytest.raises(ValueError, match="t must be positive"):
        embedded_torus_kl(TORUS, 0.0, z)


@pytest.mark.slow
def test_known_divergences(dtype):
    value = kl(jnp.array(list(KNOWN), dtype), place(0.0, 0.0, dtype))
    np.testing.assert_allclose(value, list(KNOWN.values()), atol=max(1e-6, DIVERGENCE[dtype.name]))


@pytest.mark.slow
def test_divergence_against_the_pseudo_spectral_density(dtype):
    for t in (0.02, 0.024, 0.03, 0.1, 0.5, 3.0, 30.0):
        x = generators((C, A), EARLIEST * A**2)[0]
        sources = [0, len(x) // 5, len(x) // 3, len(x) // 2]
        value = kl(jnp.asarray(t, dtype), place(x[sources], 1.0, dtype))
        np.testing.assert_allclose(value, divergence_by_quadrature(t, sources), atol=DIVERGENCE[dtype.name])


@pytest.mark.slow
@pytest.mark.parametrize("radii", [(3.0, 0.3), (2.0, 1.0), (3.0, 1.5)])
def test_divergence_of_other_tori(radii):
    torus = EmbeddedTorus(*radii)
    with jax.enable_x64(True):
        for time in (0.05, 0.1, 1.0, 10.0):
            t = time * radii[1] ** 2
            x = generators(radii, EARLIEST * radii[1] ** 2)[0]
            sources = [0, len(x) // 5, len(x) // 3, len(x) // 2]
            z = torus.from_angles(jnp.asarray(np.stack([x[sources], 0 * x[sources]], axis=-1)))
            np.testing.assert_allclose(
                embedded_torus_kl(torus, t, z), divergence_by_quadrature(t, sources, radii), atol=1e-5
            )


@pytest.mark.slow
def test_divergence_from_end_to_end(dtype):
    """Finite, positive and falling, with the curvature at first and the first eigenvalue at last."""
    t = jnp.asarray(np.geomspace(1e-8, 300, 300), dtype)
    both = jax.jit(jax.vmap(jax.value_and_grad(kl, (0, 1)), (0, None)))
    for minor in (0.0, 1.6, math.pi):
        z = place(minor, 0.3, dtype)
        value, (in_time, in_space) = both(t, z)
        assert jnp.all(jnp.isfinite(value) & (value > 0) & (in_time < 0))
        assert jnp.all(jnp.isfinite(in_space))
        assert jnp.all(jnp.diff(value) < 1e-5)
        early = t < 1e-3
        asymptotic = TORUS.log_volume - 1 - jnp.log(2 * math.pi * t) + TORUS.scalar_curvature(z) * t / 4
        np.testing.assert_allclose(value[early], asymptotic[early], atol=2e-6 if dtype == jnp.float64 else 2e-5)
    assert 0 <= kl(jnp.asarray(1e5, dtype), z) < 1e-30
    if dtype == jnp.float64:
        t, z = jnp.array([0.01, 0.1, 2.0]), place(1.0, 0.3, dtype)
        slope = jax.vmap(jax.grad(kl), (0, None))(t, z)
        np.testing.assert_allclose(slope, (kl(t + 1e-6, z) - kl(t - 1e-6, z)) / 2e-6, rtol=1e-6)

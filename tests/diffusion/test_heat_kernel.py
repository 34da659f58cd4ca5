import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import log_heat_kernel
from mvae.diffusion.sphere_kernel import series_start
from mvae.manifolds import SO3, Euclidean, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere
from tests.precisions import DOUBLE_IS_SLOW

from .oracles import (
    log_circle_kernel_by_theta,
    log_kernel_by_series,
    log_kernel_of_rotations,
    log_kernel_s2,
    log_kernel_s3,
)

TARGET = {"float32": 1e-4, "float64": 1e-10}
DIMS = [2, 3, pytest.param(10, marks=pytest.mark.slow), 50]
EVERY = [
    Euclidean(2),
    FlatTorus(2),
    Sphere(2, radius=3.0),
    Sphere(20),
    SO3(),
    pytest.param(ProjectiveSpace(2), marks=pytest.mark.slow),
    pytest.param(Product((ProjectiveSpace(2), Euclidean(1))), marks=pytest.mark.slow),
]


def reach(dim, t, cut=math.pi):
    """Angle up to which the log density stays above -30, at most that of the cut locus."""
    return min(cut, math.sqrt(2 * t * max(30 - dim / 2 * math.log(2 * math.pi * t), 0.1)))


def grid(dim, times, cut=math.pi):
    """Times and angles: diagonal, near, middle, the edge of what is required."""
    return np.array([(t, f * reach(dim, t, cut)) for t in times for f in (0.0, 1e-4, 0.3, 0.7, 0.99, 1.0)]).T


def points(manifold, angle, dtype):
    """A pole and points at the given angles from it, and those angles as rounding to `dtype` made them."""
    z = np.zeros((len(angle), manifold.ambient_dim))
    z[:, 0] = 1
    w = z * np.cos(angle)[:, None]
    w[:, 1] = np.sin(angle)
    z, w = z.astype(dtype), w.astype(dtype)
    u, v = z.astype(np.float64), w.astype(np.float64)
    rounded = 2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    return jnp.asarray(z), jnp.asarray(w), rounded


def errors(manifold, t, angle, dtype, oracle):
    z, w, rounded = points(manifold, angle, dtype)
    t = t.astype(dtype)
    expected = np.array([oracle(float(s), a) for s, a in zip(t, rounded, strict=True)])
    value = jax.jit(lambda t, z, w: log_heat_kernel(manifold, t, z, w))(t, z, w)
    assert value.dtype == dtype
    return np.abs(np.expm1(np.array(value, np.float64) - expected))


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("dim", DIMS)
def test_sphere_against_the_series(dim, dtype):
    switch = series_start(dim)[0]
    t, angle = grid(dim, [0.02, 0.3, 0.9999 * switch, 1.0001 * switch, 10.0])
    error = errors(Sphere(dim), t, angle, dtype, lambda s, a: log_kernel_by_series(dim, s, a))
    assert error.max() < TARGET[dtype.name]


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3, 4, 5, 7, 12, 23, 50])
def test_sphere_against_the_series_on_a_finer_grid(dim, dtype):
    t, angle = grid(dim, np.geomspace(2e-3, 10, 25))
    error = errors(Sphere(dim), t, angle, dtype, lambda s, a: log_kernel_by_series(dim, s, a))
    assert error.max() < TARGET[dtype.name]


@DOUBLE_IS_SLOW
@pytest.mark.parametrize(("dim", "oracle"), [(2, log_kernel_s2), (3, log_kernel_s3)])
def test_sphere_at_tiny_times(dim, oracle, dtype):
    t, angle = grid(dim, [1e-5, 1e-3, 0.05])
    t, angle = t[angle > 0], angle[angle > 0]
    assert errors(Sphere(dim), t, angle, dtype, oracle).max() < TARGET[dtype.name]


@pytest.mark.parametrize("manifold", [FlatTorus(1), Sphere(1)], ids=repr)
def test_circle_against_theta(manifold, dtype):
    t, angle = grid(1, [1e-5, 1e-2, 1.0, 2.999, 3.001, 10.0])
    error = errors(manifold, t, angle, dtype, log_circle_kernel_by_theta)
    assert error.max() < TARGET[dtype.name]


@DOUBLE_IS_SLOW
@pytest.mark.parametrize(
    ("dim", "times"),
    [
        (1, [1e-5, 0.3, 1.0, 10.0]),
        (2, [0.02, 0.3, 3.0]),
        (10, [0.05, 0.3]),
        pytest.param(2, [5e-3, 0.1, 1.0, 10.0], marks=pytest.mark.slow),
        pytest.param(3, [5e-3, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0], marks=pytest.mark.slow),
        pytest.param(50, [5e-3, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0], marks=pytest.mark.slow),
    ],
)
def test_projective_space_against_the_even_harmonics(dim, times, dtype):
    """Up to and at the cut locus; RP^1 is a circle half as long."""

    def oracle(t, angle):
        if dim == 1:
            return log_circle_kernel_by_theta(4 * t, 2 * angle) + math.log(2)
        return log_kernel_by_series(dim, t, angle, lines=True)

    t, angle = grid(dim, times, math.pi / 2)
    assert errors(ProjectiveSpace(dim), t, angle, dtype, oracle).max() < TARGET[dtype.name]


def rotations(angle, dtype):
    """The identity and rotations by the given angles, and those angles as rounding to `dtype` made them."""
    q = np.stack([np.cos(angle / 2), np.sin(angle / 2) * 0.6, np.zeros_like(angle), np.sin(angle / 2) * 0.8], axis=-1)
    w = SO3().from_quaternion(jnp.asarray(q, dtype))
    turn = np.array(w, np.float64).reshape(-1, 3, 3)
    axial = np.linalg.norm((turn - np.swapaxes(turn, 1, 2)).reshape(-1, 9), axis=-1) / math.sqrt(8)
    return jnp.eye(3, dtype=dtype).ravel(), w, np.arctan2(axial, (np.trace(turn, axis1=1, axis2=2) - 1) / 2)


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("times", [[1e-3, 0.02, 0.3, 10.0], pytest.param([1e-5, 0.1, 2.0], marks=pytest.mark.slow)])
def test_rotations_against_the_characters(times, dtype):
    """From tiny times on, at the diagonal, and up to and at half turns."""
    angle = np.array([0.0, 1e-4, 0.3, 0.7, 0.99, 1.0])
    for t in np.array(times, dtype):
        z, w, rounded = rotations(angle * reach(3, float(t), math.sqrt(2) * math.pi) / math.sqrt(2), dtype)
        value = np.array(log_heat_kernel(SO3(), t, z, w), np.float64)
        expected = [log_kernel_of_rotations(float(t), a) for a in rounded]
        assert np.max(np.abs(np.expm1(value - expected))) < TARGET[dtype.name]


@pytest.mark.slow
def test_mass_on_projective_space_and_on_rotations_is_one():
    nodes, weights = np.polynomial.legendre.leggauss(200)
    with jax.enable_x64(True):
        for t in (1e-5, 1e-2, 0.2, 3.0):
            width = min(math.pi / 2, 11 * math.sqrt(t))
            angle = width * (1 + nodes) / 2
            z, w, _ = points(ProjectiveSpace(2), angle, np.float64)
            density = np.exp(log_heat_kernel(ProjectiveSpace(2), t, z, w)) * 2 * math.pi * np.sin(angle)
            assert abs(width / 2 * np.sum(weights * density) - 1) < 1e-10
            # The angle of a uniform rotation has density (1 - cos a) / pi.
            width = min(math.pi, 11 * math.sqrt(t))
            angle = width * (1 + nodes) / 2
            z, w, _ = rotations(angle, np.float64)
            density = np.exp(log_heat_kernel(SO3(), t, z, w)) * SO3().volume * (1 - np.cos(angle)) / math.pi
            assert abs(width / 2 * np.sum(weights * density) - 1) < 1e-10


@pytest.mark.slow
def test_product_is_the_sum_over_the_factors():
    factors = (ProjectiveSpace(2), Product((FlatTorus(1), Euclidean(2))))
    z, w = (Product(factors).uniform(jax.random.key(k), (9,)) for k in (0, 1))
    t = jnp.linspace(0.1, 2.0, 9)
    parts = (
        log_heat_kernel(ProjectiveSpace(2), t, z[:, :3], w[:, :3]),
        log_heat_kernel(FlatTorus(1), t, z[:, 3:5], w[:, 3:5]),
        log_heat_kernel(Euclidean(2), t, z[:, 5:], w[:, 5:]),
    )
    np.testing.assert_allclose(log_heat_kernel(Product(factors), t, z, w), sum(parts), rtol=1e-5)


@DOUBLE_IS_SLOW
def test_representatives_of_a_line_have_one_density(dtype):
    z, w = (ProjectiveSpace(2).uniform(jax.random.key(k), (9,)).astype(dtype) for k in (0, 1))
    value = log_heat_kernel(ProjectiveSpace(2), 0.3, z, w)
    np.testing.assert_array_equal(log_heat_kernel(ProjectiveSpace(2), 0.3, -z, w), value)


@DOUBLE_IS_SLOW
def test_torus_is_a_product_of_circles(dtype):
    torus = FlatTorus(2)
    z, w = (torus.uniform(jax.random.key(k), (50,)).astype(dtype) for k in (0, 1))
    circles = sum(log_heat_kernel(Sphere(1), 0.4, z[:, i : i + 2], w[:, i : i + 2]) for i in (0, 2))
    np.testing.assert_allclose(log_heat_kernel(torus, 0.4, z, w), circles, rtol=1e-5)


def test_euclidean_is_the_normal_density(dtype):
    z, w = jax.random.normal(jax.random.key(0), (2, 20, 3), dtype)
    expected = jnp.sum(jax.scipy.stats.norm.logpdf(w, z, math.sqrt(0.7)), axis=-1)
    np.testing.assert_allclose(log_heat_kernel(Euclidean(3), 0.7, z, w), expected, rtol=1e-5)


@pytest.mark.parametrize("dim", DIMS)
def test_mass_is_one(dim):
    nodes, weights = np.polynomial.legendre.leggauss(200)
    shell = np.exp(Sphere(dim - 1).log_volume)
    with jax.enable_x64(True):
        for t in (1e-5, 1e-2, 0.2, 3.0):
            width = min(math.pi, math.sqrt(t) * (math.sqrt(dim) + 9))
            angle = width * (1 + nodes) / 2
            z, w, _ = points(Sphere(dim), angle, np.float64)
            density = np.exp(log_heat_kernel(Sphere(dim), t, z, w) + (dim - 1) * np.log(np.sin(angle)))
            assert abs(width / 2 * shell * np.sum(weights * density) - 1) < 1e-10


@pytest.mark.slow
def test_semigroup_on_the_sphere():
    """The product of two kernels, integrated over the point between, is the kernel of the sum of the times."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    turns = 2 * np.pi * np.arange(120) / 120
    height, turn = np.meshgrid(nodes, turns, indexing="ij")
    radius = np.sqrt(1 - height**2)
    with jax.enable_x64(True):
        middle = jnp.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=-1)
        z, w = jnp.array([0.6, 0.0, 0.8]), jnp.array([0.0, -1.0, 0.0])
        first, second = log_heat_kernel(Sphere(2), 0.2, z, middle), log_heat_kernel(Sphere(2), 0.3, middle, w)
        product = jnp.sum(weights[:, None] * jnp.exp(first + second)) * 2 * math.pi / 120
        assert abs(float(jnp.log(product) - log_heat_kernel(Sphere(2), 0.5, z, w))) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 5])
def test_heat_equation(dim):
    """d/dt q = (q'' + (d-1) cot(a) q') / 2, with the derivatives of the library's own log q."""
    from mvae.diffusion.heat_kernel import log_radial_kernel

    with jax.enable_x64(True):
        times, angles = jnp.array([0.05, 0.5, 4.0]), jnp.array([0.3, 1.5, 3.0])
        t, a = (jnp.ravel(x) for x in jnp.meshgrid(times, angles))
        log_q = lambda t, a: log_radial_kernel(dim, t, a)  # noqa: E731
        in_time, slope = jax.jit(jax.vmap(jax.grad(log_q, (0, 1))))(t, a)
        bend = jax.jit(jax.vmap(jax.jacfwd(jax.grad(log_q, 1), 1)))(t, a)
        np.testing.assert_allclose(
            in_time, (bend + slope**2 + (dim - 1) * slope / jnp.tan(a)) / 2, rtol=1e-9, atol=1e-9
        )


def cut_point(manifold, z):
    """A point of the cut locus of z: the antipode, a line at a right angle, a half turn."""
    match manifold:
        case ProjectiveSpace():
            return manifold.project(manifold.to_tangent(z, jnp.roll(z, 1, axis=-1)))
        case SO3():
            return z * jnp.array([1, -1, -1] * 3, z.dtype)
        case Product():
            return manifold.join(
                tuple(cut_point(*pair) for pair in zip(manifold.factors, manifold.split(z), strict=True))
            )
        case _:
            return -z


@DOUBLE_IS_SLOW
@pytest.mark.slow
@pytest.mark.parametrize("manifold", EVERY, ids=repr)
def test_derivatives_are_finite_and_agree(manifold, dtype):
    z = manifold.uniform(jax.random.key(0), (1,)).astype(dtype)
    near = manifold.project(z + 1e-4)
    far = manifold.uniform(jax.random.key(1), (1,)).astype(dtype)
    ends = jnp.concatenate([z, near, far, cut_point(manifold, z)])
    t = jnp.array([1e-8, 1e-5, 1e-2, 1.0, 3.0, 10.0, 1e4], dtype)[:, None]
    t, z, w = jnp.broadcast_to(t, (7, 4)).ravel(), jnp.tile(z, (28, 1)), jnp.tile(ends, (7, 1))

    def log_q(t, z, w):
        return log_heat_kernel(manifold, t, manifold.project(z), manifold.project(w))

    both = jax.vmap(lambda *x: (jax.grad(log_q, (0, 1, 2))(*x), jax.jacfwd(log_q, (0, 1, 2))(*x)))
    reverse, forward = jax.jit(both)(t, z, w)
    batched = jax.jit(jax.vmap(log_q))
    value = batched(t, z, w)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in (value, *forward, *reverse))
    # Near z and -z rounding of the points themselves decides the derivative.
    apart = np.arange(28) % 4 == 2
    for one, other in zip(forward, reverse, strict=True):
        one, other = one[apart], other[apart]
        scale = jnp.max(jnp.abs(one.reshape(7, -1)), axis=1).reshape(-1, *(1,) * (one.ndim - 1)) + 1
        np.testing.assert_allclose(other / scale, one / scale, atol=2e4 * float(jnp.finfo(dtype).eps))
    if dtype == jnp.float64:
        ordinary = (np.array(t) > 1e-3) & (np.arange(28) % 4 == 2)
        step = 1e-6
        for i, block in enumerate(reverse):
            direction = jax.random.normal(jax.random.key(2), block.shape[1:], dtype)
            move = [direction if j == i else 0.0 for j in range(3)]
            above, below = (batched(*(x + s * m for x, m in zip((t, z, w), move, strict=True))) for s in (step, -step))
            slope = jnp.sum((block * direction).reshape(28, -1), axis=1)
            difference = (above - below) / (2 * step)
            np.testing.assert_allclose(slope[ordinary], difference[ordinary], rtol=1e-6, atol=1e-6)


LIMITS = [FlatTorus(2), Sphere(2), pytest.param(Sphere(20), marks=pytest.mark.slow), Sphere(3, radius=2.0), SO3()]


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("manifold", LIMITS, ids=repr)
def test_limits_in_time(manifold, dtype):
    z = manifold.uniform(jax.random.key(0), (2,)).astype(dtype)
    late, early = log_heat_kernel(manifold, jnp.array([1e6, 1e-8], dtype), z[0], z[::-1])
    np.testing.assert_allclose(late, -manifold.log_volume, rtol=1e-5)
    np.testing.assert_allclose(early, -manifold.dim / 2 * math.log(2 * math.pi * 1e-8), rtol=1e-5)


@pytest.mark.slow
def test_time_and_points_broadcast():
    z, w = Sphere(2).uniform(jax.random.key(0), (4, 1)), Sphere(2).uniform(jax.random.key(1), (3,))
    t = jnp.array([[[0.1]], [[0.2]]])
    assert log_heat_kernel(Sphere(2), t, z, w).shape == (2, 4, 3)
    z, w = FlatTorus(1).uniform(jax.random.key(0), (4, 1)), FlatTorus(1).uniform(jax.random.key(1), (3,))
    assert log_heat_kernel(FlatTorus(1), 0.1, z, w).shape == (4, 3)


def test_wrong_arguments_are_named():
    z = jnp.array([[0.0, 0.0, 1.0]] * 4)
    with pytest.raises(ValueError, match="t must be positive, got 0"):
        log_heat_kernel(Sphere(2), 0.0, z, z)
    with pytest.raises(ValueError, match="t must be positive"):
        log_heat_kernel(Sphere(2), jnp.array([0.1, -1.0, 0.1, jnp.nan]), z, z)
    with pytest.raises(ValueError, match=r"t must broadcast against \(4,\), got shape \(3,\)"):
        log_heat_kernel(Sphere(2), jnp.ones(3), z, z)
    with pytest.raises(ValueError, match="w must have a last axis of size 3"):
        log_heat_kernel(Sphere(2), 0.1, z, z[:, :2])


def test_other_manifolds_are_refused():
    class Strange(Manifold):
        dim = 2
        ambient_dim = 3
        log_volume = 0.0

    Strange.__abstractmethods__ = frozenset()
    with pytest.raises(NotImplementedError, match="no heat kernel for"):
        log_heat_kernel(Strange(), 0.1, jnp.zeros(3), jnp.zeros(3))

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from mvae.diffusion import sample
from mvae.diffusion.heat_kernel import log_radial_kernel
from mvae.diffusion.radial_quantile import angle_per_length
from mvae.manifolds import SO3, Euclidean, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere

COUNT = 40_000


def test_wrapped_normal_moments():
    """E exp(i k (a_t - a_0)) = exp(-k^2 t / 2) on each circle, the circles being independent."""
    t, torus = 0.6, FlatTorus(2)
    start = jnp.array([1.0, -2.5])
    z = jnp.tile(torus.from_angles(start), (COUNT, 1))
    turned = np.array(torus.angles(sample(jax.random.key(0), torus, z, t)) - start, np.float64)
    for k in (1, 2):
        for moment, expected in ((np.cos(k * turned), math.exp(-(k**2) * t / 2)), (np.sin(k * turned), 0.0)):
            error = np.abs(moment.mean(axis=0) - expected)
            np.testing.assert_array_less(error, 5 * moment.std(axis=0) / math.sqrt(COUNT))
    product = np.sin(turned[:, 0]) * np.sin(turned[:, 1])
    assert abs(product.mean()) < 5 * product.std() / math.sqrt(COUNT)


def test_euclidean_samples_are_normal():
    z = jnp.full((COUNT, 2), 2.0)
    x = np.array(sample(jax.random.key(0), Euclidean(2), z, 0.25), np.float64)
    assert stats.kstest((x.ravel() - 2) / 0.5, "norm").pvalue > 1e-3


def assert_mean(x, expected, deviations):
    assert abs(x.mean() - expected) < deviations * x.std() / math.sqrt(len(x))


def draws(manifold, count):
    """Function of (seed, t) that returns inner products of one start with exact samples."""
    z = manifold.uniform(jax.random.key(100))
    draw = jax.jit(lambda key, t: jnp.sum(z * sample(key, manifold, jnp.tile(z, (count, 1)), t), axis=-1))
    return lambda seed, t: np.array(draw(jax.random.key(seed), t), np.float64)


@pytest.mark.parametrize("dim", [2, 50, *(pytest.param(dim, marks=pytest.mark.slow) for dim in (1, 3, 9))])
def test_first_and_second_harmonics_on_the_sphere(dim):
    """E <z, z_t> = exp(-d t/2), and the zonal harmonic of degree 2 decays as exp(-(d+1) t)."""
    draw = draws(Sphere(dim), 100_000)
    for seed, t in enumerate([0.01, 0.3, 3.0]):
        cosine = draw(seed, t)
        assert_mean(cosine, math.exp(-dim * t / 2), 4)
        assert_mean(((dim + 1) * cosine**2 - 1) / dim, math.exp(-(dim + 1) * t), 4)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3, 9, 50])
def test_mean_cosine_of_a_million_samples(dim):
    draw = draws(Sphere(dim), 100_000)
    for i, t in enumerate([0.01, 0.03, 0.1, 0.3, 1.0, 3.0]):
        cosine = np.concatenate([draw(10 * i + chunk, t) for chunk in range(10)])
        assert_mean(cosine, math.exp(-dim * t / 2), 4)


@pytest.mark.slow
def test_harmonics_on_projective_space_and_on_rotations():
    """Even harmonics of RP^d; on SO(3) E <z, z_t>/3 = exp(-t/2), and the character of degree 2 decays as exp(-3t/2)."""
    lines, turns = draws(ProjectiveSpace(2), 100_000), draws(SO3(), 100_000)
    for seed, t in enumerate([0.01, 0.3, 3.0]):
        assert_mean((3 * lines(seed, t) ** 2 - 1) / 2, math.exp(-3 * t), 4)
        trace = turns(seed, t)  # 1 + 2 cos a
        assert_mean(trace / 3, math.exp(-t / 2), 4)
        assert_mean((trace**2 - trace - 1) / 5, math.exp(-3 * t / 2), 4)


def cdf_s2(t, angle):
    """Distribution of the angle on S^2 by Legendre series: the integral of P_l is (P_(l+1) - P_(l-1)) / (2l + 1)."""
    x, degree = np.cos(angle), np.arange(1, 60)[:, None]
    terms = special.eval_legendre(degree - 1, x) - special.eval_legendre(degree + 1, x)
    return (1 - x + np.sum(np.exp(-degree * (degree + 1) * t / 2) * terms, axis=0)) / 2


def cdf_s3(t, angle):
    """Distribution of the angle on S^3 by sine series."""
    n = np.arange(2, 60)[:, None]
    terms = np.sin((n - 1) * angle) / (n - 1) - np.sin((n + 1) * angle) / (n + 1)
    first = angle - np.sin(2 * angle) / 2
    return (first + np.sum(n * np.exp(-(n**2 - 1) * t / 2) * terms, axis=0)) / math.pi


@pytest.mark.slow
@pytest.mark.parametrize("t", [0.05, 0.5, 2.0])
def test_distribution_of_the_distance(t):
    z = Sphere(2).uniform(jax.random.key(1))
    end = sample(jax.random.key(2), Sphere(2), jnp.tile(z, (COUNT, 1)), t)
    assert stats.kstest(np.array(Sphere(2).distance(z, end)), lambda a: cdf_s2(t, a)).pvalue > 1e-3
    z = ProjectiveSpace(3).uniform(jax.random.key(1))
    end = sample(jax.random.key(3), ProjectiveSpace(3), jnp.tile(z, (COUNT, 1)), t)
    angle = np.array(ProjectiveSpace(3).distance(z, end))
    assert stats.kstest(angle, lambda a: cdf_s3(t, a) + 1 - cdf_s3(t, math.pi - a)).pvalue > 1e-3
    z = SO3().uniform(jax.random.key(1))
    end = sample(jax.random.key(4), SO3(), jnp.tile(z, (COUNT, 1)), t)
    half = np.array(SO3().distance(z, end)) / math.sqrt(8)
    assert stats.kstest(half, lambda a: cdf_s3(t / 8, a) + 1 - cdf_s3(t / 8, math.pi - a)).pvalue > 1e-3
    assert jnp.all(SO3().contains(end))


def test_map_of_the_length_against_exact_distributions(dtype):
    """Quantile to quantile, in the tails too: chi with d degrees of freedom to the distribution of the angle."""
    t = np.array([0.05, 0.2, 0.7, 3.0])[:, None]
    for dim, cdf in ((2, cdf_s2), (3, cdf_s3)):
        length = np.array([1e-3, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
        angle = length * np.array(angle_per_length(dim, jnp.asarray(t, dtype), jnp.asarray(length, dtype)), np.float64)
        expected = stats.chi2.cdf(length**2, dim)
        got = np.array([cdf(s, a) for s, a in zip(t[:, 0], angle, strict=True)])
        np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), atol=2e-6)
        # Relative to the tail: rounding of the angle by eps moves it by some d eps.
        np.testing.assert_allclose(got[:, 1], expected[1], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, pytest.param(9, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.slow)])
def test_angle_moves_with_the_flux(dim):
    """d/dt a = -1/2 d/da log q at a fixed length of the Gaussian vector."""
    with jax.enable_x64(True):
        times = jnp.array([1e-5, 1e-3, 0.05, 0.5, 2.0, 10.0])
        lengths = math.sqrt(dim) + jnp.array([-1.0, 0.0, 1.5])
        t, r = (jnp.ravel(x) for x in jnp.meshgrid(times, lengths))
        angle, speed = jax.jvp(lambda t: r * angle_per_length(dim, t, r), (t,), (jnp.ones_like(t),))
        slope = jax.jit(jax.vmap(jax.grad(lambda a, t: log_radial_kernel(dim, t, a))))(angle, t)
        np.testing.assert_allclose(speed, -slope / 2, rtol=2e-4, atol=2e-5)


@pytest.mark.slow
def test_small_steps_are_gaussian():
    """As t -> 0 the sample is z + sqrt(t) eps, eps the tangent part of the ambient Gaussian vector."""
    for manifold in (Sphere(2, radius=2.0), SO3()):
        z = manifold.uniform(jax.random.key(0), (20,))
        t = 1e-6
        noise = manifold.to_tangent(z, jax.random.normal(jax.random.key(1), z.shape))
        step = (sample(jax.random.key(1), manifold, z, t) - z) / math.sqrt(t)
        np.testing.assert_allclose(step, noise, atol=1e-2)


@pytest.mark.slow
def test_gradient_in_time_of_a_mean():
    """The derivative of the samples has the derivative of exp(-d t/2) as its mean, and of f = <z, z_t>^2 too."""
    z, count, dim = jnp.array([0.0, 0.0, 1.0]), 100_000, 2
    for t in (0.05, 0.5, 2.0):
        cosine, slope = jax.jvp(
            lambda t: sample(jax.random.key(3), Sphere(dim), jnp.tile(z, (count, 1)), t)[:, 2], (t,), (1.0,)
        )
        cosine, slope = np.array(cosine, np.float64), np.array(slope, np.float64)
        assert_mean(slope, -dim / 2 * math.exp(-dim * t / 2), 4)
        assert_mean(2 * cosine * slope, -2 * math.exp(-3 * t), 4)


def test_factors_of_a_product_are_drawn_independently():
    space, t = Product((ProjectiveSpace(2), Euclidean(1))), 0.3
    z = jnp.tile(jnp.array([0.0, 0.0, 1.0, 3.0]), (COUNT, 1))
    end = np.array(sample(jax.random.key(0), space, z, t), np.float64)
    assert_mean((3 * end[:, 2] ** 2 - 1) / 2, math.exp(-3 * t), 5)
    assert stats.kstest((end[:, 3] - 3) / math.sqrt(t), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(np.abs(end.T))[3, :3]).max() < 5 / math.sqrt(COUNT)


def test_no_section_of_directions():
    """Samples are continuous in the start, everywhere on S^2: a fixed frame of directions could not be."""
    z = Sphere(2).uniform(jax.random.key(0), (2000,))
    near = Sphere(2).project(z + 1e-3 * jax.random.normal(jax.random.key(1), z.shape))
    draw = jax.jit(jax.vmap(lambda z: sample(jax.random.key(7), Sphere(2), z, 0.5)))
    moved = jnp.linalg.norm(draw(near) - draw(z), axis=-1)
    assert jnp.max(moved / jnp.linalg.norm(near - z, axis=-1)) < 10


EVERY = [
    Euclidean(2),
    FlatTorus(2),
    Sphere(2, radius=2.0),
    SO3(),
    pytest.param(Sphere(1), marks=pytest.mark.slow),
    pytest.param(Sphere(50), marks=pytest.mark.slow),
    pytest.param(ProjectiveSpace(2), marks=pytest.mark.slow),
    pytest.param(Product((Sphere(2), Euclidean(1))), marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize("manifold", EVERY, ids=repr)
def test_derivatives_forward_reverse_and_by_differences(manifold, dtype):
    z = manifold.uniform(jax.random.key(1), (3,)).astype(dtype)

    def draw(z, t):
        return sample(jax.random.key(0), manifold, z, t)

    t = jnp.array([1e-12, 0.1, 1e4], dtype)
    both = jax.jit(lambda z, t: (jax.jacfwd(draw, (0, 1))(z, t), jax.jacrev(draw, (0, 1))(z, t)))
    forward, reverse = both(z, t)
    for one, other in zip(forward, reverse, strict=True):
        assert jnp.all(jnp.isfinite(one))
        scale = jnp.max(jnp.abs(one), axis=1, keepdims=True) + 1
        np.testing.assert_allclose(one / scale, other / scale, atol=1e-5)
    if dtype == jnp.float64:
        difference = (draw(z, t.at[1].add(1e-6)) - draw(z, t.at[1].add(-1e-6))) / 2e-6
        np.testing.assert_allclose(forward[1][..., 1], difference, atol=1e-6)


def test_time_broadcasts():
    z = FlatTorus(1).uniform(jax.random.key(0), (4,))
    drawn = sample(jax.random.key(1), FlatTorus(1), z, jnp.full((3, 1), 0.1))
    assert drawn.shape == (3, 4, 2)
    assert jnp.all(FlatTorus(1).contains(drawn))


class Strange(Manifold):
    dim = 2
    ambient_dim = 3
    log_volume = 0.0

    def project(self, x):
        return x


Strange.__abstractmethods__ = frozenset()


def test_wrong_arguments_and_other_manifolds_are_named():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="t must be positive"):
        sample(key, Euclidean(2), jnp.zeros(2), -1.0)
    with pytest.raises(ValueError, match="z must have a last axis of size 4"):
        sample(key, FlatTorus(2), jnp.zeros(2), 1.0)
    with pytest.raises(NotImplementedError, match=r"no exact sampler for .*Strange.*use random_walk"):
        sample(key, Strange(), jnp.array([0.0, 0.0, 1.0]), 1.0)

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gamma, hyp1f1

from mvae.diffusion import random_walk
from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere
from tests.precisions import DOUBLE_IS_SLOW

EVERY = [
    pytest.param(Euclidean(2), marks=pytest.mark.slow),
    Sphere(3, radius=2.0),
    FlatTorus(2),
    pytest.param(ProjectiveSpace(2), marks=pytest.mark.slow),
    pytest.param(SO3(), marks=pytest.mark.slow),
    pytest.param(Product((Sphere(2), Euclidean(1))), marks=pytest.mark.slow),
]
KINDS = ["projection", "geodesic"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_mean_cosine_on_the_sphere(dim, kind):
    """E <z, z_t> = exp(-d t / 2); the walk has a bias of order t/N, here below the noise."""
    count, t, steps = 40_000, 0.3, 60
    z = jnp.zeros(dim + 1).at[0].set(1)
    end = random_walk(jax.random.key(0), Sphere(dim), jnp.tile(z, (count, 1)), t, num_steps=steps, kind=kind)
    cosine = np.array(end @ z, np.float64)
    bias = dim * t**2 / steps
    assert abs(cosine.mean() - math.exp(-dim * t / 2)) < 5 * cosine.std() / math.sqrt(count) + bias
    assert jnp.all(Sphere(dim).contains(end, 1e-5))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_mean_rotation(kind):
    """E <z, z_t> / 3 = exp(-t / 2): the smallest eigenvalue of half the Laplacian is 1/2 in the Frobenius metric."""
    count, t, steps = 20_000, 0.5, 30
    z = jnp.tile(SO3().uniform(jax.random.key(1)), (count, 1))
    end = jax.jit(lambda z: random_walk(jax.random.key(0), SO3(), z, t, num_steps=steps, kind=kind))(z)
    cosine = np.array(jnp.sum(z * end, axis=-1), np.float64) / 3
    assert abs(cosine.mean() - math.exp(-t / 2)) < 5 * cosine.std() / math.sqrt(count) + t**2 / steps
    assert jnp.all(SO3().contains(end, 1e-5))


@pytest.mark.slow
def test_factors_of_a_product_walk_independently():
    count, space = 40_000, Product((Sphere(2), Euclidean(1)))
    z = jnp.tile(jnp.array([0.0, 0.0, 1.0, 3.0]), (count, 1))
    end = np.array(random_walk(jax.random.key(0), space, z, 0.25, num_steps=20), np.float64)
    np.testing.assert_allclose(end[:, 3].mean(), 3.0, atol=5 * 0.5 / math.sqrt(count))
    np.testing.assert_allclose(end[:, 3].var(), 0.25, atol=5 * 0.25 * math.sqrt(2 / count))
    np.testing.assert_allclose(end[:, 2].mean(), math.exp(-0.25), atol=0.01)
    assert np.abs(np.corrcoef(end.T)[3, :3]).max() < 5 / math.sqrt(count)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_bias_falls_with_the_number_of_steps(kind):
    """With one shared seed the mean cosine comes closer to its limit as steps are added."""
    z = jnp.tile(jnp.array([0.0, 0.0, 1.0]), (100_000, 1))
    means = [
        float(jnp.mean(random_walk(jax.random.key(1), Sphere(2), z, 1.0, num_steps=n, kind=kind)[:, 2]))
        for n in (1, 20)
    ]
    gaps = [abs(mean - math.exp(-1.0)) for mean in means]
    assert gaps[0] > 0.01
    assert gaps[1] < 0.01


def mean_cosine_after(steps, dim, t, kind):
    """E <z, z_t> of the walk itself on S^d: each step multiplies it by the same factor, in closed form."""
    s, half = t / steps, (dim + 1) / 2
    if kind == "geodesic":  # E cos(sqrt(s) |eps|)
        return hyp1f1(dim / 2, 0.5, -s / 2) ** steps
    scale = gamma(half + 0.5) / gamma(half + 1) / math.sqrt(2 * s)
    return (scale * hyp1f1(0.5, half + 1, -1 / (2 * s))) ** steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dim", "steps"), [(1, 2), (4, 3)])
def test_few_steps_have_the_bias_that_they_should(dim, steps, kind):
    """Against the distribution of the walk, not its limit: a bias of another size shows at 5 standard errors."""
    count, t = 100_000, 0.5
    z = jnp.zeros(dim + 1).at[0].set(1)
    walk = jax.jit(lambda z: random_walk(jax.random.key(3), Sphere(dim), z, t, num_steps=steps, kind=kind))
    cosine = np.array(walk(jnp.tile(z, (count, 1))) @ z, np.float64)
    expected = mean_cosine_after(steps, dim, t, kind)
    assert abs(cosine.mean() - expected) < 5 * cosine.std() / math.sqrt(count)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [2, 4, 9])
def test_weak_order_is_one(dim, kind):
    """The bias of the walk, in closed form, halves as the number of steps doubles."""
    t = 0.3
    errors = [mean_cosine_after(steps, dim, t, kind) - math.exp(-dim * t / 2) for steps in (64, 128, 256)]
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 1, atol=0.02)


def test_euclidean_is_one_normal_step_whatever_the_number_of_steps():
    z = jnp.full((50_000, 2), 3.0)
    end = random_walk(jax.random.key(0), Euclidean(2), z, 0.25, num_steps=7)
    np.testing.assert_allclose(end.mean(axis=0), 3.0, atol=5 * 0.5 / math.sqrt(50_000))
    np.testing.assert_allclose(end.var(axis=0), 0.25, atol=5 * 0.25 * math.sqrt(2 / 50_000))


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("manifold", EVERY, ids=repr)
def test_path_starts_at_the_start_and_ends_at_the_end(manifold, kind, dtype):
    z = manifold.uniform(jax.random.key(1), (3, 2)).astype(dtype)
    t = jnp.array([[0.1], [0.2], [0.3]], dtype)
    path = random_walk(jax.random.key(0), manifold, z, t, num_steps=4, kind=kind, return_path=True)
    assert path.shape == (5, 3, 2, manifold.ambient_dim)
    assert path.dtype == dtype
    np.testing.assert_array_equal(path[0], z)
    assert jnp.all(manifold.contains(path, 1e-5))
    if not isinstance(manifold, Euclidean):
        end = random_walk(jax.random.key(0), manifold, z, t, num_steps=4, kind=kind)
        np.testing.assert_allclose(end, path[-1], rtol=1e-6, atol=1e-6)


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("manifold", EVERY, ids=repr)
def test_derivatives(manifold, kind, dtype):
    z = manifold.uniform(jax.random.key(1)).astype(dtype)

    def walk(z, t):
        return random_walk(jax.random.key(0), manifold, z, t, num_steps=3, kind=kind)

    t = jnp.array([1e-12, 1e-8, 0.3], dtype)
    forward = jax.jit(jax.vmap(jax.jacfwd(walk, (0, 1)), (None, 0)))(z, t)
    reverse = jax.jit(jax.vmap(jax.jacrev(walk, (0, 1)), (None, 0)))(z, t)
    for one, other in zip(forward, reverse, strict=True):
        assert jnp.all(jnp.isfinite(one))
        scale = jnp.max(jnp.abs(one), axis=tuple(range(1, one.ndim)), keepdims=True)
        np.testing.assert_allclose(one / scale, other / scale, atol=1e-4)
    if dtype == jnp.float64:
        difference = (walk(z, 0.3 + 1e-6) - walk(z, 0.3 - 1e-6)) / 2e-6
        np.testing.assert_allclose(forward[1][-1], difference, rtol=1e-7, atol=1e-7)


def test_time_broadcasts_and_jit_compiles_once():
    traces = 0

    @jax.jit
    def walk(key, z, t):
        nonlocal traces
        traces += 1
        return random_walk(key, Sphere(2), z, t)

    z = Sphere(2).uniform(jax.random.key(1), (4,))
    first = walk(jax.random.key(0), z, jnp.full((3, 1), 0.1))
    walk(jax.random.key(2), z, jnp.full((3, 1), 0.7))
    assert first.shape == (3, 4, 3)
    assert traces == 1
    # every one of the three rows has noise of its own
    assert not np.allclose(first[0], first[1])


def test_wrong_arguments_are_named():
    key, z = jax.random.key(0), jnp.array([0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match="kind must be one of"):
        random_walk(key, Sphere(2), z, 0.1, kind="straight")
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        random_walk(key, Sphere(2), z, 0.1, num_steps=0)
    with pytest.raises(ValueError, match="t must be positive, got 0"):
        random_walk(key, Sphere(2), z, 0)
    with pytest.raises(ValueError, match="z must have a last axis of size 3"):
        random_walk(key, Sphere(2), z[:2], 0.1)
    with pytest.raises(ValueError, match="t must be a real number"):
        random_walk(key, Sphere(2), z, 1j)

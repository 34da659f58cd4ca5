import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvae.diffusion import sample
from mvae.manifolds import Euclidean, FlatTorus, Sphere

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


@pytest.mark.parametrize("manifold", [Euclidean(2), FlatTorus(2)], ids=repr)
def test_derivatives_forward_reverse_and_by_differences(manifold, dtype):
    z = manifold.uniform(jax.random.key(1), (3,)).astype(dtype)

    def draw(z, t):
        return sample(jax.random.key(0), manifold, z, t)

    t = jnp.array([1e-12, 0.1, 2.0], dtype)
    forward, reverse = jax.jacfwd(draw, (0, 1))(z, t), jax.jacrev(draw, (0, 1))(z, t)
    for one, other in zip(forward, reverse, strict=True):
        assert jnp.all(jnp.isfinite(one))
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    if dtype == jnp.float64:
        difference = (draw(z, t.at[1].add(1e-6)) - draw(z, t.at[1].add(-1e-6))) / 2e-6
        np.testing.assert_allclose(forward[1][..., 1], difference, atol=1e-7)


def test_time_broadcasts():
    z = FlatTorus(1).uniform(jax.random.key(0), (4,))
    drawn = sample(jax.random.key(1), FlatTorus(1), z, jnp.full((3, 1), 0.1))
    assert drawn.shape == (3, 4, 2)
    assert jnp.all(FlatTorus(1).contains(drawn))


def test_wrong_arguments_and_other_manifolds_are_named():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="t must be positive"):
        sample(key, Euclidean(2), jnp.zeros(2), -1.0)
    with pytest.raises(ValueError, match="z must have a last axis of size 4"):
        sample(key, FlatTorus(2), jnp.zeros(2), 1.0)
    with pytest.raises(NotImplementedError, match=r"no exact sampler for Sphere.*use random_walk"):
        sample(key, Sphere(2), jnp.array([0.0, 0.0, 1.0]), 1.0)

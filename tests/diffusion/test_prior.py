import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import log_prior
from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere


@pytest.mark.parametrize("manifold", [Sphere(2, radius=2.0), FlatTorus(3), ProjectiveSpace(2), SO3()], ids=repr)
def test_uniform_on_closed_manifolds(manifold, dtype):
    z = manifold.uniform(jax.random.key(0), (5,)).astype(dtype)
    value = log_prior(manifold, z)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, -math.log(manifold.volume), rtol=1e-6)


def test_standard_normal_on_euclidean_space():
    z = jax.random.normal(jax.random.key(0), (5, 3))
    np.testing.assert_allclose(log_prior(Euclidean(3), z), jnp.sum(jax.scipy.stats.norm.logpdf(z), axis=-1), rtol=1e-5)


def test_product_takes_each_factors_prior():
    space = Product((Sphere(2), Euclidean(1)))
    z = space.uniform(jax.random.key(0), (5,))
    normal = jax.scipy.stats.norm.logpdf(z[:, 3])
    np.testing.assert_allclose(log_prior(space, z), normal - math.log(4 * math.pi), rtol=1e-5)


def test_wrong_points_are_named():
    with pytest.raises(ValueError, match="z must have a last axis of size 3"):
        log_prior(Sphere(2), jnp.zeros(2))

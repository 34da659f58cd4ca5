"""Data-dependent initialisation."""

import jax
import jax.numpy as jnp
import numpy as np

from mvae.models.whitening import whiten_head
from mvae.nets import MLPEncoder
from mvae.nets.mlp import POINT_HEAD


def test_output_is_white_on_the_batch():
    encoder = MLPEncoder((64, 64), 4, 0.0)
    image = jax.random.normal(jax.random.key(0), (500, 3, 5, 1))
    params = encoder.init(jax.random.key(1), image)
    before, time = encoder.apply(params, image)
    whitened = whiten_head(params, POINT_HEAD, before)
    point, same_time = encoder.apply(whitened, image)
    np.testing.assert_allclose(np.mean(point, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(point.T, bias=True), np.eye(4), atol=1e-3)
    np.testing.assert_array_equal(time, same_time)


def test_directions_without_variance_stay_finite():
    encoder = MLPEncoder((8,), 3, 0.0)
    image = jnp.ones((10, 2, 2, 1))
    params = encoder.init(jax.random.key(1), image)
    output = jnp.concatenate([jax.random.normal(jax.random.key(0), (10, 2)), jnp.zeros((10, 1))], axis=1)
    for batch in (output, jnp.zeros((10, 3)), output[:1]):
        whitened = whiten_head(params, POINT_HEAD, batch)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(whitened))

"""The networks' shapes and what they promise at initialisation."""

import jax
import jax.numpy as jnp
import numpy as np

from mvae.nets import MLPDecoder, MLPEncoder

IMAGE = jax.random.normal(jax.random.key(0), (6, 3, 5, 2))


def test_encoder_shapes_and_time_at_initialisation():
    encoder = MLPEncoder((16, 8), 4, -3.0)
    params = encoder.init(jax.random.key(1), IMAGE)
    point, log_time = encoder.apply(params, IMAGE)
    assert point.shape == (6, 4)
    np.testing.assert_array_equal(log_time, np.full((6, 1), -3.0, np.float32))
    assert np.std(point, axis=0).min() > 0
    assert encoder.apply(params, IMAGE, method=encoder.hidden).shape == (6, 8)


def test_decoder_starts_at_zero_and_has_the_pictures_shape():
    decoder = MLPDecoder((16, 8), (3, 5, 2))
    params = decoder.init(jax.random.key(1), jnp.ones((1, 4)))
    np.testing.assert_array_equal(decoder.apply(params, jnp.ones((7, 4))), np.zeros((7, 3, 5, 2)))


def test_even_decoder_is_even_and_the_other_is_not():
    z = jax.random.normal(jax.random.key(2), (10, 4))
    for even in (True, False):
        decoder = MLPDecoder((16, 8), (3, 5, 2), even=even)
        params = decoder.init(jax.random.key(1), z)
        params = jax.tree.map(lambda leaf: leaf + 0.1, params)
        same = np.allclose(decoder.apply(params, z), decoder.apply(params, -z), atol=1e-5)
        assert same == even


def test_pictures_differ_at_initialisation_where_the_output_does_not_start_at_zero():
    decoder = MLPDecoder((16, 8), (3, 5, 2), zero_output=False)
    z = jax.random.normal(jax.random.key(0), (7, 4))
    pictures = decoder.apply(decoder.init(jax.random.key(1), z), z)
    assert (jnp.std(pictures, axis=0) > 0.01).all()

"""Shapes of the convolutional networks, what they promise at initialisation, and their padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import generated_by
from mvae.nets import ConvDecoder, ConvEncoder
from mvae.nets.head import Head, heads_of


def heads(size):
    return heads_of({"log_time": Head(1, -3.0), "location": Head(size)})


IMAGE = jax.random.normal(jax.random.key(0), (6, 16, 24, 2))


def test_encoder_shapes_and_time_at_initialisation():
    encoder = ConvEncoder((4, 8), heads(5))
    params = encoder.init(jax.random.key(1), IMAGE)
    outputs = encoder.apply(params, IMAGE)
    point, log_time = outputs["location"], outputs["log_time"]
    assert point.shape == (6, 5)
    np.testing.assert_array_equal(log_time, np.full((6, 1), -3.0, np.float32))
    assert encoder.apply(params, IMAGE, method=encoder.hidden).shape == (6, 4 * 6 * 8)


@pytest.mark.parametrize(("padding", "same"), [("CIRCULAR", True), ("SAME", False)])
def test_circular_encoder_moves_with_the_picture(padding, same):
    """Moved by 2^layers pixels, the image moves the last layer by one."""
    encoder = ConvEncoder((4, 8), heads(5), padding=padding)
    params = encoder.init(jax.random.key(1), IMAGE)

    def hidden(image):
        return encoder.apply(params, image, method=encoder.hidden).reshape(6, 4, 6, 8)

    moved = hidden(jnp.roll(IMAGE, (4, -8), (1, 2)))
    assert np.allclose(moved, jnp.roll(hidden(IMAGE), (1, -2), (1, 2)), atol=1e-5) == same


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["CIRCULAR", "SAME"])
@pytest.mark.parametrize("shape", [(16, 24, 2), (9, 14, 1)])
def test_decoder_starts_at_zero_and_has_the_pictures_shape(shape, padding):
    decoder = ConvDecoder((8, 4), shape, padding=padding)
    params = decoder.init(jax.random.key(1), jnp.ones((1, 4)))
    np.testing.assert_array_equal(decoder.apply(params, jnp.ones((7, 4))), np.zeros((7, *shape)))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    assert np.std(decoder.apply(params, jax.random.normal(jax.random.key(2), (7, 4))), axis=0).min() > 0


@pytest.mark.slow
def test_even_decoder_is_even_and_the_other_is_not():
    z = jax.random.normal(jax.random.key(2), (10, 4))
    for even in (True, False):
        decoder = ConvDecoder((8, 4), (12, 12, 1), symmetry=generated_by(-np.eye(4)) if even else None)
        params = jax.tree.map(lambda leaf: leaf + 0.1, decoder.init(jax.random.key(1), z))
        assert np.allclose(decoder.apply(params, z), decoder.apply(params, -z), atol=1e-4) == even


def test_pictures_differ_at_initialisation_where_the_output_does_not_start_at_zero():
    decoder = ConvDecoder((8, 4), (12, 12, 1), zero_output=False)
    z = jax.random.normal(jax.random.key(0), (7, 4))
    pictures = decoder.apply(decoder.init(jax.random.key(1), z), z)
    assert (jnp.std(pictures, axis=0) > 0).all()

"""The networks' shapes and what they promise at initialisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import KleinBottle, LensSpace, RotationQuotient, generated_by
from mvae.nets import MLPDecoder, MLPEncoder, Network, build_decoder, build_encoder
from mvae.nets.head import Head, heads_of


def heads(size):
    return heads_of({"log_time": Head(1, -3.0), "location": Head(size)})


IMAGE = jax.random.normal(jax.random.key(0), (6, 3, 5, 2))


def test_encoder_shapes_and_time_at_initialisation():
    encoder = MLPEncoder((16, 8), heads(4))
    params = encoder.init(jax.random.key(1), IMAGE)
    outputs = encoder.apply(params, IMAGE)
    point, log_time = outputs["location"], outputs["log_time"]
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
        decoder = MLPDecoder((16, 8), (3, 5, 2), symmetry=generated_by(-np.eye(4)) if even else None)
        params = decoder.init(jax.random.key(1), z)
        params = jax.tree.map(lambda leaf: leaf + 0.1, params)
        same = np.allclose(decoder.apply(params, z), decoder.apply(params, -z), atol=1e-5)
        assert same == even


def test_pictures_differ_at_initialisation_where_the_output_does_not_start_at_zero():
    decoder = MLPDecoder((16, 8), (3, 5, 2), zero_output=False)
    z = jax.random.normal(jax.random.key(0), (7, 4))
    pictures = decoder.apply(decoder.init(jax.random.key(1), z), z)
    assert (jnp.std(pictures, axis=0) > 0.01).all()


def features(widths):
    """A user's own network, written without Flax: two matrices and a tanh."""

    def init(key, x):
        size = x.reshape(len(x), -1).shape[1]
        return [jax.random.normal(key, (size, widths[0])), jnp.ones(widths[:2])]

    return Network(init, lambda params, x: jnp.tanh(x.reshape(len(x), -1) @ params[0]) @ params[1])


def test_own_encoder_gets_the_heads_that_the_library_gives_its_own():
    encoder = build_encoder("mlp", (1,), dict(heads(4)), features((8, 5)))
    params = encoder.init(jax.random.key(0), IMAGE)
    outputs = encoder.outputs(params, IMAGE)
    assert outputs["location"].shape == (6, 4)
    np.testing.assert_array_equal(outputs["log_time"], np.full((6, 1), -3.0, np.float32))
    moved = encoder.with_location(params, jnp.zeros((5, 4)), jnp.arange(4.0))
    np.testing.assert_array_equal(encoder.outputs(moved, IMAGE)["location"], np.tile(np.arange(4.0), (6, 1)))
    assert encoder.hidden(params, IMAGE).shape == (6, 5)


def test_own_networks_of_wrong_shapes_are_refused():
    flat = Network(lambda key, x: {}, lambda params, x: x)
    with pytest.raises(ValueError, match=r"encoder must give features \(b, k\) of x \(6, 3, 5, 2\)"):
        build_encoder("mlp", (1,), dict(heads(4)), flat).init(jax.random.key(0), IMAGE)
    with pytest.raises(ValueError, match=r"decoder must give \(7, 3, 5, 2\) of points \(7, 4\), it gives \(7, 4\)"):
        build_decoder("mlp", (1,), (3, 5, 2), flat).init(jax.random.key(0), jnp.ones((7, 4)))


@pytest.mark.parametrize("space", [KleinBottle(), RotationQuotient("octahedral"), LensSpace(5, 2)], ids=repr)
@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_decoders_do_not_change_under_a_group(space, net):
    z = space.uniform(jax.random.key(2), (4,))
    decoder = build_decoder(net, (16, 8), (8, 8, 1), symmetry=space.group, zero_output=False)
    params = jax.tree.map(lambda leaf: leaf + 0.1, decoder.init(jax.random.key(1), z))
    outputs = jnp.stack([decoder.apply(params, image) for image in space.orbit(z)])
    np.testing.assert_allclose(outputs, jnp.broadcast_to(outputs[:1], outputs.shape), rtol=1e-4, atol=1e-4)
    assert jnp.max(jnp.std(outputs[0], axis=0)) > 1e-3


def test_own_decoder_is_made_even():
    own = Network(lambda key, z: {}, lambda params, z: z + z**2)
    z = jax.random.normal(jax.random.key(2), (10, 4))
    np.testing.assert_allclose(
        build_decoder("mlp", (1,), (4,), own, symmetry=generated_by(-np.eye(4))).apply({}, z), z**2, atol=1e-6
    )

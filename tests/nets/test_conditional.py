"""Networks that are given a condition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import generated_by
from mvae.nets import Head, build_decoder, build_encoder, conditional_decoder, conditional_encoder

HEADS = {"location": Head(3), "scale": Head(1, 0.5)}


def as_given(x, size):
    return x / size


@pytest.mark.parametrize("channels", [False, True])
def test_an_encoder_sees_the_condition_and_the_size(channels):
    x = jax.random.normal(jax.random.key(0), (4, 8, 8, 2))
    net = "conv" if channels else "mlp"
    encoder = conditional_encoder(build_encoder(net, (8, 8), HEADS), 3, as_given, channels=channels)
    params = encoder.init(jax.random.key(1), x[:1])
    first = encoder.outputs(params, x)
    for_0 = encoder.outputs(params, x, condition=jnp.zeros(4, jnp.int32))
    for_2 = encoder.outputs(params, x, condition=jnp.full(4, 2))
    np.testing.assert_array_equal(first["location"], for_0["location"])
    assert np.abs(for_0["location"] - for_2["location"]).min() > 1e-4
    halved = encoder.outputs(params, 2 * x, condition=jnp.full(4, 2), size_factor=2.0)
    np.testing.assert_allclose(halved["location"], for_2["location"], rtol=1e-5, atol=1e-6)


def test_without_conditions_the_parameters_are_those_of_the_encoder():
    x = jax.random.normal(jax.random.key(0), (4, 5))
    encoder = build_encoder("mlp", (8,), HEADS)
    counted = conditional_encoder(encoder, 0, as_given)
    params = encoder.init(jax.random.key(1), x)
    assert jax.tree.structure(params) == jax.tree.structure(counted.init(jax.random.key(1), x))
    np.testing.assert_array_equal(encoder.hidden(params, x), counted.hidden(params, x))


@pytest.mark.parametrize("even", [False, True])
def test_a_decoder_sees_the_condition_and_is_even_in_z_alone(even):
    z = jax.random.normal(jax.random.key(0), (6, 3))
    decoder = conditional_decoder(
        build_decoder("mlp", (16,), (4,), zero_output=False), 2, generated_by(-np.eye(3)) if even else None
    )
    params = decoder.init(jax.random.key(1), z)
    condition = jnp.asarray([0, 1, 0, 1, 1, 0])
    output, mirrored = decoder.apply(params, z, condition), decoder.apply(params, -z, condition)
    assert np.allclose(output, mirrored, atol=1e-6) == even
    assert np.abs(output - decoder.apply(params, z, 1 - condition)).max() > 1e-3

"""Convolutions as products of matrices against those of Flax, values and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mvae.nets import ConvDecoder, ConvEncoder
from mvae.nets.head import Head, heads_of
from mvae.nets.patches import conv4x4_stride2, conv_transpose4x4_stride2


def heads(size):
    return heads_of({"log_time": Head(1, -3.0), "location": Head(size)})


LAYERS = {conv4x4_stride2: nn.Conv, conv_transpose4x4_stride2: nn.ConvTranspose}


@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR"])
@pytest.mark.parametrize(
    ("function", "shape", "filters"),
    [
        (conv4x4_stride2, (6, 7, 2), 3),
        (conv4x4_stride2, (1, 2, 1), 2),
        (conv_transpose4x4_stride2, (3, 4, 2), 3),
        (conv_transpose4x4_stride2, (4, 3, 4), 1),  # so few filters that products are added up
        (conv_transpose4x4_stride2, (1, 2, 1), 1),
    ],
)
def test_equals_flax(function, shape, filters, padding):
    rng = np.random.default_rng(0)
    layer = LAYERS[function](filters, (4, 4), (2, 2), padding)
    x = rng.normal(size=(2, *shape)).astype(np.float32)
    kernel = rng.normal(size=(4, 4, shape[-1], filters)).astype(np.float32)
    bias = rng.normal(size=filters).astype(np.float32)

    def expected(x, kernel, bias):
        return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)

    def found(x, kernel, bias):
        return function(x, kernel, bias, padding)

    weights = np.cos(np.arange(4 * (shape[0] + 1) * (shape[1] + 1) * 4 * filters))

    @jax.jit
    def with_derivatives(x, kernel, bias):
        images = []
        for apply in (found, expected):
            y, pullback = jax.vjp(apply, x, kernel, bias)
            images.append((y, *pullback(jnp.asarray(weights[: y.size], y.dtype).reshape(y.shape))))
        return images

    ours, flaxs = with_derivatives(x, kernel, bias)
    for one, other in zip(ours, flaxs, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_networks_are_the_same_on_every_backend(monkeypatch):
    image, z = (np.cos(np.arange(np.prod(shape)), dtype=np.float32).reshape(shape) for shape in ((3, 9, 12, 2), (3, 4)))
    encoder, decoder = ConvEncoder((4, 8), heads(4)), ConvDecoder((8, 4), (9, 12, 2))

    def shapes_and_outputs():
        shapes = (
            jax.eval_shape(encoder.init, jax.random.key(0), image),
            jax.eval_shape(decoder.init, jax.random.key(0), z),
        )
        params = jax.tree.map(
            lambda leaf: 0.3 * np.sin(np.arange(leaf.size, dtype=np.float32)).reshape(leaf.shape), shapes
        )
        return shapes, jax.jit(lambda params: (encoder.apply(params[0], image), decoder.apply(params[1], z)))(params)

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    native_shapes, native = shapes_and_outputs()
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    shapes, outputs = shapes_and_outputs()
    assert jax.tree.structure(shapes) == jax.tree.structure(native_shapes)
    assert jax.tree.leaves(shapes) == jax.tree.leaves(native_shapes)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5), outputs, native)


def test_parameters_start_the_same_on_every_backend(monkeypatch):
    def initial(backend):
        monkeypatch.setattr(jax, "default_backend", lambda: backend)
        return ConvEncoder((2,), heads(1)).init(jax.random.key(0), np.ones((1, 2, 2, 2), np.float32))

    assert jax.tree.all(jax.tree.map(np.array_equal, initial("gpu"), initial("cpu")))


def test_convolution_runs_on_cpu_without_one(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    encoder, image = ConvEncoder((2,), heads(3)), jnp.ones((1, 4, 4, 1))
    assert "conv_general_dilated" not in str(jax.make_jaxpr(encoder.init_with_output)(jax.random.key(0), image))


@pytest.mark.parametrize("function", LAYERS)
def test_wrong_arguments_are_refused(function):
    x, kernel, bias = jnp.zeros((1, 4, 4, 2)), jnp.zeros((4, 4, 2, 3)), jnp.zeros(3)
    with pytest.raises(ValueError, match="padding must be one of SAME, CIRCULAR, got 'VALID'"):
        function(x, kernel, bias, "VALID")
    for wrong in ((x[0], kernel), (x, kernel[:3]), (x[..., :1], kernel)):
        with pytest.raises(ValueError, match=r"x must have shape \(b, h, w, c\) and kernel \(4, 4, c, f\), got "):
            function(*wrong, bias, "SAME")

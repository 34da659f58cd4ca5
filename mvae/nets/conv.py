"""Convolutional networks: layers of 4 × 4 filters with stride 2, and the same backwards."""

import math
from collections.abc import Callable, Sequence

import jax
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from flax.linen.linear import default_kernel_init
from jaxtyping import Array, Float

from mvae.manifolds import Group
from mvae.nets.head import Heads, dense_head, split_heads
from mvae.nets.mlp import first_layer
from mvae.nets.patches import conv4x4_stride2, conv_transpose4x4_stride2

KERNEL = (4, 4)
STRIDES = (2, 2)
PADDINGS = ("SAME", "CIRCULAR")


class PatchLayer(nn.Module):
    """A layer with the parameters of `nn.Conv` and `nn.ConvTranspose` that multiplies matrices (`mvae.nets.patches`).

    Attributes:
        function: `conv4x4_stride2` or `conv_transpose4x4_stride2`.
        features: Number of filters.
        padding: "SAME" or "CIRCULAR".
        kernel_init: How the filters are initialised.
    """

    function: Callable[..., Array]
    features: int
    padding: str
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 f"]:
        """Returns the layer's output, before any nonlinearity."""
        kernel = self.param("kernel", self.kernel_init, (*KERNEL, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return self.function(*promote_dtype(x, kernel, bias), self.padding)


def _conv(features: int, padding: str) -> nn.Module:
    if jax.default_backend() == "cpu":
        return PatchLayer(conv4x4_stride2, features, padding, default_kernel_init)
    return nn.Conv(features, KERNEL, STRIDES, padding)


def _conv_transpose(features: int, padding: str, name: str, kernel_init: nn.initializers.Initializer) -> nn.Module:
    if jax.default_backend() == "cpu":
        return PatchLayer(conv_transpose4x4_stride2, features, padding, kernel_init, name=name)
    return nn.ConvTranspose(features, KERNEL, STRIDES, padding, kernel_init=kernel_init, name=name)


class ConvEncoder(nn.Module):
    """Maps images to named outputs; every layer halves height and width.

    Attributes:
        channels: Channels of each layer (4 × 4 filters, stride 2, ReLU).
        heads: The outputs, from `mvae.nets.head.heads_of`.
        padding: "SAME" for zeros around the image, "CIRCULAR" for an image that is periodic.
    """

    channels: Sequence[int]
    heads: Heads
    padding: str = "SAME"

    def setup(self):
        """Names the layers."""
        self.layers = [_conv(channels, self.padding) for channels in self.channels]
        self.head = dense_head(self.heads)

    def hidden(self, x: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Returns the last layer, flat, (b, k)."""
        hidden = x
        for layer in self.layers:
            hidden = nn.relu(layer(hidden))
        return hidden.reshape(hidden.shape[0], -1)

    def __call__(self, x: Float[Array, "b h w c"]) -> dict[str, Float[Array, "b size"]]:
        """Returns each head's output, (b, size)."""
        hidden = self.hidden(x)
        return split_heads(self.head(hidden), self.heads, hidden.shape[-1])


class ConvDecoder(nn.Module):
    """Maps points of the manifold, in ambient coordinates, to images (no nonlinearity at the end).

    A dense layer to the smallest images, then transposed convolutions (4 × 4 filters, stride 2) that double
    height and width; what exceeds the image, where its sides are not multiples of 2^layers, is cut off.

    Attributes:
        channels: Channels before each transposed convolution (ReLU), from the smallest images on.
        event_shape: (height, width, channels) of the image.
        symmetry: A group under which the decoder does not change, as in `MLPDecoder`.
        padding: "SAME" for images with borders, "CIRCULAR" for periodic ones.
        zero_output: Whether the filters of the last layer start at zero, and so all images as one.
    """

    channels: Sequence[int]
    event_shape: tuple[int, ...]
    symmetry: Group | None = None
    padding: str = "SAME"
    zero_output: bool = True

    @nn.compact
    def __call__(self, z: Float[Array, "b n"]) -> Float[Array, "b h w c"]:
        """Returns the decoded images, (b, h, w, c)."""
        height, width, channels = self.event_shape
        scale = 2 ** len(self.channels)
        small = (math.ceil(height / scale), math.ceil(width / scale), self.channels[0])
        hidden = first_layer(nn.Dense(math.prod(small)), z, self.symmetry)
        hidden = hidden.reshape(-1, *small)
        last_init = nn.initializers.zeros if self.zero_output else default_kernel_init
        layers = [(after, default_kernel_init) for after in self.channels[1:]] + [(channels, last_init)]
        for i, (after, kernel_init) in enumerate(layers):
            layer = _conv_transpose(after, self.padding, f"ConvTranspose_{i}", kernel_init)
            hidden = layer(hidden if i == 0 else nn.relu(hidden))
        return hidden[:, :height, :width]

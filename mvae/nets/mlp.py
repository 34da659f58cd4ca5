"""Multi-layer perceptrons, the networks of the ΔVAE paper (dvae.md, section 4)."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

POINT_HEAD = "point"


class MLPEncoder(nn.Module):
    """Maps pictures to a point of ambient space and a log time; all layers but the last are shared.

    Attributes:
        widths: Width of each hidden layer (ReLU).
        ambient_dim: Dimension n of the space the manifold lies in.
        initial_log_time: Log time at initialisation, the same for every picture: the kernel of its head
            starts at zero.
    """

    widths: Sequence[int]
    ambient_dim: int
    initial_log_time: float

    def setup(self):
        """Names the layers."""
        self.layers = [nn.Dense(width) for width in self.widths]
        self.point = nn.Dense(self.ambient_dim, name=POINT_HEAD)
        self.log_time = nn.Dense(1, kernel_init=nn.initializers.zeros, name="log_time")

    def hidden(self, image: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Returns the last hidden layer, (b, k)."""
        hidden = image.reshape(image.shape[0], -1)
        for layer in self.layers:
            hidden = nn.relu(layer(hidden))
        return hidden

    def __call__(self, image: Float[Array, "b h w c"]) -> tuple[Float[Array, "b n"], Float[Array, " b"]]:
        """Returns the point before projection, (b, n), and the log time, (b,)."""
        hidden = self.hidden(image)
        offset = self.log_time(hidden / jnp.sqrt(hidden.shape[-1]))[:, 0]
        return self.point(hidden), self.initial_log_time + offset


class MLPDecoder(nn.Module):
    """Maps points of the manifold, in ambient coordinates, to pictures (no nonlinearity at the end).

    Attributes:
        widths: Width of each hidden layer (ReLU).
        image_shape: (height, width, channels) of the picture.
    """

    widths: Sequence[int]
    image_shape: tuple[int, int, int]

    @nn.compact
    def __call__(self, z: Float[Array, "b n"]) -> Float[Array, "b h w c"]:
        """Returns the decoded pictures, (b, h, w, c)."""
        hidden = z
        for width in self.widths:
            hidden = nn.relu(nn.Dense(width)(hidden))
        height, width, channels = self.image_shape
        pixels = nn.Dense(height * width * channels, kernel_init=nn.initializers.zeros)(hidden)
        return jnp.reshape(pixels, (z.shape[0], *self.image_shape))

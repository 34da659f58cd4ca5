"""Multi-layer perceptrons, the networks of the ΔVAE paper [perezrey2019, Sec. 4]."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.linear import default_kernel_init
from jaxtyping import Array, Float

from mvae.nets.head import dense_head, point_and_log_times


class MLPEncoder(nn.Module):
    """Maps pictures to a point of ambient space and log times; all layers but the last are shared.

    Attributes:
        widths: Width of each hidden layer (ReLU).
        ambient_dim: Dimension n of the space the manifold lies in.
        initial_log_time: Log time at initialisation.
        num_times: How many log times: one of Brownian motion, or one for each direction.
    """

    widths: Sequence[int]
    ambient_dim: int
    initial_log_time: float
    num_times: int = 1

    def setup(self):
        """Names the layers."""
        self.layers = [nn.Dense(width) for width in self.widths]
        self.head = dense_head(self.ambient_dim, self.num_times)

    def hidden(self, image: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Returns the last hidden layer, (b, k)."""
        hidden = image.reshape(image.shape[0], -1)
        for layer in self.layers:
            hidden = nn.relu(layer(hidden))
        return hidden

    def __call__(self, image: Float[Array, "b h w c"]) -> tuple[Float[Array, "b n"], Float[Array, "b k"]]:
        """Returns the point before projection, (b, n), and the log times, (b, num_times)."""
        hidden = self.hidden(image)
        return point_and_log_times(self.head(hidden), self.ambient_dim, hidden.shape[-1], self.initial_log_time)


class MLPDecoder(nn.Module):
    """Maps points of the manifold, in ambient coordinates, to pictures (no nonlinearity at the end).

    Attributes:
        widths: Width of each hidden layer (ReLU).
        image_shape: (height, width, channels) of the picture.
        even: Whether the decoder is even, f(-z) = f(z), by construction: its first layer is then
            relu(W z + b) + relu(-W z + b). For points of the sphere that stand for lines.
        zero_output: Whether the weights of the last layer start at zero, and so all pictures as one.
    """

    widths: Sequence[int]
    image_shape: tuple[int, int, int]
    even: bool = False
    zero_output: bool = True

    @nn.compact
    def __call__(self, z: Float[Array, "b n"]) -> Float[Array, "b h w c"]:
        """Returns the decoded pictures, (b, h, w, c)."""
        first = nn.Dense(self.widths[0])
        hidden = nn.relu(first(z)) + nn.relu(first(-z)) if self.even else nn.relu(first(z))
        for width in self.widths[1:]:
            hidden = nn.relu(nn.Dense(width)(hidden))
        height, width, channels = self.image_shape
        kernel_init = nn.initializers.zeros if self.zero_output else default_kernel_init
        pixels = nn.Dense(height * width * channels, kernel_init=kernel_init)(hidden)
        return jnp.reshape(pixels, (z.shape[0], *self.image_shape))

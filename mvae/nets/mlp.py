"""Multi-layer perceptrons, the networks of the ΔVAE paper (dvae.md, section 4)."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

TIME_HEAD = "log_time"
POINT_HEAD = "point"


class MLPEncoder(nn.Module):
    """Maps pictures to a point of ambient space and a raw log time; all layers but the last are shared.

    Attributes:
        widths: Width of each hidden layer (ReLU).
        ambient_dim: Dimension n of the space the manifold lies in.
        initial_log_time: Value of the time head at initialisation, the same for every input: its kernel
            starts at zero, so that no example starts with a time of its own.
    """

    widths: Sequence[int]
    ambient_dim: int
    initial_log_time: float

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> tuple[Float[Array, "b n"], Float[Array, " b"]]:
        """Returns the point before projection, (b, n), and the logarithm of the learned time, (b,)."""
        hidden = image.reshape(image.shape[0], -1)
        for width in self.widths:
            hidden = nn.relu(nn.Dense(width)(hidden))
        point = nn.Dense(self.ambient_dim, name=POINT_HEAD)(hidden)
        log_time = nn.Dense(
            1,
            kernel_init=nn.initializers.zeros,
            bias_init=nn.initializers.constant(self.initial_log_time),
            name=TIME_HEAD,
        )(hidden)
        return point, log_time[:, 0]


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
        pixels = nn.Dense(height * width * channels)(hidden)
        return jnp.reshape(pixels, (z.shape[0], *self.image_shape))

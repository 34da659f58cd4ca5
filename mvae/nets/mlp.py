"""Multi-layer perceptrons, the networks of the ΔVAE paper [perezrey2019, Sec. 4]."""

import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.linear import default_kernel_init
from jaxtyping import Array, Float

from mvae.manifolds import Group
from mvae.manifolds.quotient.space import orbit
from mvae.nets.head import Heads, dense_head, split_heads


def first_layer(dense: Callable[[Array], Array], z: Float[Array, "b n"], symmetry: Group | None) -> Float[Array, "b k"]:
    """Returns relu(W z + b), or its sum over the images of z under a group, times sqrt(2 / order).

    The factor keeps what varies with z at the same size for groups of all orders; it is 1 for two elements.
    """
    if symmetry is None:
        return nn.relu(dense(z))
    images = nn.relu(dense(orbit(symmetry, z).reshape(-1, z.shape[-1])))
    return math.sqrt(2 / symmetry.order) * jnp.sum(images.reshape(symmetry.order, *z.shape[:-1], -1), axis=0)


class MLPEncoder(nn.Module):
    """Maps examples to named outputs; all layers but the last are shared.

    Attributes:
        widths: Width of each hidden layer (ReLU).
        heads: The outputs, from `mvae.nets.head.heads_of`.
    """

    widths: Sequence[int]
    heads: Heads

    def setup(self):
        """Names the layers."""
        self.layers = [nn.Dense(width) for width in self.widths]
        self.head = dense_head(self.heads)

    def hidden(self, x: Float[Array, "b *event"]) -> Float[Array, "b k"]:
        """Returns the last hidden layer, (b, k)."""
        hidden = x.reshape(x.shape[0], -1)
        for layer in self.layers:
            hidden = nn.relu(layer(hidden))
        return hidden

    def __call__(self, x: Float[Array, "b *event"]) -> dict[str, Float[Array, "b size"]]:
        """Returns each head's output, (b, size)."""
        hidden = self.hidden(x)
        return split_heads(self.head(hidden), self.heads, hidden.shape[-1])


class MLPDecoder(nn.Module):
    """Maps points of the manifold, in ambient coordinates, to examples (no nonlinearity at the end).

    Attributes:
        widths: Width of each hidden layer (ReLU).
        event_shape: Shape of an example, such as (height, width, channels) or (n,).
        symmetry: A group under which the decoder does not change, f(g z) = f(z), by construction: its first layer is
            summed over the group. For representatives of one point, such as z and -z of a projective space.
        zero_output: Whether the weights of the last layer start at zero, and so all that is decoded as one.
    """

    widths: Sequence[int]
    event_shape: tuple[int, ...]
    symmetry: Group | None = None
    zero_output: bool = True

    @nn.compact
    def __call__(self, z: Float[Array, "b n"]) -> Float[Array, "b *event"]:
        """Returns the decoded examples, (b, *event)."""
        hidden = first_layer(nn.Dense(self.widths[0]), z, self.symmetry)
        for width in self.widths[1:]:
            hidden = nn.relu(nn.Dense(width)(hidden))
        kernel_init = nn.initializers.zeros if self.zero_output else default_kernel_init
        pixels = nn.Dense(math.prod(self.event_shape), kernel_init=kernel_init)(hidden)
        return jnp.reshape(pixels, (z.shape[0], *self.event_shape))

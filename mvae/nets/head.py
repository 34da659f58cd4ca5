"""The last layer of an encoder: outputs by name, such as a location and a log variance."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

HEAD = "head"


class Head(NamedTuple):
    """One output of an encoder.

    Attributes:
        size: Numbers it has for each example.
        start: None for a linear layer whose weights start at random. A number for an output that starts there for every
            example: Its weights start at zero, and what they say is divided by the root of the width of the layer
            before it. Adam moves all of a unit's weights at once, and a log variance that moves by units a step runs
            off to where the posterior is the prior and no gradient leads back.
    """

    size: int
    start: float | None = None


Heads = tuple[tuple[str, Head], ...]


def heads_of(heads: Mapping[str, Head]) -> Heads:
    """Returns heads as a hashable tuple, those with random weights first, as the columns of the layer lie."""
    return tuple(sorted(heads.items(), key=lambda item: item[1].start is not None))


def num_random(heads: Heads) -> int:
    """Number of columns whose weights start at random."""
    return sum(head.size for _, head in heads if head.start is None)


def num_columns(heads: Heads) -> int:
    """Number of columns of the layer."""
    return sum(head.size for _, head in heads)


def head_kernel(key: Key[Array, ""], width: int, heads: Heads, dtype: Any = jnp.float32) -> Float[Array, "k m"]:
    """Returns initial weights: LeCun's normal distribution for the random columns, zeros for the others."""
    free = num_random(heads)
    random = nn.initializers.lecun_normal()(key, (width, free), dtype)
    return jnp.pad(random, ((0, 0), (0, num_columns(heads) - free)))


def dense_head(heads: Heads) -> nn.Dense:
    """Returns the layer of all heads side by side."""

    def kernel(key: Key[Array, ""], shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        return head_kernel(key, shape[0], heads, dtype)

    return nn.Dense(num_columns(heads), kernel_init=kernel, name=HEAD)


def split_heads(output: Float[Array, "b m"], heads: Heads, width: int) -> dict[str, Float[Array, "b size"]]:
    """Returns each head's output by its name.

    Args:
        output: What `dense_head` gives.
        heads: Its heads, from `heads_of`.
        width: Width of the hidden layer before it.
    """
    found, column = {}, 0
    for name, head in heads:
        part = output[:, column : column + head.size]
        column += head.size
        found[name] = part if head.start is None else head.start + part / jnp.sqrt(jnp.asarray(width, part.dtype))
    return found


def apply_head(params: Mapping[str, Array], hidden: Float[Array, "b k"]) -> Float[Array, "b m"]:
    """Returns the output of a head that is not a Flax module: hidden · kernel + bias."""
    return jax.lax.dot(hidden, params["kernel"]) + params["bias"][None]

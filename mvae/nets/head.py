"""The last layer of an encoder: a point of ambient space and a log time."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

HEAD = "head"


def _point_then_zeros(key: Key[Array, ""], shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
    """Initial kernel of the head: that of a Dense layer for the point, zero for the time."""
    width, outputs = shape
    point = nn.initializers.lecun_normal()(key, (width, outputs - 1), dtype)
    return jnp.pad(point, ((0, 0), (0, 1)))


def dense_head(ambient_dim: int) -> nn.Dense:
    """Returns the head: n columns for the point and one for the time, whose kernel starts at zero."""
    return nn.Dense(ambient_dim + 1, kernel_init=_point_then_zeros, name=HEAD)


def point_and_log_time(
    output: Float[Array, "b m"], width: int, initial_log_time: float
) -> tuple[Float[Array, "b n"], Float[Array, " b"]]:
    """Returns the point before projection, (b, n), and the log time, (b,), from the output of the head.

    log t starts at the same value for every picture. What the head says of it is divided by the root of the
    width k: Adam moves all k of its weights at once, and a log time that moves by units a step runs off to where
    the posterior is uniform and no gradient leads back.

    Args:
        output: Output of `dense_head`, m = n + 1.
        width: Width k of the hidden layer before it.
        initial_log_time: Log time at initialisation.
    """
    return output[:, :-1], initial_log_time + output[:, -1] / jnp.sqrt(width)

"""The last layer of an encoder: a point of ambient space and a log time."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

HEAD = "head"


def dense_head(ambient_dim: int, num_times: int) -> nn.Dense:
    """Returns the head: n columns for the point, then k for the log times, whose kernel starts at zero."""

    def point_then_zeros(key: Key[Array, ""], shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        point = nn.initializers.lecun_normal()(key, (shape[0], ambient_dim), dtype)
        return jnp.pad(point, ((0, 0), (0, num_times)))

    return nn.Dense(ambient_dim + num_times, kernel_init=point_then_zeros, name=HEAD)


def point_and_log_times(
    output: Float[Array, "b m"], ambient_dim: int, width: int, initial_log_time: float
) -> tuple[Float[Array, "b n"], Float[Array, "b k"]]:
    """Returns the point before projection, (b, n), and the log times, (b, k), from the output of the head.

    Log times start at the same value for every picture. What the head says of them is divided by the root of the
    width: Adam moves all of a unit's weights at once, and a log time that moves by units a step runs off to where
    the posterior is uniform and no gradient leads back.

    Args:
        output: Output of `dense_head`, m = n + k.
        ambient_dim: n.
        width: Width of the hidden layer before it.
        initial_log_time: Log time at initialisation.
    """
    return output[:, :ambient_dim], initial_log_time + output[:, ambient_dim:] / jnp.sqrt(width)

"""A network whose output is a covariance matrix, by its Cholesky factor."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float


class CovarianceNet(nn.Module):
    """Maps points to the lower triangular factor L of a covariance matrix L L', diagonal positive.

    Attributes:
        widths: Width of each hidden layer (ReLU).
        dim: D. L is the identity at initialisation.
    """

    widths: Sequence[int]
    dim: int

    @nn.compact
    def __call__(self, z: Float[Array, "b D"]) -> Float[Array, "b D D"]:
        """Returns the factors, (b, D, D)."""
        hidden = z
        for width in self.widths:
            hidden = nn.relu(nn.Dense(width)(hidden))
        rows, columns = np.tril_indices(self.dim)
        entries = nn.Dense(len(rows), kernel_init=nn.initializers.zeros)(hidden)
        entries = jnp.where(rows == columns, jnp.exp(entries), entries)
        return jnp.zeros((*z.shape[:-1], self.dim, self.dim), z.dtype).at[..., rows, columns].set(entries)

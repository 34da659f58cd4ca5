"""Multi-layer perceptrons with smooth units."""

from flax import linen as nn
from jaxtyping import Array, Float


class SmoothMLP(nn.Module):
    """A multi-layer perceptron with smooth units, so that its volume element has a derivative.

    Attributes:
        widths: Hidden layers (GELU).
        out: Outputs.
    """

    widths: tuple[int, ...]
    out: int

    @nn.compact
    def __call__(self, x: Float[Array, "*batch k"]) -> Float[Array, "*batch out"]:
        """Returns (..., out)."""
        for width in self.widths:
            x = nn.gelu(nn.Dense(width)(x))
        return nn.Dense(self.out)(x)

"""A classifier of images, the judge of what a decoder shows."""

from collections.abc import Sequence

from flax import linen as nn
from jaxtyping import Array, Float


class MLPClassifier(nn.Module):
    """Maps images to log odds of classes: a multi-layer perceptron on all pixels.

    Attributes:
        widths: Width of each hidden layer (ReLU).
        num_classes: How many classes there are.
    """

    widths: Sequence[int]
    num_classes: int

    @nn.compact
    def __call__(self, image: Float[Array, "b *event"]) -> Float[Array, "b k"]:
        """Returns the logits, (b, num_classes)."""
        hidden = image.reshape(image.shape[0], -1)
        for width in self.widths:
            hidden = nn.relu(nn.Dense(width)(hidden))
        return nn.Dense(self.num_classes)(hidden)

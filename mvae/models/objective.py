"""What every variational autoencoder here has: networks, likelihood, and the weighed KL with or without a capacity."""

import dataclasses
import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds import Manifold
from mvae.models.likelihood import LIKELIHOODS
from mvae.nets import NETS
from mvae.typed import OF_DATA


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariationalConfig:
    """Networks, likelihood and objective.

    Attributes:
        manifold: The latent space.
        event_shape: Shape of an example: (height, width, channels) of an image, (n,) of a vector.
        num_conditions: Categories of the condition that encoder and decoder are given; 0 for none.
        net: "mlp"; "conv", layers of 4 × 4 filters with stride 2; or "circular_conv", the same for images that
            are periodic.
        encoder_widths: Widths of the hidden layers of the encoder, for convolutions their channels.
        decoder_widths: The same of the decoder, from the latent space on.
        likelihood: One of `mvae.models.likelihood.LIKELIHOODS`.
        beta: Weight of the KL, or of its distance from the capacity.
        min_capacity: Capacity C at step 0, in nats.
        max_capacity: Capacity that C rises to, linearly; None for no capacity.
        capacity_steps: Steps over which it rises; needed with a `max_capacity`.

    Raises:
        ValueError: For a value out of range, naming it.
    """

    manifold: Manifold
    event_shape: tuple[int, ...]
    num_conditions: int = dataclasses.field(default=0, metadata=OF_DATA)
    net: str = "mlp"
    encoder_widths: tuple[int, ...] = (512, 512, 512)
    decoder_widths: tuple[int, ...] = (512, 512)
    likelihood: str = "gaussian"
    beta: float = 1.0
    min_capacity: float = 0.0
    max_capacity: float | None = None
    capacity_steps: int | None = None

    def __post_init__(self):
        if self.net not in NETS:
            raise ValueError(f"net must be one of {', '.join(NETS)}, got {self.net!r}")
        if self.net != "mlp" and len(self.event_shape) != 3:
            raise ValueError(
                f"net = {self.net!r} is for images (h, w, c), not data of shape {self.event_shape}: use mlp"
            )
        for name in ("encoder_widths", "decoder_widths"):
            widths = getattr(self, name)
            if not widths or any(width < 1 for width in widths):
                raise ValueError(f"{name} must be one or more positive widths, got {widths}")
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}, got {self.likelihood!r}")
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise ValueError(f"beta must be zero or more, got {self.beta}")
        if not (math.isfinite(self.min_capacity) and self.min_capacity >= 0):
            raise ValueError(f"min_capacity must be zero or more, got {self.min_capacity}")
        if self.max_capacity is not None and not self.min_capacity <= self.max_capacity < math.inf:
            raise ValueError(f"max_capacity must be at least min_capacity, got {self.max_capacity}")
        if self.capacity_steps is not None and self.capacity_steps < 1:
            raise ValueError(f"capacity_steps must be at least 1, got {self.capacity_steps}")

    @property
    def given(self) -> tuple[str, ...]:
        """What encoder and decoder are given beside x, see `mvae.models.Model`."""
        counts = LIKELIHOODS[self.likelihood]().counts
        return ("condition",) * bool(self.num_conditions) + ("size_factor",) * counts

    @property
    def dim(self) -> int:
        """Dimension of the latent space."""
        return self.manifold.dim

    def capacity(self, step: Array | int | None) -> Array | float:
        """Capacity C at a step, in nats; the final one for None.

        Raises:
            ValueError: If no capacity is set, or it rises over an unknown number of steps.
        """
        if self.max_capacity is None:
            raise ValueError("capacity needs max_capacity")
        if step is None:
            return self.max_capacity
        if self.capacity_steps is None:
            raise ValueError("capacity needs capacity_steps, the steps over which it rises")
        risen = jnp.minimum(step / self.capacity_steps, 1.0)
        return self.min_capacity + risen * (self.max_capacity - self.min_capacity)

    def loss(
        self, reconstruction: Float[Array, " b"], kl: Float[Array, " b"], step: Array | int | None
    ) -> Float[Array, " b"]:
        """Returns -E[log p(x | z)] + β KL, or with a capacity -E[log p(x | z)] + β |KL - C|, in nats.

        Source: [perezrey2019b, Eq. 2].
        """
        excess = kl if self.max_capacity is None else jnp.abs(kl - self.capacity(step))
        return reconstruction + self.beta * excess

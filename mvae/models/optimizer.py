"""Adam for the parts of a model, at a rate that falls at the end."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Adam at a constant rate that then falls along half a cosine; the encoder may start after the decoder.

    Attributes:
        learning_rate: Rate until the decay begins.
        encoder_warmup_steps: Steps until the encoder learns at the full rate: it stands still for half of
            them and its rate rises linearly over the other half; 0 for none.
        final_learning_rate: Rate at the last step.
        decay_fraction: Share of the steps, at the end, over which the rate falls; 0 for none.
    """

    learning_rate: float = 1e-3
    encoder_warmup_steps: int = 0
    final_learning_rate: float = 1e-5
    decay_fraction: float = 0.5

    def __post_init__(self):
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not 0 <= self.final_learning_rate <= self.learning_rate:
            raise ValueError(f"final_learning_rate must lie in [0, learning_rate], got {self.final_learning_rate}")
        if self.encoder_warmup_steps < 0:
            raise ValueError(f"encoder_warmup_steps must be zero or more, got {self.encoder_warmup_steps}")
        if not 0 <= self.decay_fraction <= 1:
            raise ValueError(f"decay_fraction must lie in [0, 1], got {self.decay_fraction}")


def decayed_rate(config: OptimizerConfig, num_steps: int) -> Callable[[Any], Array]:
    """Returns step -> learning_rate · decay: 1 until the last `decay_fraction` of the steps, then half a cosine."""
    decay_steps = round(config.decay_fraction * num_steps)
    last = config.final_learning_rate / config.learning_rate

    def rate(step: Any) -> Array:
        progress = jnp.clip((step - (num_steps - decay_steps)) / max(decay_steps, 1), 0.0, 1.0)
        return config.learning_rate * (last + (1 - last) * 0.5 * (1 + jnp.cos(jnp.pi * progress)))

    return rate


def adam(config: OptimizerConfig, num_steps: int) -> optax.GradientTransformation:
    """Returns Adam for parameters {"encoder", ...}, each part at `decayed_rate`, the encoder times rise(s).

    rise(s) is 0 for the first half of the encoder's warm-up, then linear up to 1.
    """
    rate = decayed_rate(config, num_steps)
    half = config.encoder_warmup_steps / 2

    def encoder_rate(step: Any) -> Array:
        return rate(step) * (jnp.clip((jnp.asarray(step, float) - half) / half, 0.0, 1.0) if half else 1.0)

    def parts(params: dict[str, Any]) -> dict[str, str]:
        return {name: "encoder" if name == "encoder" else "rest" for name in params}

    return optax.multi_transform({"encoder": optax.adam(encoder_rate), "rest": optax.adam(rate)}, parts)


def adversarial_adam(config: OptimizerConfig, num_steps: int, updates_per_step: int) -> optax.GradientTransformation:
    """Returns Adam without momentum, β₁ = 0 and β₂ = 0.9, at `decayed_rate` of the step that an update belongs to.

    Source: [gulrajani2017, Alg. 1].
    """
    rate = decayed_rate(config, num_steps)
    return optax.adam(lambda update: rate(jnp.asarray(update) // updates_per_step), b1=0.0, b2=0.9)

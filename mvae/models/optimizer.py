"""Adam for the parts of a model, at a rate that falls at the end."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from mvae.runs.config import OptimizerConfig


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

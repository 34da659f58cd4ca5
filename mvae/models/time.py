"""The diffusion time of the posterior: a learned part and a scheduled floor common to all examples."""

import dataclasses
import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@dataclasses.dataclass(frozen=True)
class TimeConfig:
    """How the time t of a posterior is made: t(x, step) = floor(step) + exp(u(x)).

    Brownian motion run for a sum of two times is run for one and then for the other, so the floor is noise
    that everybody receives on top of the noise the encoder asks for. dt/du = exp(u) vanishes nowhere: unlike
    a bounded u, a time that has wandered off finds back (dvae.md bounds log t by a tanh, and every KL of its
    Table 2 sits at the bound, where the gradient is zero).

    The floor starts high, where the noise is as wide as the manifold and only the coarsest structure of the
    data is worth encoding, so a folded map costs more than an unfolded one; it stays there for `hold_steps`,
    then falls log-linearly over `anneal_steps` to `end`, and is zero from there on.

    Attributes:
        initial: Learned time exp(u) at initialisation.
        floor_start: Height of the floor at step 0; 0 for no floor at any step.
        floor_end: Height at the end of the fall, before it is dropped altogether.
        hold_steps: Steps at the initial height.
        anneal_steps: Steps of the fall.

    Raises:
        ValueError: For a value outside the ranges above, naming it.
    """

    initial: float
    floor_start: float
    floor_end: float
    hold_steps: int
    anneal_steps: int

    def __post_init__(self):
        if not (math.isfinite(self.initial) and self.initial > 0):
            raise ValueError(f"time.initial must be a positive number, got {self.initial}")
        if not (math.isfinite(self.floor_start) and self.floor_start >= 0):
            raise ValueError(f"time.floor_start must be zero or a positive number, got {self.floor_start}")
        if self.floor_start > 0 and not 0 < self.floor_end <= self.floor_start:
            raise ValueError(
                f"time.floor_end must lie in (0, floor_start = {self.floor_start}], got {self.floor_end}"
            )
        for name in ("hold_steps", "anneal_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"time.{name} must be zero or more, got {getattr(self, name)}")


def time_floor(config: TimeConfig, step: Int[Array, ""] | int | None) -> Float[Array, ""]:
    """Returns the floor of the time at a step; None stands for "after the schedule", where it is zero.

    floor(s) = start · (end / start)^((s - hold) / anneal) for hold ≤ s < hold + anneal, start before, 0 after.
    """
    if step is None or config.floor_start == 0:
        return jnp.zeros(())
    fraction = (jnp.asarray(step) - config.hold_steps) / max(config.anneal_steps, 1)
    log_start, log_end = math.log(config.floor_start), math.log(config.floor_end)
    floor = jnp.exp(log_start + jnp.clip(fraction, 0.0, 1.0) * (log_end - log_start))
    return jnp.where(jnp.asarray(step) < config.hold_steps + config.anneal_steps, floor, 0.0)

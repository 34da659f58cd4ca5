"""The noun Stage: one phase of training as two pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, Key

Batch = dict[str, Array]
Metrics = dict[str, Array]


class Stage(NamedTuple):
    """A phase of training; the loop supplies keys, batches, seeds and checkpoints.

    Attributes:
        name: Names the checkpoints, the metrics and the plots of this stage.
        num_steps: Number of steps.
        init: (key, batch, previous) -> state; `previous` is the final state of the stage before, or None.
        step: (key, state, batch) -> (state, metrics); metrics are scalars and hold at least "loss".
    """

    name: str
    num_steps: int
    init: Callable[[Key[Array, ""], Batch, Any], Any]
    step: Callable[[Key[Array, ""], Any, Batch], tuple[Any, Metrics]]


@flax.struct.dataclass
class TrainState:
    """State of a stage trained by gradients."""

    step: Int[Array, ""]
    params: Any
    opt_state: Any


def gradient_stage(
    name: str,
    num_steps: int,
    init_params: Callable[[Key[Array, ""], Batch, Any], Any],
    loss_terms: Callable[..., Any],
    optimizer: optax.GradientTransformation,
) -> Stage:
    """Builds the usual stage: each step follows the gradient of the batch mean of a per-example loss.

    Args:
        name: Name of the stage.
        num_steps: Number of steps.
        init_params: (key, batch, previous) -> params.
        loss_terms: (params, key, batch, step) -> NamedTuple of arrays (b,) whose field `loss` is minimised;
            the batch mean of every field becomes a metric.
        optimizer: The optax transformation.

    Returns:
        The stage; its state is a TrainState.
    """

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> TrainState:
        params = init_params(key, batch, previous)
        return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))

    def step(key: Key[Array, ""], state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        def mean_loss(params):
            terms = loss_terms(params, key, batch, state.step)
            metrics = {field: jnp.mean(value) for field, value in terms._asdict().items()}
            return metrics["loss"], metrics

        gradient, metrics = jax.grad(mean_loss, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, opt_state), metrics

    return Stage(name, num_steps, init, step)

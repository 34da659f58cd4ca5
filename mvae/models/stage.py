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


def by_name(terms: Any) -> Metrics:
    """Returns the fields of a NamedTuple of loss terms, and what its field `extra` has, if it is there."""
    fields = terms._asdict()
    extra = fields.pop("extra", {})
    return fields | dict(extra)


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
    *,
    frozen: tuple[str, ...] = (),
) -> Stage:
    """Builds the usual stage: each step follows the gradient of the batch mean of a per-example loss.

    Args:
        name: Name of the stage.
        num_steps: Number of steps.
        init_params: (key, batch, previous) -> params.
        loss_terms: (params, key, batch, step) -> NamedTuple of arrays (b,), such as `LossTerms`, whose `loss` is
            minimised; the batch mean of every term becomes a metric.
        optimizer: The optax transformation, of the parameters that are not frozen.
        frozen: Entries of the dict of parameters that stay as `init_params` made them.

    Returns:
        The stage; its state is a TrainState.
    """

    def parts(params: Any) -> tuple[Any, Any]:
        """What learns, and what does not."""
        if not frozen:
            return params, {}
        learned = {name: value for name, value in params.items() if name not in frozen}
        return learned, {name: params[name] for name in frozen}

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> TrainState:
        params = init_params(key, batch, previous)
        return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(parts(params)[0]))

    def step(key: Key[Array, ""], state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        learned, fixed = parts(state.params)

        def mean_loss(learned):
            terms = loss_terms(learned | fixed if frozen else learned, key, batch, state.step)
            metrics = {name: jnp.mean(value) for name, value in by_name(terms).items()}
            return metrics["loss"], metrics

        gradient, metrics = jax.grad(mean_loss, has_aux=True)(learned)
        updates, opt_state = optimizer.update(gradient, state.opt_state, learned)
        params: Any = optax.apply_updates(learned, updates)
        return TrainState(state.step + 1, params | fixed if frozen else params, opt_state), metrics

    return Stage(name, num_steps, init, step)

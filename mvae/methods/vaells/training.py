"""Training of a VAELLS: a warm-up of the networks, then steps of operators and networks [connor2021, Sec. 4]."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from mvae.methods.vaells.model import VAELLS, AlternatingConfig
from mvae.models.stage import Batch, Metrics, Stage, by_name, gradient_stage


@flax.struct.dataclass
class AlternatingState:
    """State of the alternating stage.

    Attributes:
        step: Steps done.
        params: Parameters of the model.
        opt_state: The optimiser's, of all but the operators.
        operator_rate: Rate of the operators' gradient descent.
    """

    step: Int[Array, ""]
    params: Any
    opt_state: Any
    operator_rate: Float[Array, ""]


def alternating_stages(
    method: VAELLS,
    config: AlternatingConfig,
    optimizers: tuple[optax.GradientTransformation, optax.GradientTransformation],
    num_steps: int,
    beta: float,
) -> tuple[Stage, ...]:
    """Builds the stages "warm_up" and "alternate".

    A step of either kind infers the coefficients of a batch once and holds them fixed. An operator step goes along the
    gradient of the loss in nats and is kept if the loss of the same batch, draws and coefficients is less after it.
    Since coefficients inferred anew only raise the densities, the prior's part of that loss is a bound.

    Args:
        method: The model and its loss.
        config: Who learns when.
        optimizers: Those of networks and anchors in the two stages; the second sees `num_network_steps` steps.
        num_steps: Steps of the alternating stage.
        beta: σ², by which the loss is divided for the operators.
    """
    model = method.model
    warm_up_optimizer, optimizer = optimizers
    warm_up = gradient_stage(
        "warm_up",
        config.warm_up_steps,
        lambda key, batch, previous: model.init(key, batch),
        method.warm_up_terms,
        warm_up_optimizer,
    )

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> AlternatingState:
        params = model.init(key, batch) if previous is None else previous.params
        opt_state = optimizer.init(_split(params)[0])
        return AlternatingState(jnp.zeros((), jnp.int32), params, opt_state, jnp.float32(config.operator_rate))

    def step(key: Key[Array, ""], state: AlternatingState, batch: Batch) -> tuple[AlternatingState, Metrics]:
        network, operators = _split(state.params)
        inferred = method.infer(state.params, key, batch)

        def mean_loss(network: Any, operators: Array) -> tuple[Array, Metrics]:
            params = network | {"operators": operators}
            terms = method.terms(params, batch, inferred, state.step)
            means = {name: jnp.mean(value) for name, value in by_name(terms).items()}
            means["loss"] += beta * method.penalty(params)
            return means["loss"], means

        def train_network() -> tuple:
            gradient, metrics = jax.grad(mean_loss, has_aux=True)(network, operators)
            updates, opt_state = optimizer.update(gradient, state.opt_state, network)
            updates = jax.tree.map(lambda update: config.network_rate * update, updates)
            return optax.apply_updates(network, updates), operators, opt_state, state.operator_rate, metrics

        def train_operators() -> tuple:
            gradient, metrics = jax.grad(mean_loss, argnums=1, has_aux=True)(network, operators)
            trial = operators - state.operator_rate / beta * gradient
            accepted = mean_loss(network, trial)[0] < metrics["loss"]  # false for NaN
            rate = state.operator_rate * jnp.where(accepted, 1 / config.operator_factor, config.operator_factor)
            rate = jnp.minimum(rate, config.max_operator_rate)
            return network, jnp.where(accepted, trial, operators), state.opt_state, rate, metrics

        turn = _operators_turn(config, state.step)
        network, operators, opt_state, rate, metrics = jax.lax.cond(turn, train_operators, train_network)
        metrics |= {
            "converged": inferred.converged,
            "operator_norm": jnp.sqrt(jnp.sum(operators**2)),
            "operator_rate": rate,
        }
        return AlternatingState(state.step + 1, network | {"operators": operators}, opt_state, rate), metrics

    return warm_up, Stage("alternate", num_steps, init, step)


def _split(params: Any) -> tuple[Any, Array]:
    """Parameters of the networks, with the anchors, and the operators."""
    return {name: value for name, value in params.items() if name != "operators"}, params["operators"]


def _operators_turn(config: AlternatingConfig, step: Int[Array, ""]) -> Bool[Array, ""]:
    """Whether a step is the operators'."""
    alternating = step - config.operator_warm_up_steps
    position = alternating % (config.network_steps + config.operator_steps)
    return (alternating < 0) | (position >= config.network_steps)

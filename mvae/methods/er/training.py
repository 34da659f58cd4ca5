"""Training of an ER: its map by a Wasserstein autoencoder, then the VAE behind it [golikov2018, Sec. 2]."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from mvae.methods.er.model import ER, FROZEN, ERConfig
from mvae.methods.er.reparametrization import Reparametrization, ReparametrizationConfig
from mvae.models.coordinate_start import NUM_STEPS, coordinate_stage
from mvae.models.optimizer import OptimizerConfig, adam
from mvae.models.stage import Batch, Metrics, Stage, TrainState, gradient_stage


def reparametrization_stages(method: ER, config: ERConfig, rates: OptimizerConfig, num_steps: int) -> tuple[Stage, ...]:
    """Builds the stages "reparametrization", where f is learned, and "autoencoder", in which it stays as it is.

    Between them, where the config asks for it, is the stage "coordinate", in which the encoder alone learns.

    Args:
        method: The model and its map.
        config: The model's.
        rates: The last stage's, for all parameters but `FROZEN`, and of the encoder in its own.
        num_steps: Steps of the last stage.
    """

    def start(key: Key[Array, ""], batch: Batch, previous: Any) -> Any:
        return method.model.init(key, batch) if previous is None else method.start(key, batch, previous.params)

    def go_on(key: Key[Array, ""], batch: Batch, previous: Any) -> Any:
        return method.model.init(key, batch) if previous is None else previous.params

    def location(params: Any, batch: Batch) -> Array:
        return method.model.encode(params, batch["x"]).location

    stages, init = [], start
    if method.reparametrization.loss is not None:
        stages.append(_map_stage(method.reparametrization, config.reparametrization))
    if config.encoder_init == "cohomology":
        steps = NUM_STEPS[config.encoder_init]
        rate = adam(dataclasses.replace(rates, encoder_warmup_steps=0), steps)
        stages.append(coordinate_stage(location, start, rate, steps, frozen=("decoder", "likelihood", *FROZEN)))
        init = go_on
    loss, rate = method.model.loss_terms, adam(rates, num_steps)
    return *stages, gradient_stage("autoencoder", num_steps, init, loss, rate, frozen=FROZEN)


def _map_stage(lifted: Reparametrization, settings: ReparametrizationConfig) -> Stage:
    """The Wasserstein autoencoder; it draws its points from the manifold and does not look at the batch."""
    loss = lifted.loss
    if loss is None:
        raise ValueError("an exact map is not learned")
    optimizer = optax.adam(optax.cosine_decay_schedule(settings.learning_rate, settings.num_steps))

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> TrainState:
        del batch, previous
        params = lifted.init(key)
        return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))

    def step(key: Key[Array, ""], state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        del batch

        def value(params: Any) -> tuple[Array, Metrics]:
            terms = loss(params, key)
            return terms.loss, {name: part for name, part in terms._asdict().items() if part is not None}

        gradient, metrics = jax.grad(value, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradient, state.opt_state)
        return TrainState(state.step + 1, optax.apply_updates(state.params, updates), opt_state), metrics

    return Stage("reparametrization", settings.num_steps, init, step)

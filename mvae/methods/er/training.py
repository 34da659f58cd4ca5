"""Training of an ER: its map by a Wasserstein autoencoder, then the VAE behind it [golikov2018, Sec. 2]."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from mvae.methods.er.model import ER, FROZEN
from mvae.methods.er.reparametrization import Reparametrization, ReparametrizationConfig
from mvae.models.stage import Batch, Metrics, Stage, TrainState, gradient_stage


def reparametrization_stages(
    method: ER, config: ReparametrizationConfig, optimizer: optax.GradientTransformation, num_steps: int
) -> tuple[Stage, ...]:
    """Builds the stages "reparametrization", where f is learned, and "autoencoder", in which it stays as it is.

    Args:
        method: The model and its map.
        config: The map's.
        optimizer: The second stage's, for all parameters but `FROZEN`.
        num_steps: Steps of the second stage.
    """

    def start(key: Key[Array, ""], batch: Batch, previous: Any) -> Any:
        return method.model.init(key, batch) if previous is None else method.start(key, batch, previous.params)

    autoencoder = gradient_stage("autoencoder", num_steps, start, method.model.loss_terms, optimizer, frozen=FROZEN)
    if method.reparametrization.loss is None:
        return (autoencoder,)
    return _map_stage(method.reparametrization, config), autoencoder


def _map_stage(lifted: Reparametrization, config: ReparametrizationConfig) -> Stage:
    """The Wasserstein autoencoder; it draws its points from the manifold and does not look at the batch."""
    loss = lifted.loss
    if loss is None:
        raise ValueError("an exact map is not learned")
    adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.num_steps))

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> TrainState:
        del batch, previous
        params = lifted.init(key)
        return TrainState(jnp.zeros((), jnp.int32), params, adam.init(params))

    def step(key: Key[Array, ""], state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        del batch

        def value(params: Any) -> tuple[Array, Metrics]:
            terms = loss(params, key)
            return terms.loss, {name: part for name, part in terms._asdict().items() if part is not None}

        gradient, metrics = jax.grad(value, has_aux=True)(state.params)
        updates, opt_state = adam.update(gradient, state.opt_state)
        return TrainState(state.step + 1, optax.apply_updates(state.params, updates), opt_state), metrics

    return Stage("reparametrization", config.num_steps, init, step)

"""Training of a VDAE: the diffusion map, then the autoencoder around it (vdae.md, Algorithm 1)."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from mvae.models.spectral_net import SpectralNet, SpectralNetConfig
from mvae.models.vdae import LEARNED, VDAE
from mvae.training.stage import Batch, Metrics, Stage, TrainState


def spectral_stages(
    method: VDAE, config: SpectralNetConfig, optimizer: optax.GradientTransformation, num_steps: int
) -> tuple[Stage, ...]:
    """Builds the stages "spectral_map" and "autoencoder".

    Args:
        method: The model and the network of its first stage.
        config: The first stage's.
        optimizer: The second stage's, for parameters with the names `LEARNED`.
        num_steps: Steps of the second stage.
    """
    return map_stage(method.spectral, config), _autoencoder_stage(method, optimizer, num_steps)


def map_stage(net: SpectralNet, config: SpectralNetConfig) -> Stage:
    """Builds the stage "spectral_map", in which a network learns the span of the slowest modes of a graph.

    Batches have the rows of `mvae.data.graph.with_graph`. The state is a TrainState; `SpectralNet.fit` makes
    coordinates of its parameters.
    """
    adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.num_steps))

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> TrainState:
        del previous
        params = net.init(key, batch)
        return TrainState(jnp.zeros((), jnp.int32), params, adam.init(params))

    def step(key: Key[Array, ""], state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        del key

        def loss(params: Any) -> tuple[Array, Metrics]:
            terms = net.loss(params, batch)
            return terms.loss, terms._asdict()

        gradient, metrics = jax.grad(loss, has_aux=True)(state.params)
        updates, opt_state = adam.update(gradient, state.opt_state)
        return TrainState(state.step + 1, optax.apply_updates(state.params, updates), opt_state), metrics

    return Stage("spectral_map", config.num_steps, init, step)


def _autoencoder_stage(method: VDAE, optimizer: optax.GradientTransformation, num_steps: int) -> Stage:
    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> TrainState:
        params = method.model.init(key, batch) if previous is None else method.start(key, batch, previous.params)
        return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(_learned(params)))

    def step(key: Key[Array, ""], state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        fixed = {name: value for name, value in state.params.items() if name not in LEARNED}

        def mean_loss(learned: Any) -> tuple[Array, Metrics]:
            terms = method.model.loss_terms(learned | fixed, key, batch, state.step)
            metrics = {field: jnp.mean(value) for field, value in terms._asdict().items()}
            return metrics["loss"], metrics

        learned = _learned(state.params)
        gradient, metrics = jax.grad(mean_loss, has_aux=True)(learned)
        updates, opt_state = optimizer.update(gradient, state.opt_state, learned)
        params: Any = optax.apply_updates(learned, updates)
        return TrainState(state.step + 1, params | fixed, opt_state), metrics

    return Stage("autoencoder", num_steps, init, step)


def _learned(params: Any) -> Any:
    """The parameters that the second stage trains."""
    return {name: params[name] for name in LEARNED}

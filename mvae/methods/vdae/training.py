"""Training of a VDAE: the diffusion map, then the autoencoder around it [li2020, Alg. 1]."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from mvae.methods.vdae.model import FROZEN, VDAE
from mvae.methods.vdae.spectral_net import SpectralNet, SpectralNetConfig
from mvae.models.stage import Batch, Metrics, Stage, TrainState, gradient_stage


def spectral_stages(
    method: VDAE, config: SpectralNetConfig, optimizer: optax.GradientTransformation, num_steps: int
) -> tuple[Stage, ...]:
    """Builds the stages "spectral_map" and "autoencoder".

    Args:
        method: The model and the network of its first stage.
        config: The first stage's.
        optimizer: The second stage's, for all parameters but `FROZEN`.
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
    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> Any:
        return method.model.init(key, batch) if previous is None else method.start(key, batch, previous.params)

    return gradient_stage("autoencoder", num_steps, init, method.model.loss_terms, optimizer, frozen=FROZEN)

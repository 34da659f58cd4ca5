"""Training of a Wasserstein GAN: several steps of the critic before each of the generator."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, Key

from mvae.methods.wgan.model import WGAN
from mvae.models.stage import Batch, Metrics, Stage


@flax.struct.dataclass
class AdversarialState:
    """State of the adversarial stage.

    Attributes:
        step: Steps of the generator done.
        params: Parameters, {"critic", "decoder"}.
        critic_opt_state: State of the critic's optimiser.
        generator_opt_state: State of the generator's.
    """

    step: Int[Array, ""]
    params: Any
    critic_opt_state: optax.OptState
    generator_opt_state: optax.OptState


def adversarial_stage(
    method: WGAN, optimizers: tuple[optax.GradientTransformation, optax.GradientTransformation], num_steps: int
) -> Stage:
    """Builds the stage "adversarial".

    A step is `num_critic_steps` steps of the critic and then one of the generator. All of them have samples of their
    own; the steps of the critic share the batch, where [gulrajani2017] takes another batch each time, so that a pass
    over the data has as many steps of the generator as a VAE has steps.

    Metrics are means over the steps of the critic: "loss", what it minimises, "wasserstein" and "penalty", see
    `CriticTerms`; and "generator_loss".

    Args:
        method: The model and its losses.
        optimizers: Those of the critic and of the generator.
        num_steps: Steps of the generator.
    """
    critic_optimizer, generator_optimizer = optimizers

    def init(key: Key[Array, ""], batch: Batch, previous: Any) -> AdversarialState:
        del previous
        params = method.model.init(key, batch)
        return AdversarialState(
            jnp.zeros((), jnp.int32),
            params,
            critic_optimizer.init(params["critic"]),
            generator_optimizer.init(params["decoder"]),
        )

    def critic_step(carry: tuple[Any, Any], key: Key[Array, ""], decoder: Any, x: Array) -> tuple:
        critic, opt_state = carry

        def mean_loss(critic: Any) -> tuple[Array, Metrics]:
            terms = method.critic_terms({"critic": critic, "decoder": decoder}, key, x)
            means = {field: jnp.mean(value) for field, value in terms._asdict().items()}
            return means["loss"], means

        gradient, metrics = jax.grad(mean_loss, has_aux=True)(critic)
        updates, opt_state = critic_optimizer.update(gradient, opt_state, critic)
        return (optax.apply_updates(critic, updates), opt_state), metrics

    def step(key: Key[Array, ""], state: AdversarialState, batch: Batch) -> tuple[AdversarialState, Metrics]:
        x, decoder = batch["x"], state.params["decoder"]
        critic_key, generator_key = jax.random.split(key)
        (critic, critic_opt_state), metrics = jax.lax.scan(
            lambda carry, each: critic_step(carry, each, decoder, x),
            (state.params["critic"], state.critic_opt_state),
            jax.random.split(critic_key, method.num_critic_steps),
        )

        def mean_loss(decoder: Any) -> Array:
            return jnp.mean(method.generator_loss({"critic": critic, "decoder": decoder}, generator_key, len(x)))

        loss, gradient = jax.value_and_grad(mean_loss)(decoder)
        updates, generator_opt_state = generator_optimizer.update(gradient, state.generator_opt_state, decoder)
        params = {"critic": critic, "decoder": optax.apply_updates(decoder, updates)}
        metrics = {name: jnp.mean(value) for name, value in metrics.items()} | {"generator_loss": loss}
        return AdversarialState(state.step + 1, params, critic_opt_state, generator_opt_state), metrics

    return Stage("adversarial", num_steps, init, step)

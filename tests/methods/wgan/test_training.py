"""The turns of critic and generator on losses where every step is known, and the optimiser's schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mvae.manifolds import Euclidean
from mvae.methods.wgan.model import WGAN, CriticTerms
from mvae.methods.wgan.training import adversarial_stage
from mvae.models.model import Model
from mvae.models.optimizer import OptimizerConfig, adversarial_adam, decayed_rate

RATE, CRITIC_STEPS = 0.1, 3
KEY = jax.random.key(0)
BATCH = {"x": jnp.asarray([1.0, 3.0])}


def linear():
    """D(x) = c x, samples g + ε: critic loss c²/2 - c (mean x - g), generator loss -c g."""

    def init(key, batch):
        del key, batch
        return {"critic": jnp.asarray(0.5), "decoder": jnp.asarray(-1.0)}

    def critic_terms(params, key, image):
        drawn = params["decoder"] + 0 * jax.random.normal(key, image.shape)
        wasserstein = params["critic"] * (image - drawn)
        penalty = jnp.full_like(image, params["critic"] ** 2 / 2)
        return CriticTerms(penalty - wasserstein, wasserstein, penalty)

    def generator_loss(params, key, num):
        del key
        return jnp.full(num, -params["critic"] * params["decoder"])

    model = Model(Euclidean(1), init, *[lambda *_: None] * 6)
    return WGAN(model, CRITIC_STEPS, critic_terms, generator_loss)


def test_critic_takes_its_steps_and_then_the_generator_one():
    stage = adversarial_stage(linear(), (optax.sgd(RATE), optax.sgd(RATE)), 7)
    assert (stage.name, stage.num_steps) == ("adversarial", 7)
    state = stage.init(KEY, BATCH, None)
    after, metrics = jax.jit(stage.step)(KEY, state, BATCH)
    critics = [0.5]
    for _ in range(CRITIC_STEPS):
        critics.append(critics[-1] - RATE * (critics[-1] - (2.0 + 1.0)))
    np.testing.assert_allclose(after.params["critic"], critics[-1], rtol=1e-6)
    np.testing.assert_allclose(after.params["decoder"], -1 + RATE * critics[-1], rtol=1e-6)  # by the new critic
    before = np.array(critics[:-1])
    np.testing.assert_allclose(metrics["wasserstein"], np.mean(3 * before), rtol=1e-6)
    np.testing.assert_allclose(metrics["penalty"], np.mean(before**2 / 2), rtol=1e-6)
    np.testing.assert_allclose(metrics["loss"], np.mean(before**2 / 2 - 3 * before), rtol=1e-6)
    np.testing.assert_allclose(metrics["generator_loss"], critics[-1], rtol=1e-6)
    assert after.step == 1
    assert set(metrics) == {"loss", "wasserstein", "penalty", "generator_loss"}


def test_every_step_of_the_critic_has_samples_of_its_own():
    seen = []

    def critic_terms(params, key, image):
        jax.debug.callback(lambda bits: seen.append(tuple(np.asarray(bits))), jax.random.key_data(key))
        return CriticTerms(params["critic"] * image, image, image)

    def generator_loss(params, key, num):
        jax.debug.callback(lambda bits: seen.append(tuple(np.asarray(bits))), jax.random.key_data(key))
        return jnp.full(num, params["decoder"])

    method = linear()._replace(critic_terms=critic_terms, generator_loss=generator_loss)
    stage = adversarial_stage(method, (optax.sgd(RATE), optax.sgd(RATE)), 1)
    jax.block_until_ready(stage.step(KEY, stage.init(KEY, BATCH, None), BATCH))
    jax.effects_barrier()
    assert len(seen) == len(set(seen)) == CRITIC_STEPS + 1


@pytest.mark.parametrize("updates_per_step", [1, 4])
def test_adam_without_momentum_at_the_rate_of_the_step(updates_per_step):
    config = OptimizerConfig(0.1, 0, 0.01, 0.5)
    optimizer, rate = adversarial_adam(config, 10, updates_per_step), decayed_rate(config, 10)
    state = optimizer.init(jnp.asarray(0.0))
    second = 0.0
    for number in range(10 * updates_per_step):
        gradient = (-1.0) ** number * (1 + number)
        update, state = optimizer.update(jnp.asarray(gradient), state)
        second = 0.9 * second + 0.1 * gradient**2
        expected = -rate(number // updates_per_step) * gradient / np.sqrt(second / (1 - 0.9 ** (number + 1)))
        np.testing.assert_allclose(update, expected, rtol=1e-4)

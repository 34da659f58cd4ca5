"""The gradient penalty of critics whose slope is known, the losses, and a circle that is learned."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import Euclidean
from mvae.methods.wgan.model import WGANConfig, gradient_penalty, wgan
from mvae.methods.wgan.training import adversarial_stage
from mvae.models.optimizer import OptimizerConfig, adversarial_adam

KEY = jax.random.key(0)
CONFIG = WGANConfig(
    event_shape=(2,),
    net="mlp",
    encoder_widths=(64, 64),
    decoder_widths=(64, 64),
    manifold=Euclidean(2),
    prior="normal",
    gradient_penalty=10.0,
    num_critic_steps=5,
)


def pictures(key, n=9):
    return jax.random.normal(key, (n, 2, 3, 1))


@pytest.mark.parametrize("x64", [False, True])
def test_penalty_of_critics_with_a_known_slope(x64):
    with jax.enable_x64(x64):
        real, generated = pictures(jax.random.key(0)), pictures(jax.random.key(1))
        share = jax.random.uniform(jax.random.key(2), (9,))
        weights = jnp.asarray([1.0, -2.0, 0.0, 2.0, 0.0, 0.0])  # of norm 3
        linear = gradient_penalty(lambda image: image.reshape(len(image), -1) @ weights, real, generated, share)
        np.testing.assert_allclose(linear, 4.0, rtol=1e-5)
        square = gradient_penalty(lambda image: jnp.sum(image**2, axis=(1, 2, 3)) / 2, real, generated, share)
    # ∇ |x|²/2 = x: the point between is seen.
    real, generated, share = (np.asarray(each).reshape(9, -1) for each in (real, generated, share))
    expected = (np.linalg.norm(share * real + (1 - share) * generated, axis=1) - 1) ** 2
    np.testing.assert_allclose(square, expected, rtol=1e-4)


def test_penalty_of_a_constant_critic_has_a_derivative():
    def penalty(slope):
        critic = lambda image: slope * jnp.sum(image, axis=(1, 2, 3))  # noqa: E731
        return jnp.mean(gradient_penalty(critic, pictures(KEY), pictures(jax.random.key(1)), jnp.full(9, 0.5)))

    assert penalty(0.0) == 1.0
    assert np.isfinite(jax.grad(penalty)(0.0))
    # (|s| √6 - 1)² with six pixels
    np.testing.assert_allclose(jax.grad(penalty)(1.0), 2 * (np.sqrt(6) - 1) * np.sqrt(6), rtol=1e-5)


@pytest.mark.slow
def test_losses_are_those_of_the_critics_scores():
    method = wgan(CONFIG)
    image = jax.random.normal(KEY, (6, 2))
    params = method.model.init(KEY, {"x": image})
    terms = method.critic_terms(params, KEY, image)
    np.testing.assert_allclose(terms.loss, -terms.wasserstein + 10 * terms.penalty, rtol=1e-5, atol=1e-6)
    assert all(term.shape == (6,) for term in terms)
    # Scores of images count by themselves, those of samples with the other sign, and samples come from the key.
    moved = method.critic_terms(params, KEY, image[::-1])
    np.testing.assert_allclose(moved.wasserstein.mean(), terms.wasserstein.mean(), rtol=1e-5)
    drawn = method.model.sample(params, jax.random.split(KEY)[0], 6)
    np.testing.assert_allclose(method.critic_terms(params, KEY, drawn).wasserstein, 0.0, atol=1e-6)
    score = terms.wasserstein - method.generator_loss(params, jax.random.split(KEY)[0], 6)
    for i in range(6):
        same = jnp.broadcast_to(image[i], image.shape)
        other = method.critic_terms(params, jax.random.key(i), same).wasserstein
        other -= method.generator_loss(params, jax.random.split(jax.random.key(i))[0], 6)
        np.testing.assert_allclose(other, score[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_samples_have_the_distribution_of_the_prior_decoded(prior):
    method = wgan(dataclasses.replace(CONFIG, prior=prior))
    params = method.model.init(KEY, {"x": jnp.zeros((1, 2))})
    draw = {"normal": jax.random.normal, "uniform": lambda key, shape: 2 * jax.random.uniform(key, shape) - 1}[prior]
    found = method.model.sample(params, jax.random.key(1), 40_000)
    expected = method.model.decode(params, draw(jax.random.key(2), (40_000, 2)))
    error = np.std(expected, axis=0) * np.sqrt(2 / 40_000)
    assert (np.abs(np.mean(found, axis=0) - np.mean(expected, axis=0)) < 4 * error).all()
    assert (error > 0).all()


def test_what_a_gan_lacks_is_said():
    model = wgan(CONFIG).model
    for function, reason in (
        (model.encode, "no encoder"),
        (model.sample_posterior, "no encoder"),
        (model.loss_terms, "neither a posterior nor a bound"),
        (model.log_likelihood, "no density"),
    ):
        with pytest.raises(NotImplementedError, match=reason):
            function({}, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": "transformer"}, "net must be one of"),
        ({"encoder_widths": ()}, "encoder_widths must be"),
        ({"decoder_widths": (0,)}, "decoder_widths must be"),
        ({"num_critic_steps": 0}, "num_critic_steps must be"),
        ({"prior": "laplace"}, "prior must be one of"),
        ({"gradient_penalty": -1.0}, "gradient_penalty must be"),
        ({"gradient_penalty": float("nan")}, "gradient_penalty must be"),
    ],
)
def test_bad_configs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


@pytest.mark.slow
def test_a_circle_is_learned():
    radius, num_steps = 2.0, 3000
    method = wgan(CONFIG)
    optimizer = OptimizerConfig(1e-3, 0, 1e-5, 0.5)
    optimizers = adversarial_adam(optimizer, num_steps, 5), adversarial_adam(optimizer, num_steps, 1)
    stage = adversarial_stage(method, optimizers, num_steps)

    def circle(key, num):
        angle = jax.random.uniform(key, (num,), maxval=2 * jnp.pi)
        return {"x": radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)}

    @jax.jit
    def train(state):
        def body(step, state):
            batch_key, key = jax.random.split(jax.random.fold_in(KEY, step))
            return stage.step(key, state, circle(batch_key, 128))[0]

        return jax.lax.fori_loop(0, num_steps, body, state)

    state = train(stage.init(KEY, circle(KEY, 2), None))
    samples = np.asarray(method.model.sample(state.params, jax.random.key(1), 4000))
    lengths = np.linalg.norm(samples, axis=1)
    assert np.median(lengths) == pytest.approx(radius, rel=0.05)
    assert np.mean(np.abs(lengths / radius - 1) < 0.15) > 0.8
    sectors = np.histogram(np.arctan2(samples[:, 1], samples[:, 0]), bins=8, range=(-np.pi, np.pi))[0] / 4000
    assert sectors.min() > 0.04  # of 0.125 each: no part is left out

"""Walks of an autoencoder, and when they have forgotten where they began, on a chain whose distribution is known."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.methods.vdae.latent_walk import latent_walk, mixing_steps, seed_share

DECAY = 0.6
NOISE = (1 - DECAY**2) ** 0.5


class Distribution(NamedTuple):
    location: jax.Array


class Autoregression(NamedTuple):
    """x' = 0.6 x + 0.8 ε: a stationary distribution of variance 1."""

    def encode(self, params, image):
        del params
        return Distribution(DECAY * image.reshape(len(image), -1))

    def sample_posterior(self, key, q):
        return q.location + NOISE * jax.random.normal(key, q.location.shape)

    def decode(self, params, z):
        del params
        return z.reshape(len(z), 1, -1, 1)


def path(seeds, chains, steps, dim=1):
    image = jnp.repeat(3 * jax.random.normal(jax.random.key(0), (seeds, 1, dim, 1)), chains, axis=0)
    return latent_walk(Autoregression(), {}, jax.random.key(1), image, steps)


def test_a_walk_has_the_distribution_of_its_chain():
    found = np.asarray(path(1, 20000, 4))[..., 0, 0, 0]
    start = found[0, 0]
    assert found.shape == (5, 20000)
    for t, x in enumerate(found[1:], start=1):
        variance = 1 - DECAY ** (2 * t)
        assert abs(x.mean() - start * DECAY**t) < 4 * (variance / len(x)) ** 0.5
        assert abs(x.var() - variance) < 4 * variance * (2 / len(x)) ** 0.5


def test_what_is_observed_is_what_the_walk_goes_on_from():
    image = jnp.zeros((3, 1, 1, 1))
    model = Autoregression()
    found = latent_walk(model, {}, jax.random.key(0), image, 2, observe=lambda key, mean: jnp.full_like(mean, 1e6))
    np.testing.assert_array_equal(found[1:], 1e6)


def test_seeds_explain_what_the_distribution_says_they_do():
    codes = np.asarray(path(400, 50, 6)).reshape(7, 400, 50, -1)
    spread = codes[0].var()
    for t, share in enumerate(seed_share(codes)):
        between = spread * DECAY ** (2 * t)
        within = 1 - DECAY ** (2 * t)
        truth = (between + within / 50) / (between + within)
        assert abs(share - truth) < 0.05


def test_mixing_is_seen_when_it_has_happened_and_not_before():
    codes = np.asarray(path(20, 50, 30)).reshape(31, 20, 50, -1)
    steps = mixing_steps(codes)
    # The seeds' variance 9 · 0.6^(2t) falls below that of means of 50 draws at t of about 6.
    assert 5 <= steps <= 14
    assert mixing_steps(codes[:3]) is None
    with pytest.raises(ValueError, match="two seeds"):
        mixing_steps(codes[:, :1])


def test_chains_that_never_move_never_mix():
    codes = np.repeat(np.random.default_rng(0).normal(size=(1, 5, 1, 2)), 10, axis=2)
    codes = np.repeat(codes, 8, axis=0)
    np.testing.assert_allclose(seed_share(codes), 1)
    assert mixing_steps(codes) is None


def test_a_walk_keeps_the_precision_of_its_seeds():
    class Double(Autoregression):
        def decode(self, params, z):
            return super().decode(params, z).astype(jnp.float64)

    with jax.enable_x64(True):
        found = latent_walk(Double(), {}, jax.random.key(1), jnp.zeros((3, 1, 2, 1), jnp.float32), 4)
    assert found.dtype == jnp.float32
    assert found.shape == (5, 3, 1, 2, 1)

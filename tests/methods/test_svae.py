"""The hyperspherical VAE against closed forms and quadrature."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from mvae.distributions.power_spherical import power_spherical_kl
from mvae.manifolds import Sphere
from mvae.methods.svae import SVAEConfig, svae

SHAPE = (2, 2, 1)
CONFIG = SVAEConfig(
    event_shape=SHAPE,
    net="mlp",
    encoder_widths=(16,),
    decoder_widths=(6,),
    likelihood="gaussian",
    beta=1.0,
    min_capacity=0.0,
    max_capacity=None,
    capacity_steps=None,
    manifold=Sphere(1),
    initial_concentration=0.4,
)
BATCH = {"x": jax.random.normal(jax.random.key(0), (8, *SHAPE))}


@pytest.fixture(scope="module")
def params():
    params = jax.jit(svae(CONFIG).init)(jax.random.key(1), BATCH)
    params["decoder"]["params"]["Dense_1"]["kernel"] = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), float)
    return params


def test_terms_at_the_start(params):
    model = svae(dataclasses.replace(CONFIG, beta=2.5, min_capacity=1.0, max_capacity=5.0, capacity_steps=100))
    q = jax.jit(model.encode)(params, BATCH["x"])
    np.testing.assert_allclose(q.concentration, 0.4, rtol=1e-5)
    assert model.manifold.contains(q.location).all()
    terms = jax.jit(model.loss_terms)(params, jax.random.key(3), BATCH, 50)
    np.testing.assert_allclose(terms.kl, power_spherical_kl(jnp.full(8, 0.4), 1), rtol=1e-4)
    np.testing.assert_allclose(terms.elbo, -2 * np.log(2 * np.pi) - 2 * terms.mse - terms.kl, rtol=1e-5)
    np.testing.assert_allclose(terms.loss, terms.reconstruction + 2.5 * np.abs(terms.kl - 3.0), rtol=1e-6)
    np.testing.assert_allclose(terms.extra["spread"], 2 / 1.4, rtol=1e-5)


@pytest.mark.slow
def test_log_likelihood_against_quadrature_over_the_circle(params):
    """The posterior is broad: that of a large κ vanishes so fast at -μ that weights there have no variance."""
    model = svae(CONFIG)
    found = jax.jit(lambda p: model.log_likelihood(p, jax.random.key(2), BATCH, 20_000))(params)
    angle = np.linspace(-np.pi, np.pi, 2000, endpoint=False)
    points = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=-1), float)
    mean = np.asarray(jax.jit(model.decode)(params, points))
    squares = np.sum((np.asarray(BATCH["x"])[:, None] - mean) ** 2, axis=(2, 3, 4))
    expected = logsumexp(-squares / 2, axis=1) - math.log(2000) - 2 * math.log(2 * np.pi)
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert model.sample(params, jax.random.key(3), 5).shape == (5, *SHAPE)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"initial_concentration": 0.0}, "initial_concentration"), ({"beta": -1.0}, "beta")],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)

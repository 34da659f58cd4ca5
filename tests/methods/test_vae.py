"""The usual VAE against closed forms."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from mvae.distributions.gaussian import GaussianPosterior, gaussian_kl
from mvae.manifolds import Euclidean
from mvae.methods.vae import VAEConfig, vae

SHAPE = (2, 2, 1)
CONFIG = VAEConfig(
    event_shape=SHAPE,
    net="mlp",
    encoder_widths=(16,),
    decoder_widths=(16,),
    likelihood="gaussian",
    beta=1.0,
    min_capacity=0.0,
    max_capacity=None,
    capacity_steps=None,
    manifold=Euclidean(3),
    initial_variance=0.1,
)
BATCH = {"x": jax.random.normal(jax.random.key(0), (32, *SHAPE))}


def test_kl_against_quadrature():
    m, v = 0.7, 0.3
    q = norm(m, np.sqrt(v))
    expected, _ = quad(lambda z: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), -6, 7)
    np.testing.assert_allclose(gaussian_kl(GaussianPosterior(jnp.array([m]), jnp.array([v]))), expected, rtol=1e-5)


def test_elbo_is_made_of_mse_and_kl():
    model = vae(dataclasses.replace(CONFIG, beta=2.5, min_capacity=1.0, max_capacity=5.0, capacity_steps=100))
    params = model.init(jax.random.key(1), BATCH)
    terms = model.loss_terms(params, jax.random.key(3), BATCH, 50)
    np.testing.assert_allclose(terms.elbo, -2 * np.log(2 * np.pi) - 2 * terms.mse - terms.kl, rtol=1e-5)
    np.testing.assert_allclose(terms.loss, terms.reconstruction + 2.5 * jnp.abs(terms.kl - 3.0), rtol=1e-6)
    np.testing.assert_allclose(terms.extra["variance"], 0.1, rtol=1e-5)


def test_posterior_has_its_mean_and_variances():
    model = vae(CONFIG)
    q = GaussianPosterior(jnp.array([1.0, -2.0, 0.0]), jnp.array([0.01, 1.0, 4.0]))
    z = model.sample_posterior(jax.random.key(0), q, (20_000,))
    error = np.sqrt(q.variance / 20_000)
    assert (np.abs(z.mean(axis=0) - q.location) < 5 * error).all()
    assert (np.abs(z.var(axis=0) / q.variance - 1) < 5 * np.sqrt(2 / 20_000)).all()


def test_log_likelihood_of_a_linear_decoder_is_that_of_the_gaussian():
    """x = A z + noise has the distribution N(0, A A^T + I), whatever the posterior is."""
    model = vae(dataclasses.replace(CONFIG, decoder_widths=(6,), initial_variance=0.5))
    params = model.init(jax.random.key(1), BATCH)
    matrix = np.random.default_rng(0).normal(size=(4, 3))
    eye = np.eye(3)  # relu(z) - relu(-z) = z
    layers = {
        "Dense_0": {"kernel": jnp.asarray(np.concatenate([eye, -eye], axis=1), jnp.float32), "bias": jnp.zeros(6)},
        "Dense_1": {"kernel": jnp.asarray(np.concatenate([matrix.T, -matrix.T]), jnp.float32), "bias": jnp.zeros(4)},
    }
    params = params | {"decoder": {"params": layers}}
    batch = {"x": BATCH["x"][:4]}
    found = model.log_likelihood(params, jax.random.key(2), batch, 100_000)
    expected = multivariate_normal(cov=matrix @ matrix.T + np.eye(4)).logpdf(np.asarray(batch["x"]).reshape(4, 4))
    np.testing.assert_allclose(found, expected, atol=0.1)
    assert np.asarray(model.sample(params, jax.random.key(3), 5)).shape == (5, *SHAPE)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"initial_variance": 0.0}, "initial_variance"), ({"beta": -1.0}, "beta")],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)

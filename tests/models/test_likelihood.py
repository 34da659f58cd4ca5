"""Likelihoods against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from mvae.models.likelihood import LIKELIHOODS

SHAPE = (5, 4, 3, 2)
OUTPUT = np.asarray(jax.random.normal(jax.random.key(0), SHAPE))


def test_gaussian():
    x = np.asarray(jax.random.normal(jax.random.key(1), SHAPE))
    likelihood = LIKELIHOODS["gaussian"]()
    expected = scipy.stats.norm.logpdf(x, OUTPUT).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(likelihood.params, x, OUTPUT), expected, rtol=1e-5)
    np.testing.assert_array_equal(likelihood.mean(OUTPUT), OUTPUT)


def test_gaussian_learned_variance():
    x = np.asarray(jax.random.normal(jax.random.key(1), SHAPE))
    likelihood = LIKELIHOODS["gaussian_learned_variance"]()
    params = {"log_std": jnp.asarray(-0.7)}
    expected = scipy.stats.norm.logpdf(x, OUTPUT, np.exp(-0.7)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(params, x, OUTPUT), expected, rtol=1e-5)
    best = np.sqrt(np.mean((x - OUTPUT) ** 2))  # the maximum-likelihood σ: the gradient vanishes there
    slope = jax.grad(lambda s: likelihood.log_prob({"log_std": s}, x, OUTPUT).sum())(jnp.log(best))
    assert abs(slope) < 1e-3


def test_gaussian_sigmoid():
    x = np.asarray(jax.random.uniform(jax.random.key(1), SHAPE))
    likelihood = LIKELIHOODS["gaussian_sigmoid"]()
    mean = scipy.special.expit(OUTPUT.astype(float))
    expected = scipy.stats.norm.logpdf(x, mean).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(likelihood.params, x, OUTPUT), expected, rtol=1e-5)
    np.testing.assert_allclose(likelihood.mean(OUTPUT), mean, rtol=1e-5)
    assert likelihood.params == {}


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_bernoulli(scale):
    likelihood = LIKELIHOODS["bernoulli"]()
    x = np.asarray(jax.random.bernoulli(jax.random.key(1), 0.4, SHAPE), np.float32)
    odds = scale * OUTPUT.astype(np.float64)
    expected = (
        scipy.stats.bernoulli(1 / (1 + np.exp(-odds))).logpmf(x)
        if scale == 1
        else -np.logaddexp(0, np.where(x == 1, -odds, odds))
    )
    np.testing.assert_allclose(likelihood.log_prob({}, x, scale * OUTPUT), expected.sum(axis=(1, 2, 3)), rtol=1e-5)

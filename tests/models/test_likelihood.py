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
    np.testing.assert_allclose(likelihood.log_prob({}, x, OUTPUT), expected, rtol=1e-5)
    np.testing.assert_array_equal(likelihood.mean({}, OUTPUT), OUTPUT)


def test_gaussian_learned_variance():
    x = np.asarray(jax.random.normal(jax.random.key(1), SHAPE))
    likelihood = LIKELIHOODS["gaussian_learned_variance"]()
    np.testing.assert_allclose(
        np.exp(likelihood.start(jnp.asarray(5 + 0.1 * x))["log_std"]), 0.1 * np.sqrt(x.var(axis=0).mean()), rtol=1e-4
    )
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
    np.testing.assert_allclose(likelihood.log_prob({}, x, OUTPUT), expected, rtol=1e-5)
    np.testing.assert_allclose(likelihood.mean({}, OUTPUT), mean, rtol=1e-5)
    assert likelihood.start(jnp.asarray(x)) == {}


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


def test_gaussian_with_a_variance_for_each_feature():
    x = np.asarray(jax.random.normal(jax.random.key(1), SHAPE)) * np.arange(1, 3, dtype=np.float32)
    likelihood = LIKELIHOODS["gaussian_feature_variance"]()
    params = likelihood.start(jnp.asarray(x))
    std = x.astype(float).std(axis=0, keepdims=True)
    np.testing.assert_allclose(np.exp(params["log_feature_std"]), std, rtol=1e-5)
    expected = scipy.stats.norm.logpdf(x, OUTPUT, std).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(params, x, OUTPUT), expected, rtol=1e-5)
    best = {
        "log_feature_std": jnp.log(np.sqrt(np.mean((x - OUTPUT) ** 2, axis=0, keepdims=True)))
    }  # of greatest likelihood
    slope = jax.grad(lambda p: likelihood.log_prob(p, x, OUTPUT).sum())(best)
    assert np.abs(slope["log_feature_std"]).max() < 1e-3


def test_a_constant_feature_has_a_finite_density_and_gradient():
    x = jnp.zeros(SHAPE)
    likelihood = LIKELIHOODS["gaussian_feature_variance"]()
    params = likelihood.start(x)
    value, slope = jax.value_and_grad(lambda p: likelihood.log_prob(p, x, jnp.zeros(SHAPE)).sum())(params)
    assert np.isfinite(value)
    assert np.isfinite(slope["log_feature_std"]).all()


SIZES = np.asarray([0.5, 1.0, 2.0, 4.0, 1.0], np.float32)


def counts_and_params(name, rate):
    rng = np.random.default_rng(0)
    x = rng.poisson(rate * rng.gamma(2.0, 0.5, SHAPE)).astype(np.float32)
    likelihood = LIKELIHOODS[name]()
    return likelihood, x, likelihood.start(jnp.asarray(x), jnp.asarray(SIZES))


@pytest.mark.parametrize("rate", [0.05, 3.0, 2000.0])
def test_poisson(rate):
    likelihood, x, params = counts_and_params("poisson", rate)
    size = SIZES[:, None, None, None].astype(float)
    mean = size * np.exp(OUTPUT.astype(float) + np.asarray(params["log_rate"], float))
    found = likelihood.log_prob(params, x, OUTPUT, SIZES)
    expected = scipy.stats.poisson.logpmf(x, mean).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(likelihood.mean(params, OUTPUT, SIZES), mean, rtol=1e-4)
    slope = jax.grad(lambda o: likelihood.log_prob(params, x, o, SIZES).sum())(OUTPUT)
    np.testing.assert_allclose(slope, x - mean, rtol=1e-3, atol=1e-3 * max(rate, 1))


@pytest.mark.parametrize("log_r", [-2.0, 1.0, 6.0])
@pytest.mark.parametrize("rate", [0.05, 3.0, 2000.0])
def test_negative_binomial(rate, log_r):
    likelihood, x, params = counts_and_params("negative_binomial", rate)
    params = params | {"log_inverse_dispersion": jnp.full((1, *SHAPE[1:]), log_r)}
    mean = SIZES[:, None, None, None] * np.exp(OUTPUT.astype(float) + np.asarray(params["log_rate"], float))
    r = np.exp(log_r)
    expected = scipy.stats.nbinom.logpmf(x, r, r / (r + mean)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(params, x, OUTPUT, SIZES), expected, rtol=2e-4, atol=1e-2)
    np.testing.assert_allclose(likelihood.mean(params, OUTPUT, SIZES), mean, rtol=1e-4)
    slope = jax.grad(lambda o: likelihood.log_prob(params, x, o, SIZES).sum())(OUTPUT)
    np.testing.assert_allclose(slope, r * (x - mean) / (r + mean), rtol=2e-3, atol=1e-3 * max(rate, 1))


def test_negative_binomial_tends_to_poisson():
    likelihood, x, params = counts_and_params("negative_binomial", 3.0)
    params = params | {"log_inverse_dispersion": jnp.full((1, *SHAPE[1:]), 9.0)}
    poisson = LIKELIHOODS["poisson"]().log_prob(params, x, OUTPUT, SIZES)
    np.testing.assert_allclose(likelihood.log_prob(params, x, OUTPUT, SIZES), poisson, rtol=1e-2)


@pytest.mark.parametrize("shape", [(1000, 1), (1000, 40), (1000, 4, 5, 2)])
@pytest.mark.parametrize("r", [0.5, 3.0])
def test_dispersion_starts_at_that_of_the_noise(r, shape):
    """Rates of many entries vary by e^±1 along a circle, which is no noise; those of one entry are all the same."""
    rng = np.random.default_rng(0)
    entries = int(np.prod(shape[1:]))
    turn = rng.uniform(0, 2 * np.pi, (1000, 1)) + rng.uniform(0, 2 * np.pi, (1, entries))
    mean = np.exp(2 + (np.sin(turn) if entries > 1 else 0 * turn)).reshape(shape)
    x = jnp.asarray(rng.negative_binomial(r, r / (r + mean)), jnp.float32)
    found = np.exp(LIKELIHOODS["negative_binomial"]().fit(x)["log_inverse_dispersion"])
    assert found.shape == (1, *shape[1:])
    assert np.median(found) == pytest.approx(r, rel=0.35)
    variance, average = np.var(x, axis=0), np.mean(x, axis=0)
    assert entries == 1 or np.median(average**2 / (variance - average)) < 0.65 * r  # of all rows


def test_dispersion_of_poisson_counts_starts_large():
    rng = np.random.default_rng(0)
    mean = np.exp(2 + np.sin(rng.uniform(0, 2 * np.pi, (1000, 1)) + rng.uniform(0, 2 * np.pi, (1, 40))))
    found = LIKELIHOODS["negative_binomial"]().fit(jnp.asarray(rng.poisson(mean), jnp.float32))
    assert np.median(np.exp(found["log_inverse_dispersion"])) > 20


@pytest.mark.parametrize("rows", [1, 2])
def test_dispersion_of_few_rows_is_finite(rows):
    found = LIKELIHOODS["negative_binomial"]().fit(jnp.asarray(np.arange(rows * 3).reshape(rows, 3), jnp.float32))
    assert np.isfinite(found["log_inverse_dispersion"]).all()


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_counts_start_at_the_mean_of_the_data(name):
    rng = np.random.default_rng(1)
    rates = np.asarray([0.5, 2.0, 30.0, 0.0])
    sizes = rng.uniform(0.5, 2.0, 4000).astype(np.float32)
    x = rng.negative_binomial(4.0, 4.0 / (4.0 + sizes[:, None] * np.maximum(rates, 1e-9))).astype(np.float32)
    likelihood = LIKELIHOODS[name]()
    params = likelihood.start(jnp.asarray(x), jnp.asarray(sizes))
    mean = likelihood.mean(params, jnp.zeros(x.shape), jnp.asarray(sizes))
    np.testing.assert_allclose(mean.mean(axis=0)[:3], (sizes.mean() * rates)[:3], rtol=0.06)
    assert float(mean[:, 3].max()) < 1e-3
    np.testing.assert_allclose(
        likelihood.seen(jnp.asarray(x), jnp.asarray(sizes)), np.log1p(x / sizes[:, None]), rtol=1e-5
    )

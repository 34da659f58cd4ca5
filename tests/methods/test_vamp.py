"""The VAE with a VampPrior against scipy, quadrature and finite differences."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from mvae.distributions.gaussian import GaussianPosterior
from mvae.manifolds import Euclidean
from mvae.methods.vamp import VampConfig, log_mixture, vamp

SHAPE = (2, 2, 1)
CONFIG = VampConfig(
    event_shape=SHAPE,
    net="mlp",
    encoder_widths=(8,),
    decoder_widths=(6,),
    likelihood="gaussian",
    beta=1.5,
    min_capacity=0.0,
    max_capacity=None,
    capacity_steps=None,
    manifold=Euclidean(2),
    initial_variance=1.5,
    num_pseudo_inputs=8,
    pseudo_input_noise=0.01,
    clip_pseudo_inputs=False,
)
BATCH = {"x": jax.random.normal(jax.random.key(0), (6, *SHAPE))}


def random_like(tree, seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(dtype), tree)


@pytest.fixture(scope="module")
def start():
    return jax.jit(vamp(CONFIG).init)(jax.random.key(1), BATCH)


@pytest.fixture(scope="module")
def shaken(start):
    """Parameters away from where they start, where decoder and variances are the same for all images."""
    return jax.tree.map(lambda leaf, noise: leaf + np.float32(0.3) * noise, start, random_like(start, 0))


def mixture_logpdf(q, z):
    each = [multivariate_normal(m, np.diag(v)).logpdf(z) for m, v in zip(*map(np.asarray, q), strict=True)]
    return logsumexp(each, axis=0) - np.log(len(each))


def test_mixture_against_scipy():
    rng = np.random.default_rng(0)
    location, variance = rng.normal(size=(4, 3)), rng.uniform(0.01, 2, (4, 3))
    components = GaussianPosterior(jnp.asarray(location, jnp.float32), jnp.asarray(variance, jnp.float32))
    z = rng.normal(size=(5, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(log_mixture(components, z), mixture_logpdf(components, z), rtol=1e-5)


def test_kl_of_a_single_component_like_the_posterior_is_zero(shaken):
    model = vamp(dataclasses.replace(CONFIG, num_pseudo_inputs=1))
    params = shaken | {"pseudo_inputs": BATCH["x"][:1]}
    terms = jax.jit(model.loss_terms)(params, jax.random.key(3), BATCH)
    assert abs(terms.kl[0]) < 1e-6
    assert np.abs(terms.kl[1:]).min() > 1e-3
    np.testing.assert_allclose(terms.loss, terms.reconstruction + 1.5 * terms.kl, rtol=1e-6)
    np.testing.assert_allclose(terms.elbo, -terms.reconstruction - terms.kl, rtol=1e-6)


def test_log_likelihood_against_quadrature_over_the_plane(start, shaken):
    """Posteriors are broad and of one size, so that no weight is far from the others."""
    model = vamp(CONFIG)
    params = start | {"decoder": shaken["decoder"]}
    found = jax.jit(lambda p: model.log_likelihood(p, jax.random.key(2), BATCH, 20_000))(params)
    side = np.linspace(-12, 12, 241)
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    log_prior = mixture_logpdf(model.encode(params, params["pseudo_inputs"]), z)
    assert np.exp(log_prior).sum() * 0.1**2 == pytest.approx(1, abs=1e-3)
    mean = np.asarray(jax.jit(model.decode)(params, jnp.asarray(z, jnp.float32)))
    squares = np.sum((np.asarray(BATCH["x"])[:, None] - mean) ** 2, axis=(2, 3, 4))
    expected = logsumexp(log_prior - squares / 2, axis=1) + 2 * np.log(0.1) - 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_samples_are_those_of_the_mixture(start):
    """A decoder that puts the point into two pixels shows what is drawn: its mean and covariance."""
    model = vamp(CONFIG)
    both = np.concatenate([np.eye(2), -np.eye(2), np.zeros((2, 2))]).astype(np.float32)  # relu(z) - relu(-z) = z
    layers = {
        "Dense_0": {"kernel": both.T, "bias": np.zeros(6, np.float32)},
        "Dense_1": {"kernel": np.pad(both, ((0, 0), (0, 2))), "bias": np.zeros(4, np.float32)},
    }
    params = start | {"decoder": {"params": layers}}
    pictures = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(0), 20_000)
    z = np.asarray(pictures).reshape(-1, 4)[:, :2]
    m, v = map(np.asarray, model.encode(params, params["pseudo_inputs"]))
    covariance = np.cov(m.T, bias=True) + np.diag(v.mean(axis=0))
    error = np.sqrt(np.diag(covariance) / len(z))
    assert (np.abs(z.mean(axis=0) - m.mean(axis=0)) < 5 * error).all()
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=6 * np.sqrt(2 / len(z)) * covariance.max())


def test_gradient_of_the_loss_against_finite_differences(shaken):
    model = vamp(CONFIG)
    lines = random_like(shaken, 1, np.float64)
    with jax.enable_x64(True):
        batch = {"x": jnp.asarray(np.asarray(BATCH["x"]), float)}
        params = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), float), shaken)
        value_and_grad = jax.jit(
            jax.value_and_grad(lambda p: jnp.mean(model.loss_terms(p, jax.random.key(3), batch).loss))
        )
        gradient = value_and_grad(params)[1]
        for part in ("encoder", "decoder", "pseudo_inputs"):
            ahead, behind = (
                jax.tree.map(lambda x, d, step=step: x + step * d, params[part], lines[part]) for step in (1e-6, -1e-6)
            )
            change = value_and_grad(params | {part: ahead})[0] - value_and_grad(params | {part: behind})[0]
            pairs = zip(jax.tree.leaves(gradient[part]), jax.tree.leaves(lines[part]), strict=True)
            along = sum(np.sum(np.asarray(g) * line) for g, line in pairs)
            assert abs(along) > 1e-3
            np.testing.assert_allclose(along, change / 2e-6, rtol=1e-6)


def test_pseudo_inputs_start_from_the_batch_and_are_clipped_if_so_asked(start):
    free = np.asarray(start["pseudo_inputs"])
    first = np.asarray(BATCH["x"])[np.arange(8) % 6]
    assert 0 < np.abs(free - first).max() < 0.05
    assert np.abs(free[6] - free[0]).max() > 0  # one image, noise of their own
    model = vamp(dataclasses.replace(CONFIG, clip_pseudo_inputs=True))
    clipped = np.asarray(jax.jit(model.init)(jax.random.key(1), BATCH)["pseudo_inputs"])
    np.testing.assert_array_equal(clipped, np.clip(free, 0, 1))
    terms = jax.jit(model.loss_terms)
    losses = [terms(start | {"pseudo_inputs": u}, jax.random.key(2), BATCH).loss for u in (clipped, free)]
    np.testing.assert_array_equal(*losses)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_pseudo_inputs": 0}, "num_pseudo_inputs"),
        ({"pseudo_input_noise": 0.0}, "pseudo_input_noise"),
        ({"max_capacity": 5.0}, "max_capacity must be None"),
    ],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)

"""The ΔVAE against its own identities and against integrals done another way."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import kl_to_uniform
from mvae.manifolds import Euclidean, FlatTorus, Implicit, Product, Sphere
from mvae.methods.dvae import DVAEConfig, dvae

SHAPE = (2, 2, 1)
CONFIG = DVAEConfig(
    manifold=FlatTorus(2),
    event_shape=SHAPE,
    net="mlp",
    encoder_widths=(16, 16),
    decoder_widths=(16,),
    likelihood="gaussian",
    sampler="walk",
    num_walk_steps=10,
    kl="exact",
    encoder_init="principal",
    initial_time=0.1,
    beta=1.0,
    min_capacity=0.0,
    max_capacity=None,
    capacity_steps=None,
)
BATCH = {"x": jax.random.normal(jax.random.key(0), (32, *SHAPE))}


def build(**changes):
    model = dvae(dataclasses.replace(CONFIG, **changes))
    params = model.init(jax.random.key(1), BATCH)
    noise = iter(jax.random.split(jax.random.key(2), 100))  # the decoder starts at zero: give it something to say
    decoder = jax.tree.map(lambda leaf: leaf + 0.3 * jax.random.normal(next(noise), leaf.shape), params["decoder"])
    return model, params | {"decoder": decoder}


@pytest.mark.slow
@pytest.mark.parametrize("manifold", [FlatTorus(2), Sphere(2), Sphere(3, 2.0), Euclidean(3)])
def test_elbo_is_made_of_mse_and_kl(manifold):
    model, params = build(manifold=manifold)
    terms = model.loss_terms(params, jax.random.key(3), BATCH)
    pixels = 4
    np.testing.assert_allclose(
        terms.elbo, -pixels / 2 * np.log(2 * np.pi) - pixels / 2 * terms.mse - terms.kl, rtol=1e-5
    )
    np.testing.assert_allclose(terms.loss, -terms.elbo, rtol=1e-6)
    posterior = model.encode(params, BATCH["x"])
    np.testing.assert_allclose(terms.kl, kl_to_uniform(manifold, posterior.time, posterior.location), rtol=1e-6)
    assert bool(jnp.all(manifold.contains(posterior.location, 1e-5)))
    np.testing.assert_allclose(posterior.time, 0.1, rtol=1e-5)  # the time starts alike for every image


@pytest.mark.slow
@pytest.mark.parametrize(("step", "capacity"), [(0, 1.0), (50, 3.0), (100, 5.0), (10_000, 5.0), (None, 5.0)])
def test_capacity_rises_and_draws_the_kl(step, capacity):
    model, params = build(beta=2.5, min_capacity=1.0, max_capacity=5.0, capacity_steps=100)
    terms = model.loss_terms(params, jax.random.key(3), BATCH, step)
    np.testing.assert_allclose(terms.loss, terms.reconstruction + 2.5 * jnp.abs(terms.kl - capacity), rtol=1e-6)
    np.testing.assert_allclose(terms.elbo, -terms.reconstruction - terms.kl, rtol=1e-6)


def test_beta_weighs_the_kl_and_leaves_the_elbo():
    model, params = build(beta=4.0)
    terms = model.loss_terms(params, jax.random.key(3), BATCH)
    np.testing.assert_allclose(terms.loss, terms.reconstruction + 4 * terms.kl, rtol=1e-6)
    np.testing.assert_allclose(terms.elbo, -terms.reconstruction - terms.kl, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("log_time", [-25.0, -12.0, -6.0, -3.75, -1.0, 0.5])
def test_time_has_no_dead_gradients(log_time):
    """From far too short and from far too long a time the gradient leads back."""
    model, params = build(initial_time=float(np.exp(log_time)))

    def loss(params):
        return jnp.mean(model.loss_terms(params, jax.random.key(3), BATCH).loss)

    slope = jax.grad(loss)(params)["encoder"]["params"]["head"]["bias"][-1]
    assert np.isfinite(slope)
    assert abs(float(slope)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_learned_variance", "bernoulli"])
def test_every_likelihood_trains_all_parameters(likelihood):
    model, params = build(likelihood=likelihood)
    batch = {"x": jax.nn.sigmoid(BATCH["x"])}
    gradient = jax.grad(lambda p: jnp.mean(model.loss_terms(p, jax.random.key(3), batch).loss))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all()
        assert np.abs(leaf).max() > 0, path
    assert ("log_std" in params["likelihood"]) == (likelihood == "gaussian_learned_variance")


@pytest.mark.slow
def test_usual_vae_has_the_gaussian_posterior():
    model, params = build(manifold=Euclidean(3))
    posterior = model.encode(params, BATCH["x"])
    draws = model.sample_posterior(jax.random.key(5), posterior, (20_000,))
    error = np.sqrt(0.1 / 20_000)
    assert np.abs(draws.mean(axis=0) - posterior.location).max() < 5 * error
    assert abs(float(draws.var(axis=0).mean()) - 0.1) < 5 * 0.1 * np.sqrt(2 / 20_000 / 96)


def linear_decoder(model, params, matrix):
    """Makes the decoder exactly z -> A z: relu(z) - relu(-z) = z."""
    n = matrix.shape[1]
    eye = np.eye(n)
    layers = {
        "Dense_0": {"kernel": jnp.asarray(np.hstack([eye, -eye])), "bias": jnp.zeros(2 * n)},
        "Dense_1": {"kernel": jnp.asarray(np.vstack([matrix.T, -matrix.T])), "bias": jnp.zeros(len(matrix))},
    }
    return params | {"decoder": {"params": jax.tree.map(lambda leaf: leaf.astype(jnp.float32), layers)}}


def test_log_likelihood_of_a_linear_gaussian_model():
    """With x = A z + noise and z standard normal, x is N(0, A Aᵀ + I)."""
    model, params = build(manifold=Euclidean(2), decoder_widths=(4,), initial_time=1.5)
    matrix = np.random.default_rng(0).normal(size=(4, 2))
    params = linear_decoder(model, params, matrix)
    estimates = jax.lax.map(
        lambda key: model.log_likelihood(params, key, BATCH, 10_000), jax.random.split(jax.random.key(7), 16)
    )
    x = np.asarray(BATCH["x"], np.float64).reshape(-1, 4)
    covariance = matrix @ matrix.T + np.eye(4)
    quadratic = np.einsum("bi,ij,bj->b", x, np.linalg.inv(covariance), x)
    exact = -0.5 * (quadratic + np.linalg.slogdet(covariance)[1] + 4 * np.log(2 * np.pi))
    spread = np.asarray(estimates).std(axis=0, ddof=1)
    assert (np.abs(np.mean(estimates, axis=0) - exact) < 5 * spread / 4 + spread**2 + 1e-4).all()
    assert spread.mean() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manifold", "time"),
    [(FlatTorus(1), 1.0), (Sphere(2), 1.0), pytest.param(Sphere(2, 2.0), 4.0, marks=pytest.mark.slow)],
)
def test_log_likelihood_is_the_integral_over_the_manifold(manifold, time):
    """p(x) = ∫ p(x | z) dz / Vol by many uniform draws, in place of draws of the posterior."""
    model, params = build(manifold=manifold, initial_time=time, num_walk_steps=300)
    few = {"x": BATCH["x"][:8]}
    estimates = jax.lax.map(
        lambda key: model.log_likelihood(params, key, few, 5000), jax.random.split(jax.random.key(7), 16)
    )
    z = manifold.uniform(jax.random.key(8), (200_000,))
    means = np.asarray(model.decode(params, z), np.float64).reshape(-1, 4)
    x = np.asarray(BATCH["x"], np.float64).reshape(-1, 1, 4)[:8]
    densities = np.exp(-0.5 * ((x - means) ** 2).sum(axis=-1) - 2 * np.log(2 * np.pi))
    exact = np.log(densities.mean(axis=1))
    error = densities.std(axis=1) / densities.mean(axis=1) / np.sqrt(len(z))
    spread = np.asarray(estimates).std(axis=0, ddof=1)
    difference = np.asarray(estimates).mean(axis=0) - exact
    # 0.01: the walk's distribution differs from the heat kernel by O(t / steps)
    assert (np.abs(difference) < 5 * np.hypot(error, spread / 4) + spread**2 + 0.01).all()
    assert spread.mean() < 0.1


@pytest.mark.slow
def test_exact_sampler_draws_from_the_heat_kernel():
    """On the circle E cos(angle moved) = exp(-t/2); one step of the walk at this t is far off it."""
    model, params = build(manifold=FlatTorus(1), sampler="exact", initial_time=1.5)
    posterior = model.encode(params, BATCH["x"])
    draws = model.sample_posterior(jax.random.key(5), posterior, (20_000,))
    cosine = np.sum(draws * posterior.location, axis=-1)
    assert abs(cosine.mean() - np.exp(-0.75)) < 5 / np.sqrt(cosine.size)


def test_samples_are_pictures_of_prior_points():
    model, params = build()
    pictures = model.sample(params, jax.random.key(9), 7)
    np.testing.assert_array_equal(pictures, model.decode(params, FlatTorus(2).uniform(jax.random.key(9), (7,))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder_init": "pca"}, "encoder_init must be one of random, principal, spectral, cohomology"),
        ({"net": "dense"}, "net must be one of mlp, conv, circular_conv"),
        ({"encoder_widths": ()}, "encoder_widths"),
        ({"decoder_widths": (8, 0)}, "decoder_widths"),
        ({"likelihood": "laplace"}, "likelihood must be one of gaussian"),
        ({"kl": "none"}, "kl must be one of exact, asymptotic"),
        ({"sampler": "vmf"}, "sampler must be one of walk, exact"),
        ({"num_walk_steps": 0}, "num_walk_steps"),
        ({"initial_time": 0.0}, "initial_time"),
        ({"beta": -1.0}, "beta"),
        ({"min_capacity": float("nan")}, "min_capacity"),
        ({"min_capacity": 3.0, "max_capacity": 2.0}, "max_capacity"),
        ({"max_capacity": 2.0, "capacity_steps": 0}, "capacity_steps"),
        ({"initial_time": float("nan")}, "initial_time"),
    ],
)
def test_bad_config_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def ellipse(x):
    return x[0] ** 2 + x[1] ** 2 / 2 - 1


@pytest.mark.slow
def test_implicit_manifold_has_a_gradient():
    manifold = Implicit(ellipse, dim=1, ambient_dim=2)
    model, params = build(manifold=manifold, kl="asymptotic", encoder_init="random", num_walk_steps=2)

    def loss(params):
        return jnp.mean(model.loss_terms(params, jax.random.key(3), BATCH).loss)

    gradient = jax.jit(jax.grad(loss))(params)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    assert float(jnp.max(jnp.abs(jax.tree.leaves(gradient["encoder"])[0]))) > 0


def test_implicit_manifold_has_no_log_likelihood():
    ring = Implicit(ellipse, dim=1, ambient_dim=2)
    for manifold in (ring, Product((Sphere(1), ring))):
        model = dvae(dataclasses.replace(CONFIG, manifold=manifold, kl="asymptotic"))
        with pytest.raises(NotImplementedError, match=r"no log-likelihood on .*Implicit\(ellipse, dim=1"):
            model.log_likelihood({}, jax.random.key(4), BATCH, 3)

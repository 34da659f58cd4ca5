import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvae.manifolds import SO3, EmbeddedTorus, Euclidean, FlatTorus, Manifold, Product, Sphere, uniform_map
from mvae.methods.er.hidden_distribution import HIDDEN_DISTRIBUTIONS
from mvae.methods.er.model import ERConfig, er
from mvae.methods.er.reparametrization import ReparametrizationConfig, inverse_multiquadric_mmd, reparametrization

MAP = ReparametrizationConfig(
    kind="exact",
    project=False,
    widths=(16,),
    mmd_weight=10.0,
    manifold_weight=30.0,
    batch_size=32,
    num_steps=10,
    learning_rate=1e-3,
)
KEY = jax.random.key(0)


def config_of(manifold: Manifold, **changes) -> ERConfig:
    values = {
        "manifold": manifold,
        "event_shape": (3,),
        "net": "mlp",
        "encoder_widths": (8,),
        "decoder_widths": (8,),
        "likelihood": "gaussian",
        "beta": 1.0,
        "min_capacity": 0.0,
        "max_capacity": None,
        "capacity_steps": None,
        "hidden": "beta",
        "group": False,
        "initial_variance": 0.02,
        "reparametrization": MAP,
    }
    return ERConfig(**(values | changes))


def perturbed(params, scale=0.3):
    """Parameters away from the start, where decoders put out zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    moved = [leaf + scale * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manifold", "hidden", "group"),
    [
        (Sphere(1), "beta", True),
        pytest.param(Sphere(2), "gaussian", True, marks=pytest.mark.slow),
        pytest.param(SO3(), "beta", True, marks=pytest.mark.slow),
        pytest.param(Euclidean(2), "beta", False, marks=pytest.mark.slow),
    ],
)
def test_bound_is_below_the_likelihood_which_quadrature_gives(manifold, hidden, group):
    # Posteriors near the prior, so that importance weights are bounded well.
    variance = 0.08 if hidden == "beta" else 1.0
    model = er(config_of(manifold, hidden=hidden, group=group, initial_variance=variance)).model
    image = jax.random.normal(jax.random.key(1), (4, 3))
    params = perturbed(model.init(KEY, {"x": image}))
    distribution = HIDDEN_DISTRIBUTIONS[hidden](manifold.dim)
    # p(x) = E p(x | f(z)) over the prior: the group keeps the distribution of f(z).
    z = model.decode(params, _carried(manifold, hidden, distribution.prior(jax.random.key(5), (60_000,))))
    squares = jnp.sum((image[:, None] - z[None]) ** 2, axis=-1)
    log_terms = -0.5 * squares - 1.5 * math.log(2 * math.pi)
    terms = np.exp(np.asarray(log_terms, np.float64))
    truth, error = terms.mean(1), terms.std(1) / math.sqrt(terms.shape[1])
    estimates = jax.jit(jax.vmap(lambda key: model.log_likelihood(params, key, {"x": image}, 2000)))
    found = np.exp(np.asarray(estimates(jax.random.split(KEY, 16)), np.float64))
    errors = np.hypot(error, found.std(axis=0, ddof=1) / 4)
    np.testing.assert_array_less(np.abs(found.mean(axis=0) - truth), 5 * errors)
    bounds = jax.vmap(lambda key: model.loss_terms(params, key, {"x": image}).elbo)(jax.random.split(KEY, 500))
    assert bool(jnp.all(jnp.mean(bounds, axis=0) < np.log(truth) + 0.02))


def _carried(manifold, hidden, z):
    if isinstance(manifold, Euclidean):
        return z
    return uniform_map(manifold)(jax.scipy.stats.norm.cdf(z) if hidden == "gaussian" else z)


@pytest.mark.slow
def test_location_is_the_point_that_the_group_moves():
    method = er(config_of(Sphere(1), group=True))
    image = jax.random.normal(jax.random.key(1), (5, 3))
    params = perturbed(method.model.init(KEY, {"x": image}))
    q = method.model.encode(params, image)
    mean = np.asarray(q.hidden.a / (q.hidden.a + q.hidden.b))[:, 0]
    angle = 2 * np.pi * mean + np.arctan2(q.element[:, 1], q.element[:, 0])
    np.testing.assert_allclose(q.location, np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=2e-6)
    draws = method.model.sample_posterior(KEY, q, (7,))
    assert draws.shape == (7, 5, 2)
    np.testing.assert_allclose(np.linalg.norm(draws, axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("hidden", [pytest.param("beta", marks=pytest.mark.slow), "gaussian"])
def test_posterior_starts_with_the_asked_variance(hidden):
    distribution = HIDDEN_DISTRIBUTIONS[hidden](2)
    q = distribution.posterior(jnp.zeros((1, 2)), jnp.full((1, 2), distribution.initial_log_scale(0.03)))
    np.testing.assert_allclose(distribution.variance(q), 0.03, rtol=1e-5)
    z = distribution.sample(KEY, q, (20_000,))
    np.testing.assert_allclose(jnp.var(z, axis=0), 0.03, rtol=0.05)
    np.testing.assert_allclose(jnp.mean(z, axis=0)[0], distribution.mean(q)[0], atol=0.006)
    # KL(q ‖ p) = -E log p / q
    log_ratios = np.asarray(distribution.log_ratio(q, z))[:, 0]
    assert abs(distribution.kl(q)[0] + log_ratios.mean()) < 5 * log_ratios.std() / math.sqrt(len(log_ratios))


def test_uniform_posterior_is_the_prior_of_the_cube():
    distribution = HIDDEN_DISTRIBUTIONS["beta"](3)
    q = distribution.posterior(jnp.zeros((1, 3)), jnp.full((1, 3), distribution.initial_log_scale(1 / 12)))
    assert abs(float(distribution.kl(q)[0])) < 1e-5
    with pytest.raises(ValueError, match=r"initial_variance .* \(0, 1/4\), got 0.25"):
        distribution.initial_log_scale(0.25)


@pytest.mark.slow
def test_extreme_outputs_of_the_encoder_keep_value_and_gradient_finite():
    distribution = HIDDEN_DISTRIBUTIONS["beta"](1)

    def value(location, log_scale):
        q = distribution.posterior(jnp.full((1, 1), location), jnp.full((1, 1), log_scale))
        z = distribution.sample(KEY, q, (16,))
        return jnp.sum(distribution.kl(q)) + jnp.sum(z)

    locations, log_scales = (-40.0, -5.0, 0.0, 5.0, 40.0), (-3.0, 0.7, 8.0, 14.0)
    grid = jnp.array([(location, log_scale) for location in locations for log_scale in log_scales])
    gradients = jax.jit(jax.vmap(jax.grad(value, (0, 1))))(*grid.T)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_mmd_is_zero_in_the_mean_for_one_distribution_and_what_it_is_for_points():
    x, y = jnp.zeros((2, 1)), jnp.ones((2, 1))
    kernel = np.mean([scale / (scale + 1) for scale in (0.01, 0.1, 1.0)])
    np.testing.assert_allclose(inverse_multiquadric_mmd(x, y, 1.0), 2 - 2 * kernel, rtol=1e-6)
    keys = jax.random.split(KEY, 400)
    draws = jax.vmap(lambda key: inverse_multiquadric_mmd(*jax.random.normal(key, (2, 32, 2)), 4.0))(keys)
    assert abs(stats.ttest_1samp(np.asarray(draws), 0.0).statistic) < 4


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["beta", "gaussian"])
def test_learned_map_of_the_circle_is_near_uniform_and_near_the_circle(distribution):
    import optax

    config = dataclasses.replace(MAP, kind="learned", widths=(64, 64), batch_size=128, num_steps=2000)
    lifted = reparametrization(config, Sphere(1), distribution)
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, config.num_steps))

    @jax.jit
    def trained(key):
        params = lifted.init(key)

        def step(carry, index):
            params, state = carry
            gradient = jax.grad(lambda p: lifted.loss(p, jax.random.fold_in(key, index)).loss)(params)
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(config.num_steps))[0][0]

    z = np.asarray(lifted.apply(trained(KEY), lifted.distribution.prior(jax.random.key(1), (4000,))))
    assert np.quantile(np.abs(np.linalg.norm(z, axis=1) - 1), 0.9) < 0.05
    turns = np.arctan2(z[:, 1], z[:, 0]) / (2 * np.pi) % 1
    assert stats.kstest(turns, "uniform").statistic < 0.04


def test_refuses_what_there_is_not():
    with pytest.raises(NotImplementedError, match="Euclidean"):
        er(config_of(Euclidean(2), group=True))
    with pytest.raises(NotImplementedError, match="isometries"):
        er(config_of(EmbeddedTorus(), group=True))
    with pytest.raises(ValueError, match="hidden must be one of beta, gaussian, got 'cauchy'"):
        er(config_of(Sphere(1), hidden="cauchy"))
    with pytest.raises(ValueError, match="initial_variance must be a positive number"):
        config_of(Sphere(1), initial_variance=0.0)
    for name, value in (
        ("kind", "guessed"),
        ("widths", ()),
        ("mmd_weight", -1.0),
        ("manifold_weight", math.inf),
        ("batch_size", 1),
        ("num_steps", 0),
        ("learning_rate", 0.0),
    ):
        with pytest.raises(ValueError, match=name):
            dataclasses.replace(MAP, **{name: value})


@pytest.mark.slow
def test_product_and_torus_have_maps_and_groups():
    for manifold in (FlatTorus(2), Product((Sphere(1), Sphere(2)))):
        model = er(config_of(manifold, group=True)).model
        params = model.init(KEY, {"x": jnp.zeros((2, 3))})
        assert model.sample(params, KEY, 3).shape == (3, 3)
        assert bool(jnp.all(manifold.contains(model.encode(params, jnp.ones((2, 3))).location)))

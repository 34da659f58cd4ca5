"""The VAELLS: its loss is put together as documented, and its derivatives are those of finite differences."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import logsumexp
from scipy.stats import laplace, norm

from mvae.manifolds import Euclidean
from mvae.methods.vaells.model import AlternatingConfig, Sampled, TransportPosterior, VAELLSConfig, vaells
from mvae.methods.vaells.transport_density import TransportDistribution, draw
from tests.methods.vaells.test_transport_density import log_density

SHAPE = (1, 4, 1)
CONFIG = VAELLSConfig(
    event_shape=SHAPE,
    net="mlp",
    encoder_widths=(8,),
    decoder_widths=(8,),
    likelihood="gaussian",
    beta=0.3,
    min_capacity=0.0,
    max_capacity=None,
    capacity_steps=None,
    manifold=Euclidean(2),
    training=AlternatingConfig(
        warm_up_steps=1,
        operator_warm_up_steps=0,
        network_steps=20,
        operator_steps=20,
        network_rate=1.0,
        operator_rate=4e-4,
        max_operator_rate=0.1,
        operator_factor=0.99,
    ),
    num_operators=2,
    initial_operator_scale=0.7,
    operator_penalty=0.5,
    num_classes=2,
    num_anchors=2,
    anchors="random",
    learn_anchors=True,
    posterior=TransportDistribution(noise_scale=0.2, laplace_scale=0.4, l1_weight=None),
    prior=TransportDistribution(noise_scale=0.3, laplace_scale=1.0, l1_weight=0.01),
    num_restarts=1,
    max_iterations=30,
    coefficient_gradient="fixed",
)
KEY = jax.random.key(5)
LABEL = jnp.asarray([0, 1, 1, 0, 1])
BATCH = {
    "x": jax.random.normal(jax.random.key(0), (5, *SHAPE)),
    "label": LABEL,
    "parameter": jnp.asarray([0.1, 0.2, 0.3, 0.4, 0.5]),
}
OWN_ANCHORS = {"x": BATCH["x"], "anchors": jax.random.normal(jax.random.key(1), (5, 2, *SHAPE))}
METHOD = vaells(CONFIG)


@pytest.fixture(scope="module")
def params():
    return initial(METHOD)


def initial(method):
    """Parameters whose decoder does something, which it does not at initialisation."""
    params = method.model.init(jax.random.key(2), BATCH)
    leaves, tree = jax.tree.flatten(params["decoder"])
    rng = np.random.default_rng(5)
    return params | {"decoder": tree.unflatten([jnp.asarray(rng.normal(size=x.shape), x.dtype) for x in leaves])}


def scipy_log_density(distribution, operators, location, z, c):
    moved = expm(np.tensordot(c, operators, 1)) @ location
    return (
        norm.logpdf(z, moved, distribution.noise_scale).sum()
        + laplace.logpdf(c, scale=distribution.laplace_scale).sum()
    )


def kl_by_hand(params, q, anchors, found):
    """log q(z | x) less the logarithm of the mean over the anchors, one pair at a time."""
    operators = np.asarray(params["operators"], float)
    kl = []
    for row, z in enumerate(np.asarray(found.drawn.z)):
        own = scipy_log_density(CONFIG.posterior, operators, q.location[row], z, found.posterior_coefficients[row])
        prior = [
            scipy_log_density(CONFIG.prior, operators, anchor, z, c)
            for anchor, c in zip(anchors[row], found.prior_coefficients[row], strict=True)
        ]
        kl.append(own - logsumexp(prior) + np.log(len(prior)))
    return kl


def drawn(q):
    """What is drawn: the first half of the key is for that, the second for the starts of the inference."""
    return draw(jax.random.split(KEY)[0], CONFIG.posterior, q.operators, q.location)


def made_up(q):
    """Coefficients that nobody inferred, some of them zero."""
    rng = np.random.default_rng(3)
    own, prior = rng.normal(size=(5, 2)), rng.normal(size=(5, 2, 2))
    own[0, 1] = prior[1, 0, 0] = 0
    return Sampled(drawn(q), jnp.asarray(0.3 * own), jnp.asarray(0.3 * prior), jnp.ones(()))


def test_parameters(params):
    assert set(params) == {"encoder", "decoder", "likelihood", "operators", "anchors"}
    assert params["operators"].shape == (2, 2, 2)
    assert params["anchors"].shape == (2, 2, *SHAPE)
    for number in range(2):
        same = (params["anchors"][number][:, None] == BATCH["x"][number == LABEL]).all(axis=(2, 3, 4))
        assert same.any(axis=1).all()
    even = vaells(dataclasses.replace(CONFIG, anchors="even")).model.init(jax.random.key(2), BATCH)["anchors"]
    np.testing.assert_array_equal(even, BATCH["x"][jnp.asarray([[0, 3], [1, 4]])])
    np.testing.assert_allclose(METHOD.penalty(params), 0.25 * np.sum(np.asarray(params["operators"]) ** 2), rtol=1e-6)


def test_loss_is_put_together_as_documented(params):
    q = METHOD.model.encode(params, BATCH["x"])
    found = made_up(q)
    terms = METHOD.terms(params, BATCH, found)
    anchors = METHOD.model.encode(params, params["anchors"].reshape(-1, *SHAPE)).location.reshape(2, 2, 2)[LABEL]
    np.testing.assert_allclose(terms.kl, kl_by_hand(params, q, anchors, found), rtol=1e-4, atol=1e-4)
    picture = METHOD.model.decode(params, found.drawn.z)
    assert (np.std(picture, axis=0) > 0.01).all()
    reconstruction = -norm.logpdf(BATCH["x"], picture).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(terms.reconstruction, reconstruction, rtol=1e-5)
    np.testing.assert_allclose(terms.elbo, -terms.reconstruction - terms.kl, rtol=1e-6)
    np.testing.assert_allclose(terms.loss, terms.reconstruction + 0.3 * terms.kl, rtol=1e-6)
    np.testing.assert_allclose(terms.mse, np.mean((BATCH["x"] - picture) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        terms.extra["squared_move"], np.mean((found.drawn.z - q.location) ** 2, axis=-1), rtol=1e-5
    )
    capacity = dataclasses.replace(CONFIG, min_capacity=1.0, max_capacity=5.0, capacity_steps=100)
    loss = vaells(capacity).terms(params, BATCH, found, 50).loss
    np.testing.assert_allclose(loss, terms.reconstruction + 0.3 * np.abs(terms.kl - 3.0), rtol=1e-5)


@pytest.mark.slow
def test_the_loss_takes_the_inferred_coefficients(params):
    """Those of `infer`, of the same key; they are at least as likely as those of the draw, one of their starts."""
    found = METHOD.infer(params, KEY, BATCH)
    assert found.converged == 1
    q = METHOD.model.encode(params, BATCH["x"])
    z, c, _ = drawn(q)
    np.testing.assert_allclose(found.drawn.z, z, rtol=1e-5)
    best = log_density(CONFIG.posterior, q.operators, q.location, z, found.posterior_coefficients)
    assert (best >= log_density(CONFIG.posterior, q.operators, q.location, z, c) - 1e-3).all()
    terms = METHOD.terms(params, BATCH, found)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), METHOD.model.loss_terms(params, KEY, BATCH), terms
    )
    # With one sample the likelihood is log p(x | z) + log p(z) - log q(z | x) of the same draw and inferences.
    np.testing.assert_allclose(METHOD.model.log_likelihood(params, KEY, BATCH, 1), terms.elbo, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["fixed", "implicit"])
def test_derivatives_in_all_parameters(gradient):
    """Along one direction for each part, the coefficients held fixed; implicit ones only need to be finite here."""
    method = vaells(dataclasses.replace(CONFIG, coefficient_gradient=gradient))
    with jax.enable_x64():
        batch = {name: jnp.asarray(np.asarray(x, x.dtype if name == "label" else float)) for name, x in BATCH.items()}
        params = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, float)), method.model.init(jax.random.key(2), batch))
        sampled = made_up(method.model.encode(params, batch["x"]))

        @jax.jit
        def loss(params):
            return jnp.mean(method.terms(params, batch, sampled).loss)

        slopes = jax.jit(jax.grad(loss))(params)
        assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))
        if gradient == "implicit":
            return
        rng = np.random.default_rng(4)
        for name in ("encoder", "decoder", "operators", "anchors"):
            direction = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), params[name])

            def moved(step, name=name, direction=direction):
                return params | {name: jax.tree.map(lambda x, v: x + step * v, params[name], direction)}

            difference = (loss(moved(1e-6)) - loss(moved(-1e-6))) / 2e-6
            products = jax.tree.map(lambda x, v: jnp.sum(x * v), slopes[name], direction)
            expected = sum(jax.tree.leaves(products))
            assert abs(expected) > 1e-3
            np.testing.assert_allclose(expected, difference, rtol=1e-5)


@pytest.mark.slow
def test_anchors_may_be_kept(params):
    """They get no derivative then, but the encoder has the one through them still."""

    sampled = made_up(METHOD.model.encode(params, BATCH["x"]))

    def slopes(learn):
        method = vaells(dataclasses.replace(CONFIG, learn_anchors=learn))
        return jax.jit(jax.grad(lambda p: jnp.mean(method.terms(p, BATCH, sampled).loss)))(params)

    learned, kept = slopes(True), slopes(False)
    assert (learned["anchors"] != 0).any()
    np.testing.assert_array_equal(kept["anchors"], 0)
    np.testing.assert_allclose(kept["operators"], learned["operators"], rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), kept["encoder"], learned["encoder"]
    )


def test_warm_up_is_an_autoencoder_with_noise(params):
    terms = METHOD.warm_up_terms(params, KEY, BATCH)
    q = METHOD.model.encode(params, BATCH["x"])
    z = q.location + 0.2 * jax.random.normal(KEY, (5, 2))
    expected = -norm.logpdf(BATCH["x"], METHOD.model.decode(params, z)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(terms.loss, expected, rtol=1e-5)
    np.testing.assert_array_equal(terms.kl, 0)


def test_each_example_may_bring_its_own_anchors(params):
    method = vaells(dataclasses.replace(CONFIG, anchors="batch"))
    own = method.model.init(jax.random.key(2), OWN_ANCHORS)
    assert "anchors" not in own
    own = {name: params[name] for name in own}
    q = method.model.encode(own, BATCH["x"])
    found = made_up(q)
    terms = method.terms(own, OWN_ANCHORS, found)
    anchors = method.model.encode(own, OWN_ANCHORS["anchors"].reshape(-1, *SHAPE)).location.reshape(5, 2, 2)
    np.testing.assert_allclose(terms.kl, kl_by_hand(own, q, anchors, found), rtol=1e-4, atol=1e-4)
    with pytest.raises(NotImplementedError, match="each example brings the anchors"):
        method.model.sample(own, KEY, 3)


def test_samples(params):
    pictures = METHOD.model.sample(params, KEY, 7)
    assert pictures.shape == (7, *SHAPE)
    assert np.isfinite(pictures).all()
    assert len(np.unique(np.asarray(pictures)[:, 0, 0, 0])) == 7
    q = TransportPosterior(jnp.asarray([1.0, 0.0]), params["operators"])
    assert METHOD.model.sample_posterior(KEY, q, (4, 3)).shape == (4, 3, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({name: 0}, f"{name} must be at least 1, got 0")
        for name in ("num_operators", "num_classes", "num_anchors", "num_restarts", "max_iterations")
    ]
    + [
        ({"initial_operator_scale": -0.1}, "initial_operator_scale must be zero or more, got -0.1"),
        ({"initial_operator_scale": float("nan")}, "initial_operator_scale must be zero or more, got nan"),
        ({"operator_penalty": float("inf")}, "operator_penalty must be zero or more, got inf"),
        ({"anchors": "first"}, "anchors must be one of random, even, batch, got 'first'"),
        ({"coefficient_gradient": "none"}, "coefficient_gradient must be one of fixed, implicit, got 'none'"),
        ({"likelihood": "poison"}, "likelihood must be one of"),
        ({"beta": -1.0}, "beta must be zero or more"),
    ],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise_scale": 0.0}, "noise_scale must be a positive number, got 0.0"),
        ({"laplace_scale": float("inf")}, "laplace_scale must be a positive number, got inf"),
        ({"l1_weight": -1.0}, "l1_weight must be zero or more, got -1.0"),
    ],
)
def test_bad_distributions_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG.posterior, **change)


def test_weight_of_the_inference():
    np.testing.assert_allclose([CONFIG.posterior.weight, CONFIG.prior.weight], [0.04 / 0.4, 0.01])

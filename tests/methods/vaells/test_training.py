"""Turns of networks and operators on a quadratic loss, where every step is known; errors of the config and the seam."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mvae.errors import UsageError
from mvae.manifolds import Euclidean
from mvae.methods.vaells.model import VAELLS, Sampled
from mvae.methods.vaells.training import AlternatingConfig, alternating_stages
from mvae.methods.vaells.transport_density import Draw
from mvae.models.model import LossTerms, Model
from mvae.runs.config_file import load_config
from mvae.runs.experiment import build_experiment
from tests.paths import CONFIGS

CONFIG = AlternatingConfig(
    warm_up_steps=3,
    operator_warm_up_steps=2,
    network_steps=2,
    operator_steps=1,
    network_rate=0.5,
    operator_rate=0.01,
    max_operator_rate=0.1,
    operator_factor=0.5,
)
BETA, RATE, STEPS = 0.25, 0.1, 9
KEY = jax.random.key(0)
BATCH = {"x": jnp.asarray([1.0, 3.0])}
OPERATORS = jnp.asarray([[[1.0, -2.0], [0.5, 0.0]]])


def quadratic():
    """A method of one weight w and one anchor a; loss = (w + a - x)²/2 + s|Ψ|²/2 with s = 1 from `infer`."""

    def init(key, batch):
        del key, batch
        return {"encoder": jnp.asarray(5.0), "anchors": jnp.asarray(-1.0), "operators": OPERATORS}

    def infer(params, key, batch):
        del params, key
        return Sampled(Draw(batch["x"], jnp.ones(2), jnp.zeros(2)), jnp.ones(2), jnp.ones(2), jnp.asarray(0.75))

    def terms(params, batch, sampled, step):
        del step
        size = jnp.sum(params["operators"] ** 2) / 2
        loss = (params["encoder"] + params["anchors"] - batch["x"]) ** 2 / 2
        loss += size * sampled.prior_coefficients
        return LossTerms(loss, -loss, loss, loss, loss)

    def warm_up_terms(params, key, batch, step):
        del key, step
        loss = (params["encoder"] - batch["x"]) ** 2 / 2
        return LossTerms(loss, -loss, loss, loss, loss)

    def penalty(params):
        return jnp.sum(params["operators"] ** 2) / 2

    model = Model(Euclidean(1), init, *[lambda *_: None] * 6)
    return VAELLS(model, infer, terms, warm_up_terms, penalty)


WARM_UP, ALTERNATE = alternating_stages(quadratic(), CONFIG, (optax.sgd(RATE), optax.sgd(RATE)), STEPS, BETA)
step = jax.jit(ALTERNATE.step)


@pytest.fixture
def state():
    return ALTERNATE.init(KEY, BATCH, None)


def test_warm_up_leaves_operators_and_anchors():
    assert (WARM_UP.name, WARM_UP.num_steps) == ("warm_up", 3)
    before = WARM_UP.init(KEY, BATCH, None)
    after, metrics = jax.jit(WARM_UP.step)(KEY, before, BATCH)
    np.testing.assert_allclose(after.params["encoder"], 5 - RATE * 3)  # the whole rate; the mean of x is 2
    np.testing.assert_array_equal(after.params["operators"], OPERATORS)
    np.testing.assert_array_equal(after.params["anchors"], -1)
    np.testing.assert_allclose(metrics["loss"], (16 + 4) / 4)
    taken_over = ALTERNATE.init(KEY, BATCH, after)
    jax.tree.map(np.testing.assert_array_equal, taken_over.params, after.params)
    assert taken_over.operator_rate == np.float32(0.01)


def test_turns(state):
    """Two steps of the operators alone; then two of the networks and one of the operators, over and over."""
    assert (ALTERNATE.name, ALTERNATE.num_steps) == ("alternate", STEPS)
    turns = ""
    for number in range(STEPS):
        after, metrics = step(KEY, state, BATCH)
        moved = {name for name in state.params if (after.params[name] != state.params[name]).any()}
        assert moved in ({"operators"}, {"encoder", "anchors"})
        turns += "o" if moved == {"operators"} else "n"
        assert (after.operator_rate != state.operator_rate) == (moved == {"operators"} and state.operator_rate < 0.1)
        assert after.step == number + 1
        assert set(metrics) == {*LossTerms._fields, "converged", "operator_norm", "operator_rate"} - {"extra"}
        state = after
    assert turns == "oo" + "nno" * 2 + "n"


def test_network_step(state):
    before = dataclasses.replace(state, step=jnp.asarray(2, jnp.int32))
    after, metrics = step(KEY, before, BATCH)
    np.testing.assert_allclose(after.params["encoder"], 5 - 0.5 * RATE * 2, rtol=1e-6)
    np.testing.assert_allclose(after.params["anchors"], -1 - 0.5 * RATE * 2, rtol=1e-6)
    size = float(jnp.sum(OPERATORS**2)) / 2
    np.testing.assert_allclose(metrics["loss"], (9 + 1) / 4 + size + BETA * size, rtol=1e-6)  # before the step
    np.testing.assert_allclose(metrics["operator_norm"], np.sqrt(2 * size), rtol=1e-6)
    assert metrics["converged"] == 0.75


def test_an_operator_step_that_lowers_the_loss_is_kept(state):
    """It goes along the gradient in nats, that of the loss over β, and the rate grows up to its bound."""
    after, metrics = step(KEY, state, BATCH)
    expected = OPERATORS * (1 - 0.01 / BETA * (1 + BETA))
    np.testing.assert_allclose(after.params["operators"], expected, rtol=1e-6)
    np.testing.assert_allclose([after.operator_rate, metrics["operator_rate"]], 0.02, rtol=1e-6)
    np.testing.assert_allclose(metrics["operator_norm"], np.sqrt(jnp.sum(expected**2)), rtol=1e-6)
    bounded, _ = step(KEY, dataclasses.replace(state, operator_rate=jnp.float32(0.07)), BATCH)
    assert bounded.operator_rate == np.float32(0.1)


@pytest.mark.parametrize("rate", [10.0, 3e38])
def test_an_operator_step_that_does_not_is_undone(rate, state):
    """Far beyond the minimum, and so far that the loss is not a number."""
    after, metrics = step(KEY, dataclasses.replace(state, operator_rate=jnp.float32(rate)), BATCH)
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)
    np.testing.assert_allclose(after.operator_rate, min(0.5 * rate, 0.1), rtol=1e-6)
    assert np.isfinite(metrics["loss"])
    small = dataclasses.replace(state, params=state.params | {"operators": jnp.zeros((1, 2, 2))})
    still, _ = step(KEY, small, BATCH)  # no lower there: equal is not less
    np.testing.assert_allclose(still.operator_rate, 0.005, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"warm_up_steps": 0}, "warm_up_steps must be at least 1, got 0"),
        ({"operator_warm_up_steps": -1}, "operator_warm_up_steps must be at least 0, got -1"),
        ({"network_steps": 0}, "network_steps must be at least 1"),
        ({"operator_steps": 0}, "operator_steps must be at least 1"),
        ({"network_rate": 0.0}, "network_rate must be a positive number"),
        ({"network_rate": float("inf")}, "network_rate must be a positive number, got inf"),
        ({"operator_rate": 0.2}, r"operator_rate must lie in \(0, max_operator_rate\], got 0.2"),
        ({"operator_rate": 0.0}, "operator_rate must lie in"),
        ({"max_operator_rate": float("inf")}, "max_operator_rate"),
        ({"operator_factor": 1.0}, r"operator_factor must lie in \(0, 1\), got 1.0"),
        ({"operator_factor": 0.0}, "operator_factor must lie in"),
    ],
)
def test_bad_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def circles():
    config = load_config(CONFIGS / "vaells_circles.py", "quick").to_dict()
    config["data"] |= {"num_train": 40, "num_test": 40}
    return config


PICTURES = {"name": "simple_picture", "size": 8, "num_train": 40, "num_test": 40}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"anchors": "first"}}, "anchors must be one of random, even, batch, got 'first'"),
        ({"model": {"anchors": "first"}, "data": PICTURES}, "anchors must be one of random, even, batch, got 'first'"),
        ({"data": PICTURES}, "anchors = 'even' needs data with parameter, not simple_picture"),
        ({"data": PICTURES, "model": {"anchors": "random"}}, "anchors = 'random' needs data with label"),
        ({"model": {"anchors": "batch"}}, "anchors = 'batch' needs data with anchors, not concentric_circles"),
        ({"init_batch_size": 4}, "config.model: num_anchors = 3, but class 0 has 2 examples to choose from"),
        ({"model": {"num_classes": 1}}, "config.model: num_classes = 1, but labels reach from 0 to 1"),
        ({"model": {"num_classes": "two"}}, "config.model.num_classes must be int, got 'two'"),
        ({"model": {"num_classes": None}}, "config.model.num_classes must be int"),
        ({"model": {"beta": 0.0}}, "config.model.beta must be positive"),
        (
            {"model": {"posterior": {"noise": 0.05}}},
            "unknown key of config.model.posterior 'noise': known are noise_scale",
        ),
        ({"model": {"posterior": 0.05}}, "config.model.posterior must be a block of keys, got 0.05"),
        ({"model": {"training": None}}, "config.model.training must be a block of keys, got None"),
        ({"manifold": {"name": "sphere"}}, "config.manifold: the latent space of the method vaells is Euclidean"),
        ({"model": {"training": {"warm_up_steps": 0}}}, "config.model.training: warm_up_steps must be at least 1"),
    ],
)
def test_the_seam_names_the_key(changes, message):
    config = circles()
    for name, change in changes.items():
        if name == "data" and "name" in change:
            config[name] = change
        elif isinstance(change, dict):
            config[name] |= change
        else:
            config[name] = change
    with pytest.raises(UsageError, match=message):
        build_experiment(config)

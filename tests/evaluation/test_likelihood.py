"""Evaluation over a whole data set equals evaluation of each example, whatever the batch size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.evaluation import evaluate_bound, importance_log_likelihood
from mvae.evaluation.likelihood import map_batches
from mvae.manifolds import Euclidean
from mvae.models import LossTerms, Model


@pytest.mark.parametrize("batch_size", [1, 3, 5, 7, 20])
def test_batches_cover_every_row_once_in_order(batch_size):
    rows = {"x": jnp.arange(7.0)}
    result = map_batches(
        lambda key, batch: 2 * batch["y"], jax.random.key(0), rows, lambda rows: {"y": rows["x"] + 1}, batch_size
    )
    np.testing.assert_array_equal(result, 2 * (np.arange(7) + 1))


def test_batches_get_their_own_keys():
    rows = {"x": jnp.zeros(6)}
    result = map_batches(
        lambda key, batch: jax.random.normal(key, batch["x"].shape), jax.random.key(0), rows, lambda rows: rows, 2
    )
    assert len(set(np.asarray(result).tolist())) == 6


def fake_model() -> Model:
    """The "log-likelihood" is the pixel plus the mean of L uniform draws; the bound's terms are draws."""

    def loss_terms(params, key, batch, step):
        assert step is None  # evaluated as it is after training
        x = batch["x"][:, 0, 0, 0] + params + jax.random.uniform(key, batch["x"].shape[:1])
        return LossTerms(x, x, x, x, x, {"time": x})

    def log_likelihood(params, key, batch, num_samples):
        pixel = batch["x"][:, 0, 0, 0]
        return params + pixel + jax.random.uniform(key, (num_samples, *pixel.shape)).mean(axis=0)

    return Model(Euclidean(1), None, None, None, None, loss_terms, log_likelihood, None)  # type: ignore[arg-type]


def test_means_over_draws():
    rows = {"x": jnp.arange(50.0).reshape(50, 1, 1, 1)}

    def render(rows):
        return rows

    model = fake_model()
    terms = evaluate_bound(model, jnp.float32(3), jax.random.key(0), rows, render, num_samples=400, batch_size=20)
    sigma = 1 / np.sqrt(12 * 400)
    assert np.abs(terms.elbo - (np.arange(50) + 3.5)).max() < 5 * sigma
    log_likelihood = importance_log_likelihood(
        model, jnp.float32(3), jax.random.key(0), rows, render, num_samples=400, batch_size=20
    )
    assert np.abs(log_likelihood - (np.arange(50) + 3.5)).max() < 5 * sigma

"""Evaluation over a whole data set equals evaluation of each example, whatever the batch size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.evaluation import evaluate_bound, importance_log_likelihood, likelihood
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


def counting_model(seen: list[int]) -> Model:
    """Weights of importance are uniform draws: their mean is 1/2, whatever x; notes the draws of every program."""

    def log_likelihood(params, key, batch, num_samples):
        seen.append(num_samples * len(batch["x"]))  # while it is traced
        weights = jax.random.uniform(key, (num_samples, len(batch["x"])), minval=1e-6)
        return jnp.log(jnp.mean(weights, axis=0))

    return Model(Euclidean(1), None, None, None, None, fake_model().loss_terms, log_likelihood, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("bytes_together", "draws_together"), [(2**30, 640), (4 * 10 * 16, 50_000)])
def test_draws_in_parts_are_one_mean_in_bounded_memory(bytes_together, draws_together, monkeypatch):
    monkeypatch.setattr(likelihood, "DRAWN_BYTES", bytes_together)
    monkeypatch.setattr(likelihood, "PART_DRAWS", draws_together)
    seen: list[int] = []
    rows = {"x": jnp.zeros((13, 4))}
    found = importance_log_likelihood(
        counting_model(seen), None, jax.random.key(0), rows, dict, num_samples=2000, batch_size=10
    )
    assert found.shape == (13,)
    assert max(seen) <= min(draws_together, bytes_together // 16)
    np.testing.assert_allclose(np.exp(found), 0.5, atol=5 / np.sqrt(12 * 2000))
    assert len(np.unique(found)) == 13


def test_bounds_in_parts_are_those_of_the_whole(monkeypatch):
    rows = {"x": jnp.arange(6.0).reshape(6, 1, 1, 1)}
    given = (fake_model(), jnp.float32(3), jax.random.key(0), rows, dict)
    whole = evaluate_bound(*given, num_samples=50, batch_size=4)
    monkeypatch.setattr(likelihood, "PART_DRAWS", 4 * 7)
    parts = evaluate_bound(*given, num_samples=50, batch_size=4)
    np.testing.assert_allclose(parts.elbo, whole.elbo, rtol=1e-6)


@pytest.mark.parametrize(
    ("num", "size", "samples", "most"), [(7, 3, 10, 10), (100, 10, 1, 1), (5, 5, 99, 4), (8, 2, 6, 6)]
)
def test_parts_cover_every_draw_of_every_row_once(num, size, samples, most, monkeypatch):
    monkeypatch.setattr(likelihood, "PART_DRAWS", 60)
    monkeypatch.setattr(likelihood, "JOINED_DRAWS", 60)
    count = np.zeros((num, samples), int)
    done = 0
    for pieces in likelihood.parts_of(num, size, samples, most):
        assert pieces[0].first * size == done
        for part in pieces:
            assert part.samples[1] - part.samples[0] <= most
            fresh = part.places[: num - done]
            count[fresh, slice(*part.samples)] += 1
        done += len(pieces[0].places)
    np.testing.assert_array_equal(count, 1)

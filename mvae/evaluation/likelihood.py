"""The bound and the importance-sampled log-likelihood over a whole data set, in bounded memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from mvae.models import LossTerms, Model
from mvae.models.model import Batch, Params

Rows = dict[str, Array]


def map_batches(
    function: Callable[[Key[Array, ""], Batch], Any],
    key: Key[Array, ""],
    rows: Rows,
    render: Callable[[Rows], Batch],
    batch_size: int,
    first: int | Int[Array, ""] = 0,
) -> Any:
    """Applies a function of (key, batch) to all rows, one batch after the other; jit-able.

    Args:
        function: Returns a tree of arrays with the example axis first.
        key: Each batch gets a key folded from it.
        rows: Arrays with the example axis first, n examples.
        render: Turns rows into a batch.
        batch_size: Rows per batch; the last batch is filled up with rows from the start, whose results
            are dropped.
        first: Number of the first batch, where these rows are a part of more; it is what the keys are folded from.

    Returns:
        The tree of results over all n examples.
    """
    num = next(iter(rows.values())).shape[0]
    num_batches = -(-num // batch_size)
    indices = (jnp.arange(num_batches * batch_size) % num).reshape(num_batches, batch_size)

    def one(numbered):
        number, index = numbered
        batch = render({name: array[index] for name, array in rows.items()})
        return function(jax.random.fold_in(key, number), batch)

    results = jax.lax.map(one, (first + jnp.arange(num_batches), indices))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:num], results)


def evaluate_bound(
    model: Model,
    params: Params,
    key: Key[Array, ""],
    rows: Rows,
    render: Callable[[Rows], Batch],
    *,
    num_samples: int = 10,
    batch_size: int = 500,
    first: int = 0,
) -> LossTerms:
    """Returns the loss terms of every example, each the mean over `num_samples` draws of the posterior, (n,).

    Args:
        model: The model.
        params: Its parameters.
        key: Source of the draws.
        rows: Arrays of the data set, example axis first.
        render: The data set's render function.
        num_samples: Draws per example.
        batch_size: Examples at a time.
        first: Number of the first batch, where these rows are a part of more.
    """
    return _bound(model.loss_terms, params, key, rows, render, num_samples, batch_size, first)


@partial(jax.jit, static_argnums=(0, 4, 5, 6))
def _bound(loss_terms, params, key, rows, render, num_samples, batch_size, first):
    def terms(key, batch):
        draws = jax.lax.map(lambda k: loss_terms(params, k, batch, None), jax.random.split(key, num_samples))
        return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), draws)

    return map_batches(terms, key, rows, render, batch_size, first)


def importance_log_likelihood(
    model: Model,
    params: Params,
    key: Key[Array, ""],
    rows: Rows,
    render: Callable[[Rows], Batch],
    *,
    num_samples: int = 100,
    batch_size: int = 100,
    first: int = 0,
) -> Float[Array, " n"]:
    """Returns the importance-sampled log-likelihood of every example, (n,), in nats.

    log p(x) ≈ log (1/L) Σ_l p(x | z_l) p(z_l) / q(z_l | x) with z_l drawn from q(z | x): a lower bound in
    expectation, tight as L grows [burda2016; perezrey2019, Sec. 4.1]. Memory is that of
    batch_size × L decoded pictures, whatever n.

    Args:
        model: The model.
        params: Its parameters.
        key: Source of the draws.
        rows: Arrays of the data set, example axis first.
        render: The data set's render function.
        num_samples: Draws L per example.
        batch_size: Examples at a time.
        first: Number of the first batch, where these rows are a part of more.
    """
    return _importance(model.log_likelihood, params, key, rows, render, num_samples, batch_size, first)


@partial(jax.jit, static_argnums=(0, 4, 5, 6))
def _importance(log_likelihood, params, key, rows, render, num_samples, batch_size, first):
    def of_batch(key, batch):
        return log_likelihood(params, key, batch, num_samples)

    return map_batches(of_batch, key, rows, render, batch_size, first)

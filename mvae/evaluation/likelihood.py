"""The bound and the importance-sampled log-likelihood over a whole data set, in bounded memory."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from mvae.evaluation.progress import progress
from mvae.models import LossTerms, Model
from mvae.models.model import Batch, Params

Rows = dict[str, Array]

PART_DRAWS = 50_000  # of a batch in one program, which a signal has to wait for
JOINED_DRAWS = 10_000  # of several batches in one program
DRAWN_BYTES = 2**30  # of the decoded examples of one program at a time


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


class Part(NamedTuple):
    """What one program does of an evaluation.

    Attributes:
        places: Of the rows.
        first: Number of its first batch.
        samples: Numbers of its draws, from one to before another.
    """

    places: Int[np.ndarray, " m"]
    first: int
    samples: tuple[int, int]


def parts_of(num: int, size: int, num_samples: int, most_samples: int) -> list[list[Part]]:
    """Cuts an evaluation into programs that a signal can wait for: rows, and for each of them the parts of its draws.

    A program has some batches, or a single one with some of its draws. Rows are filled up with the first ones to whole
    batches, so that programs are alike.

    Args:
        num: Examples.
        size: Examples in a batch.
        num_samples: Draws per example.
        most_samples: Draws per example that a program may have.
    """
    batches, most_samples = -(-num // size), max(1, min(most_samples, PART_DRAWS // size))
    pieces = -(-num_samples // most_samples)
    borders = [num_samples * k // pieces for k in range(pieces + 1)]
    together = min(batches, max(1, JOINED_DRAWS // (num_samples * size)))
    if together == batches:
        indices = [np.arange(num)]
    else:
        indices = [np.arange(k * size, (k + together) * size) % num for k in range(0, batches, together)]
    return [
        [Part(index, k * together, samples) for samples in itertools.pairwise(borders)]
        for k, index in enumerate(indices)
    ]


def _over_parts(
    evaluate: Callable[[Rows, int, tuple[int, int]], Any],
    mean: Callable[[list[Any], list[int]], Any],
    parts: list[list[Part]],
    rows: Rows,
    what: str,
) -> Any:
    """The results of all rows as arrays on the host; those of parts of the draws go into a mean with their numbers."""
    num = next(iter(rows.values())).shape[0]
    found = []
    with progress(what, sum(map(len, parts)), "program") as done:
        for pieces in parts:
            own = []
            for part in pieces:
                whole = len(part.places) == num
                some = rows if whole else {name: array[part.places] for name, array in rows.items()}
                own.append(jax.tree.map(np.asarray, evaluate(some, part.first, part.samples)))
                done(1)
            counts = [stop - start for start, stop in (part.samples for part in pieces)]
            found.append(own[0] if len(own) == 1 else mean(own, counts))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:num], *found)


def evaluate_bound(
    model: Model,
    params: Params,
    key: Key[Array, ""],
    rows: Rows,
    render: Callable[[Rows], Batch],
    *,
    num_samples: int = 10,
    batch_size: int = 500,
) -> LossTerms:
    """Returns the loss terms of every example, each the mean over `num_samples` draws of the posterior, (n,).

    Memory is that of a batch, whatever n and the number of draws.

    Args:
        model: The model.
        params: Its parameters.
        key: Source of the draws.
        rows: Arrays of the data set, example axis first.
        render: The data set's render function.
        num_samples: Draws per example.
        batch_size: Examples at a time.
    """
    num = next(iter(rows.values())).shape[0]
    size = min(batch_size, num)

    def evaluate(rows: Rows, first: int, samples: tuple[int, int]) -> LossTerms:
        start, stop = samples
        return _bound(model.loss_terms, params, key, rows, first, start, render, num_samples, stop - start, size)

    def mean(parts: list[Any], counts: list[int]) -> Any:
        def weighed(*leaves: Any) -> Any:
            return sum(count * leaf for count, leaf in zip(counts, leaves, strict=True)) / num_samples

        return jax.tree.map(weighed, *parts)

    return _over_parts(evaluate, mean, parts_of(num, size, num_samples, num_samples), rows, "bound")


@partial(jax.jit, static_argnums=(0, 6, 7, 8, 9))
def _bound(loss_terms, params, key, rows, first, start, render, num_samples, count, batch_size):
    def terms(key, batch):
        keys = jax.random.split(key, num_samples)
        keys = keys if count == num_samples else jax.lax.dynamic_slice_in_dim(keys, start, count)
        draws = jax.lax.map(lambda k: loss_terms(params, k, batch, None), keys)
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
) -> Float[np.ndarray, " n"]:
    """Returns the importance-sampled log-likelihood of every example, (n,), in nats.

    log p(x) ≈ log (1/L) Σ_l p(x | z_l) p(z_l) / q(z_l | x) with z_l drawn from q(z | x): a lower bound in
    expectation, tight as L grows [burda2016; perezrey2019, Sec. 4.1]. Memory is that of batch_size × L decoded
    examples, or of a gigabyte of them: more draws are made in parts, each with a key of its own.

    Args:
        model: The model.
        params: Its parameters.
        key: Source of the draws.
        rows: Arrays of the data set, example axis first.
        render: The data set's render function.
        num_samples: Draws L per example.
        batch_size: Examples at a time.
    """
    num = next(iter(rows.values())).shape[0]
    size = min(batch_size, num)
    one = {name: jax.ShapeDtypeStruct((1, *array.shape[1:]), array.dtype) for name, array in rows.items()}
    event = math.prod(jax.eval_shape(render, one)["x"].shape)

    def evaluate(rows: Rows, first: int, samples: tuple[int, int]) -> Array:
        start, stop = samples
        own = key if start == 0 else jax.random.fold_in(key, start)
        return _importance(model.log_likelihood, params, own, rows, render, stop - start, size, first)

    def mean(parts: list[Any], counts: list[int]) -> Any:
        weights = np.log(np.asarray(counts, np.float64) / num_samples)
        found = np.logaddexp.reduce(np.stack(parts).astype(np.float64) + weights[:, None], axis=0)
        return found.astype(parts[0].dtype)

    most = DRAWN_BYTES // (4 * size * event)
    return _over_parts(evaluate, mean, parts_of(num, size, num_samples, most), rows, "log-likelihood")


@partial(jax.jit, static_argnums=(0, 4, 5, 6))
def _importance(log_likelihood, params, key, rows, render, num_samples, batch_size, first):
    def of_batch(key, batch):
        return log_likelihood(params, key, batch, num_samples)

    return map_batches(of_batch, key, rows, render, batch_size, first)

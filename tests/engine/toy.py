"""A small stage with noise of its own, on made-up data: everything the loop does, in milliseconds."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mvae.data import Dataset
from mvae.data.rows import ArrayRows
from mvae.models.stage import gradient_stage

NUM_TRAIN, BATCH = 50, 8


class Terms(NamedTuple):
    loss: jax.Array
    first_row: jax.Array


def dataset() -> Dataset:
    x = jax.random.normal(jax.random.key(3), (NUM_TRAIN, 4))
    rows = {"x": x, "number": jnp.arange(NUM_TRAIN, dtype=jnp.float32)}
    return Dataset("toy", rows, rows, lambda rows: rows, (2, 2, 1))


def streamed(source: type = ArrayRows) -> Dataset:
    """The same data on the host."""
    toy = dataset()
    rows = source({name: np.asarray(array) for name, array in toy.train.items()})
    return toy._replace(train=rows.columns, source=rows)


class Toy:
    """The stage and a count of how often its step was traced; `break_at` makes one seed's loss NaN."""

    def __init__(self, num_steps: int, break_at: int | None = None):
        self.traces = 0

        def loss_terms(params, key, batch, step):
            self.traces += 1
            noise = 0.1 * jax.random.normal(key, batch["x"].shape)
            loss = jnp.sum((batch["x"] @ params - jnp.roll(batch["x"], 1, axis=-1) + noise) ** 2, axis=-1)
            if break_at is not None:
                loss = jnp.where(step == break_at, jnp.nan, loss)
            return Terms(loss, batch["number"])

        def init(key, batch, previous):
            del batch
            start = 0.0 if previous is None else previous.params
            return start + jax.random.normal(key, (4, 4))

        self.stage = gradient_stage("toy", num_steps, init, loss_terms, optax.adam(1e-2))

"""A model that is the truth: it encodes an angle by the angle, decodes it back, and has a bound in closed form."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvae.data import Dataset
from mvae.manifolds import Sphere
from mvae.models import LossTerms, Model
from mvae.models.model import Posterior
from mvae.reports import REPORTS, EvaluationConfig, View, conclude

NUM_TRAIN, NUM_TEST = 24, 12
FACTS = {"num_steps": 3, "num_train": NUM_TRAIN, "num_test": NUM_TEST}


def circle_model(event_shape=(4, 4, 1), manifold=None, **more: Any) -> Model:
    """The first two entries of x are the code; seed k shifts the ELBO of row i, which is -i, by its parameter."""
    size = int(np.prod(event_shape))

    def encode(params, x):
        del params
        return Posterior(x.reshape(len(x), -1)[:, :2], jnp.ones(len(x)))

    def decode(params, z):
        del params
        return jnp.pad(z, ((0, 0), (0, size - 2))).reshape(-1, *event_shape)

    def loss_terms(params, key, batch, step):
        del key, step
        elbo = params["shift"] - batch["row"]
        return LossTerms(-elbo, elbo, jnp.zeros_like(elbo), -elbo, 0 * elbo + 0.25, 0 * elbo + 0.5)

    def log_likelihood(params, key, batch, num_samples):
        del key
        return params["shift"] - batch["row"] + num_samples

    def sample(params, key, num):
        z = jax.random.normal(key, (num, 2))
        return decode(params, z / jnp.linalg.norm(z, axis=-1, keepdims=True))

    fields = {
        "manifold": manifold or Sphere(1),
        "init": lambda key, batch: {"shift": jnp.zeros(())},
        "encode": encode,
        "decode": decode,
        "sample_posterior": lambda key, q, shape=(): jnp.broadcast_to(q.location, (*shape, *q.location.shape)),
        "loss_terms": loss_terms,
        "log_likelihood": log_likelihood,
        "sample": sample,
    }
    return Model(**(fields | more))


def circle_data(event_shape=(4, 4, 1), train=None, test=None, **more: Any) -> Dataset:
    """Points of the circle, in the first two entries of x."""
    size = int(np.prod(event_shape))

    def rows(angles, columns):
        angles = np.asarray(angles, np.float32)
        x = np.zeros((len(angles), size), np.float32)
        x[:, 0], x[:, 1] = np.cos(angles), np.sin(angles)
        found = {"x": x.reshape(len(angles), *event_shape), "row": np.arange(len(angles), dtype=np.float32)}
        return {name: jnp.asarray(value) for name, value in (found | columns).items()}

    turn = lambda num: 2 * np.pi * np.arange(num) / num  # noqa: E731
    train, test = train or {}, test or {}
    return Dataset(
        name="circle",
        train=rows(train.pop("angles", turn(NUM_TRAIN)), train),
        test=rows(test.pop("angles", turn(NUM_TEST) + 0.1), test),
        render=lambda rows: dict(rows),
        event_shape=event_shape,
        **more,
    )


def circle_view(model=None, dataset=None, *, seeds=(3, 4), records=(), **settings: Any) -> View:
    """Seeds with shifts 10, 11, …"""
    dataset = dataset or circle_data()
    params = {"shift": 10.0 + jnp.arange(len(seeds), dtype=jnp.float32)}
    model = model or circle_model(dataset.event_shape)
    return View(model, dataset, EvaluationConfig(**settings), seeds, params, records=records)


def concluded(view: View, folder: Path, reports=None) -> dict[str, Any]:
    return conclude(view, tuple(REPORTS.values()) if reports is None else reports, folder, FACTS)

"""What a run says of a model that generates by a random walk: how fast it mixes, and the pictures."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvae.models.latent_walk import mixing_steps, seed_share
from mvae.models.model import Params
from mvae.training.experiment import Experiment

NUM_SEEDS, NUM_CHAINS = 20, 50
NUM_STEPS = 50
SHOWN_STEPS = (0, 1, 2, 5, 10, 20)
NUM_DRAWN = 2000
NUM_ROWS = 8
WALK_SEED = 11


def walk_numbers(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Numbers of the walk; empty for a model without one.

    "self_mse" is the squared error of decode(ψ(x)) against x itself, per pixel, on the test set. "mixing_steps" is
    after how many steps chains from `NUM_SEEDS` seeds have forgotten them, see `mixing_steps`, and "seed_share" what
    share of the variance of codes the seeds explain after ten. Clusters that the walk does not leave keep one above 0.
    """
    model = experiment.model
    if model.walk is None:
        return {}
    seeds = _pictures(experiment, NUM_SEEDS)
    image = jnp.repeat(seeds, NUM_CHAINS, axis=0)
    path = jax.jit(model.walk, static_argnums=3)(params, jax.random.key(WALK_SEED), image, NUM_STEPS)
    codes = jax.lax.map(lambda image: model.encode(params, image).location, path)
    codes = np.asarray(codes).reshape(len(path), len(seeds), NUM_CHAINS, -1)
    steps = mixing_steps(codes)
    found: dict[str, Any] = {"seed_share": float(seed_share(codes)[10])}
    if steps is None:
        found["unavailable"] = {"mixing_steps": f"chains had not forgotten their seeds after {NUM_STEPS} steps"}
    else:
        found["mixing_steps"] = float(steps)
    return found | {"self_mse": _self_error(experiment, params)}


def _pictures(experiment: Experiment, num: int) -> jax.Array:
    """Training pictures, spread over the training set."""
    dataset = experiment.dataset
    rows = np.linspace(0, dataset.num_train - 1, num).astype(int)
    return dataset.render({name: array[rows] for name, array in dataset.train.items()})["image"]


def _self_error(experiment: Experiment, params: Params) -> float:
    model, dataset = experiment.model, experiment.dataset
    rows = {name: array[:NUM_DRAWN] for name, array in dataset.test.items()}
    image = dataset.render(rows)["image"]
    decoded = jax.jit(lambda image: model.decode(params, model.encode(params, image).location))(image)
    return float(jnp.mean((decoded - image) ** 2))

"""What a run says of a model that generates by a random walk: how fast it mixes, and the pictures."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae import figures
from mvae.methods.vdae.latent_walk import mixing_steps, seed_share
from mvae.models.model import Params
from mvae.runs.experiment import Experiment
from mvae.runs.run_folder import RunFolder

NUM_SEEDS, NUM_CHAINS = 20, 50
NUM_STEPS = 50
SHARE_STEPS = 10
SHOWN_STEPS = (1, 2, 5, 10, 20)
NUM_POINTS = 2000
NUM_ROWS, NUM_GRIDS, SIDE = 8, 4, 5
GRID_STEPS = 5
WALK_SEED = 11


def walk_numbers(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Numbers of the walk; empty for a model without one.

    "self_mse" is the squared error of decode(ψ(x)) against x itself, per pixel, on the test set. "seed_share" is the
    share of the variance of codes that the seeds of chains explain after ten steps. "mixing_steps" is after how many
    steps they have forgotten them, see `mvae.methods.vdae.latent_walk.mixing_steps`; where they have not after
    fifty, as in clusters that the walk does not leave, it is None.
    """
    model = experiment.model
    if "walk" not in model.capabilities:
        return {}
    seeds = pictures(experiment, NUM_SEEDS)
    image = jnp.repeat(seeds, NUM_CHAINS, axis=0)
    path = jax.jit(model.capabilities["walk"], static_argnums=3)(params, jax.random.key(WALK_SEED), image, NUM_STEPS)
    codes = jax.lax.map(lambda image: model.encode(params, image).location, path)
    codes = np.asarray(codes).reshape(len(path), len(seeds), NUM_CHAINS, -1)
    steps = mixing_steps(codes)
    return {
        "seed_share": float(seed_share(codes)[SHARE_STEPS]),
        "mixing_steps": None if steps is None else float(steps),
        "self_mse": _self_error(experiment, params),
    }


def pictures(experiment: Experiment, num: int) -> Float[Array, "num *event"]:
    """Training pictures, spread over the training set."""
    dataset = experiment.dataset
    rows = np.linspace(0, dataset.num_train - 1, min(num, dataset.num_train)).astype(int)
    return dataset.render({name: array[rows] for name, array in dataset.train.items()})["x"]


def _self_error(experiment: Experiment, params: Params) -> float:
    model, dataset = experiment.model, experiment.dataset
    rows = {name: array[:NUM_POINTS] for name, array in dataset.test.items()}
    image = dataset.render(rows)["x"]
    decoded = jax.jit(lambda image: model.decode(params, model.encode(params, image).location))(image)
    return float(jnp.mean((decoded - image) ** 2))


def draw_walks(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    """Draws walks from seeds: points after a number of steps, or rows and grids of pictures [li2020, Figs. 2 to 5]."""
    if "walk" not in experiment.model.capabilities:
        return
    shape = experiment.dataset.event_shape
    if len(shape) == 3:
        _draw_picture_walks(experiment, params, folder)
    elif shape in ((2,), (3,)):
        figures.save(_point_walk(experiment, params), folder.figures / "walk.png")


def _point_walk(experiment: Experiment, params: Params) -> Any:
    """Many chains from one seed."""
    model = experiment.model
    assert "walk" in model.capabilities
    data = pictures(experiment, NUM_POINTS)
    dim = data.shape[1]
    seeds = jnp.broadcast_to(data[:1], (NUM_POINTS, *data.shape[1:]))
    path = jax.jit(model.capabilities["walk"], static_argnums=3)(
        params, jax.random.key(WALK_SEED), seeds, max(SHOWN_STEPS)
    )
    points = np.asarray(path).reshape(len(path), NUM_POINTS, dim)[np.array(SHOWN_STEPS)]
    cloud = np.asarray(data).reshape(-1, dim)
    return figures.walk_steps(points, steps=SHOWN_STEPS, seed=cloud[0], data=cloud)


def _draw_picture_walks(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    model = experiment.model
    assert "walk" in model.capabilities
    walk = jax.jit(model.capabilities["walk"], static_argnums=3)
    key = jax.random.key(WALK_SEED)
    seeds = pictures(experiment, NUM_ROWS)
    path = np.asarray(walk(params, key, seeds, max(SHOWN_STEPS)))
    figure = figures.seeded_walks(np.asarray(seeds), path[np.array(SHOWN_STEPS)], steps=SHOWN_STEPS)
    figures.save(figure, folder.figures / "walks.png")
    few = seeds[:: max(1, len(seeds) // NUM_GRIDS)][:NUM_GRIDS]
    chains = SIDE**2 - 1
    samples = np.asarray(walk(params, key, jnp.repeat(few, chains, axis=0), GRID_STEPS))[-1]
    samples = samples.reshape(len(few), chains, *samples.shape[1:])
    figures.save(figures.seeded_grids(np.asarray(few), samples), folder.figures / "around_seeds.png")

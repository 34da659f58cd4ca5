"""Data of one's own, from arrays: a ΔVAE on the line of points of a spiral.

    python -m mvae.main --config=examples/spiral.py --workdir=runs/spiral

Run time on two CPU cores: a minute.
"""

import jax.numpy as jnp
import numpy as np

from mvae.data import BUILDERS, Dataset
from mvae.runs import default_config


def spiral(*, turns: float = 2.0, num_train: int = 2000, num_test: int = 500, seed: int = 0) -> Dataset:
    """Returns points of a spiral of the plane, labelled by the turn they are on.

    Args:
        turns: How often it goes around.
        num_train: Number of training points.
        num_test: Number of test points.
        seed: Seed of the points.
    """
    t = turns * np.sqrt(np.random.default_rng(seed).uniform(size=num_train + num_test))
    x = (t / turns)[:, None] * np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], -1)
    rows = {"x": jnp.asarray(x, jnp.float32), "label": jnp.asarray(t, jnp.int32)}
    train = {name: column[:num_train] for name, column in rows.items()}
    test = {name: column[num_train:] for name, column in rows.items()}
    return Dataset("spiral", train, test, render=lambda rows: rows, event_shape=(2,))


BUILDERS["spiral"] = spiral


def get_config():
    return default_config("dvae", data="spiral:turns=1.5", manifold="euclidean:1")

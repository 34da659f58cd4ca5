"""What a run says of known factors: the degree of its encoder, angles read from codes, disentanglement."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mvae.data.factors.known_factors import all_rows, full_grid
from mvae.data.pictures import translation_grid
from mvae.evaluation import (
    ambient_codes,
    angle_codes,
    angle_readout,
    circular_correlation,
    disentanglement_scores,
    mapping_degree,
)
from mvae.evaluation.likelihood import map_batches
from mvae.manifolds import EmbeddedTorus, FlatTorus, Sphere
from mvae.models.model import Params
from mvae.runs.experiment import Experiment

BOUND_BATCH = 500
AT_A_TIME = 20 * BOUND_BATCH  # rows that are sent to the device together, where they are on the host


def no_encoder(experiment: Experiment, params: Params) -> str | None:
    """Returns why the model has no encoder, None if it has one."""
    image = jnp.zeros((1, *experiment.dataset.event_shape))
    try:
        jax.eval_shape(experiment.model.encode, params, image)
    except NotImplementedError as error:
        return str(error)
    return None


def encode_rows(experiment: Experiment, params: Params, rows: dict[str, Array]) -> np.ndarray:
    """Locations of the posteriors of all rows, (n, ambient_dim)."""
    model, render = experiment.model, experiment.dataset.render

    def encode(key, batch):
        del key
        return model.encode(params, batch["x"]).location

    encode_all = jax.jit(lambda rows: map_batches(encode, jax.random.key(0), rows, render, BOUND_BATCH))
    parts = range(0, len(next(iter(rows.values()))), AT_A_TIME)
    return np.concatenate(
        [encode_all({name: array[start : start + AT_A_TIME] for name, array in rows.items()}) for start in parts]
    )


def _grid_of_factors(experiment: Experiment) -> tuple[dict[str, Array], tuple[int, ...]] | None:
    """Rows on a periodic grid of as many factors as the latent torus or circle has angles, and the grid's shape.

    None where the latent space is another, or the data have no such grid.
    """
    manifold, dataset = experiment.model.manifold, experiment.dataset
    if not isinstance(manifold, FlatTorus) and manifold != Sphere(1):
        return None
    if "translation" in dataset.test and manifold.dim == 2:
        n = experiment.evaluation.degree_grid
        return {"translation": translation_grid(n).reshape(-1, 2)}, (n, n)
    names = dataset.periodic_factors
    sizes = tuple(dataset.factor_sizes[dataset.factor_names.index(name)] for name in names)
    if len(names) != manifold.dim or dataset.num_train + dataset.num_test != np.prod(sizes):
        return None
    return full_grid(dataset, names), sizes


def degree_of_factors(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Degree of the encoder from factors to the latent torus or circle; empty where that is not defined."""
    found = _grid_of_factors(experiment)
    if found is None:
        return {}
    rows, shape = found
    degree = mapping_degree(experiment.model.manifold, encode_rows(experiment, params, rows).reshape(*shape, -1))
    return {
        "degree": degree.degree,
        "winding": None if degree.winding is None else degree.winding.tolist(),
        "winding_consistent": degree.consistent,
        "captured": float(abs(degree.degree) == 1),
    }


def _azimuth(experiment: Experiment, params: Params) -> dict[str, float]:
    """How well the azimuth can be read from the codes, and on a circle how well it is the latent angle itself."""
    dataset, manifold = experiment.dataset, experiment.model.manifold
    train, test = (encode_rows(experiment, params, rows) for rows in (dataset.train, dataset.test))
    angles = [np.asarray(rows["azimuth"]) for rows in (dataset.train, dataset.test)]
    objects = [np.zeros(len(each), int) for each in angles]
    if "object" in dataset.factor_names:  # their zeros of azimuth have nothing to do with each other
        column = dataset.factor_names.index("object")
        objects = [np.asarray(rows["factors"][:, column]) for rows in (dataset.train, dataset.test)]
    readout = angle_readout(train, angles[0], test, angles[1], train_groups=objects[0], test_groups=objects[1])
    found = {"azimuth_correlation": readout.correlation, "azimuth_error": readout.error}
    if manifold in (Sphere(1), FlatTorus(1)) and np.ptp(objects[0]) == 0:
        z = np.concatenate([train, test])
        latent = np.arctan2(z[:, 1], z[:, 0])
        found["latent_azimuth_correlation"] = circular_correlation(latent, np.concatenate(angles))
    return found


def factor_scores(experiment: Experiment, params: Params) -> dict[str, float]:
    """How well the codes give the known factors: the azimuth, and the scores that are asked for.

    The scores are those of all pictures, for ambient coordinates and, with the ending "_angles", for angles where the
    manifold has them.
    """
    dataset, manifold = experiment.dataset, experiment.model.manifold
    found = _azimuth(experiment, params) if "azimuth" in dataset.test else {}
    if not experiment.evaluation.scores:
        return found
    rows = all_rows(dataset)
    z, factors = encode_rows(experiment, params, rows), np.asarray(rows["factors"])
    codes = {"": ambient_codes(manifold, z)}
    if isinstance(manifold, Sphere | FlatTorus | EmbeddedTorus):
        codes["_angles"] = angle_codes(manifold, z)
    for ending, code in codes.items():
        scores = disentanglement_scores(experiment.evaluation.scores, code, factors)
        found |= {name + ending: value for name, value in scores.items()}
    return found

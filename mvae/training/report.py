"""What a run leaves behind: its numbers per member of the seed axis, and its figures."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from mvae import figures
from mvae.data.known_factors import all_rows, full_grid
from mvae.data.pictures import translation_grid
from mvae.evaluation import (
    ambient_codes,
    angle_codes,
    angle_readout,
    disentanglement_scores,
    evaluate_bound,
    importance_log_likelihood,
    mapping_degree,
)
from mvae.evaluation.likelihood import map_batches
from mvae.manifolds import EmbeddedTorus, FlatTorus, Sphere
from mvae.models.model import Params
from mvae.training.experiment import Experiment
from mvae.training.metrics import read_records
from mvae.training.run_folder import RunFolder

NUM_DRAWN = 5000  # points in a picture of the latent space; more hide each other
NUM_RECONSTRUCTIONS = 20
GRID_SIZE = 15
BOUND_BATCH = 500
FIGURE_SEED = 0


def _encode_rows(experiment: Experiment, params: Params, rows: dict[str, Array]) -> np.ndarray:
    """Locations of the posteriors of all rows, (n, ambient_dim)."""
    model, render = experiment.model, experiment.dataset.render

    def encode(key, batch):
        del key
        return model.encode(params, batch["image"]).location

    return np.asarray(jax.jit(lambda rows: map_batches(encode, jax.random.key(0), rows, render, BOUND_BATCH))(rows))


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


def _degree(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Degree of the encoder from factors to the latent torus or circle; empty where that is not defined."""
    found = _grid_of_factors(experiment)
    if found is None:
        return {}
    rows, shape = found
    degree = mapping_degree(experiment.model.manifold, _encode_rows(experiment, params, rows).reshape(*shape, -1))
    return {
        "degree": degree.degree,
        "winding": None if degree.winding is None else degree.winding.tolist(),
        "winding_consistent": degree.consistent,
        "captured": float(abs(degree.degree) == 1),
    }


def _factor_scores(experiment: Experiment, params: Params) -> dict[str, float]:
    """How well the codes give the known factors: an angle read from them, and the scores that are asked for.

    The scores are those of all pictures, for ambient coordinates and, with the ending "_angles", for angles where the
    manifold has them.
    """
    dataset, manifold = experiment.dataset, experiment.model.manifold
    found: dict[str, float] = {}
    if "azimuth" in dataset.test:
        train, test = (_encode_rows(experiment, params, rows) for rows in (dataset.train, dataset.test))
        groups = {}
        if "object" in dataset.factor_names:
            column = dataset.factor_names.index("object")
            groups = {
                "train_groups": np.asarray(dataset.train["factors"][:, column]),
                "test_groups": np.asarray(dataset.test["factors"][:, column]),
            }
        angles = (np.asarray(rows["azimuth"]) for rows in (dataset.train, dataset.test))
        readout = angle_readout(train, next(angles), test, next(angles), **groups)
        found |= {"azimuth_correlation": readout.correlation, "azimuth_error": readout.error}
    if experiment.evaluation.scores:
        rows = all_rows(dataset)
        z, factors = _encode_rows(experiment, params, rows), np.asarray(rows["factors"])
        codes = {"": ambient_codes(manifold, z)}
        if isinstance(manifold, Sphere | FlatTorus | EmbeddedTorus):
            codes["_angles"] = angle_codes(manifold, z)
        for ending, code in codes.items():
            scores = disentanglement_scores(experiment.evaluation.scores, code, factors)
            found |= {name + ending: value for name, value in scores.items()}
    return found


def evaluate_member(experiment: Experiment, params: Params, key: Key[Array, ""]) -> dict[str, Any]:
    """Returns the test-set numbers of one member: nats per picture, squared error per pixel.

    A number that the model does not have is None, and "unavailable" maps its name to the reason.

    Args:
        experiment: The experiment.
        params: Parameters of one member.
        key: Source of the draws.
    """
    settings, dataset, model = experiment.evaluation, experiment.dataset, experiment.model
    bound_key, likelihood_key = jax.random.split(key)
    terms = evaluate_bound(
        model,
        params,
        bound_key,
        dataset.test,
        dataset.render,
        num_samples=settings.bound_samples,
        batch_size=min(BOUND_BATCH, dataset.num_test),
    )
    means: dict[str, Any] = {
        name: float(np.asarray(getattr(terms, name), np.float64).mean()) for name in ("elbo", "kl", "mse", "time")
    }
    try:
        log_likelihood = importance_log_likelihood(
            model,
            params,
            likelihood_key,
            dataset.test,
            dataset.render,
            num_samples=settings.importance_samples,
            batch_size=min(settings.batch_size, dataset.num_test),
        )
        means["log_likelihood"] = float(np.asarray(log_likelihood, np.float64).mean())
    except NotImplementedError as error:
        means |= {"log_likelihood": None, "unavailable": {"log_likelihood": str(error)}}
    return means | _degree(experiment, params) | _factor_scores(experiment, params)


def summarize(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns {"members", "num_seeds", "mean", "std", "unavailable"}.

    std is the sample standard deviation, None for one seed. Both are None for the numbers that the members do not
    have, which "unavailable" maps to the reason.
    """
    names = [name for name, value in members[0].items() if isinstance(value, float)]
    unavailable = members[0].get("unavailable", {})
    columns = {name: np.array([member[name] for member in members]) for name in names}
    lacking = dict.fromkeys(unavailable)
    return {
        "members": members,
        "num_seeds": len(members),
        "mean": {name: float(column.mean()) for name, column in columns.items()} | lacking,
        "std": {name: float(column.std(ddof=1)) if len(members) > 1 else None for name, column in columns.items()}
        | lacking,
        "unavailable": unavailable,
    }


def _curves(folder: RunFolder) -> list[dict[str, Any]]:
    """The records of training without what says nothing of it: the loss where it is minus the ELBO, wall time."""
    records = read_records(folder.metrics)
    left_out = {"seconds", "reconstruction"}
    if all("elbo" in record and np.allclose(record["loss"], -np.asarray(record["elbo"])) for record in records):
        left_out.add("loss")
    return [{name: value for name, value in record.items() if name not in left_out} for record in records]


def _colour(rows: dict[str, Array]) -> dict[str, np.ndarray]:
    """What colours the latent space: the label, but the azimuth where all have one label; or the translation."""
    if "azimuth" in rows and np.ptp(np.asarray(rows["label"])) == 0:
        return {"angle": np.asarray(rows["azimuth"])}
    return {name: np.asarray(rows[name]) for name in ("label", "translation") if name in rows}


def draw_figures(experiment: Experiment, params: Any, folder: RunFolder, results: dict[str, Any]) -> None:
    """Draws the latent space of every member, and grid, reconstructions and curves of the first.

    Args:
        experiment: The experiment.
        params: Parameters, seeds on the first axis.
        folder: The run's folder.
        results: What `summarize` returned.
    """
    dataset, model = experiment.dataset, experiment.model
    rows = {name: array[:NUM_DRAWN] for name, array in dataset.test.items()}
    batch = dataset.render({name: array[:NUM_RECONSTRUCTIONS] for name, array in rows.items()})
    colour = _colour(rows)
    for index, member in enumerate(results["members"]):
        one = jax.tree.map(lambda leaf, i=index: leaf[i], params)
        title = f"seed {member['seed']}: ELBO {member['elbo']:.2f}"
        title += f", degree {member['degree']:+d}" if "degree" in member else ""
        figure = figures.latent_space(model.manifold, _encode_rows(experiment, one, rows), **colour, title=title)
        figures.save(figure, folder.figures / f"latent_space_seed_{member['seed']}.png")
    first = jax.tree.map(lambda leaf: leaf[0], params)
    decode = jax.jit(model.decode)
    decoded = decode(first, model.encode(first, batch["image"]).location)
    figures.save(
        figures.reconstructions(np.asarray(batch["image"]), np.asarray(decoded)),
        folder.figures / "reconstructions.png",
    )
    points = figures.latent_grid(model.manifold, GRID_SIZE, GRID_SIZE, key=jax.random.key(FIGURE_SEED))
    grid = decode(first, points.reshape(-1, model.manifold.ambient_dim))
    grid = np.asarray(grid).reshape(GRID_SIZE, GRID_SIZE, *dataset.image_shape)
    figures.save(figures.decoded_grid(grid, manifold=model.manifold), folder.figures / "decoded_grid.png")
    figures.save(figures.training_curves(_curves(folder)), folder.figures / "training_curves.png")

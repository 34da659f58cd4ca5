"""What a run leaves behind: its numbers per member of the seed axis, and its figures."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from mvae import figures
from mvae.evaluation import evaluate_bound, importance_log_likelihood
from mvae.models.model import Params
from mvae.training.experiment import Experiment
from mvae.training.factor_report import BOUND_BATCH, degree_of_factors, encode_rows, factor_scores
from mvae.training.metrics import read_records
from mvae.training.operator_figures import draw_operator_figures
from mvae.training.planar_report import draw_planar_figures, planar_numbers
from mvae.training.rotation_report import draw_rotation_figure, rotation_numbers
from mvae.training.run_folder import RunFolder

NUM_DRAWN = 5000  # points in a picture of the latent space; more hide each other
NUM_RECONSTRUCTIONS = 20
GRID_SIZE = 15
FIGURE_SEED = 0


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
    means |= degree_of_factors(experiment, params) | factor_scores(experiment, params)
    return means | planar_numbers(experiment, params) | rotation_numbers(experiment, params)


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
    """What colours the latent space: the label, but the azimuth of views of a single object; or the translation."""
    if "azimuth" in rows and ("elevation" in rows or np.ptp(np.asarray(rows["label"])) == 0):
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
        figure = figures.latent_space(model.manifold, encode_rows(experiment, one, rows), **colour, title=title)
        figures.save(figure, folder.figures / f"latent_space_seed_{member['seed']}.png")
    first = jax.tree.map(lambda leaf: leaf[0], params)
    figures.save(figures.training_curves(_curves(folder)), folder.figures / "training_curves.png")
    draw_planar_figures(experiment, first, folder)
    draw_rotation_figure(experiment, first, folder)
    draw_operator_figures(experiment, first, folder)
    if dataset.image_shape[0] > 1:  # a vector makes no picture
        _draw_decoded(experiment, first, batch["image"], folder)


def _draw_decoded(experiment: Experiment, params: Params, image: Array, folder: RunFolder) -> None:
    """Draws reconstructions and what a grid of points of the latent space decodes to."""
    model, dataset = experiment.model, experiment.dataset
    decode = jax.jit(model.decode)
    decoded = decode(params, model.encode(params, image).location)
    figures.save(
        figures.reconstructions(np.asarray(image), np.asarray(decoded)),
        folder.figures / "reconstructions.png",
    )
    if "operators" in params:  # where its prior lies, no grid knows; `draw_operator_figures` shows orbits
        return
    points = figures.latent_grid(model.manifold, GRID_SIZE, GRID_SIZE, key=jax.random.key(FIGURE_SEED))
    grid = decode(params, points.reshape(-1, model.manifold.ambient_dim))
    grid = np.asarray(grid).reshape(GRID_SIZE, GRID_SIZE, *dataset.image_shape)
    figures.save(figures.decoded_grid(grid, manifold=model.manifold), folder.figures / "decoded_grid.png")

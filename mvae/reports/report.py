"""What a run leaves behind: its numbers per member of the seed axis, and its figures."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from mvae import figures
from mvae.engine.metrics import read_records
from mvae.evaluation import evaluate_bound, importance_log_likelihood
from mvae.methods.er.report import draw_reparametrization, reparametrization_numbers
from mvae.methods.vaells.operator_figures import draw_operator_figures
from mvae.methods.vaells.planar_report import draw_planar_figures, planar_numbers
from mvae.methods.vaells.rotation_report import draw_rotation_figure, rotation_numbers
from mvae.methods.vdae.walk_report import NUM_STEPS, draw_walks, walk_numbers
from mvae.models.model import Params
from mvae.reports.factors import BOUND_BATCH, degree_of_factors, encode_rows, factor_scores, no_encoder
from mvae.runs.experiment import Experiment
from mvae.runs.run_folder import RunFolder

NUM_DRAWN = 5000  # points in a picture of the latent space; more hide each other
NUM_RECONSTRUCTIONS = 20
GRID_SIZE = 15
FIGURE_SEED = 0
BOUND = ("elbo", "kl", "mse", "time")
NUMBERS = (
    degree_of_factors,
    factor_scores,
    planar_numbers,
    rotation_numbers,
    walk_numbers,
    reparametrization_numbers,
)


def evaluate_member(experiment: Experiment, params: Params, key: Key[Array, ""]) -> dict[str, Any]:
    """Returns the test-set numbers of one member: nats per picture, squared error per pixel.

    A number that the model does not have is None, and "unavailable" maps its name to the reason.

    Args:
        experiment: The experiment.
        params: Parameters of one member.
        key: Source of the draws.
    """
    bound_key, likelihood_key = jax.random.split(key)
    numbers: dict[str, Any] = {}
    unavailable: dict[str, str] = {}

    def measure(names: Sequence[str], function: Callable[[], dict[str, Any]]) -> None:
        nonlocal numbers, unavailable
        try:
            numbers |= function()
        except NotImplementedError as error:
            numbers |= dict.fromkeys(names)
            unavailable |= dict.fromkeys(names, str(error))

    measure(BOUND, lambda: _bound(experiment, params, bound_key))
    measure(["log_likelihood"], lambda: _log_likelihood(experiment, params, likelihood_key))
    if "log_std" in params.get("likelihood", {}):
        numbers["likelihood_std"] = float(np.exp(params["likelihood"]["log_std"]))
    if (reason := no_encoder(experiment, params)) is not None:
        scores = experiment.evaluation.scores
        numbers |= dict.fromkeys(scores)
        unavailable |= dict.fromkeys(scores, reason)
    else:
        for function in NUMBERS:
            numbers |= function(experiment, params)
    if numbers.get("mixing_steps", 0.0) is None:
        unavailable["mixing_steps"] = f"chains still remember their seeds after {NUM_STEPS} steps of the walk"
    return numbers | ({"unavailable": unavailable} if unavailable else {})


def _bound(experiment: Experiment, params: Params, key: Key[Array, ""]) -> dict[str, Any]:
    """Means of the loss terms."""
    dataset = experiment.dataset
    terms = evaluate_bound(
        experiment.model,
        params,
        key,
        dataset.test,
        dataset.render,
        num_samples=experiment.evaluation.bound_samples,
        batch_size=min(BOUND_BATCH, dataset.num_test),
    )
    return {name: float(np.asarray(getattr(terms, name), np.float64).mean()) for name in BOUND}


def _log_likelihood(experiment: Experiment, params: Params, key: Key[Array, ""]) -> dict[str, Any]:
    settings, dataset = experiment.evaluation, experiment.dataset
    found = importance_log_likelihood(
        experiment.model,
        params,
        key,
        dataset.test,
        dataset.render,
        num_samples=settings.importance_samples,
        batch_size=min(settings.batch_size, dataset.num_test),
    )
    return {"log_likelihood": float(np.asarray(found, np.float64).mean())}


def summarize(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns {"members", "num_seeds", "mean", "std", "unavailable"}.

    std is the sample standard deviation, None for one seed. Both are None for the numbers that the members do not
    have, one of them or all, which "unavailable" maps to the reason.
    """
    unavailable = {name: reason for member in members for name, reason in member.get("unavailable", {}).items()}
    known = [name for name, value in members[0].items() if isinstance(value, float)]
    names = [name for name in known if name not in unavailable]
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
    """The records of training without what says nothing of it.

    That is wall time, and the loss where it is minus the ELBO, or the sum of a GAN's other metrics.
    """
    records = read_records(folder.metrics)
    left_out = {"seconds", "reconstruction"}
    if all("elbo" in record and np.allclose(record["loss"], -np.asarray(record["elbo"])) for record in records):
        left_out.add("loss")
    if all("wasserstein" in record for record in records):
        left_out.add("loss")
    return [{name: value for name, value in record.items() if name not in left_out} for record in records]


def _colour(rows: dict[str, Array]) -> dict[str, np.ndarray]:
    """What colours the latent space: the label, but the azimuth of views of a single object; or the translation."""
    if "azimuth" in rows and ("elevation" in rows or np.ptp(np.asarray(rows["label"])) == 0):
        return {"angle": np.asarray(rows["azimuth"])}
    return {name: np.asarray(rows[name]) for name in ("label", "translation") if name in rows}


def draw_figures(experiment: Experiment, params: Any, folder: RunFolder, results: dict[str, Any]) -> None:
    """Draws the latent space of every member, and grid, reconstructions and curves of the first.

    Of a model without an encoder, curves and samples.

    Args:
        experiment: The experiment.
        params: Parameters, seeds on the first axis.
        folder: The run's folder.
        results: What `summarize` returned.
    """
    first = jax.tree.map(lambda leaf: leaf[0], params)
    figures.save(figures.training_curves(_curves(folder)), folder.figures / "training_curves.png")
    pictures = len(experiment.dataset.event_shape) == 3  # a vector makes no picture
    if no_encoder(experiment, first) is not None:
        if pictures:
            _draw_samples(experiment, first, folder)
        return
    _draw_codes(experiment, params, folder, results)
    draw_planar_figures(experiment, first, folder)
    draw_rotation_figure(experiment, first, folder)
    draw_operator_figures(experiment, first, folder)
    draw_walks(experiment, first, folder)
    draw_reparametrization(experiment, first, folder)
    if pictures:
        batch = experiment.dataset.render(
            {name: array[:NUM_RECONSTRUCTIONS] for name, array in experiment.dataset.test.items()}
        )
        _draw_decoded(experiment, first, batch["x"], folder)


def _draw_codes(experiment: Experiment, params: Any, folder: RunFolder, results: dict[str, Any]) -> None:
    """Draws the latent space of every member."""
    rows = {name: array[:NUM_DRAWN] for name, array in experiment.dataset.test.items()}
    colour = _colour(rows)
    for index, member in enumerate(results["members"]):
        one = jax.tree.map(lambda leaf, i=index: leaf[i], params)
        title = f"seed {member['seed']}"
        title += f": ELBO {member['elbo']:.2f}" if member["elbo"] is not None else ""
        title += f", degree {member['degree']:+d}" if "degree" in member else ""
        codes = encode_rows(experiment, one, rows)
        figure = figures.latent_space(experiment.model.manifold, codes, **colour, title=title)
        figures.save(figure, folder.figures / f"latent_space_seed_{member['seed']}.png")


def _draw_samples(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    """Draws samples of the model side by side."""
    samples = experiment.model.sample(params, jax.random.key(FIGURE_SEED), GRID_SIZE**2)
    grid = np.asarray(samples).reshape(GRID_SIZE, GRID_SIZE, *experiment.dataset.event_shape)
    figures.save(figures.decoded_grid(grid), folder.figures / "samples.png")


def _draw_decoded(experiment: Experiment, params: Params, image: Array, folder: RunFolder) -> None:
    """Draws reconstructions and what a grid of points of the latent space decodes to."""
    model, dataset = experiment.model, experiment.dataset
    decode = jax.jit(model.decode)
    decoded = decode(params, model.encode(params, image).location)
    figures.save(
        figures.reconstructions(np.asarray(image), np.asarray(decoded)),
        folder.figures / "reconstructions.png",
    )
    if "operators" in params or "walk" in model.capabilities:  # no grid knows where the prior lies; orbits and walks do
        return
    points = figures.latent_grid(model.manifold, GRID_SIZE, GRID_SIZE, key=jax.random.key(FIGURE_SEED))
    grid = decode(params, points.reshape(-1, model.manifold.ambient_dim))
    grid = np.asarray(grid).reshape(GRID_SIZE, GRID_SIZE, *dataset.event_shape)
    figures.save(figures.decoded_grid(grid, manifold=model.manifold), folder.figures / "decoded_grid.png")

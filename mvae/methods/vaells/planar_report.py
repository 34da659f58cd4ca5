"""What a run says of data on plane curves: how well orbits meet them, how separate classes are; and the pictures."""

import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae import figures
from mvae.data.dataset import Rows
from mvae.evaluation import OrbitMatch, class_separation, mean_orbit_match
from mvae.models.model import Params
from mvae.reports.factors import encode_rows
from mvae.runs.experiment import Experiment
from mvae.runs.run_folder import RunFolder
from mvae.transport import infer_coefficients, path, transport

ORBIT_POINTS = 400
NUM_DRAWN = 1500
SHOWN_SCALES = (0.25, 1.0)  # Laplace scale of the drawn prior samples, and their noise relative to the model's
PATH_SEED = 4
NUM_INTERVALS = 12  # of starts from one and a half turns back to as far on
FAR_WEIGHT = 1e-3  # of a turn in the objective: far less than a residual that can be seen


class ClassOrbit(NamedTuple):
    """The orbit of one operator through the anchor in the middle of a class.

    Attributes:
        latent: Points, (T, d).
        decoded: What they decode to, (T, D).
    """

    latent: np.ndarray
    decoded: np.ndarray


def has_orbits(experiment: Experiment, params: Params) -> bool:
    """Whether the model has operators and the data have curves to compare their orbits with."""
    return "operators" in params and "anchors" in params and experiment.dataset.curves is not None


def planar_numbers(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Numbers of data on curves; empty for other data.

    "orbit_error", "orbit_precision" and "orbit_coverage" compare decoded orbits with the curves of the data, see
    `orbit_match`, for the operator that meets them best, "orbit_operator", or their
    combination; "separation_accuracy" and "separation_gap"
    are `class_separation` of the codes of the test set.
    """
    dataset = experiment.dataset
    if dataset.curves is None:
        return {}
    found: dict[str, Any] = {}
    labels = np.asarray(dataset.test["label"])
    if np.ptp(labels) > 0:
        separation = class_separation(encode_rows(experiment, params, dataset.test), labels)
        found |= {"separation_accuracy": float(separation.accuracy), "separation_gap": float(separation.gap)}
    if has_orbits(experiment, params):
        index, match, _ = best_orbits(experiment, params)
        found |= {
            "orbit_error": float(match.error),
            "orbit_precision": float(match.precision),
            "orbit_coverage": float(match.coverage),
            "orbit_operator": index,
        }
    return found


def best_orbits(experiment: Experiment, params: Params) -> tuple[int, OrbitMatch, list[ClassOrbit]]:
    """Returns the operator whose decoded orbits meet the curves best, how well, and the orbits, one per class.

    Candidates are the operators, each alone, and, numbered M, the combination of all of them that is inferred between
    two points of the class a quarter of the curve apart: several operators may share one motion. It is taken where it
    at least halves the error of the best one alone. An orbit starts at the encoding of an anchor in the middle of the
    class and covers the coefficients that the candidate needs to reach the encoded curve, but for the outermost
    hundredth at each end.
    """
    curves = experiment.dataset.curves
    assert curves is not None
    classes = _by_class(curves)
    closed = experiment.dataset.name == "concentric_circles"
    operators = params["operators"]
    candidates = [[operator] * len(classes) for operator in operators]
    if len(operators) > 1:
        candidates.append([_combination(experiment, params, rows) for rows in classes])
    truth = [np.asarray(rows["x"]).reshape(len(rows["label"]), -1) for rows in classes]
    found = []
    for index, own in enumerate(candidates):
        pairs = enumerate(zip(own, classes, strict=True))
        orbits = [_orbit(experiment, params, operator, k, rows) for k, (operator, rows) in pairs]
        match = mean_orbit_match([orbit.decoded for orbit in orbits], truth, closed=closed)
        found.append((index, match, orbits))
    best = min(found[: len(operators)], key=lambda each: each[1].error)
    together = found[len(operators) :]
    return together[0] if together and together[0][1].error < best[1].error / 2 else best


def _combination(experiment: Experiment, params: Params, rows: Rows) -> Float[Array, "d d"]:
    """Generator, of Frobenius norm 1, of the path inferred from the middle of a curve to a quarter of it further."""
    middle, quarter = len(rows["label"]) // 2, len(rows["label"]) // 4
    images = rows["x"][jnp.array([middle, middle + quarter])]
    start, end = experiment.model.encode(params, images).location
    generator = jnp.einsum("m,mij->ij", _infer_far(params["operators"], start, end), params["operators"])
    return generator / jnp.maximum(jnp.linalg.norm(generator), 1e-12)


def _by_class(curves: Rows) -> list[Rows]:
    labels = np.asarray(curves["label"])
    return [{name: array[labels == k] for name, array in curves.items()} for k in np.unique(labels)]


def _orbit(experiment: Experiment, params: Params, operator: Array, label: int, rows: Rows) -> ClassOrbit:
    model = experiment.model
    operator = operator[None]
    start = anchor_codes(experiment, params)[label][params["anchors"].shape[1] // 2]
    codes = model.encode(params, rows["x"]).location
    coefficients = _infer_far(operator, start, codes)
    low, high = np.percentile(np.asarray(coefficients[:, 0]), (1, 99))
    times = jnp.linspace(low, high, ORBIT_POINTS)
    latent = path(operator, jnp.ones(1), start, times)
    return ClassOrbit(np.asarray(latent), np.asarray(model.decode(params, latent)).reshape(ORBIT_POINTS, -1))


def _infer_far(operators: Float[Array, "M d d"], start: Array, end: Array) -> Float[Array, "*batch M"]:
    """Coefficients between points a turn apart or more: starts cover that, so that few minima are missed."""
    # A turn takes a coefficient of 2π over the angular velocity; that of a rotation is its norm over √2.
    turn = 2 * np.pi * math.sqrt(2) / max(float(jnp.max(jnp.linalg.norm(operators, axis=(1, 2)))), 1e-6)
    borders = np.linspace(-1.5 * turn, 1.5 * turn, NUM_INTERVALS + 1)
    inferred = infer_coefficients(
        jax.random.key(PATH_SEED),
        operators,
        start,
        end,
        l1_weight=FAR_WEIGHT * turn**-1,
        num_restarts=NUM_INTERVALS * len(operators),
        bounds=tuple(itertools.pairwise(borders)),
    )
    return inferred.coefficients


def anchor_codes(experiment: Experiment, params: Params) -> Float[Array, "K N d"]:
    """Encodings of the anchors of each class."""
    anchors = params["anchors"]
    codes = experiment.model.encode(params, anchors.reshape(-1, *anchors.shape[2:])).location
    return codes.reshape(*anchors.shape[:2], -1)


def draw_planar_figures(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    """Draws codes with orbits, samples of the prior and inferred paths [connor2021, Fig. 3] of a latent plane."""
    dataset, model = experiment.dataset, experiment.model
    if not has_orbits(experiment, params) or model.manifold.dim != 2:
        return
    codes = encode_rows(experiment, params, dataset.test)
    periodic = dataset.name == "concentric_circles"
    place = {"parameter": np.asarray(dataset.test["parameter"]), "periodic": periodic}
    anchors = anchor_codes(experiment, params)
    _, _, orbits = best_orbits(experiment, params)
    figure = figures.operator_orbits(
        codes,
        np.stack([orbit.latent for orbit in orbits]),
        anchors=np.asarray(anchors).reshape(-1, 2),
        colour_by="time",
        **place,
    )
    figures.save(figure, folder.figures / "operator_orbits.png")
    figures.save(_prior_figure(params, codes, anchors), folder.figures / "prior_samples.png")
    figures.save(_path_figure(params, codes, np.asarray(dataset.test["label"]), place), folder.figures / "paths.png")


def _prior_figure(params: Params, codes: np.ndarray, anchors: Array) -> Any:
    """Samples around each anchor, with a Laplace scale and noise that can be seen."""
    flat = anchors.reshape(-1, 2)
    origin = np.arange(NUM_DRAWN) % len(flat)
    coefficient_key, noise_key = jax.random.split(jax.random.key(PATH_SEED))
    scale, noise = SHOWN_SCALES
    operators = params["operators"]
    shape = (NUM_DRAWN, len(operators))
    coefficients = scale * jax.random.laplace(coefficient_key, shape) / jnp.linalg.norm(operators, axis=(1, 2)).max()
    points = transport(operators, coefficients, flat[origin])
    points += noise * 0.02 * jnp.std(jnp.asarray(codes)) * jax.random.normal(noise_key, points.shape)
    return figures.prior_samples(np.asarray(points), origin, np.asarray(flat), codes=codes)


def _path_figure(params: Params, codes: np.ndarray, labels: np.ndarray, place: dict[str, Any]) -> Any:
    """Paths inferred between pairs of test points of one class."""
    rng = np.random.default_rng(PATH_SEED)
    pairs = []
    for k in range(4):
        members = np.flatnonzero(labels == k % (labels.max() + 1))
        pairs.append(rng.choice(members, 2, replace=False))
    start, end = (jnp.asarray(codes[np.array(pairs)[:, side]]) for side in (0, 1))
    coefficients = _infer_far(params["operators"], start, end)
    paths = path(params["operators"], coefficients, start, jnp.linspace(0, 1, ORBIT_POINTS))
    return figures.inferred_paths(codes, np.asarray(paths), ends=np.asarray(end), **place)

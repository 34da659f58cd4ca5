"""How well orbits of operators meet the curves that the data lie on, and the figures of a latent plane."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae import figures
from mvae.data.dataset import Rows
from mvae.evaluation import OrbitMatch, mean_orbit_match
from mvae.evaluation.progress import with_progress
from mvae.reports import Member, Report, View
from mvae.reports.report import Drawing, Figure
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


def has_orbits(view: View) -> bool:
    """Whether the model has operators and the data have curves to compare their orbits with."""
    return view.has("operators", "anchors") and view.dataset.curves is not None


def operators_of(member: Member) -> Float[np.ndarray, "M d d"]:
    """The operators of a seed."""
    operators = member.view.model.capabilities["operators"]
    return np.asarray(operators(member.params))


def anchor_codes(member: Member) -> Float[np.ndarray, "K N d"]:
    """Encodings of the anchors of each class."""
    view = member.view
    codes = view.programs.jit("anchors", view.model.capabilities["anchors"])
    return member.kept("anchors", lambda: np.asarray(codes(member.params)))


def orbit_numbers(member: Member) -> dict[str, Any]:
    """Compares decoded orbits with the curves of the data, see `orbit_match`: error, precision, coverage.

    They are those of the operator that meets the curves best, "orbit_operator", or of the combination of all.
    """
    index, match, _ = best_orbits(member)
    return {
        "orbit_error": float(match.error),
        "orbit_precision": float(match.precision),
        "orbit_coverage": float(match.coverage),
        "orbit_operator": index,
    }


def best_orbits(member: Member) -> tuple[int, OrbitMatch, list[ClassOrbit]]:
    """Returns the operator whose decoded orbits meet the curves best, how well, and the orbits, one per class.

    Candidates are the operators, each alone, and, numbered M, the combination of all of them that is inferred between
    two points of the class a quarter of the curve apart: several operators may share one motion. It is taken where it
    at least halves the error of the best one alone. An orbit starts at the encoding of an anchor in the middle of the
    class and covers the coefficients that the candidate needs to reach the encoded curve, but for the outermost
    hundredth at each end.
    """
    return member.kept("best orbits", lambda: _best_orbits(member))


def _best_orbits(member: Member) -> tuple[int, OrbitMatch, list[ClassOrbit]]:
    dataset = member.view.dataset
    assert dataset.curves is not None
    classes = _by_class(dataset.curves)
    operators = operators_of(member)
    candidates = [[operator] * len(classes) for operator in operators]
    if len(operators) > 1:
        candidates.append([_combination(member, operators, rows) for rows in classes])
    truth = [np.asarray(rows["x"]).reshape(len(rows["label"]), -1) for rows in classes]
    found = []
    for index, own in enumerate(with_progress(candidates, "orbits", "operator")):
        pairs = enumerate(zip(own, classes, strict=True))
        orbits = [_orbit(member, operator, k, rows) for k, (operator, rows) in pairs]
        match = mean_orbit_match([orbit.decoded for orbit in orbits], truth, closed=dataset.closed_curves)
        found.append((index, match, orbits))
    best = min(found[: len(operators)], key=lambda each: each[1].error)
    together = found[len(operators) :]
    return together[0] if together and together[0][1].error < best[1].error / 2 else best


def _combination(member: Member, operators: np.ndarray, rows: Mapping[str, np.ndarray]) -> Float[np.ndarray, "d d"]:
    """Generator, of Frobenius norm 1, of the path inferred from the middle of a curve to a quarter of it further."""
    middle, quarter = len(rows["label"]) // 2, len(rows["label"]) // 4
    start, end = member.encode_x(rows["x"][np.array([middle, middle + quarter])])
    generator = np.einsum("m,mij->ij", np.asarray(_infer_far(operators, start, end)), operators)
    return generator / max(float(np.linalg.norm(generator)), 1e-12)


def _by_class(curves: Rows) -> list[dict[str, np.ndarray]]:
    labels = np.asarray(curves["label"])
    return [{name: np.asarray(array)[labels == k] for name, array in curves.items()} for k in np.unique(labels)]


def _orbit(member: Member, operator: np.ndarray, label: int, rows: Mapping[str, np.ndarray]) -> ClassOrbit:
    anchors = anchor_codes(member)[label]
    start = anchors[len(anchors) // 2]
    coefficients = _infer_far(operator[None], start, member.encode_x(rows["x"]))
    low, high = np.percentile(np.asarray(coefficients[:, 0]), (1, 99))
    times = jnp.asarray(np.linspace(low, high, ORBIT_POINTS), jnp.float32)
    latent = np.asarray(path(jnp.asarray(operator[None]), jnp.ones(1), jnp.asarray(start), times))
    return ClassOrbit(latent, member.decode(latent).reshape(ORBIT_POINTS, -1))


def _infer_far(operators: Any, start: Any, end: Any) -> Float[Array, "*batch M"]:
    """Coefficients between points a turn apart or more: starts cover that, so that few minima are missed."""
    # A turn takes a coefficient of 2π over the angular velocity; that of a rotation is its norm over √2.
    turn = 2 * np.pi * math.sqrt(2) / max(float(np.linalg.norm(operators, axis=(1, 2)).max()), 1e-6)
    borders = np.linspace(-1.5 * turn, 1.5 * turn, NUM_INTERVALS + 1)
    inferred = infer_coefficients(
        jax.random.key(PATH_SEED),
        jnp.asarray(operators),
        jnp.asarray(start),
        jnp.asarray(end),
        l1_weight=FAR_WEIGHT * turn**-1,
        num_restarts=NUM_INTERVALS * len(operators),
        bounds=tuple(itertools.pairwise(borders)),
    )
    return inferred.coefficients


def draw_orbits(view: View) -> Iterator[tuple[str, Drawing]]:
    """Codes with orbits, samples of the prior and inferred paths of a latent plane [vaells, Fig. 3]."""
    if view.model.manifold.dim != 2:
        return
    member, rows = view.members[0], view.dataset.test
    place = {"parameter": np.asarray(rows["parameter"]), "periodic": view.dataset.closed_curves}

    def orbits() -> Figure:
        _, _, best = best_orbits(member)
        return figures.operator_orbits(
            member.codes("test"),
            np.stack([orbit.latent for orbit in best]),
            anchors=anchor_codes(member).reshape(-1, 2),
            colour_by="time",
            **place,
        )

    yield "operator_orbits.png", orbits
    yield "prior_samples.png", lambda: _prior_figure(member)
    yield "paths.png", lambda: _path_figure(member, np.asarray(rows["label"]), place)


def _prior_figure(member: Member) -> Figure:
    """Samples around each anchor, with a Laplace scale and noise that can be seen."""
    codes, flat = member.codes("test"), anchor_codes(member).reshape(-1, 2)
    origin = np.arange(NUM_DRAWN) % len(flat)
    coefficient_key, noise_key = jax.random.split(jax.random.key(PATH_SEED))
    scale, noise = SHOWN_SCALES
    operators = jnp.asarray(operators_of(member))
    shape = (NUM_DRAWN, len(operators))
    coefficients = scale * jax.random.laplace(coefficient_key, shape) / jnp.linalg.norm(operators, axis=(1, 2)).max()
    points = transport(operators, coefficients, jnp.asarray(flat[origin]))
    points += noise * 0.02 * jnp.std(jnp.asarray(codes)) * jax.random.normal(noise_key, points.shape)
    return figures.prior_samples(np.asarray(points), origin, flat, codes=codes)


def _path_figure(member: Member, labels: np.ndarray, place: dict[str, Any]) -> Figure:
    """Paths inferred between pairs of test points of one class."""
    codes, operators = member.codes("test"), operators_of(member)
    rng = np.random.default_rng(PATH_SEED)
    pairs = []
    for k in range(4):
        members = np.flatnonzero(labels == k % (labels.max() + 1))
        pairs.append(rng.choice(members, 2, replace=False))
    start, end = (jnp.asarray(codes[np.array(pairs)[:, side]]) for side in (0, 1))
    coefficients = _infer_far(operators, start, end)
    paths = path(jnp.asarray(operators), coefficients, start, jnp.linspace(0, 1, ORBIT_POINTS))
    return figures.inferred_paths(codes, np.asarray(paths), ends=np.asarray(end), **place)


ORBITS = Report(
    "orbits",
    has_orbits,
    orbit_numbers,
    draw_orbits,
    ("orbit_error", "orbit_precision", "orbit_coverage", "orbit_operator"),
)

"""What codes say of known factors: the degree of the encoder, angles read from codes, disentanglement."""

from typing import Any

import jax
import numpy as np

from mvae.data.dataset import Rows
from mvae.data.factors.known_factors import grid_order
from mvae.data.pictures import translation_grid
from mvae.evaluation import (
    ambient_codes,
    angle_codes,
    angle_readout,
    circular_correlation,
    disentanglement_scores,
    mapping_degree,
)
from mvae.evaluation.disentanglement.scores import score_names
from mvae.evaluation.poses import align_poses, pose_errors
from mvae.manifolds import SO3, Euclidean, FlatTorus, Sphere
from mvae.reports.report import Member, Report, View

DEGREES = ("degree", "winding", "winding_consistent", "captured")
READ = ("azimuth_correlation", "azimuth_error")
POSES = ("pose_error", "pose_error_mean")
MOST_POSES = 4000  # whose simplices are counted
ROWS_SEED = 0x5C0


def _factors_around(view: View) -> tuple[str, ...] | None:
    """The periodic factors whose grid the data are, as many as the latent torus or circle has angles; None if none."""
    manifold, dataset = view.model.manifold, view.dataset
    names = dataset.periodic_factors
    sizes = [dataset.factor_sizes[dataset.factor_names.index(name)] for name in names]
    whole = dataset.num_train + dataset.num_test == np.prod(sizes, dtype=np.int64)
    return names if names and len(names) == manifold.dim and whole else None


def has_poses(view: View) -> bool:
    """Whether the examples have known rotations and the latent space is SO(3)."""
    latent = view.dataset.test.get("latent")
    return view.has() and isinstance(view.model.manifold, SO3) and latent is not None and latent.shape[1:] == (9,)


def has_degree(view: View) -> bool:
    """Whether the factors form a torus or circle like the latent space, or are rotations as it is."""
    manifold = view.model.manifold
    if has_poses(view):
        return True
    if not view.has() or not (isinstance(manifold, FlatTorus) or manifold == Sphere(1)):
        return False
    return ("translation" in view.dataset.test and manifold.dim == 2) or _factors_around(view) is not None


def degree_numbers(member: Member) -> dict[str, Any]:
    """Degree of the encoder from factors to the latent space; "captured" is 1 where it is ±1.

    The factors are those of a torus or circle, on a grid, or the rotations of the first test examples.
    """
    view = member.view
    source = None
    if has_poses(view):
        source = np.asarray(view.dataset.test["latent"][:MOST_POSES])
        codes = member.codes("test")[:MOST_POSES]
    elif "translation" in view.dataset.test and view.model.manifold.dim == 2:
        n = view.settings.degree_grid
        grid: Any = np.asarray(translation_grid(n)).reshape(-1, 2)
        codes = member.encode({"translation": grid}).reshape(n, n, -1)
    else:
        names = _factors_around(view)
        assert names is not None
        dataset = view.dataset
        sizes = [dataset.factor_sizes[dataset.factor_names.index(name)] for name in names]
        if min(sizes) < 8:
            return member.undefined(
                DEGREES, f"a degree needs 8 views or more in each direction, there are {min(sizes)}"
            )
        every = np.concatenate([member.codes("train"), member.codes("test")])
        codes = every[grid_order(dataset, names)].reshape(*sizes, -1)
    try:
        degree = mapping_degree(view.model.manifold, codes, source)
    except ValueError as error:
        return member.undefined(DEGREES, str(error))
    return {
        "degree": degree.degree,
        "winding": None if degree.winding is None else degree.winding.tolist(),
        "winding_consistent": degree.consistent,
        "captured": float(abs(degree.degree) == 1),
    }


def pose_numbers(member: Member) -> dict[str, Any]:
    """How well the rotation is read from the codes: the angle of what is left, radians, median and mean.

    Codes are aligned by one rotation on either side, which is fitted to the training set, see `align_poses`.
    """
    train, test = (np.asarray(rows["latent"][:]) for rows in (member.view.dataset.train, member.view.dataset.test))
    errors = pose_errors(align_poses(member.codes("train"), train).apply(member.codes("test")), test)
    return {"pose_error": float(np.median(errors)), "pose_error_mean": float(errors.mean())}


def _objects(view: View, rows: Rows) -> np.ndarray:
    """Which object each row shows: their zeros of azimuth have nothing to do with each other."""
    if "object" not in view.dataset.factor_names:
        return np.zeros(len(rows["azimuth"]), int)
    return np.asarray(rows["factors"][:])[:, view.dataset.factor_names.index("object")]


def azimuth_numbers(member: Member) -> dict[str, Any]:
    """How well the azimuth can be read from the codes, and on a circle how well it is the latent angle itself."""
    view = member.view
    parts = [(view.dataset.train, member.codes("train")), (view.dataset.test, member.codes("test"))]
    (train_angles, test_angles) = angles = [np.asarray(rows["azimuth"][:]) for rows, _ in parts]
    (train_objects, test_objects) = objects = [_objects(view, rows) for rows, _ in parts]
    (train, test) = codes = [found for _, found in parts]
    try:
        readout = angle_readout(
            train, train_angles, test, test_angles, train_groups=train_objects, test_groups=test_objects
        )
    except ValueError as error:
        found: dict[str, Any] = member.undefined(READ, str(error))
    else:
        found = {"azimuth_correlation": readout.correlation, "azimuth_error": readout.error}
        member.undefined([name for name, value in found.items() if value is None], readout.undefined)
    if view.model.manifold in (Sphere(1), FlatTorus(1)) and np.ptp(np.concatenate(objects)) == 0:
        z = np.concatenate(codes)
        latent = np.arctan2(z[:, 1], z[:, 0])
        try:
            found["latent_azimuth_correlation"] = circular_correlation(latent, np.concatenate(angles))
        except ValueError as error:
            found |= member.undefined(["latent_azimuth_correlation"], str(error))
    return found


def score_numbers(member: Member) -> dict[str, Any]:
    """The disentanglement scores that are asked for, of `score_rows` examples.

    They are those of ambient coordinates and, with the ending "_angles", of angles where the manifold has them.
    """
    view = member.view
    manifold, scores = view.model.manifold, view.settings.scores
    if reason := view.model.lacks.get("encoder"):
        return member.undefined([name for score in scores for name in score_names(score)], reason)
    z, factors = _scored(member)
    codes = {"": ambient_codes(manifold, z)}
    if angle_codes.knows(manifold) and not isinstance(manifold, Euclidean):  # there they are the same
        codes["_angles"] = angle_codes(manifold, z)
    found: dict[str, Any] = {}
    for ending, code in codes.items():
        for score in scores:
            try:
                values: dict[str, Any] = dict(disentanglement_scores((score,), code, factors))
                found |= {name + ending: value for name, value in values.items()}
            except ValueError as error:
                found |= member.undefined([name + ending for name in score_names(score)], str(error))
    return found


def angle_numbers(member: Member) -> dict[str, Any]:
    """How well the known angle of a user's own data can be read from the codes, and on a circle how well it is theirs.

    "latent_angle_resultant" is max |mean e^(i(a ∓ b))| over both senses of rotation, of the test set: 1 where the
    latent angle a is the known one b but for its zero.
    """
    view = member.view
    dataset, codes = view.dataset, (member.codes("train"), member.codes("test"))
    assert dataset.angle is not None
    train, test = (np.asarray(rows[dataset.angle][:]) for rows in (dataset.train, dataset.test))
    names = ("angle_correlation", "angle_error")
    try:
        readout = angle_readout(codes[0], train, codes[1], test)
    except ValueError as error:
        found: dict[str, Any] = member.undefined(names, str(error))
    else:
        found = dict(zip(names, (readout.correlation, readout.error), strict=True))
        member.undefined([name for name, value in found.items() if value is None], readout.undefined)
    if view.model.manifold in (Sphere(1), FlatTorus(1)):
        latent = np.arctan2(codes[1][:, 1], codes[1][:, 0])
        both = [abs(np.mean(np.exp(1j * (latent - sign * test)))) for sign in (1, -1)]
        found["latent_angle_resultant"] = float(max(both))
    return found


ANGLE = Report(
    "angle",
    lambda view: view.has() and view.dataset.angle is not None,
    angle_numbers,
    gives=("angle_correlation", "angle_error"),
)


def _scored(member: Member) -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors of the examples that scores look at: the same of all seeds, drawn from both sets together."""
    view, parts = member.view, ("train", "test")
    rows, most = {"train": view.dataset.train, "test": view.dataset.test}, view.settings.score_rows
    num = view.dataset.num_train + view.dataset.num_test
    if num <= most:
        chosen = {part: slice(None) for part in parts}
        codes = [member.codes(part) for part in parts]
    else:
        drawn = np.sort(np.asarray(jax.random.choice(jax.random.key(ROWS_SEED), num, (most,), replace=False)))
        border = np.searchsorted(drawn, view.dataset.num_train)
        chosen = {"train": drawn[:border], "test": drawn[border:] - view.dataset.num_train}
        codes = [
            member.encode({name: array[chosen[part]] for name, array in rows[part].items()})
            for part in parts
            if len(chosen[part])
        ]
    factors = [np.asarray(rows[part]["factors"][chosen[part]]) for part in parts]
    return np.concatenate(codes), np.concatenate(factors)


DEGREE = Report("degree", has_degree, degree_numbers, gives=DEGREES)
AZIMUTH = Report("azimuth", lambda view: view.has() and "azimuth" in view.dataset.test, azimuth_numbers, gives=READ)
POSE = Report("pose", has_poses, pose_numbers, gives=POSES)
SCORES = Report("scores", lambda view: bool(view.settings.scores), score_numbers)

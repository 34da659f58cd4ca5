"""Start of an encoder from a coordinate of the training set, which it learns before all else.

The coordinate comes from persistent cohomology on circles and tori, from silhouettes of views on SO(3).
"""

import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from mvae.data import Dataset
from mvae.data.dataset import Batch, Rows
from mvae.data.graph import rendered
from mvae.errors import UsageError
from mvae.kept import NOTHING_KEPT, Kept
from mvae.manifolds import SO3, FlatTorus, Manifold, ProjectiveSpace, Sphere
from mvae.models.likelihood import LIKELIHOODS, Likelihood
from mvae.models.location import location
from mvae.models.stage import Stage, gradient_stage
from mvae.spectral import nearest_neighbors
from mvae.topology import (
    COVERS,
    Coordinates,
    blurred_images,
    circular_coordinates,
    extend_coordinates,
    projective_coordinates,
    strip_coordinates,
    toroidal_coordinates,
    view_rotations,
)
from mvae.topology.bundles import STRIPS
from mvae.topology.coordinates import shown

LOGGER = logging.getLogger(__name__)
COLUMN = "coordinate"
COORDINATE_INITS = ("cohomology", "silhouettes")
NUM_STEPS = {"cohomology": 1000, "silhouettes": 3000}  # of the encoder
MAX_VIEWS = 1000
MAX_LANDMARKS = 100  # views that are unwrapped; the others take the angle of those nearest
BLUR = 0.11  # of the height of an image, 0.7 rad where it shows a whole turn
MAX_DIM = 4
NUM_AVERAGED = 10  # rows of counts that are near each other
QUOTIENTS = (ProjectiveSpace, *STRIPS)
ROUNDING = 1e-6  # of the greatest entry: examples of one condition that vary by less do not vary


class CoordinateTerms(NamedTuple):
    """Terms of the encoder's first stage, (b,).

    Attributes:
        loss: Squared distance in R^n of the encoder's location from the coordinate's point.
        extra: Where an angle of the examples is known and the latent space is a circle, "winding": its mean is the
            degree of the encoder, of the batch in the order of that angle.
    """

    loss: Float[Array, " b"]
    extra: dict[str, Float[Array, " b"]]


def known_angle(dataset: Dataset) -> str | None:
    """Returns the column of an angle that tells all examples apart: a user's own, or the azimuth of one object."""
    if dataset.angle is not None:
        return dataset.angle
    if "azimuth" not in dataset.train or "azimuth" not in dataset.factor_names:
        return None
    others = [column for column, name in enumerate(dataset.factor_names) if name != "azimuth"]
    return "azimuth" if (np.ptp(np.asarray(dataset.train["factors"][:])[:, others], axis=0) == 0).all() else None


def winding_terms(angle: Float[Array, " b"], z: Float[Array, "b 2"]) -> Float[Array, " b"]:
    """Returns numbers whose mean is how often points of a circle go round it in the order of an angle."""
    latent = jnp.arctan2(z[:, 1], z[:, 0])[jnp.argsort(angle)]
    steps = (jnp.roll(latent, -1) - latent + jnp.pi) % (2 * jnp.pi) - jnp.pi
    return len(angle) * steps / (2 * jnp.pi)


def has_loops(manifold: Manifold) -> bool:
    """Returns whether cohomology gives coordinates: on a circle, a flat torus or projective space of few dimensions.

    On a cylinder, Möbius band or Klein bottle, too.
    """
    return (
        (isinstance(manifold, Sphere) and manifold.dim == 1)
        or (isinstance(manifold, FlatTorus | ProjectiveSpace) and manifold.dim <= MAX_DIM)
        or isinstance(manifold, STRIPS)
    )


def prepare_coordinate(config: Any, dataset: Dataset, kept: Kept = NOTHING_KEPT) -> Dataset:
    """Returns the data for a method's config, with the coordinate that its `encoder_init` asks for, if it does."""
    if config.encoder_init not in COORDINATE_INITS:
        return dataset
    return with_coordinate(dataset, config.manifold, LIKELIHOODS[config.likelihood](), kept)


def with_coordinate(
    dataset: Dataset, manifold: Manifold, likelihood: Likelihood | None = None, kept: Kept = NOTHING_KEPT
) -> Dataset:
    """Returns the data set with a point of the manifold for each training example, from the examples alone.

    Batches of training examples have besides what they had "coordinate", the point as the encoder's location has it:
    (B, ambient_dim), on quotients in the space that `mvae.models.location.location` has them in, such as symmetric
    matrices for a projective space.

    - On a circle with up to 1000 training examples, these are taken for views of a turning object:
      `circular_coordinates` of the three most persistent classes, unwrapped on 100 of them. With more, the harmonic
      coordinate of the most persistent class.
    - On flat tori, `toroidal_coordinates`. Images are also tried blurred by 0.7 rad of their height, as they are at
      their sides and as if they went on at the opposite ones; the coordinates of least score are taken.

    - On projective spaces, `projective_coordinates`; on cylinders, Möbius bands and Klein bottles, `strip_coordinates`.

    Where a condition is known, distances are those of `free_of_condition`. Of so few views as above, those of the
    condition that has most of them get a coordinate, and the others take it from the nearest ones,
    `extend_coordinates`. Counts are compared as log(1 + x / s), s the size factor, which is what the encoder is given,
    and as `mean_of_nearest`, since by their noise alone rows of equal rates lie far apart.

    On SO(3), whose loops have no integer class, `view_rotations`: the training examples are taken for square images of
    one object from all around, and a turn of the camera about its axis for a turn of the image.

    Args:
        dataset: The data set; one whose `render` draws or turns images is compared as rendered.
        manifold: One that `has_loops`, or SO(3).
        likelihood: Of the examples; None for one that is not of counts.
        kept: Where the coordinate is kept.

    Raises:
        UsageError: For training data that are streamed, in which no loops are found, or that are no square images.
    """
    init = "silhouettes" if isinstance(manifold, SO3) else "cohomology"
    if dataset.source is not None:
        raise UsageError(
            f"--stream: config.model.encoder_init = {init} compares all training examples with each other: leave "
            "out the flag, or use principal"
        )
    try:
        examples, condition = _compared(dataset, likelihood)
        arrays = kept.arrays(
            np.concatenate([examples.reshape(len(examples), -1), condition[:, None]], axis=1),
            f"coordinate {manifold!r} {examples.shape}",
            lambda: _coordinate(dataset.name, examples, condition, manifold),
        )
    except ModuleNotFoundError as error:
        raise UsageError(f"config.model.encoder_init = {init}: {error}") from error
    except ValueError as error:
        raise UsageError(
            f"config.model.encoder_init = {init}: the training data of {dataset.name} have no coordinate with "
            f"values in {manifold!r}: {error}; use principal or spectral"
        ) from error
    points = jnp.asarray(arrays["points"])

    def render(rows: Rows) -> Batch:
        known = {COLUMN: rows[COLUMN]} if COLUMN in rows else {}
        return dataset.render({name: array for name, array in rows.items() if name != COLUMN}) | known

    notes = json.loads(str(arrays["notes"]))
    return dataset._replace(train=dataset.train | {COLUMN: points}, render=render, notes=notes)


def _coordinate(
    name: str, examples: Float[np.ndarray, "n *event"], condition: Int[np.ndarray, " n"], manifold: Manifold
) -> dict[str, np.ndarray]:
    """Points of the manifold, and what is said of them, as JSON."""
    if isinstance(manifold, SO3):
        points, notes = _rotations(name, examples)
    elif isinstance(manifold, QUOTIENTS):
        points, notes = _on_quotient(name, examples, manifold)
    else:
        points, notes = _angles(name, examples, condition, manifold)
    return {"points": np.asarray(points, np.float32), "notes": np.asarray(json.dumps(notes))}


def _rotations(name: str, examples: Float[np.ndarray, "n *event"]) -> tuple[Float[np.ndarray, "n 9"], dict[str, Any]]:
    found = view_rotations(examples)
    LOGGER.info(
        "coordinate of the training examples of %s: rotations of a body, which leave %.3f of its silhouettes' reach",
        name,
        found.residual,
    )
    return np.asarray(found.rotations), {"coordinate_residual": round(found.residual, 4)}


def _on_quotient(
    name: str, examples: Float[np.ndarray, "n *event"], manifold: Any
) -> tuple[Float[np.ndarray, "n m"], dict[str, Any]]:
    of_lines = isinstance(manifold, ProjectiveSpace)
    found = projective_coordinates(examples, manifold.dim) if of_lines else strip_coordinates(examples, manifold)
    over = " modulo two" if of_lines else ""
    LOGGER.info("coordinate of the training examples of %s: classes%s live from %s", name, over, shown(found.bars))
    births, deaths = found.bars.T.tolist()
    points = location(manifold).embed(jnp.asarray(found.points, jnp.float32))
    return np.asarray(points), {"coordinate_births": births, "coordinate_deaths": deaths}


def _angles(
    name: str, examples: Float[np.ndarray, "n *event"], condition: Int[np.ndarray, " n"], manifold: Manifold
) -> tuple[Float[np.ndarray, "n k"], dict[str, Any]]:
    found = _on_circle(examples, condition) if manifold.dim == 1 else _on_torus(examples, manifold.dim)
    LOGGER.info(
        "coordinate of the training examples of %s: classes live from %s; %s", name, shown(found.bars), found.chosen
    )
    angles = found.angles.reshape(len(examples), -1)
    pairs = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(examples), -1)
    return np.asarray(manifold.project(jnp.asarray(pairs, jnp.float32))), _notes(found)


def _notes(found: Coordinates) -> dict[str, Any]:
    """Persistence of the classes, the cover that was taken, and the best score of each that was tried."""
    scores: dict[str, float] = {}
    for candidate in found.tried:  # best first
        scores.setdefault(str(candidate.winding), candidate.score)
    if found.chosen.winding > 1:
        LOGGER.info(
            "the loop of the training examples is a quotient: a %d-fold cover fits better", found.chosen.winding
        )
    return {
        "coordinate_births": found.bars[:, 0].tolist(),
        "coordinate_deaths": found.bars[:, 1].tolist(),
        "coordinate_cover": found.chosen.winding,
        "coordinate_scores": scores,
    }


def _compared(
    dataset: Dataset, likelihood: Likelihood | None
) -> tuple[Float[np.ndarray, "n *event"], Int[np.ndarray, " n"]]:
    """Training examples as their distances are taken, and the condition of each, 0 where there is none."""
    x = rendered(dataset, dataset.train)
    of_counts = likelihood if likelihood is not None and likelihood.counts else None
    if of_counts is not None:
        x = of_counts.seen(x, dataset.train.get("size_factor", 1.0))
    examples, condition = np.asarray(x, np.float64), np.zeros(len(x), np.int32)
    if dataset.condition_names:
        condition = np.asarray(dataset.train["condition"])
        examples = free_of_condition(examples, condition)
    return examples if of_counts is None else mean_of_nearest(examples), condition


def free_of_condition(x: ArrayLike, condition: ArrayLike) -> Float[np.ndarray, "n *event"]:
    """Returns examples less the mean of their condition, over the root mean square deviation of its entries from it.

    So a condition that shifts every entry by a number of its own, and scales all alike, such as the gain and offset of
    a camera, is undone exactly where the conditions have examples of the same states, and in the mean where each has
    examples from the same distribution of states. What else a condition changes stays.

    Args:
        x: Examples, (n, *event).
        condition: Their categories, (n,).

    Returns:
        (n, *event); examples of a condition all of whose examples are one are 0.
    """
    x, condition = np.asarray(x, np.float64), np.asarray(condition)
    free = np.empty_like(x)
    for category in np.unique(condition):
        centred = x[condition == category] - x[condition == category].mean(axis=0)
        size = np.sqrt(np.mean(centred**2))
        free[condition == category] = centred / size if size > ROUNDING * np.abs(x).max() else 0.0
    return free


def mean_of_nearest(x: ArrayLike) -> Float[np.ndarray, "n *event"]:
    """Returns the mean of each example's nearest ones, itself among them: 10, or a twentieth of all if that is less.

    Noise that is independent between entries adds the same to nearly all distances, and hides what is nearer than it.
    The mean of m examples has an m-th of its variance, and lies off the manifold by what that bends within them.

    Args:
        x: Examples, (n, *event), compared by Euclidean distance.
    """
    x = np.asarray(x, np.float64)
    num = min(NUM_AVERAGED, len(x) // 20)
    if num < 2:
        return x
    others = nearest_neighbors(jnp.asarray(x.reshape(len(x), -1), jnp.float32), num - 1).indices
    return (x + x[np.asarray(others)].sum(axis=1)) / num


def _on_circle(examples: Float[np.ndarray, "n *event"], condition: Int[np.ndarray, " n"]) -> Coordinates:
    """Unwrapped where there are few views; of those of several conditions only one's fit an order."""
    views = np.flatnonzero(condition == np.bincount(condition).argmax())
    if len(views) > MAX_VIEWS:
        return circular_coordinates(examples)
    found = circular_coordinates(examples[views], num_landmarks=MAX_LANDMARKS, num_classes=3, covers=COVERS)
    if len(views) == len(examples):
        return found
    flat = examples.reshape(len(examples), -1)
    return found._replace(
        angles=extend_coordinates(found.angles, cdist(flat, flat[views])), landmarks=views[found.landmarks]
    )


def _on_torus(examples: Float[np.ndarray, "n *event"], dim: int) -> Coordinates:
    options = [examples]
    if examples.ndim == 4:
        options += [blurred_images(examples, BLUR * examples.shape[1], periodic=periodic) for periodic in (False, True)]
    found, wrong = [], None
    for option in options:
        try:
            found.append(toroidal_coordinates(option, dim))
        except ValueError as error:
            wrong = wrong or error
    if not found:
        assert wrong is not None
        raise wrong
    return min(found, key=lambda each: each.chosen.score)


def coordinate_stage(
    location: Callable[[dict[str, Any], Batch], Float[Array, "b n"]],
    init: Callable[[Key[Array, ""], Batch, Any], dict[str, Any]],
    optimizer: optax.GradientTransformation,
    num_steps: int,
    angle: str | None = None,
    *,
    frozen: tuple[str, ...] = ("decoder", "likelihood"),
) -> Stage:
    """Builds the stage "coordinate", in which all layers of the encoder learn the column, and nothing else learns.

    Fitting the last layer alone has the right degree, too, but soon loses it in training.

    Args:
        location: (parameters of the model, batch) -> where the encoder has the examples.
        init: (key, batch, previous) -> parameters of the model, a dict with "encoder".
        optimizer: Of the encoder.
        num_steps: Steps of the stage.
        angle: Column of a known angle, whose winding on a latent circle is a metric; nothing is learned from it.
        frozen: All parameters but the encoder's.
    """

    def terms(params: dict[str, Any], key: Key[Array, ""], batch: Batch, step: Array) -> CoordinateTerms:
        del key, step
        z = location(params, batch)
        extra = {} if angle is None else {"winding": winding_terms(batch[angle], z)}
        return CoordinateTerms(jnp.sum((z - batch[COLUMN]) ** 2, axis=-1), extra)

    return gradient_stage("coordinate", num_steps, init, terms, optimizer, frozen=frozen)


def check_coordinate(manifold: Manifold, encoder_init: str) -> None:
    """Raises a ValueError that says what a start needs of a manifold that it knows no coordinate of."""
    if encoder_init == "cohomology" and not has_loops(manifold):
        raise ValueError(
            "encoder_init = 'cohomology' needs a circle, sphere:1, or a flat torus or projective space of at most four "
            "dimensions, a cylinder, Möbius band or Klein bottle, got "
            f"{manifold!r}: use {'silhouettes, for views of a body, or ' if isinstance(manifold, SO3) else ''}another "
            "start"
        )
    if encoder_init == "silhouettes" and not isinstance(manifold, SO3):
        raise ValueError(f"encoder_init = 'silhouettes' needs so3, got {manifold!r}: use another start")

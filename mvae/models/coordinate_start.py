"""Start of an encoder from persistent cohomology: coordinates of the training set that it learns before all else."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from mvae.data import Dataset
from mvae.data.dataset import Batch, Rows
from mvae.data.graph import rendered
from mvae.errors import UsageError
from mvae.manifolds import FlatTorus, Manifold, Sphere
from mvae.models.stage import Stage, gradient_stage
from mvae.nets import Encoder
from mvae.topology import Coordinates, blurred_images, circular_coordinates, toroidal_coordinates

LOGGER = logging.getLogger(__name__)
COLUMN = "coordinate"
NUM_STEPS = 1000
MAX_VIEWS = 200
COVERS = (1, 2, 3, 4, 6)
BLUR = 0.11  # of the height of an image, 0.7 rad where it shows a whole turn
MAX_DIM = 4


class CoordinateTerms(NamedTuple):
    """Loss of the encoder's first stage, (b,): squared distance in R^n of its location from the coordinate's point."""

    loss: Float[Array, " b"]


def has_coordinate(manifold: Manifold) -> bool:
    """Returns whether `with_coordinate` knows a manifold: a circle, or a flat torus of up to four dimensions."""
    return (isinstance(manifold, Sphere) and manifold.dim == 1) or (
        isinstance(manifold, FlatTorus) and manifold.dim <= MAX_DIM
    )


def with_coordinate(dataset: Dataset, manifold: Manifold) -> Dataset:
    """Returns the data set with a point of the manifold for each training example, from the images alone.

    Batches of training examples have besides what they had "coordinate", (B, ambient_dim).

    - On a circle with up to 200 training examples, these are taken for views of a turning object in nearly even steps:
      `circular_coordinates` of the three most persistent classes, unwrapped. With more, the harmonic coordinate of the
      most persistent class.
    - On flat tori, `toroidal_coordinates`. Images are also tried blurred by 0.7 rad of their height, as they are at
      their sides and as if they went on at the opposite ones; the coordinates of least score are taken.

    Args:
        dataset: The data set; one whose `render` draws or turns images is compared as rendered.
        manifold: One that `has_coordinate`.

    Raises:
        UsageError: For training data that are streamed, or in which no loops are found.
    """
    if dataset.source is not None:
        raise UsageError(
            "--stream: config.model.encoder_init = cohomology compares all training examples with each other: leave "
            "out the flag, or use principal"
        )
    images = np.asarray(rendered(dataset, dataset.train), np.float64)
    try:
        found = _on_circle(images) if manifold.dim == 1 else _on_torus(images, manifold.dim)
    except ModuleNotFoundError as error:
        raise UsageError(f"config.model.encoder_init = cohomology: {error}") from error
    except ValueError as error:
        raise UsageError(
            f"config.model.encoder_init = cohomology: the training data of {dataset.name} have no coordinate with "
            f"values in {manifold!r}: {error}; use principal or spectral"
        ) from error
    bars = ", ".join(f"{birth:.3g} to {death:.3g}" for birth, death in found.bars)
    LOGGER.info("coordinate of the training examples of %s: classes live from %s; %s", dataset.name, bars, found.chosen)
    angles = found.angles.reshape(len(images), -1)
    pairs = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(images), -1)
    points = manifold.project(jnp.asarray(pairs, jnp.float32))

    def render(rows: Rows) -> Batch:
        known = {COLUMN: rows[COLUMN]} if COLUMN in rows else {}
        return dataset.render({name: array for name, array in rows.items() if name != COLUMN}) | known

    return dataset._replace(train=dataset.train | {COLUMN: points}, render=render)


def _on_circle(images: Float[np.ndarray, "n *event"]) -> Coordinates:
    if len(images) > MAX_VIEWS:
        return circular_coordinates(images)
    return circular_coordinates(images, num_classes=3, covers=COVERS)


def _on_torus(images: Float[np.ndarray, "n *event"], dim: int) -> Coordinates:
    options = [images]
    if images.ndim == 4:
        options += [blurred_images(images, BLUR * images.shape[1], periodic=periodic) for periodic in (False, True)]
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
    encoder: Encoder,
    init: Callable[[Key[Array, ""], Batch], dict[str, Any]],
    optimizer: optax.GradientTransformation,
    given: Callable[[Batch], Mapping[str, Array]],
) -> Stage:
    """Builds the stage "coordinate", in which all layers of the encoder learn the column, and nothing else learns.

    Fitting the last layer alone has the right degree, too, but soon loses it in training.

    Args:
        encoder: Of the model.
        init: (key, batch) -> parameters of the model, a dict with "encoder".
        optimizer: Of the encoder.
        given: Batch -> what the encoder is given beside x.
    """

    def terms(params: dict[str, Any], key: Key[Array, ""], batch: Batch, step: Array) -> CoordinateTerms:
        del key, step
        location = encoder.outputs(params["encoder"], batch["x"], **given(batch))["location"]
        return CoordinateTerms(jnp.sum((location - batch[COLUMN]) ** 2, axis=-1))

    def init_params(key: Key[Array, ""], batch: Batch, previous: Any) -> dict[str, Any]:
        del previous
        return init(key, batch)

    return gradient_stage("coordinate", NUM_STEPS, init_params, terms, optimizer, frozen=("decoder", "likelihood"))

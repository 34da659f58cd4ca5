"""Data sets whose examples know their place in the graph of all of them."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.data.dataset import Batch, Dataset, Rows
from mvae.errors import UsageError
from mvae.kept import NOTHING_KEPT, Kept
from mvae.spectral import (
    PointwiseGraph,
    connected_components,
    distinct_points,
    graph_of_neighbors,
    nearest_neighbors,
    pointwise_graph,
    sparse_gaussian_affinity,
)

LOGGER = logging.getLogger(__name__)
RENDERED = 500


def with_graph(
    dataset: Dataset,
    *,
    num_neighbors: int | None = None,
    scale_neighbor: int = 10,
    alpha: float = 1.0,
    recall: float | None = None,
    kept: Kept = NOTHING_KEPT,
) -> Dataset:
    """Returns the data set with the rows of `pointwise_graph` for each training example, by distance of images.

    Batches have besides what they had "index", int32 `(B,)`: 0 to n - 1 for training examples, n and up for test
    examples. Batches of training examples have the four fields of `PointwiseGraph`, float32 `(B,)`. Examples that are
    there several times weigh as often, which is said in the log.

    Args:
        dataset: The data set; one whose `render` draws or turns images is compared as rendered.
        num_neighbors: As in `pointwise_graph`.
        scale_neighbor: As there.
        alpha: As there.
        recall: Share of the neighbours that must be found, as in `nearest_neighbors`; None for all of them.
        kept: Where the graph is kept.

    Raises:
        UsageError: If the training examples are fewer than the neighbours, or all copies of one.
    """
    most = max(scale_neighbor, num_neighbors or 1)
    if most >= dataset.num_train:
        raise UsageError(f"{dataset.name}: {most} neighbours need more than the {dataset.num_train} training examples")
    images = rendered(dataset, dataset.train)
    LOGGER.info("graph of the %d training examples of %s", dataset.num_train, dataset.name)
    try:
        arrays = kept.arrays(
            np.asarray(images),
            f"graph {num_neighbors} {scale_neighbor} {alpha} {recall}",
            lambda: _graph(images.reshape(len(images), -1), num_neighbors, scale_neighbor, alpha, recall)._asdict(),
        )
    except (ValueError, ImportError) as error:
        raise UsageError(f"the graph of {dataset.name}: {error}") from error
    graph = PointwiseGraph(**{name: jnp.asarray(array) for name, array in arrays.items()})
    train = dataset.train | {"index": jnp.arange(dataset.num_train, dtype=jnp.int32)} | graph._asdict()
    test = dataset.test | {"index": jnp.arange(dataset.num_test, dtype=jnp.int32) + dataset.num_train}
    own = ("index", *graph._fields)

    def render(rows: Rows) -> Batch:
        known = {name: rows[name] for name in own if name in rows}
        return dataset.render({name: array for name, array in rows.items() if name not in own}) | known

    return dataset._replace(train=train, test=test, render=render)


def rendered(dataset: Dataset, rows: Rows) -> Float[Array, "n *event"]:
    """Returns the images of all rows."""
    render = jax.jit(lambda rows: dataset.render(rows)["x"])
    num = len(next(iter(rows.values())))
    parts = [
        render({name: array[start : start + RENDERED] for name, array in rows.items()})
        for start in range(0, num, RENDERED)
    ]
    return jnp.concatenate(parts)


def _graph(
    x: Float[Array, "n d"], num_neighbors: int | None, scale_neighbor: int, alpha: float, recall: float | None
) -> PointwiseGraph:
    """The graph; copies and parts are said in the log."""
    distinct = distinct_points(x)
    num = len(distinct.rows)
    if num < len(x):
        LOGGER.info(
            "%d of %d training examples repeat others: each counts as often as it is there", len(x) - num, len(x)
        )
    if num_neighbors is None:
        return pointwise_graph(x, scale_neighbor=scale_neighbor, alpha=alpha)
    cloud, most = x[distinct.rows], min(num_neighbors, num - 1)
    neighbors = nearest_neighbors(cloud, most, recall=recall)
    affinity = sparse_gaussian_affinity(
        cloud, num_neighbors=most, scale_neighbor=min(scale_neighbor, num - 1), neighbors=neighbors
    )
    parts = int(connected_components(affinity.matrix).max()) + 1
    if parts > 1:
        LOGGER.info("the graph falls into %d parts, which have no edges between them", parts)
    return graph_of_neighbors(affinity, alpha=alpha, dtype=x.dtype, distinct=distinct)

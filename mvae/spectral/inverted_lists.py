"""Nearly all nearest neighbours, from inverted lists: of a million points only those near a query are looked at."""

import functools
import logging
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mvae.spectral.neighbors import Neighbors, in_blocks, in_full, with_settled

LOGGER = logging.getLogger(__name__)

_CELLS = 4  # per root of the number of points
_FIRST_PROBES = 4  # cells that are searched at first
_JUDGES = 1000  # queries whose true neighbours tell the recall


def by_inverted_lists(
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    left_out: Int[Array, " m"],
    k: int,
    *,
    own: bool,
    recall: float,
) -> Neighbors:
    """Searches the cells of inverted lists that are nearest to each query, as many as the recall takes."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError("neighbours with a recall need the package faiss: pip install 'mvae[neighbors]'") from error
    cloud, wanted, num = np.asarray(x, np.float32), np.asarray(queries, np.float32), len(x)
    cells = max(1, min(num // 40, round(_CELLS * math.sqrt(num))))
    lists = faiss.IndexIVFFlat(faiss.IndexFlatL2(cloud.shape[1]), cloud.shape[1], cells)
    lists.cp.seed, lists.cp.min_points_per_centroid = 1, 1
    lists.train(cloud[np.random.default_rng(0).permutation(num)[: 64 * cells]])
    lists.add(cloud)

    judges = np.linspace(0, len(wanted) - 1, min(_JUDGES, len(wanted)), dtype=np.int64)
    true = np.asarray(in_full(x, queries[judges], left_out[judges], k, own=own, block_size=None).indices)
    probes, share = _FIRST_PROBES, 0.0
    while True:
        lists.nprobe = min(probes, cells)
        _, found = lists.search(wanted[judges], k + own)
        share = np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, true, strict=True)])
        if share >= recall or lists.nprobe == cells:
            break
        probes = math.ceil(1.5 * probes)
    LOGGER.info(
        "neighbours: %d of %d cells are searched, recall %.4f on %d points", lists.nprobe, cells, share, len(judges)
    )
    _, found = lists.search(wanted, k + own)
    neighbors = _of_indices(x, queries, jnp.asarray(found.astype(np.int32)), left_out, k=k)
    whole = jnp.isfinite(neighbors.distances[:, -1])  # cells with fewer than k points are not
    full = functools.partial(in_full, x, k=k, own=own, block_size=None)
    return with_settled(neighbors, whole, queries, left_out, full)


@functools.partial(jax.jit, static_argnames="k")
def _of_indices(
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    found: Int[Array, "m c"],
    left_out: Int[Array, " m"],
    *,
    k: int,
) -> Neighbors:
    """The k nearest of given points, by differences; places without a point, -1, are infinitely far."""

    def block(items: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        rows, points, chosen = items
        squared = jnp.sum((points[:, None, :] - x[chosen]) ** 2, axis=-1)
        squared = jnp.where((chosen == rows[:, None]) | (chosen < 0), jnp.inf, squared)
        squared, chosen = jax.lax.sort((squared, chosen), num_keys=2)
        return jnp.sqrt(squared[:, :k]), chosen[:, :k]

    distances, indices = in_blocks(block, (left_out, queries, found), min(1024, len(queries)))
    return Neighbors(indices, distances)

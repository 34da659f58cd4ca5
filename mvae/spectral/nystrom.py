"""Nyström's extension of a diffusion map to points it was not made from."""

import functools

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from mvae.spectral.affinity import kth_smallest
from mvae.spectral.checks import check_bandwidth, check_count, check_points
from mvae.spectral.copies import is_first
from mvae.spectral.diffusion_map import DiffusionMap

_BLOCK_NUMBERS = 2**22  # numbers that the largest temporary of a block may hold


def nystrom(
    fitted: DiffusionMap,
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    *,
    num_neighbors: int = 10,
    bandwidth: float | None = None,
    graph_neighbors: int | None = None,
) -> Float[Array, "m k"]:
    """Returns ψ_j(y) = (1/λ_j) Σ_i p(y, x_i) ψ_j(x_i) for new points y, p the walk's step from y to the data.

    p(y, x_i) is proportional to exp(-|y - x_i|² / (s(y) s_i)) / q_i^α: the sums of y itself cancel. s(y) is the
    distance to the (k + 1)-th nearest distinct data point, which for a data point, itself the nearest, is its k-th one.
    So the map is continuous at the data on a complete graph, and equals ψ there: P ψ = λ ψ. On a graph of neighbours y
    is linked as a data point would be: to its nearest ones and to those whose neighbourhoods reach it (where distances
    tie at the edge of a neighbourhood, to all of these).

    Far from all data the step goes to the nearest point alone, and the result is that point's ψ / λ. All m n d
    differences are computed, in blocks. Differentiable in queries where no neighbour changes places.

    Args:
        fitted: What `diffusion_map` made of x.
        x: The data.
        queries: y, one a row.
        num_neighbors: k, as given to `diffusion_map`.
        bandwidth: As given to `diffusion_map`.
        graph_neighbors: How many points each one was linked to; None for the complete graph of "dense".

    Returns:
        ψ(y); times λ^t they are the coordinates after t steps.

    Raises:
        ValueError: For wrong shapes or dtypes, or numbers out of range; outside of compiled code also for numbers that
            are not finite, x or settings that are not those of the map, or an eigenvalue that is 0 to rounding.

    Source: [bengio2003].
    """
    x = check_points("x", x)
    queries = check_points("queries", queries).astype(x.dtype)
    if queries.shape[1] != x.shape[1] or len(fitted.scales) != len(x):
        raise ValueError(
            f"x must be the {len(fitted.scales)} points of the map, and queries have its columns, got shapes {x.shape}"
            f" and {queries.shape}"
        )
    check_count("num_neighbors", num_neighbors, len(x) - 1, f"{len(x)} points of which each leaves itself out")
    check_bandwidth(bandwidth)
    if graph_neighbors is not None:
        check_count("graph_neighbors", graph_neighbors, len(x) - 1, f"{len(x)} points of which each leaves itself out")
    settings = {"num_neighbors": num_neighbors, "bandwidth": bandwidth, "graph_neighbors": graph_neighbors}
    _check_settings(fitted, x, **settings)
    return _extend(fitted, x, queries, **settings)


def _check_settings(
    fitted: DiffusionMap, x: Array, *, num_neighbors: int, bandwidth: float | None, graph_neighbors: int | None
) -> None:
    """The first data points must have the scales and radii that the map has for them."""
    some = slice(None, 4)
    squared = jnp.where(is_first(x), _squared(x[some], x), jnp.inf)
    scales, radii = _scales(squared, num_neighbors, bandwidth), _radii(squared, graph_neighbors)
    # The dense map has its distances from a matrix product, whose error is that of the largest squares.
    error = 100 * jnp.finfo(x.dtype).eps * jnp.max(jnp.sum((x - jnp.mean(x, axis=0)) ** 2, axis=1))
    same = jnp.all(jnp.abs(scales**2 - fitted.scales[some] ** 2) <= error + 1e-3 * scales**2)
    same &= jnp.all(jnp.abs(radii - fitted.radii[some]) <= 1e-3 * radii)
    if isinstance(same, Tracer):
        return
    if not bool(same):
        raise ValueError(
            f"x, num_neighbors, bandwidth and graph_neighbors must be those of the map, got num_neighbors="
            f"{num_neighbors}, bandwidth={bandwidth}, graph_neighbors={graph_neighbors}: scales {scales.tolist()} and"
            f" radii {radii.tolist()} where the map has {fitted.scales[some].tolist()} and"
            f" {fitted.radii[some].tolist()}"
        )
    if not bool(jnp.all(jnp.abs(fitted.eigenvalues) > 10 * jnp.finfo(x.dtype).eps)):
        raise ValueError(f"the map's eigenvalues must not be 0, got {fitted.eigenvalues.tolist()}")


def _squared(points: Float[Array, "b d"], x: Float[Array, "n d"]) -> Float[Array, "b n"]:
    return jnp.sum((points[:, None, :] - x) ** 2, axis=-1)


def _kth(squared: Float[Array, "b n"], k: int) -> Float[Array, " b"]:
    """Distance of the (k + 1)-th nearest of distinct points, the squares of others being infinite."""
    return jnp.sqrt(jnp.maximum(kth_smallest(squared, k + 1), jnp.finfo(squared.dtype).tiny))


def _scales(squared: Float[Array, "b n"], num_neighbors: int, bandwidth: float | None) -> Float[Array, " b"]:
    if bandwidth is not None:
        return jnp.full(len(squared), bandwidth, squared.dtype)
    return _kth(squared, num_neighbors)


def _radii(squared: Float[Array, "b n"], graph_neighbors: int | None) -> Float[Array, " b"]:
    if graph_neighbors is None:
        return jnp.full(len(squared), jnp.finfo(squared.dtype).max)
    return _kth(squared, graph_neighbors)


@functools.partial(jax.jit, static_argnames=("num_neighbors", "bandwidth", "graph_neighbors"))
def _extend(
    fitted: DiffusionMap,
    x: Float[Array, "n d"],
    queries: Float[Array, "m d"],
    *,
    num_neighbors: int,
    bandwidth: float | None,
    graph_neighbors: int | None,
) -> Float[Array, "m k"]:
    # A neighbour lies at its radius exactly; rounding of either must not cut the link.
    reach = 1 + 8 * jnp.sqrt(jnp.asarray(x.shape[1], x.dtype)) * jnp.finfo(x.dtype).eps

    distinct = is_first(x)

    def one(point: Array) -> Array:
        squared = _squared(point[None], x)
        among = jnp.where(distinct, squared, jnp.inf)
        scale = _scales(among, num_neighbors, bandwidth)[0]
        radii = jnp.maximum(fitted.radii, _radii(among, graph_neighbors)[0])
        logarithm = -squared[0] / scale / fitted.scales - jnp.log(fitted.density)
        linked = (squared[0] / radii) <= radii * reach**2
        step = jax.nn.softmax(jnp.where(linked, logarithm, -jnp.inf))
        return jnp.matmul(step, fitted.eigenvectors, precision=jax.lax.Precision.HIGHEST) / fitted.eigenvalues

    return jax.lax.map(one, queries, batch_size=max(1, min(len(queries), _BLOCK_NUMBERS // x.size)))

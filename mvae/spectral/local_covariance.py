"""Covariance of the points around a point."""

import functools

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from mvae.spectral.checks import check_count, check_points
from mvae.spectral.neighbors import nearest_neighbors

_EXACT = jax.lax.Precision.HIGHEST
_BLOCK_NUMBERS = 2**22  # numbers that the largest temporary of a block may hold


def local_covariance(
    z: Float[Array, "n D"],
    *,
    num_neighbors: int | None = None,
    radius: float | Float[Array, ""] | None = None,
    points: Float[Array, "m D"] | None = None,
    centered: bool = True,
) -> Float[Array, "m D D"]:
    """Returns C(p) = Σ_{z ∈ U(p)} (z - c)(z - c)ᵀ / |U(p)| for the neighbourhood U(p) of each point p in the cloud z.

    U(p) is the ball {|z - p| ≤ δ}, or the k points of z nearest to p. A point of z is in its own neighbourhood, as one
    of the k. c is the mean of U(p), or p itself, which adds (c - p)(c - p)ᵀ. The sum is divided by the number of
    points, not by one less: the points are all there are.

    C is differentiable in z and in points, with the neighbourhoods held fixed. It is positive semidefinite, of rank
    |U| - 1 at most. For a ball, 3 m n D numbers are computed, in blocks.

    >>> import jax.numpy as jnp
    >>> local_covariance(jnp.array([[0.0], [1.0], [2.0], [9.0]]), num_neighbors=2)[:, 0, 0].tolist()
    [0.25, 0.25, 0.25, 12.25]

    Args:
        z: The cloud, one point a row.
        num_neighbors: k, from 2 to n; from 1 where not centred.
        radius: δ, positive, in the unit of z. One of the two must be given, and one alone.
        points: p, one a row; None for those of z.
        centered: Whether c is the mean.

    Raises:
        ValueError: For wrong shapes or dtypes, numbers out of range, both or neither of num_neighbors and radius;
            outside of compiled code also for numbers that are not finite, or balls of fewer points than 2, or 1 where
            not centred. In compiled code the covariance of such a ball is 0.

    Source: [li2020, Eq. 7] and the covariance Σ_* below it.
    """
    z = check_points("z", z)
    targets = z if points is None else check_points("points", points).astype(z.dtype)
    if targets.shape[1] != z.shape[1]:
        raise ValueError(f"points must have the {z.shape[1]} columns of z, got shape {targets.shape}")
    needed = 2 if centered else 1
    if (num_neighbors is None) == (radius is None):
        raise ValueError(f"give one of num_neighbors and radius, got {num_neighbors} and {radius}")
    if num_neighbors is not None:
        if num_neighbors < needed:
            raise ValueError(f"num_neighbors must be {needed} or more with centered={centered}, got {num_neighbors}")
        check_count("num_neighbors", num_neighbors, len(z), f"{len(z)} points")
        chosen = nearest_neighbors(z, num_neighbors, queries=targets).indices
        return _covariance(z[chosen], targets, jnp.ones(chosen.shape, bool), centered=centered)
    if not isinstance(radius, jax.Array) and not 0 < radius < float("inf"):  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
        raise ValueError(f"radius must be positive, got {radius}")
    covariances, counts = _balls(z, targets, jnp.asarray(radius, z.dtype), centered=centered)
    if not isinstance(counts, Tracer) and bool(jnp.any(counts < needed)):
        raise ValueError(
            f"radius {float(jnp.asarray(radius)):g} leaves {int(jnp.sum(counts < needed))} of {len(counts)} balls with"
            f" fewer than {needed} points; take a larger one, or num_neighbors"
        )
    return covariances


def _covariance(
    cloud: Float[Array, "b n D"], points: Float[Array, "b D"], inside: Bool[Array, "b n"], *, centered: bool
) -> Float[Array, "b D D"]:
    """About the mean, from deviations: positive semidefinite whatever the rounding. An empty neighbourhood gives 0."""
    count = jnp.maximum(jnp.sum(inside, axis=1), 1).astype(cloud.dtype)[:, None]
    shifted = jnp.where(inside[:, :, None], cloud - points[:, None, :], 0)
    if centered:
        mean = jnp.sum(shifted, axis=1) / count
        shifted = jnp.where(inside[:, :, None], shifted - mean[:, None, :], 0)
    return jnp.einsum("bni,bnj->bij", shifted, shifted, precision=_EXACT) / count[:, :, None]


@functools.partial(jax.jit, static_argnames="centered")
def _balls(
    z: Float[Array, "n D"], points: Float[Array, "m D"], radius: Float[Array, ""], *, centered: bool
) -> tuple[Float[Array, "m D D"], Float[Array, " m"]]:
    """Covariances and numbers of points."""

    def ball(point: Array) -> tuple[Array, Array]:
        inside = jnp.sum((z - point) ** 2, axis=1) <= radius**2
        return _covariance(z[None], point[None], inside[None], centered=centered)[0], jnp.sum(inside)

    return jax.lax.map(ball, points, batch_size=max(1, min(len(points), _BLOCK_NUMBERS // z.size)))

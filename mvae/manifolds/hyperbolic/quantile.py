r"""Radial distributions as maps of the length of a Gaussian vector: of any density; of Brownian motion on H^d.

r(t, l) with F_t(r(t, l)) = P(chi_d <= l), F_t the distribution function of the distance from the start after time t,
makes the exact sample exp(z, r(t, |eps|) eps / |eps|) of eps ~ N(0, I). On H^d of curvature -1 the ratio
r / (sqrt(t) l) tends to 1 as t -> 0; its logarithm is tabulated once in float64, as a Chebyshev series in
(d-1) t / (1 + (d-1) t) and l, from quadrature of the heat kernel. `mvae.diffusion.radial_quantile` has spheres.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.manifolds.hyperbolic.kernel import log_hyperbolic_kernel

LONGEST = 12.0  # (d-1) t up to which the distribution is tabulated
_TAIL = 1e-10  # mass on either side that the table leaves out: there the ratio is held constant
_DEGREES = (48, 48)  # numbers of coefficients in time and in length
_PANELS = 32
_NODES = 16
_BISECTIONS = 55


@functools.partial(jax.jit, static_argnums=0)
def distance_per_length(
    dim: int, t: Float[Array, "*#batch"], length: Float[Array, "*#batch"]
) -> Float[Array, "*batch"]:
    """Ratio r(t, l) / l of the distance of an exact sample to the length l of the Gaussian vector that it comes from.

    Args:
        dim: Dimension d, at least 2.
        t: Time, (...), in units of the squared radius of curvature, with (d-1) t <= 12.
        length: Lengths l, (...).

    Returns:
        Distances over lengths, (...), NaN for larger times.
    """
    low, high = gaussian_lengths(dim)
    scaled = (dim - 1) * t
    x = 2 * (1 + 1 / LONGEST) * scaled / (1 + scaled) - 1
    table = jnp.asarray(_table(dim), t.dtype)
    in_time = jnp.cos(jnp.arange(_DEGREES[0], dtype=t.dtype) * jnp.arccos(jnp.clip(x, -1, 1) * (1 - 1e-7))[..., None])
    place = jnp.clip((2 * length - low - high) / (high - low), -1, 1) * (1 - 1e-7)
    in_length = jnp.cos(jnp.arange(_DEGREES[1], dtype=t.dtype) * jnp.arccos(place)[..., None])
    log_ratio = jnp.sum(jnp.matmul(in_time, table, precision=jax.lax.Precision.HIGHEST) * in_length, axis=-1)
    return jnp.where(scaled <= LONGEST * (1 + 1e-6), jnp.sqrt(t) * jnp.exp(log_ratio), jnp.nan)


@functools.cache
def _table(dim: int) -> np.ndarray:
    """Chebyshev coefficients of the log of the ratio, in time along the rows and in length along the columns."""
    (positions, to_rows), (places, to_columns) = (chebyshev_fit(degree) for degree in _DEGREES)
    fraction = (1 + positions) / 2 * LONGEST / (1 + LONGEST)
    t = fraction / (1 - fraction) / (dim - 1)
    low, high = gaussian_lengths(dim)
    length = low + (high - low) * (1 + places) / 2
    ratio = _distances(dim, t, length) / (np.sqrt(t)[:, None] * length)
    return to_rows @ np.log(ratio) @ to_columns.T


def _distances(dim: int, t: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Distances r(t, l), times along the rows and lengths along the columns, to ten digits."""
    # The drift away from the start is at most that of flat space and (d - 1) / 2 together.
    furthest = np.sqrt(t) * (length.max() + 3) + (dim - 1) * t / 2
    times = t[:, None, None]
    return radii(dim, lambda r: log_radial_density(dim, np.broadcast_to(times, r.shape), r), furthest, length, _PANELS)


def log_radial_density(dim: int, t: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Log density of the distance from the start, in float64: the kernel times the area of the sphere of radius r."""
    log_sphere = math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)
    log_sinh = r + np.log(-np.expm1(-2 * r)) - math.log(2)
    return log_hyperbolic_kernel(np, t, r, dim) + log_sphere + (dim - 1) * log_sinh


def gaussian_lengths(dim: int) -> tuple[float, float]:
    """Returns the range of lengths of a Gaussian vector in R^dim in which all but 2 x 10^-10 of the mass is."""
    from scipy import special  # here, since its import takes a quarter of that of the geometry

    low, high = special.gammaincinv(dim / 2, _TAIL), special.gammainccinv(dim / 2, _TAIL)
    return math.sqrt(2 * low), math.sqrt(2 * high)


def chebyshev_fit(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Chebyshev points, (degree,), and the matrix that takes values there to coefficients."""
    turn = math.pi * (np.arange(degree) + 0.5) / degree
    modes = 2 / degree * np.cos(np.outer(np.arange(degree), turn))
    modes[0] /= 2
    return np.cos(turn), modes


def radii(
    dim: int,
    log_density: Callable[[np.ndarray], np.ndarray],
    furthest: np.ndarray,
    length: np.ndarray,
    panels: int,
) -> np.ndarray:
    """Returns r with F(r) = P(chi_dim <= l) to ten digits, for each distribution of a radius and each length l.

    Args:
        dim: Dimension of the Gaussian vector.
        log_density: Radii, (distributions, panels, nodes), a row for each distribution -> the log density of the radius
            under it.
        furthest: Radius of each distribution below which all of its mass is but rounding, (distributions,).
        length: Lengths l, (n,).
        panels: In how many panels of 16 Gauss-Legendre nodes each distribution is integrated.

    Returns:
        Radii, (distributions, n).
    """
    from scipy import special  # here, since its import takes a quarter of that of the geometry

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    width = furthest[:, None, None] / panels
    density = width / 2 * np.exp(log_density(width * (np.arange(panels)[:, None] + (1 + nodes) / 2)))

    # Masses below and above the edges of the panels, each by sums of small terms first: both tails keep their digits.
    mass, zero = density @ weights, np.zeros((len(furthest), 1))
    below = np.concatenate([zero, np.cumsum(mass, axis=1)], axis=1)
    above = np.concatenate([np.cumsum(mass[:, ::-1], axis=1)[:, ::-1], zero], axis=1)
    lower, upper = special.gammainc(dim / 2, length**2 / 2), special.gammaincc(dim / 2, length**2 / 2)
    left_half, row = lower < 0.5, np.arange(len(furthest))[:, None]
    passed = np.where(
        left_half[:, None], below[:, None, 1:-1] <= lower[:, None], above[:, None, 1:-1] >= upper[:, None]
    )
    panel = np.sum(passed, axis=-1)
    goal = np.where(left_half, lower - below[row, panel], above[row, panel + 1] - upper)

    # In its panel the distribution function is the integral of a polynomial, from the left edge or to the right one.
    series = np.linalg.solve(np.polynomial.legendre.legvander(nodes, _NODES - 1), density[row, panel][..., None])
    series = np.moveaxis(series[..., 0], -1, 0)
    integrals = [np.polynomial.legendre.legint(series, lbnd=edge) for edge in (-1, 1)]
    integral = np.where(left_half, *integrals)
    start, end = np.full(goal.shape, -1.0), np.full(goal.shape, 1.0)
    for _ in range(_BISECTIONS):
        middle = (start + end) / 2
        short = np.polynomial.legendre.legval(middle, integral, tensor=False) < goal
        start, end = np.where(short, middle, start), np.where(short, end, middle)
    return width[:, 0] * (panel + (1 + (start + end) / 2) / 2)

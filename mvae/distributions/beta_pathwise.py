"""The implicit derivative of a Beta variate in its parameters, by quadrature.

In y = log(z / (1 - z)) the distribution has the log-concave density exp(φ(y)) / B(a, b), φ(y) = a y - (a + b) log(1 +
e^y), with its mode at log(a / b). Up to y ≤ mode,

  dy/da = -∫_0^∞ (log t - E log z) exp(-drop(w)) dw,   drop(w) = φ(y) - φ(y - w),   t = 1 / (1 + e^(w - y)),

and with log(1 - t) and E log(1 - z) for dy/db; beyond the mode y is mirrored, and a and b change places. No
normaliser and no distribution function occurs, and the drop is convex and increasing: Newton's method finds where it
reaches the rounding level, and a Gauss-Legendre rule in the root of w, which has its nodes close where w is small,
does the integral. The rule has no branches over the parameters.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.distributions.binet import binet

_NEWTON_STEPS = 6
_OVERFLOW = 30.0
# By bytes of the dtype: the drop where the integral ends, and the nodes. Errors of the rule for a, b in [0.01, 10⁴]
# are, relatively and with roundings, below 2e-5 and 1e-10.
_RULES = {4: (18.0, 20), 8: (38.0, 48)}


@jax.custom_jvp
def with_pathwise_derivative(
    y: Float[Array, "*batch"], a: Float[Array, "*batch"], b: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Returns y, with dy/da = -(∂F/∂a) / p(y) and dy/db likewise, F and p those of log(z / (1 - z)), z ~ Beta(a, b).

    Args:
        y: A draw, (...); its own derivative is dropped.
        a: First parameters, positive, (...).
        b: Second parameters, positive, (...).

    Returns:
        y, (...).
    """
    del a, b
    return y


@with_pathwise_derivative.defjvp
def _pathwise_jvp(primals, tangents):
    y, a, b = primals
    _, da, db = tangents
    by_a, by_b = pathwise_derivatives(y, a, b)
    return y, by_a * da + by_b * db


def pathwise_derivatives(
    y: Float[Array, "*batch"], a: Float[Array, "*batch"], b: Float[Array, "*batch"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Returns dy/da ≥ 0 and dy/db ≤ 0 of y = log(z / (1 - z)), z ~ Beta(a, b), at a fixed value of F.

    Args:
        y: Any numbers, (...).
        a: First parameters, positive, (...).
        b: Second parameters, positive, (...).
    """
    mirrored = y > jnp.log(a) - jnp.log(b)
    y, a, b = jnp.where(mirrored, -y, y), jnp.where(mirrored, b, a), jnp.where(mirrored, a, b)
    end, num_nodes = _RULES[y.dtype.itemsize]
    nodes, weights = np.polynomial.legendre.leggauss(num_nodes)
    roots = (nodes + 1) / 2
    reach = _reach(y, a, b, end)[..., None]
    w = reach * jnp.asarray(roots**2, y.dtype)
    mass = reach * jnp.asarray(roots * weights, y.dtype)
    density = mass * jnp.exp(-_drop(w, y[..., None], a[..., None], b[..., None]))
    place = y[..., None] - w
    by_a = jnp.sum(density * (jax.nn.softplus(-place) + _mean_log(a, b)[..., None]), axis=-1)
    by_b = jnp.sum(density * (jax.nn.softplus(place) + _mean_log(b, a)[..., None]), axis=-1)
    return jnp.where(mirrored, -by_b, by_a), jnp.where(mirrored, -by_a, by_b)


def _mean_log(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """E log z = ψ(a) - ψ(a + b), without the difference of two digammas."""

    def slope(x):
        return jax.jvp(binet, (x,), (jnp.ones_like(x),))[1]

    c = a + b
    ratio = jnp.where(b < a, jnp.log1p(-jnp.where(b < a, b, 0) / c), jnp.log(a / c))
    return ratio - b / (2 * a * c) + slope(a) - slope(c)


def _drop(
    w: Float[Array, "*#batch"], y: Float[Array, "*#batch"], a: Float[Array, "*#batch"], b: Float[Array, "*#batch"]
) -> Float[Array, "*batch"]:
    """Returns a w + (a + b) log((1 + e^(y - w)) / (1 + e^y)) ≥ 0.

    For y > 0 as -b w + (a + b) log((1 + e^(w - y)) / (1 + e^-y)): with a far above b the other form is the difference
    of two numbers near a w. The logarithm is that of 1 + x with x ≥ -1/2, which loses
    nothing near 1, but for arguments where its exponential would overflow.
    """
    flip = y > 0
    v, away = jnp.where(flip, w, -w), -jnp.abs(y)
    near = v < _OVERFLOW
    log_ratio = jnp.log1p(jax.nn.sigmoid(away) * jnp.expm1(jnp.where(near, v, 0)))
    log_ratio = jnp.where(near, log_ratio, jax.nn.softplus(v + away) - jax.nn.softplus(away))
    return jnp.where(flip, -b, a) * w + (a + b) * log_ratio


def _reach(y: Float[Array, "..."], a: Float[Array, "..."], b: Float[Array, "..."], end: float) -> Float[Array, "..."]:
    """Returns about the w where the drop is `end`, and not less: Newton's steps on a convex function end above."""
    t, rest = jax.nn.sigmoid(y), jax.nn.sigmoid(-y)
    tiny = float(jnp.finfo(y.dtype).tiny)
    by_slope = end / jnp.maximum(a * rest - b * t, tiny)
    by_curvature = jnp.sqrt(2 * end / jnp.maximum((a + b) * t * rest, tiny))
    w = end / a + jnp.minimum(by_slope, by_curvature)
    for _ in range(_NEWTON_STEPS):
        slope = a * jax.nn.sigmoid(w - y) - b * jax.nn.sigmoid(y - w)
        w = w - (_drop(w, y, a, b) - end) / slope
    return w

r"""Volume and uniform distribution of an implicit manifold, from the tube around it.

Within its reach the manifold has a tube whose points x are a closest point p and a normal vector of length below
a radius e, and Lebesgue measure on it is [weyl1939]

  dx = det(A) dp dnu,   A = 1 - second fundamental form along x - p, on the tangent space,

so that for any kernel k on the ball of radius e in R^(n-d)

  Vol = int k(x - p) / det(A) dx / int k(nu) dnu

without error, in any codimension, and a uniform point of a box around the tube that is kept with a probability
proportional to 1 / det(A) has a uniform closest point. What is left is the error of the sum that stands for the
integral, which shifted copies of it measure.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.implicit.equations import Equations, invert_positive
from mvae.manifolds.implicit.projection import closest_point
from mvae.manifolds.implicit.survey import survey

_COPIES = 16
_LOG2_POINTS = 14
_CHUNK = 512  # points at a time: their working set stays in the cache
_ROUNDS = 10_000


def _foot(
    equations: Equations, net: Float[Array, "k n"], x: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, ""], Float[Array, ""]]:
    """Closest point of x, distance to it, and log det(A)."""
    p = closest_point(equations, net, x)
    spread = equations.spread(x, p, equations.frame(p))
    _, log_determinant, _ = invert_positive(spread, float(jnp.finfo(x.dtype).eps))
    return p, safe_math.norm(x - p), log_determinant


@functools.partial(jax.jit, static_argnums=0)
def _mean_weight(equations: Equations, net: Array, x: Array, radius: Float[Array, ""] | float) -> Array:
    def weight(y: Array) -> Array:
        _, distance, log_determinant = _foot(equations, net, y)
        kernel = jnp.maximum(1 - (distance / radius) ** 2, 0) ** 2
        return jnp.where(kernel > 0, kernel * jnp.exp(-log_determinant), 0)

    return jnp.mean(jax.lax.map(weight, x, batch_size=_CHUNK))


@functools.cache
def volume_with_error(equations: Equations) -> tuple[float, float]:
    """Volume and its standard error, from scrambled Sobol points with a fixed seed."""
    from scipy.stats import qmc  # here, since its import takes as long as that of the rest of the geometry

    facts = survey(equations)
    radius = facts.reach / 2
    lower, upper = facts.lower - radius, facts.upper + radius
    half = (equations.ambient_dim - equations.dim) / 2
    # int over the unit ball of (1 - s^2)^2: area of the unit sphere times B(half, 3) / 2
    log_kernel = half * math.log(math.pi) + math.log(2) - math.lgamma(half + 3) + 2 * half * math.log(radius)
    estimates = []
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        for copy in range(_COPIES):
            points = qmc.Sobol(equations.ambient_dim, rng=copy).random_base2(_LOG2_POINTS)
            mean = _mean_weight(equations, jnp.asarray(facts.net), lower + (upper - lower) * points, radius)
            estimates.append(float(mean) * math.exp(np.sum(np.log(upper - lower)) - log_kernel))
    return float(np.mean(estimates)), float(np.std(estimates, ddof=1) / math.sqrt(_COPIES))


def draw_uniform(equations: Equations, key: jax.Array, count: int) -> Float[Array, "count n"]:
    """Draws `count` points by rejection, in rounds of whole arrays; the accepted ones fill the result in order."""
    facts = survey(equations)
    dtype = jnp.zeros(()).dtype
    codim = equations.ambient_dim - equations.dim
    # Of these radii the one that most points are accepted with.
    radius = min(codim / equations.ambient_dim, 0.5) * facts.reach
    log_least = equations.dim * math.log1p(-radius / facts.reach)
    lower, upper = (jnp.asarray(side, dtype) for side in (facts.lower - radius, facts.upper + radius))
    return _fill(equations, count, key, jnp.asarray(facts.net, dtype), lower, upper, radius, log_least)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _fill(
    equations: Equations,
    count: int,
    key: jax.Array,
    net: Float[Array, "k n"],
    lower: Float[Array, " n"],
    upper: Float[Array, " n"],
    radius: Float[Array, ""] | float,
    log_least: Float[Array, ""] | float,
) -> Float[Array, "count n"]:
    def accept(x: Array, uniform: Array) -> tuple[Array, Bool[Array, ""]]:
        p, distance, log_determinant = _foot(equations, net, x)
        return p, (distance < radius) & (jnp.log(uniform) < log_least - log_determinant)

    def more(state: tuple[Array, Array, Array]) -> Array:
        _, filled, turn = state
        return (filled < count) & (turn < _ROUNDS)

    def fill(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        points, filled, turn = state
        key_x, key_u = jax.random.split(jax.random.fold_in(key, turn))
        candidates = 2 * count + 64
        x = jax.random.uniform(key_x, (candidates, len(lower)), lower.dtype, lower, upper)
        p, accepted = jax.vmap(accept)(x, jax.random.uniform(key_u, (candidates,), lower.dtype))
        position = jnp.where(accepted, filled + jnp.cumsum(accepted) - 1, count)
        points = points.at[position].set(p, mode="drop")
        return points, filled + jnp.sum(accepted), turn + 1

    # Should the rounds run out, what is missing is NaN, not a repetition.
    initial = (jnp.full((count, len(lower)), jnp.nan, lower.dtype), jnp.array(0), jnp.array(0))
    points, _, _ = jax.lax.while_loop(more, fill, initial)
    return points

"""Closest points of an implicit manifold.

The closest point p of x solves the equations of Karush, Kuhn and Tucker

  p - x + J(p)^T lambda = 0,   F(p) = 0,

and Newton's method on them, with lambda eliminated, moves p along the tangent space by the Newton step of
|x - p|^2 / 2 and back onto F = 0 by Gauss-Newton steps. A step that does not come closer to x is halved; where
the Hessian is not positive definite the step is along the gradient.

Which closest point is found is decided by the start: the nearest of a net of points of the manifold and of the
point that Gauss-Newton steps from x itself arrive at.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.implicit.equations import Equations, dot, invert_positive

_LANDINGS = 8  # Gauss-Newton steps from x itself, enough where it is near: each one squares the distance
_STEPS = 40
_UNROLL = 4


def land(
    equations: Equations, x: Float[Array, " n"], scale: Float[Array, ""], num_steps: int
) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """Goes towards F = 0 by Gauss-Newton steps of length at most `scale`; returns the length the last one had."""

    def correct(_: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        p, _ = state
        frame = equations.frame(p)
        step = frame.rise(frame.residual)
        length = safe_math.norm(step)
        # Where the gradient vanishes there is no step, and the point is off F = 0 all the same.
        lost = jnp.all(frame.normals == 0) & jnp.any(equations(p) != 0)
        length = jnp.where(lost, jnp.inf, length)
        return p - step * scale / jnp.maximum(jnp.where(lost, scale, length), scale), length

    return jax.lax.fori_loop(0, num_steps, correct, (x, jnp.array(jnp.inf, x.dtype)))


def arrived(length: Float[Array, ""], scale: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the last step was so short that the next one, its square, is rounding."""
    return length <= float(jnp.finfo(length.dtype).eps) ** 0.5 * scale


def _nearest(net: Float[Array, "k n"], x: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """The point of the net nearest to x, and its squared distance.

    One point after the other: a batch of x then fills the vector units and no table of all distances is stored.
    """

    def compare(best: tuple[Array, Array], candidate: Array) -> tuple[tuple[Array, Array], None]:
        point, least = best
        square = jnp.sum((x - candidate) ** 2)
        return (jnp.where(square < least, candidate, point), jnp.minimum(square, least)), None

    first = (net[0], jnp.sum((x - net[0]) ** 2))
    return jax.lax.scan(compare, first, net[1:], unroll=_UNROLL)[0]


def _start(
    equations: Equations, net: Float[Array, "k n"], x: Float[Array, " n"], scale: Float[Array, ""]
) -> Float[Array, " n"]:
    landed, length = land(equations, x, scale, _LANDINGS)
    nearest, least = _nearest(net, x)
    closer = arrived(length, scale) & (jnp.sum((x - landed) ** 2) < least)
    return jnp.where(closer, landed, nearest)


def _least(x: Float[Array, "..."]) -> float:
    """Eigenvalue of the Hessian below which x counts as a focal point: sqrt(eps)."""
    return float(jnp.finfo(x.dtype).eps) ** 0.5


def _newton_step(
    equations: Equations, p: Float[Array, " n"], x: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Returns the step along the tangent space and the one onto F = 0."""
    frame = equations.frame(p)
    spread = equations.spread(x, p, frame)
    gradient = dot(frame.tangent, x - p)
    inverse, _, convex = invert_positive(spread, _least(x))
    curvature = jnp.abs(jnp.sum(gradient * dot(spread, gradient)))
    square = jnp.sum(gradient**2)
    cauchy = gradient * jnp.where(curvature > _least(x) * square, square / jnp.where(curvature > 0, curvature, 1), 1)
    step = jnp.where(convex, dot(frame.tangent, dot(inverse, gradient)), cauchy)
    return step, -frame.rise(frame.residual)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def closest_point(equations: Equations, net: Float[Array, "k n"], x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Closest point of F = 0 to x, searched from the nearest of the points in `net`."""
    scale = jnp.max(jnp.abs(net))
    tolerance = 8 * float(jnp.finfo(x.dtype).eps) * scale

    def unfinished(state: tuple[Array, Array, Array, Array]) -> Array:
        _, _, moved, count = state
        return (moved > tolerance) & (count < _STEPS)

    def improve(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        p, fraction, _, count = state
        along, onto = _newton_step(equations, p, x)
        along = fraction * along * scale / jnp.maximum(safe_math.norm(along), scale)
        moved = safe_math.norm(along)
        trial, off = land(equations, p + along + onto, scale, 2)
        here, there = safe_math.norm(x - p), safe_math.norm(x - trial)
        # A point that is off F = 0 may be too close to x by that much; below the tolerance all is rounding.
        slack = safe_math.norm(onto) + tolerance
        rounding = 8 * float(jnp.finfo(x.dtype).eps) * here
        good = (off <= 0.1 * moved + slack) & (there <= here + slack + rounding)
        fraction = jnp.where(good, jnp.minimum(2 * fraction, 1), fraction / 4)
        return jnp.where(good, trial, p), fraction, moved, count + 1

    start = _start(equations, net, x, scale)
    initial = (start, jnp.ones((), x.dtype), jnp.array(jnp.inf, x.dtype), jnp.array(0))
    p, _, _, _ = jax.lax.while_loop(unfinished, improve, initial)
    p, _ = land(equations, p, scale, 2)
    return jnp.where(jnp.all(jnp.isfinite(x)), p, jnp.nan)


@closest_point.defjvp
def _closest_point_jvp(equations: Equations, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    net, x = primals
    _, direction = tangents
    p = closest_point(equations, net, x)
    frame = equations.frame(p)
    inverse, _, convex = invert_positive(equations.spread(x, p, frame), _least(x))
    inverse = jnp.where(convex, dot(frame.tangent, dot(inverse, frame.tangent)), 0)
    return p, dot(inverse, direction)

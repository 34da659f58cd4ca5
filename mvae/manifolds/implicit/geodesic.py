"""Geodesics of an implicit manifold: motion under the force of the constraint alone.

  p'' = -J^T (J J^T)^-1 (p'^T H p')

is integrated by the explicit Runge-Kutta method of order 8 of [prince1981], in a number of steps that is fixed
for a manifold, and put back onto it after each, at the speed that it had.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.manifolds import safe_math
from mvae.manifolds.implicit.equations import Equations, dot, invert_positive
from mvae.manifolds.implicit.projection import closest_point
from mvae.manifolds.implicit.survey import survey

_LEAST_STEPS, _MOST_STEPS = 16, 48
_HALVINGS = 3
_NEWTON_STEPS = 12


@functools.cache
def _tableau() -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the stages and weights of the method of Dormand and Prince, order 8."""
    from scipy.integrate import DOP853  # here, since its import takes as long as that of the rest of the geometry

    stages = len(DOP853.B)
    return np.asarray(DOP853.A)[:stages, :stages], np.asarray(DOP853.B)


def _num_steps(equations: Equations) -> int:
    """Four to a reach along the half-width of the manifold, within bounds."""
    facts = survey(equations)
    return int(np.clip(np.ceil(4 * facts.scale / facts.reach), _LEAST_STEPS, _MOST_STEPS))


def geodesic(equations: Equations, z: Float[Array, " n"], v: Float[Array, " n"]) -> Float[Array, " n"]:
    """Point reached from z in unit time with the tangent part of v as initial velocity."""
    num_steps, scale = _num_steps(equations), survey(equations).scale
    table, weights = (jnp.asarray(part, z.dtype) / num_steps for part in _tableau())

    def slope(state: Array) -> Array:
        p, velocity = state
        frame = equations.frame(p)
        return jnp.stack([velocity, -frame.rise(equations.bend(p, velocity, frame))])

    def step(state: Array, _: None) -> tuple[Array, None]:
        def stage(slopes: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
            coefficients, index = row
            at = state + jnp.tensordot(coefficients, slopes, 1, precision="highest")
            return slopes.at[index].set(slope(at)), None

        state = _settle(equations, state, scale)
        slopes = jnp.zeros((len(table), *state.shape), state.dtype)
        slopes, _ = jax.lax.scan(stage, slopes, (table, jnp.arange(len(table))))
        p, velocity = state + jnp.tensordot(weights, slopes, 1, precision="highest")
        # Steps too long for the curvature then go astray, but not to infinity.
        before, after = safe_math.norm(jnp.stack([state[1], velocity]))
        moving = after > 0
        return jnp.stack([p, velocity * jnp.where(moving, before / jnp.where(moving, after, 1), 1)]), None

    state, _ = jax.lax.scan(step, jnp.stack([z, v]), None, length=num_steps)
    return _settle(equations, state, scale)[0]


def _settle(equations: Equations, state: Float[Array, "2 n"], scale: float) -> Float[Array, "2 n"]:
    """One Gauss-Newton step of the point, no longer than `scale`, and the tangent part of the velocity."""
    p, velocity = state
    frame = equations.frame(p)
    correction = frame.rise(frame.residual)
    correction = correction * (scale / jnp.maximum(safe_math.norm(correction), scale))
    return jnp.stack([p - correction, dot(frame.tangent, velocity)])


def shooting_inverse(slope: Float[Array, "n n"], tangent: Float[Array, "n n"]) -> tuple[Array, Array]:
    """Inverse of the derivative of `geodesic` by v, and the log of its determinant between tangent spaces.

    Args:
        slope: Derivative by v, (n, n), zero on normal vectors.
        tangent: Projection onto the tangent space at z, (n, n).
    """
    normal = jnp.eye(len(tangent), dtype=tangent.dtype) - tangent
    least = 10 * float(jnp.finfo(tangent.dtype).eps)
    inverse, log_square, _ = invert_positive(dot(slope.T, slope) + normal, least)
    return dot(tangent, dot(inverse, slope.T)), log_square / 2


def _path(
    equations: Equations, net: Float[Array, "k n"], z: Float[Array, " n"], w: Float[Array, " n"]
) -> Float[Array, "p n"]:
    """Points from z to w: the chord halved three times, each middle put onto the manifold as it arises."""

    def halve(points: Array, turn: tuple[Array, Array, Array]) -> tuple[Array, None]:
        left, middle, right = turn
        chords = (points[left] + points[right]) / 2
        return points.at[middle].set(jax.vmap(lambda x: closest_point(equations, net, x))(chords)), None

    # Every turn halves as many chords as the last one does, repeating some, so that one program serves all.
    size = 2**_HALVINGS
    gaps = [size >> turn for turn in range(_HALVINGS)]
    left = np.array([np.resize(np.arange(0, size, gap), size // 2) for gap in gaps])
    right = left + np.array(gaps)[:, None]
    points = jnp.zeros((size + 1, z.size), z.dtype).at[0].set(z).at[size].set(w)
    turns = (jnp.asarray(left), jnp.asarray((left + right) // 2), jnp.asarray(right))
    points, _ = jax.lax.scan(halve, points, turns)
    return points[1:]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def shoot(
    equations: Equations, net: Float[Array, "k n"], z: Float[Array, " n"], w: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Initial velocity of the geodesic from z to w that the straightened chord deforms into.

    It follows the geodesics to the points of a path from z to w, each started from the one before, and ends with
    Newton steps for w itself.
    """
    tangent = equations.frame(z).tangent
    tolerance = 4 * float(jnp.finfo(z.dtype).eps) * jnp.max(jnp.abs(net))
    path = _path(equations, net, z, w)
    last = len(path) - 1

    def newton_step(v: Array, target: Array) -> tuple[Array, Array]:
        def end(v: Array) -> tuple[Array, Array]:
            p = geodesic(equations, z, v)
            return p, p

        slope, p = jax.jacfwd(end, has_aux=True)(v)
        return dot(shooting_inverse(slope, tangent)[0], target - p), safe_math.norm(target - p)

    def unfinished(state: tuple[Array, Array, Array, Array]) -> Array:
        _, step, _, count = state
        return (count <= last) | ((safe_math.norm(step) > tolerance) & (count < last + _NEWTON_STEPS))

    def improve(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        v, step, miss, count = state
        under_way = count < last
        # The velocity that reaches one point of the path, kept up for a little longer, nearly reaches the next.
        trial = (v + step) * jnp.where(under_way, (count + 2) / (count + 1), 1).astype(v.dtype)
        following, missed = newton_step(trial, path[jnp.minimum(count + 1, last)])
        good = under_way | (missed < miss)
        miss = jnp.where(under_way, jnp.inf, jnp.where(good, missed, miss))
        return jnp.where(good, trial, v), jnp.where(good, following, step / 4), miss, count + 1

    initial = (jnp.zeros_like(z), dot(tangent, path[0] - z), jnp.array(jnp.inf, z.dtype), jnp.array(0))
    v, step, _, _ = jax.lax.while_loop(unfinished, improve, initial)
    return jnp.where(jnp.all(jnp.isfinite(z + w)), dot(tangent, v + step), jnp.nan)


@shoot.defjvp
def _shoot_jvp(equations: Equations, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    net, z, w = primals
    _, dz, dw = tangents
    v = shoot(equations, net, z, w)

    def carried(z: Array) -> Array:
        return dot(equations.frame(z).tangent, v)

    by_z, by_v = jax.jacfwd(lambda z, v: geodesic(equations, z, v), (0, 1))(z, v)
    inverse, _ = shooting_inverse(by_v, equations.frame(z).tangent)
    turned = dot(jax.jacfwd(carried)(z), dz)
    return v, turned + dot(inverse, dw - dot(by_z, dz))

r"""Geodesics of a torus of revolution, in its angles.

With the minor angle x, the major angle y and e = a/c < 1 the metric is c^2 (e^2 dx^2 + w^2 dy^2), w = 1 + e cos x.
Clairaut's constant p = w^2 y' is conserved, and a geodesic over unit time solves

  x'' = -p^2 sin x / (e w^3),   y' = p / w^2.

Between two points the turn Y of the major angle is given. Minimised over y(.), the energy of a path is

  E[x] = e^2 int x'^2 + Y^2 / int w^-2,

a functional of x(.) alone that grows with Y^2, so that a shortest geodesic turns by |Y| <= pi. Reflections in
the equators x = 0 and x = pi keep it, so that a shortest geodesic crosses at most one of them, once: the turn
of the minor angle is one of two.
"""

import math
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

# Half of a symmetric composition of 17 leapfrogs to order 8 [kahan1997, s17odr8a].
_HALF = (
    0.13020248308889008087881763,
    0.56116298177510838456196441,
    -0.38947496264484728640807860,
    0.15884190655515560089621075,
    -0.39590389413323757733623154,
    0.18453964097831570709183254,
    0.25837438768632204729397911,
    0.29501172360931029887096624,
)
_KICKS = np.array([*_HALF, 1 - 2 * sum(_HALF), *_HALF[::-1]])
_STEPS = {4: 12, 8: 32}  # by bytes of the dtype
_MODES = 16
_NODES, _WEIGHTS = (x / 2 for x in np.polynomial.legendre.leggauss(32))
_DESCENT = 60
_POLISH = 6


def flow(ratio: float, minor: Float[Array, "*batch"], rate: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """Turns of the two angles along a geodesic over unit time.

    Args:
        ratio: e = a/c.
        minor: Minor angle of the start, (...).
        rate: Initial velocities of the minor and the major angle, (..., 2).

    Returns:
        Turns, (..., 2): the rates themselves to first order. Time-reversible, symplectic, of order 8 in the
        step; the number of steps is fixed.
    """
    stages, first = _stages(rate.dtype)
    clairaut = (1 + ratio * jnp.cos(minor)) ** 2 * rate[..., 1]

    def stage(state: tuple[Array, Array, Array], times: Array) -> tuple[tuple[Array, Array, Array], None]:
        return _stage(jnp, ratio, minor, clairaut, state, times), None

    start = (first * rate[..., 0], rate[..., 0], jnp.zeros_like(rate[..., 1]))
    (turn, _, major), _ = jax.lax.scan(stage, start, jnp.asarray(stages))
    return jnp.stack([turn, major], axis=-1)


def flow_in_numpy(ratio: float, minor: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """`flow` in NumPy, of complex rates too, for tables built in float64."""
    stages, first = _stages(np.dtype(np.float64))
    clairaut = (1 + ratio * np.cos(minor)) ** 2 * rate[..., 1]
    state = (first * rate[..., 0], rate[..., 0], np.zeros_like(rate[..., 1]))
    for times in stages:
        state = _stage(np, ratio, minor, clairaut, state, times)
    return np.stack([state[0], state[2]], axis=-1)


def _stages(dtype: np.dtype) -> tuple[np.ndarray, float]:
    """Returns the durations of kicks and of the drifts after them, (stages, 2), and of the first drift."""
    steps = _STEPS[dtype.itemsize]
    kicks = np.tile(_KICKS, steps) / steps
    drifts = (kicks + np.append(kicks[1:], 0)) / 2
    return np.stack([kicks, drifts], axis=-1).astype(dtype), float(kicks[0] / 2)


def _stage(
    xp: ModuleType, ratio: float, minor: Any, clairaut: Any, state: tuple[Any, Any, Any], times: Any
) -> tuple[Any, Any, Any]:
    """A kick of the speeds, then a drift of the minor angle."""
    turn, speed, major = state
    x = minor + turn
    radius = 1 + ratio * xp.cos(x)
    angular = clairaut / radius**2
    speed = speed - times[0] * angular**2 * radius * xp.sin(x) / ratio
    return turn + times[1] * speed, speed, major + times[0] * angular


def shoot(ratio: float, minor: Float[Array, "*batch"], turn: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """Initial rates of a shortest geodesic with the given turns.

    Args:
        ratio: e = a/c.
        minor: Minor angle of the start, (...).
        turn: Turns of the minor and the major angle, in [-pi, pi], (..., 2); the first is changed by 2 pi where the
            geodesic around the other side of the tube is shorter.

    Returns:
        Rates that `flow` takes to the turns, (..., 2), differentiable in `minor` and `turn`.
    """
    turn, rate = _shortest(_descents(ratio, *jax.lax.stop_gradient((minor, turn))), range(4), turn)
    return _polished(ratio, minor, turn, rate)


def shoot_both_ways(
    ratio: float, minor: Float[Array, "*batch"], turn: Float[Array, "*batch 2"]
) -> tuple[Float[Array, "2 *batch 2"], Float[Array, "2 *batch 2"]]:
    """Shortest geodesics around either side of the tube: their turns and their initial rates, see `shoot`."""
    found = _descents(ratio, *jax.lax.stop_gradient((minor, turn)))
    turns, rates = (jnp.stack(x) for x in zip(*(_shortest(found, (k, k + 2), turn) for k in (0, 1)), strict=True))
    minor = jnp.broadcast_to(minor, turns.shape[:-1])
    return turns, _polished(ratio, minor, turns, rates)


def _polished(ratio: float, minor: Array, turn: Array, rate: Array) -> Array:
    rate = jax.lax.fori_loop(0, _POLISH, lambda _, rate: _newton(ratio, minor, turn, rate), rate)
    return _newton(ratio, minor, turn, jax.lax.stop_gradient(rate))


def jacobian(ratio: float, minor: Float[Array, "*batch"], rate: Float[Array, "*batch 2"]) -> Float[Array, "2 *batch 2"]:
    """Derivatives of `flow` in each of the two rates, on the first axis."""

    def along(direction: Array) -> Array:
        return jax.jvp(lambda rate: flow(ratio, minor, rate), (rate,), (jnp.broadcast_to(direction, rate.shape),))[1]

    return jax.vmap(along)(jnp.asarray(np.eye(2), rate.dtype))


def _newton(ratio: float, minor: Array, turn: Array, rate: Array) -> Array:
    """One step of Newton's method for flow(rate) = turn; its derivative is that of the solution."""
    rows = jax.lax.stop_gradient(jacobian(ratio, minor, rate))
    gap = turn - flow(ratio, minor, rate)
    determinant = rows[0, ..., 0] * rows[1, ..., 1] - rows[0, ..., 1] * rows[1, ..., 0]
    conjugate = jnp.abs(determinant) < 1e-6
    determinant = jnp.where(conjugate, 1, determinant)
    step = jnp.stack(
        [
            rows[1, ..., 1] * gap[..., 0] - rows[1, ..., 0] * gap[..., 1],
            rows[0, ..., 0] * gap[..., 1] - rows[0, ..., 1] * gap[..., 0],
        ],
        axis=-1,
    )
    return rate + jnp.where(conjugate[..., None], gap, step / determinant[..., None])


class _Descents(NamedTuple):
    """Four paths, two turns of the minor angle and each bulged to either side; fields are (4, ...)."""

    energy: Array
    around: Array  # turns of the minor angle
    rates: Array  # initial rates to some digits, (4, ..., 2)


def _shortest(found: _Descents, among: Iterable[int], turn: Array) -> tuple[Array, Array]:
    """The turns, derivatives kept, and the initial rates of the path of least energy, by comparisons alone."""
    first, *others = among
    energy, around, rate = (x[first] for x in found)
    for k in others:
        better = found.energy[k] < energy
        energy = jnp.where(better, found.energy[k], energy)
        around = jnp.where(better, found.around[k], around)
        rate = jnp.where(better[..., None], found.rates[k], rate)
    lift = jax.lax.stop_gradient(around - turn[..., 0])
    return turn + jnp.stack([lift, jnp.zeros_like(lift)], axis=-1), jax.lax.stop_gradient(rate)


def _descents(ratio: float, minor: Array, turn: Array) -> _Descents:
    """Minimises the energy of paths x(s) = x0 + X s + sum over k of b_k sin(k pi s)."""
    dtype = turn.dtype
    around = jnp.stack([turn[..., 0], turn[..., 0] - jnp.copysign(2 * math.pi, turn[..., 0])] * 2)
    sides = jnp.array([1, 1, -1, -1], dtype).reshape(4, *(1,) * minor.ndim)
    bulge = sides * jnp.minimum(2 * jnp.abs(turn[..., 1]), 0.8)
    order = np.arange(1, _MODES + 1)
    nodes = 0.5 + _NODES
    waves = np.sin(math.pi * np.outer(order, nodes)).astype(dtype)
    weights = _WEIGHTS.astype(dtype)
    stiffness = (ratio**2 * (math.pi * order) ** 2).astype(dtype)
    straight = minor[..., None] + around[..., None] * nodes.astype(dtype)
    modes = bulge[..., None] * jnp.asarray(order == 1, dtype)

    def clairaut(modes: Array) -> tuple[Array, Array, Array]:
        x = straight + jnp.matmul(modes, waves, precision="highest")
        radius = 1 + ratio * jnp.cos(x)
        total = jnp.sum(weights / radius**2, axis=-1)
        return x, radius, total

    def descend(_: Int[Array, ""], modes: Array) -> Array:
        x, radius, total = clairaut(modes)
        square = (turn[..., 1] / total) ** 2
        slope = 2 * ratio * jnp.sin(x) / radius**3
        bend = 2 * ratio * jnp.cos(x) / radius**3 + 6 * ratio**2 * jnp.sin(x) ** 2 / radius**4
        bound = square * (jnp.max(jnp.abs(bend), axis=-1) / 2 + jnp.sum(weights * slope**2, axis=-1) / total)
        against = jnp.matmul(weights * slope, waves.T, precision="highest")
        gradient = stiffness * modes - square[..., None] * against
        return modes - gradient / (stiffness + bound[..., None])

    modes = jax.lax.fori_loop(0, _DESCENT, descend, modes)
    energy = ratio**2 * around**2 + jnp.sum(stiffness * modes**2, axis=-1) / 2 + turn[..., 1] ** 2 / clairaut(modes)[2]

    # The speed at the start from the equation of motion: two orders more than from the sum of the modes.
    x, radius, total = clairaut(modes)
    pull = (turn[..., 1] / total)[..., None] ** 2 * jnp.sin(x) / (ratio * radius**3)
    first = around + jnp.sum((weights * (1 - nodes)).astype(dtype) * pull, axis=-1)
    second = turn[..., 1] / total / (1 + ratio * jnp.cos(minor)) ** 2
    return _Descents(energy, around, jnp.stack([first, second], axis=-1))

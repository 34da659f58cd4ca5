"""Damped Gauss-Newton iteration for sparse transport coefficients, many problems side by side."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from mvae.transport.batch_last import matmul, matvec
from mvae.transport.jacobian import Tangents, transport_tangents
from mvae.transport.lasso import lasso_descent, subgradient

MAX_NORM = 32.0  # 1-norm of the generators that are considered: squares of exp(32) are far from overflow
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-7, 1e8
_FIRST_WEIGHT = 1e-2  # of the l1 term, relative to |z1|²/2
_LOWER = 0.03  # factor by which it comes down
_ROUGH = 0.5  # stationarity at which the weight is lowered
_INNER = 3  # steps of the active set in an iteration


class Problem(NamedTuple):
    """Minimise ½ |z1 - exp(Σ_m c_m Ψ_m) z0|² + λ|c|_1 in c, for each problem on the last axis.

    Attributes:
        operators: Ψ, shared by all problems.
        z0: Where the transport starts.
        z1: Where it should end.
        l1_weight: λ, of each.
    """

    operators: Float[Array, "M d d"]
    z0: Float[Array, "d B"]
    z1: Float[Array, "d B"]
    l1_weight: Float[Array, " B"]


class State(NamedTuple):
    """Where each problem stands.

    Attributes:
        coefficients: c.
        tangents: exp(A(c)) z0 and its derivatives.
        l1_weight: The weight at present, λ or more.
        damping: Weight of the damping, relative to the largest diagonal entry of JᵀJ.
        done: Whether iterations have ended, for one reason or another.
        num_iterations: How many there were.
    """

    coefficients: Float[Array, "M B"]
    tangents: Tangents
    l1_weight: Float[Array, " B"]
    damping: Float[Array, " B"]
    done: Bool[Array, " B"]
    num_iterations: Int[Array, " B"]


def begin(problem: Problem, start: Float[Array, "M B"]) -> State:
    """Returns the state before the first iteration.

    Starts with |A(c)|_1 above `MAX_NORM` are drawn towards zero until they meet it.
    """
    start = start * _pull(problem, start)
    tangents = transport_tangents(problem.operators, start, problem.z0, MAX_NORM)
    batch = start.shape[-1:]
    weight = jnp.maximum(problem.l1_weight, _FIRST_WEIGHT * jnp.sum(problem.z1**2, axis=0) / 2)
    damping = jnp.full(batch, _FIRST_DAMPING, start.dtype)
    value = objective(problem, start, tangents.point, weight)
    lost = ~(jnp.isfinite(value) & jnp.all(jnp.isfinite(tangents.jacobian), axis=(0, 1)))
    return State(start, tangents, weight, damping, lost, jnp.zeros(batch, jnp.int32))


def advance(problem: Problem, state: State, *, num_steps: int, max_iterations: int, tolerance: float) -> State:
    """Returns the state after `num_steps` more Levenberg-Marquardt iterations, or fewer where all have ended.

    Each step minimises ½|r + J δ|² + w|c + δ|_1 + ½ μ max(diag JᵀJ) |δ|², with the l1 term as it is. The weight w
    comes down to λ from a hundredth of |z1|²/2, in a few stages, whenever the iteration is close to a stationary
    point: with many coefficients and a small λ the points of no residual are a curved surface, on which a step of
    length s leaves a residual of order s² that the l1 term must pay for, so that steps are short where w is small.
    """

    def goes_on(carry: tuple[State, Int[Array, ""]]) -> Bool[Array, ""]:
        return (carry[1] < num_steps) & ~jnp.all(carry[0].done)

    def step(carry: tuple[State, Int[Array, ""]]) -> tuple[State, Int[Array, ""]]:
        state = _iterate(problem, tolerance, carry[0])
        return state._replace(done=state.done | (state.num_iterations >= max_iterations)), carry[1] + 1

    return jax.lax.while_loop(goes_on, step, (state, jnp.int32(0)))[0]


def _pull(problem: Problem, start: Float[Array, "M B"]) -> Float[Array, " B"]:
    # |A(c)|_1 <= Σ|c_m| |Ψ_m|_1, a little less than the bound so that rounding does not exceed it.
    sizes = jnp.max(jnp.sum(jnp.abs(problem.operators), axis=1), axis=1)
    bound = jnp.sum(jnp.abs(start) * sizes[:, None], axis=0)
    return jnp.minimum(1, 0.999 * MAX_NORM / jnp.maximum(bound, jnp.finfo(start.dtype).tiny))


def objective(
    problem: Problem, coefficients: Float[Array, "M B"], point: Float[Array, "d B"], l1_weight: Float[Array, "..."]
) -> Float[Array, " B"]:
    """½ |point - z1|² + w|c|_1."""
    return jnp.sum((point - problem.z1) ** 2, axis=0) / 2 + l1_weight * jnp.sum(jnp.abs(coefficients), axis=0)


def stationarity(
    problem: Problem, coefficients: Float[Array, "M B"], tangents: Tangents, l1_weight: Float[Array, "..."]
) -> Float[Array, " B"]:
    """Size of the least subgradient v of the objective: the largest of |v_m| / (w + |J_m| |r|) over the coefficients.

    It is 0 at a stationary point and at most about 1 anywhere. What rounding alone makes of |v_m| is subtracted.
    """
    residual = tangents.point - problem.z1
    size = _length(problem.z1) + _length(tangents.point)
    columns = _length(tangents.jacobian)
    rounding = 8 * jnp.finfo(size.dtype).eps * size * columns
    gradient = jnp.sum(tangents.jacobian * residual[:, None], axis=0)
    excess = jnp.maximum(jnp.abs(subgradient(gradient, coefficients, l1_weight)) - rounding, 0)
    scale = l1_weight + columns * _length(residual)
    return jnp.max(excess / jnp.maximum(scale, jnp.finfo(size.dtype).tiny), axis=0)


def _length(x: Float[Array, "d *B"]) -> Float[Array, "*B"]:
    return jnp.sqrt(jnp.sum(x**2, axis=0))


def _iterate(problem: Problem, tolerance: float, state: State) -> State:
    c, tangents, l1_weight, damping, done, count = state
    point, jacobian = tangents
    gradient = jnp.sum(jacobian * (point - problem.z1)[:, None], axis=0)
    gram = matmul(jnp.swapaxes(jacobian, 0, 1), jacobian)
    diagonal = jnp.stack([gram[m, m] for m in range(len(c))])
    extra = damping * jnp.maximum(jnp.max(diagonal, axis=0), jnp.finfo(c.dtype).tiny)
    identity = jnp.eye(len(c), dtype=c.dtype)[:, :, None]
    trial = lasso_descent(gram + extra * identity, gradient, c, l1_weight, _INNER)
    move = trial - c
    l1_change = l1_weight * jnp.sum(jnp.abs(trial) - jnp.abs(c), axis=0)
    predicted = -jnp.sum(move * (gradient + matvec(gram, move) / 2), axis=0) - l1_change
    # Those that are done do not decide how long the series must be.
    tried = transport_tangents(problem.operators, jnp.where(done, 0, trial), problem.z0, MAX_NORM)
    before = objective(problem, c, point, l1_weight)
    gained = before - objective(problem, trial, tried.point, l1_weight)
    rest = stationarity(problem, c, tangents, l1_weight)
    next_rest = stationarity(problem, trial, tried, l1_weight)
    # Where the objective cannot tell the two points apart any more, the gradient still can.
    level = 4 * jnp.finfo(c.dtype).eps * before
    level_off = (predicted <= level) & (jnp.abs(gained) <= level)
    better = jnp.where(level_off, next_rest < 0.9 * rest, gained > 0)  # false for NaN
    accepted = ~done & better
    share = jnp.where(level_off, 1, gained / jnp.where(predicted > 0, predicted, 1))
    factor = jnp.where(share > 0.75, 0.1, jnp.where(share > 0.25, 0.5, 2.0))
    damping = jnp.clip(damping * jnp.where(accepted, factor, 5.0), _LEAST_DAMPING, _MOST_DAMPING)
    c, tangents = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), (trial, tried), (c, tangents))
    exhausted = ~accepted & ((predicted <= level) | (damping >= _MOST_DAMPING))
    last = l1_weight <= problem.l1_weight
    arrived = jnp.where(accepted, next_rest, rest) <= jnp.where(last, tolerance, _ROUGH)
    lower = jnp.where(arrived | exhausted, jnp.maximum(l1_weight * _LOWER, problem.l1_weight), l1_weight)
    return State(c, tangents, lower, damping, done | (last & (arrived | exhausted)), count + ~done)

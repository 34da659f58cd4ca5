"""Damped Gauss-Newton iteration for sparse transport coefficients, many problems side by side."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from mvae.transport.batch_last import matvec
from mvae.transport.jacobian import Tangents, transport_tangents
from mvae.transport.lasso import lasso_descent, subgradient

MAX_NORM = 50.0  # 1-norm of the generators that are considered
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-2, 1e-7, 1e8
_INNER = 5  # steps of the active set in an iteration


class Problem(NamedTuple):
    """Minimise ½ |z1 - exp(Σ_m c_m Ψ_m) z0|² + λ|c|_1 in c, for each problem on the last axis.

    Attributes:
        operators: Ψ, shared by all problems.
        z0: Where the transport starts.
        z1: Where it should end.
        l1_weight: λ.
    """

    operators: Float[Array, "M d d"]
    z0: Float[Array, "d B"]
    z1: Float[Array, "d B"]
    l1_weight: Float[Array, ""]


class State(NamedTuple):
    """Where each problem stands.

    Attributes:
        coefficients: c.
        tangents: exp(A(c)) z0 and its derivatives.
        objective: What is minimised, at c.
        damping: Weight of the damping, relative to the largest diagonal entry of JᵀJ.
        done: Whether iterations have ended, for one reason or another.
        num_iterations: How many there were.
    """

    coefficients: Float[Array, "M B"]
    tangents: Tangents
    objective: Float[Array, " B"]
    damping: Float[Array, " B"]
    done: Bool[Array, " B"]
    num_iterations: Int[Array, " B"]


def minimise(
    problem: Problem, start: Float[Array, "M B"], *, max_iterations: int, tolerance: float
) -> tuple[State, Bool[Array, " B"]]:
    """Returns where Levenberg-Marquardt steps lead from `start`, and whether they arrived at a stationary point.

    Each step minimises ½|r + J δ|² + λ|c + δ|_1 + ½ μ max(diag JᵀJ) |δ|², with the l1 term as it is. Starts with
    |A(c)|_1 above `MAX_NORM` are drawn towards zero until they meet it, and steps beyond it are not taken.
    """
    start = start * _pull(problem, start)
    tangents, objective = _evaluate(problem, start)
    batch = start.shape[-1:]
    damping = jnp.full(batch, _FIRST_DAMPING, start.dtype)
    done = _is_stationary(problem, start, tangents, tolerance) | ~jnp.isfinite(objective)
    state = State(start, tangents, objective, damping, done, jnp.zeros(batch, jnp.int32))

    def goes_on(carry: tuple[State, Int[Array, ""]]) -> Bool[Array, ""]:
        return (carry[1] < max_iterations) & ~jnp.all(carry[0].done)

    step = partial(_iterate, problem, tolerance)
    state, _ = jax.lax.while_loop(goes_on, lambda carry: (step(carry[0]), carry[1] + 1), (state, jnp.int32(0)))
    return state, _is_stationary(problem, state.coefficients, state.tangents, tolerance)


def _pull(problem: Problem, start: Float[Array, "M B"]) -> Float[Array, " B"]:
    # |A(c)|_1 <= Σ|c_m| |Ψ_m|_1, a little less than the bound so that rounding does not exceed it.
    sizes = jnp.max(jnp.sum(jnp.abs(problem.operators), axis=1), axis=1)
    bound = jnp.sum(jnp.abs(start) * sizes[:, None], axis=0)
    return jnp.minimum(1, 0.999 * MAX_NORM / jnp.maximum(bound, jnp.finfo(start.dtype).tiny))


def _evaluate(problem: Problem, coefficients: Float[Array, "M B"]) -> tuple[Tangents, Float[Array, " B"]]:
    tangents = transport_tangents(problem.operators, coefficients, problem.z0, MAX_NORM)
    misfit = jnp.sum((tangents.point - problem.z1) ** 2, axis=0) / 2
    return tangents, misfit + problem.l1_weight * jnp.sum(jnp.abs(coefficients), axis=0)


def violation(problem: Problem, coefficients: Float[Array, "M B"], tangents: Tangents) -> Float[Array, "M B"]:
    """Least element of the subdifferential of the objective."""
    gradient = jnp.sum(tangents.jacobian * (tangents.point - problem.z1)[:, None], axis=0)
    return subgradient(gradient, coefficients, problem.l1_weight)


def _is_stationary(
    problem: Problem, coefficients: Float[Array, "M B"], tangents: Tangents, tolerance: float
) -> Bool[Array, " B"]:
    # Relative to what the gradient could be for this residual, down to the rounding of the residual.
    residual = jnp.sqrt(jnp.sum((tangents.point - problem.z1) ** 2, axis=0))
    size = jnp.sqrt(jnp.sum(problem.z1**2, axis=0)) + jnp.sqrt(jnp.sum(tangents.point**2, axis=0))
    columns = jnp.sqrt(jnp.sum(tangents.jacobian**2, axis=0))
    rounding = 8 * jnp.finfo(size.dtype).eps * size * columns
    allowed = tolerance * (problem.l1_weight + columns * residual) + rounding
    return jnp.all(jnp.abs(violation(problem, coefficients, tangents)) <= allowed, axis=0)


def _iterate(problem: Problem, tolerance: float, state: State) -> State:
    c, (point, jacobian), objective, damping, done, count = state
    residual = point - problem.z1
    gradient = jnp.sum(jacobian * residual[:, None], axis=0)
    gram = sum(row[:, None] * row[None, :] for row in jacobian)
    diagonal = jnp.stack([gram[m, m] for m in range(len(c))])
    weight = damping * jnp.maximum(jnp.max(diagonal, axis=0), jnp.finfo(c.dtype).tiny)
    identity = jnp.eye(len(c), dtype=c.dtype)[:, :, None]
    trial = lasso_descent(gram + weight * identity, gradient, c, problem.l1_weight, _INNER)
    move = trial - c
    l1_change = problem.l1_weight * jnp.sum(jnp.abs(trial) - jnp.abs(c), axis=0)
    predicted = -jnp.sum(move * (gradient + matvec(gram, move) / 2), axis=0) - l1_change
    tangents, value = _evaluate(problem, trial)
    gain = (objective - value) / jnp.where(predicted > 0, predicted, 1)
    accepted = ~done & (value < objective)  # false for NaN
    factor = jnp.where(gain > 0.75, 0.1, jnp.where(gain > 0.25, 0.5, 2.0))
    damping = jnp.clip(damping * jnp.where(accepted, factor, 5.0), _LEAST_DAMPING, _MOST_DAMPING)
    c, tangents, objective = jax.tree.map(
        lambda new, old: jnp.where(accepted, new, old), (trial, tangents, value), (c, state.tangents, objective)
    )
    exhausted = (predicted <= 2 * jnp.finfo(c.dtype).eps * objective) | (damping >= _MOST_DAMPING)
    finished = exhausted & ~accepted | _is_stationary(problem, c, tangents, tolerance)
    return State(c, tangents, objective, damping, done | finished, count + ~done)

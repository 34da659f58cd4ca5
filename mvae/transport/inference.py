"""Coefficients that transport one point to another, inferred for many pairs at once."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from mvae.manifolds.checks import in_float32, widened
from mvae.transport.checks import check_at_least, check_broadcast, check_count, check_last, check_operators
from mvae.transport.gauss_newton import Problem, State, advance, begin, objective, stationarity
from mvae.transport.jacobian import generator, one_norm

_PHASE = 4  # iterations between two sortings
_TILE_BYTES = 2**16  # what the problems that are worked on together hold, so that their temporaries stay in the cache


class Inference(NamedTuple):
    """Inferred coefficients and how they were found, from the best restart of each problem.

    Attributes:
        coefficients: c.
        objective: ½ |z1 - exp(Σ_m c_m Ψ_m) z0|² + λ|c|_1.
        residual: z1 - exp(Σ_m c_m Ψ_m) z0.
        stationarity: Largest |v_m| / (λ + |J_m| |r|), where v is the least subgradient of the objective, J_m the
            derivative of the transported point in c_m and r the residual: 0 at a local minimum, about 1 at most.
        num_iterations: How many steps were tried.
        converged: Whether `stationarity` is at most the tolerance.
    """

    coefficients: Float[Array, "*batch M"]
    objective: Float[Array, "*batch"]
    residual: Float[Array, "*batch d"]
    stationarity: Float[Array, "*batch"]
    num_iterations: Int[Array, "*batch"]
    converged: Bool[Array, "*batch"]


class Pairs(NamedTuple):
    """Pairs of points between which coefficients are inferred, a group of those for `infer_jointly`.

    Attributes:
        key: For the random starts.
        z0: Where the transport starts, (..., d).
        z1: Where it should end, (..., d); leading axes broadcast.
        l1_weight: λ, not negative.
        initial: One more start for each problem, (..., M), beside the random ones; None for none.
    """

    key: PRNGKeyArray
    z0: Float[Array, "*#batch d"]
    z1: Float[Array, "*#batch d"]
    l1_weight: float | Float[Array, ""]
    initial: Float[Array, "*#batch M"] | None = None


@in_float32
def infer_coefficients(
    key: PRNGKeyArray,
    operators: Float[Array, "M d d"],
    z0: Float[Array, "*#batch d"],
    z1: Float[Array, "*#batch d"],
    *,
    l1_weight: float | Float[Array, ""],
    num_restarts: int = 2,
    bounds: Sequence[tuple[float, float]] = ((-2.5, 0.0), (0.0, 2.5)),
    initial: Float[Array, "*#batch M"] | None = None,
    max_iterations: int = 50,
    tolerance: float = 1e-3,
) -> Inference:
    """Minimises ½ |z1 - exp(Σ_m c_m Ψ_m) z0|² + λ|c|_1 over c for each pair of points.

    That is γ² times -log q(z1|c, z0) q(c) for noise of variance γ² and Laplace coefficients of scale b, up to a
    constant, if λ = γ²/b. The problems and their restarts run side by side, each with its own damping and its own end.

    The iteration is Levenberg-Marquardt with the l1 term kept as it is, so that coefficients are exactly zero where
    the minimum has them zero; `gauss_newton` says more. A minimum is a local one: c can wind around an orbit once
    more. The result is constant under differentiation, as published; `implicit_coefficients` has the derivatives.

    Args:
        key: For the random starts.
        operators: Ψ, (M, d, d), meant for M and d up to about 10.
        z0: Where the transport starts, (..., d).
        z1: Where it should end, (..., d); leading axes broadcast, as samples (n, 1, d) against anchors (k, d).
        l1_weight: λ, not negative.
        num_restarts: How many random starts each problem has.
        bounds: Interval of the uniform starts, one for each restart, cycled through.
        initial: One more start for each problem, (..., M), beside the random ones; None for none.
        max_iterations: Steps of a restart at most; a step is an evaluation of the transport and its derivatives.
        tolerance: Bound on `stationarity`, at which a restart ends. 1e-3 leaves an excess of 1e-6 of the objective.

    Returns:
        The best restart of each problem. Where no start gives finite numbers, as for NaN in z0 or z1, the objective is
        infinite, the residual NaN and `converged` false.

    Raises:
        ValueError: For wrong shapes or dtypes, or numbers out of range.

    Source: [connor2021, Eqs. 2 and 7]; its published code for the weights 1e-6 and 5e-6 and the starts.
    """
    pairs = Pairs(key, z0, z1, l1_weight, initial)
    limits = {"num_restarts": num_restarts, "bounds": bounds, "max_iterations": max_iterations, "tolerance": tolerance}
    return infer_jointly(operators, [pairs], **limits)[0]


def infer_jointly(
    operators: Float[Array, "M d d"],
    groups: Sequence[Pairs],
    *,
    num_restarts: int = 2,
    bounds: Sequence[tuple[float, float]] = ((-2.5, 0.0), (0.0, 2.5)),
    max_iterations: int = 50,
    tolerance: float = 1e-3,
) -> tuple[Inference, ...]:
    """Infers the coefficients of several groups of pairs in one iteration, which is compiled once for all of them.

    A group gets what `infer_coefficients` gives for it alone, of the same starts; what the groups share is the length
    of the series and of the loops, so that results differ by rounding and within `tolerance`.

    Args:
        operators: Ψ, (M, d, d).
        groups: The pairs, of any shapes.
        num_restarts: As for `infer_coefficients`, like the others.
        bounds: Intervals of the uniform starts.
        max_iterations: Steps of a restart at most.
        tolerance: Bound on `stationarity`.

    Returns:
        The inferred coefficients of each group.

    Raises:
        ValueError: For wrong shapes or dtypes, or numbers out of range, or no group.
    """
    operators = check_operators(widened(operators))
    if not groups:
        raise ValueError("groups must have at least one group of pairs, got none")
    check_count("num_restarts", num_restarts)
    check_count("max_iterations", max_iterations)
    check_at_least("tolerance", tolerance, 0, strict=True)
    intervals = _check_bounds(bounds)
    checked = [_check_pairs(Pairs(*map(widened, group)), operators) for group in groups]
    dtype = jnp.result_type(operators, *(z for _, pairs in checked for z in (pairs.z0, pairs.z1)))
    operators = jax.lax.stop_gradient(operators.astype(dtype))
    problems, starts = [], []
    for batch, pairs in checked:
        count = math.prod(batch)
        z0, z1 = (_problems_last(z.astype(dtype), batch) for z in (pairs.z0, pairs.z1))
        weight = jnp.full(count, pairs.l1_weight, dtype)
        problems.append(jax.lax.stop_gradient(Problem(operators, z0, z1, weight)))
        drawn = _starts(pairs.key, (len(operators), count), intervals, num_restarts, dtype)
        if pairs.initial is not None:
            given = _problems_last(jax.lax.stop_gradient(pairs.initial.astype(dtype)), batch)
            drawn = jnp.concatenate([drawn, given[:, None]], axis=1)
        starts.append(drawn)
    found = _best(tuple(problems), tuple(starts), max_iterations, tolerance)
    return tuple(
        Inference(*(jnp.moveaxis(leaf, -1, 0).reshape(*batch, *leaf.shape[:-1]) for leaf in each))
        for each, (batch, _) in zip(found, checked, strict=True)
    )


def _check_pairs(pairs: Pairs, operators: Float[Array, "M d d"]) -> tuple[tuple[int, ...], Pairs]:
    """The leading axes of the problems, and the pairs as arrays."""
    z0, z1 = (check_last(name, z, operators.shape[-1]) for name, z in (("z0", pairs.z0), ("z1", pairs.z1)))
    batch = check_broadcast(z0=z0.shape[:-1], z1=z1.shape[:-1])
    if not isinstance(pairs.l1_weight, Tracer):
        check_at_least("l1_weight", float(pairs.l1_weight), 0)
    initial = pairs.initial
    if initial is not None:
        initial = check_last("initial", initial, len(operators))
        if check_broadcast(initial=initial.shape[:-1], problems=batch) != batch:
            raise ValueError(f"initial must broadcast to the problems {batch}, got shape {initial.shape}")
    return batch, Pairs(pairs.key, z0, z1, pairs.l1_weight, initial)


def _problems_last(x: Float[Array, "*#batch n"], batch: tuple[int, ...]) -> Float[Array, "n B"]:
    return jnp.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1]).T


def _check_bounds(bounds: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    try:
        pairs = tuple((float(low), float(high)) for low, high in bounds)
    except (TypeError, ValueError):
        raise ValueError(f"bounds must be pairs of numbers, got {bounds!r}") from None
    if not pairs or not all(math.isfinite(high - low) and low <= high for low, high in pairs):
        raise ValueError(f"bounds must be intervals (low, high), got {bounds!r}")
    return pairs


def _starts(
    key: PRNGKeyArray,
    shape: tuple[int, int],
    bounds: tuple[tuple[float, float], ...],
    num_restarts: int,
    dtype: jnp.dtype,
) -> Float[Array, "M R B"]:
    cycle = [bounds[restart % len(bounds)] for restart in range(num_restarts)]
    low, high = (jnp.asarray(side, dtype)[:, None] for side in zip(*cycle, strict=True))
    return low + (high - low) * jax.random.uniform(key, (shape[0], num_restarts, shape[1]), dtype)


@functools.partial(jax.jit, static_argnames=("max_iterations", "tolerance"))
def _best(
    problems: tuple[Problem, ...], starts: tuple[Float[Array, "M _ _"], ...], max_iterations: int, tolerance: float
) -> tuple[Inference, ...]:
    """Results of each group, the problems on the last axis; starts of a group are (M, restarts, problems)."""

    def in_lanes(parts: list[Array]) -> Array:
        return jnp.concatenate([jnp.tile(part, s.shape[1]) for part, s in zip(parts, starts, strict=True)], axis=-1)

    ends = (in_lanes([part[i] for part in problems]) for i in range(1, len(Problem._fields)))
    lanes = Problem(problems[0].operators, *ends)
    if not lanes.z0.size:
        return tuple(_nothing(s[:, 0], problem) for s, problem in zip(starts, problems, strict=True))
    flat = jnp.concatenate([s.reshape(len(s), -1) for s in starts], axis=-1)
    state = _solve(lanes, flat, max_iterations, tolerance)
    value = objective(lanes, state.coefficients, state.tangents.point, lanes.l1_weight)
    value = jnp.where(jnp.isfinite(value), value, jnp.inf)
    rest = stationarity(lanes, state.coefficients, state.tangents, lanes.l1_weight)
    found = Inference(
        state.coefficients, value, lanes.z1 - state.tangents.point, rest, state.num_iterations, rest <= tolerance
    )
    best, first = [], 0
    for _, restarts, count in (s.shape for s in starts):
        values = value[first : first + restarts * count].reshape(restarts, count)
        best.append(first + jnp.argmin(values, axis=0) * count + jnp.arange(count))
        first += restarts * count
    return tuple(Inference(*(leaf[..., rows] for leaf in found)) for rows in best)


def _nothing(coefficients: Float[Array, "M 0"], problem: Problem) -> Inference:
    empty = jnp.zeros(0, coefficients.dtype)
    return Inference(coefficients, empty, problem.z0, empty, empty.astype(jnp.int32), empty.astype(bool))


class _Lanes(NamedTuple):
    """What moves along when problems change places."""

    z0: Float[Array, "d B"]
    z1: Float[Array, "d B"]
    l1_weight: Float[Array, " B"]
    number: Int[Array, " B"]
    state: State


def _solve(problem: Problem, starts: Float[Array, "M B"], max_iterations: int, tolerance: float) -> State:
    """Final states of all problems, in their order.

    Problems that are worked on together take as long as the slowest of them, and a series as long as the largest
    generator demands. So they are sorted every few iterations, by norm, and those that have ended last.
    """
    count = starts.shape[-1]
    tile = _tile(problem, count)
    spare = -count % tile
    z0, z1, weight, starts = (
        jnp.pad(x, ((0, 0),) * (x.ndim - 1) + ((0, spare),), mode="edge") for x in (*problem[1:], starts)
    )
    number = jnp.arange(count + spare)

    def in_tiles(step, lanes):
        split = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(*x.shape[:-1], -1, tile), -2, 0), lanes)
        done = jax.lax.map(step, split)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -2).reshape(*x.shape[1:-1], -1), done)

    def first(ends: tuple) -> State:
        return begin(Problem(problem.operators, *ends[:-1]), ends[-1])

    def work(lanes: _Lanes) -> _Lanes:
        own = Problem(problem.operators, lanes.z0, lanes.z1, lanes.l1_weight)
        limits = {"num_steps": _PHASE, "max_iterations": max_iterations, "tolerance": tolerance}
        return lanes._replace(state=advance(own, lanes.state, **limits))

    def phase(lanes: _Lanes) -> _Lanes:
        norm = one_norm(generator(problem.operators, lanes.state.coefficients))
        order = jnp.argsort(jnp.where(lanes.state.done, jnp.inf, norm))
        return in_tiles(work, jax.tree.map(lambda x: x[..., order], lanes))

    state = in_tiles(first, (z0, z1, weight, starts))
    state = state._replace(done=state.done | (number >= count))
    lanes = jax.lax.while_loop(lambda lanes: ~jnp.all(lanes.state.done), phase, _Lanes(z0, z1, weight, number, state))
    back = jnp.argsort(lanes.number)[:count]
    return jax.tree.map(lambda x: x[..., back], lanes.state)


def _tile(problem: Problem, count: int) -> int:
    if jax.default_backend() != "cpu":
        return count
    size, _, dim = problem.operators.shape
    lane = dim * (dim + 2 * size + 2) * problem.z0.dtype.itemsize
    return min(count, max(128, 2 ** round(math.log2(_TILE_BYTES / lane))))

"""Couplings of two metric spaces by entropic projected mirror descent, on the device."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Int

SINKHORN_STEPS = 500
SINKHORN_TOLERANCE = 1e-5
TOLERANCE = 1e-4
_EXACT = jax.lax.Precision.HIGHEST  # the default rounds float32 products to 10 bits on some accelerators


class EntropicCoupling(NamedTuple):
    """Where the descent ended.

    Attributes:
        coupling: T, (n, m); its column sums are 1/m, its row sums 1/n up to what `converged` says.
        converged: Whether the last step moved less than 1e-4 of the mass, and its row sums were right to 1e-5.
        iterations: Steps taken.
    """

    coupling: Float[Array, "n m"]
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]


def _sinkhorn(
    cost: Float[Array, "n m"], potential: Float[Array, " m"], epsilon: float | Array
) -> tuple[Float[Array, "n m"], Float[Array, " m"], Float[Array, ""]]:
    """Minimises <cost, T> + ε KL(T ‖ uniform) over couplings, with potentials in place of scalings (log domain).

    Returns the coupling, the potential of its columns, from which a similar problem starts, and the error of its rows.
    """
    n, m = cost.shape

    def plan(f: Array, g: Array) -> Array:
        return jnp.exp((f[:, None] + g[None] - cost) / epsilon) / (n * m)

    def cycle(g: Array) -> tuple[Array, Array]:
        f = -epsilon * (logsumexp((g[None] - cost) / epsilon, axis=1) - jnp.log(m))
        g = -epsilon * (logsumexp((f[:, None] - cost) / epsilon, axis=0) - jnp.log(n))
        return f, g

    def body(carry: tuple) -> tuple:
        step, f, g, _ = carry
        # The rows that the column update leaves wrong are what the next row update would move f by.
        new_f, new_g = cycle(g)
        error = jnp.mean(jnp.abs(jnp.expm1(jnp.clip((f - new_f) / epsilon, -30, 30))))
        return step + 1, new_f, new_g, error

    def unfinished(carry: tuple) -> Array:
        step, _, _, error = carry
        return (step < SINKHORN_STEPS) & ~(error < SINKHORN_TOLERANCE)

    start = (jnp.int32(0), *cycle(potential), jnp.asarray(jnp.inf, cost.dtype))
    _, f, g, error = jax.lax.while_loop(unfinished, body, start)
    return plan(f, g), g, error


@partial(jax.jit, static_argnames=("max_iterations",))
def entropic_coupling(
    x_distances: Float[Array, "n n"],
    y_distances: Float[Array, "m m"],
    start: Float[Array, "n m"],
    *,
    epsilon: float | Array,
    max_iterations: int,
) -> EntropicCoupling:
    """Descends to a stationary point of E(T) + ε KL(T ‖ uniform) over the couplings T of uniform weights.

        E(T) = Σ_ijkl (dx_ik - dy_jl)² T_ij T_kl,    T ← argmin_S <∇E(T), S> + ε KL(S ‖ uniform).

    That is mirror descent for the KL, projected on the couplings, with the step 1/ε, at which the entropy of the
    step before cancels. For ε too large all couplings become uniform, for ε too small steps may cycle, and Sinkhorn
    iterations take longer.

    Args:
        x_distances: dx.
        y_distances: dy.
        start: The first T.
        epsilon: ε > 0, in units of the squared distances.
        max_iterations: Steps at most.

    Source: [peyre2016, Eqs. 8 and 9].
    """
    squares = jnp.mean(x_distances**2, axis=1)[:, None] + jnp.mean(y_distances**2, axis=1)[None]

    def gradient(coupling: Array) -> Array:
        across = jnp.matmul(x_distances, coupling, precision=_EXACT)
        return 2 * (squares - 2 * jnp.matmul(across, y_distances, precision=_EXACT))

    def body(carry: tuple) -> tuple:
        step, coupling, potential, _, _ = carry
        new, potential, error = _sinkhorn(gradient(coupling), potential, epsilon)
        return step + 1, new, potential, jnp.sum(jnp.abs(new - coupling)), error

    def done(moved: Array, error: Array) -> Array:
        return (moved < TOLERANCE) & (error < SINKHORN_TOLERANCE)

    def unfinished(carry: tuple) -> Array:
        return (carry[0] < max_iterations) & ~done(*carry[3:])

    infinite = jnp.asarray(jnp.inf, start.dtype)
    first = (jnp.int32(0), start, jnp.zeros(start.shape[1], start.dtype), infinite, infinite)
    step, coupling, _, moved, error = jax.lax.while_loop(unfinished, body, first)
    return EntropicCoupling(coupling, done(moved, error), step)

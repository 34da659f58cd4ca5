"""Heat kernels, samples, walks and priors on quotients, each from the cover's."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array

from mvae.diffusion.heat_kernel import is_expansion, log_heat_kernel
from mvae.diffusion.prior import log_prior
from mvae.diffusion.random_walk import steps_per_turn, walk_step
from mvae.diffusion.sampling import sample
from mvae.manifolds.quotient.space import QuotientSpace


@log_heat_kernel.register(QuotientSpace)
def _(manifold: QuotientSpace, t: Array, z: Array, w: Array) -> Array:
    """q(t; z, w) = sum over g of q_cover(t; z, g w)."""
    z, w = jnp.broadcast_arrays(z, w)  # before the axis of the group is put in front
    return logsumexp(log_heat_kernel(manifold.cover, t, z, manifold.orbit(w)), axis=0)


@is_expansion.register(QuotientSpace)
def _(manifold: QuotientSpace) -> bool:
    return is_expansion(manifold.cover)


@sample.register(QuotientSpace)
def _(key: jax.Array, manifold: QuotientSpace, z: Array, t: Array) -> Array:
    """Orbits of samples on the cover."""
    return sample(key, manifold.cover, z, t)


@steps_per_turn.register(QuotientSpace)
def _(manifold: QuotientSpace) -> int:
    return steps_per_turn(manifold.cover)


@walk_step.register(QuotientSpace)
def _(manifold: QuotientSpace, z: Array, scale: Array, noise: Array, kind: str) -> Array:
    return walk_step(manifold.cover, z, scale, noise, kind)


@log_prior.register(QuotientSpace)
def _(manifold: QuotientSpace, z: Array) -> Array:
    """That of the cover, all of whose representatives count: uniform where the cover is closed."""
    return log_prior(manifold.cover, z) + math.log(manifold.group.order)

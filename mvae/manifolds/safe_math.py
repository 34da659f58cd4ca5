"""Functions with removable singularities, written so that values and derivatives stay finite.

Every `where` guards both the argument and the result ("double where"): a branch that is not taken still sends
its derivative through, and zero times infinity is NaN.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Decorates functions of arrays that are called outside of `jax.jit`, too: there they are one program, not one for each
# operation; inside, they are written out in what is being compiled, as if they were not decorated.
inlined = functools.partial(jax.jit, inline=True)


def taylor_threshold(x: Float[Array, "..."]) -> float:
    """Returns the argument below which a five-term series in `x` is exact to rounding: eps^(1/5)."""
    return float(jnp.finfo(x.dtype).eps) ** 0.2


def _scaled(
    x: Float[Array, "*batch n"], least: float
) -> tuple[Float[Array, "*batch n"], Float[Array, "*batch 1"], Bool[Array, "*batch 1"]]:
    """Returns x / m, m = max|x| and whether m < `least`; there (1, ..., 1) and 1 stand in for x / m and m."""
    # The norm is homogeneous, so m may be held constant: derivatives are right, squares cannot under- or
    # overflow.
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True))
    degenerate = scale < least
    scale = jnp.where(degenerate, 1, scale)
    return jnp.where(degenerate, 1, x) / scale, scale, degenerate


@inlined
def norm(x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Euclidean norm along the last axis, with derivative 0 where it vanishes."""
    unit, scale, degenerate = _scaled(x, 4 * float(jnp.finfo(x.dtype).tiny))
    length = scale * jnp.sqrt(jnp.sum(unit**2, axis=-1, keepdims=True))
    return jnp.where(degenerate, 0, length)[..., 0]


@inlined
def normalize(x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
    """Unit vector x / |x| along the last axis; (1, 0, ..., 0) with derivative 0 where max|x| < sqrt(tiny)."""
    unit, _, degenerate = _scaled(x, float(jnp.finfo(x.dtype).tiny) ** 0.5)
    unit = unit / jnp.sqrt(jnp.sum(unit**2, axis=-1, keepdims=True))
    pole = jnp.zeros(x.shape[-1], x.dtype).at[0].set(1)
    return jnp.where(degenerate, pole, unit)


@inlined
def sinc_sqrt(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """sin(sqrt(s)) / sqrt(s) for s >= 0, analytic at 0."""
    small = s < taylor_threshold(s)
    root = jnp.sqrt(jnp.where(small, 1, s))
    series = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72)))
    return jnp.where(small, series, jnp.sin(root) / root)


@inlined
def cos_sqrt(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """cos(sqrt(s)) for s >= 0, analytic at 0."""
    small = s < taylor_threshold(s)
    root = jnp.sqrt(jnp.where(small, 1, s))
    series = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90))))
    return jnp.where(small, series, jnp.cos(root))


@inlined
def angle_over_sine(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """Ratio a / sin(a) as a series in s = sin(a / 2)^2; use it below `taylor_threshold` only."""
    return 1 + s * (2 / 3 + s * (8 / 15 + s * (16 / 35 + s * (128 / 315))))

"""Trace-time checks of the arguments of Brownian motion."""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from mvae.manifolds import Manifold
from mvae.manifolds.checks import check_pair, check_points
from mvae.manifolds.value_checks import check_traced, checks_are_traced


def check_time(t: Float[Array, "*#batch"] | float, batch: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "*#batch"]:
    """Returns `t` in `dtype`.

    Raises `ValueError` unless it is real, broadcasts against `batch` and, where its value is known (not under
    a transformation, unless inside of `check_values`), is positive.
    """
    time = jnp.asarray(t)
    if not (jnp.issubdtype(time.dtype, jnp.floating) or jnp.issubdtype(time.dtype, jnp.integer)):
        raise ValueError(f"t must be a real number, got dtype {time.dtype}")
    try:
        jnp.broadcast_shapes(time.shape, batch)
    except ValueError:
        raise ValueError(f"t must broadcast against {batch}, got shape {time.shape}") from None
    if not isinstance(time, Tracer):
        if not np.all(np.asarray(time) > 0):
            raise ValueError(f"t must be positive, got {t}")
    elif checks_are_traced():
        check_traced(time > 0, time, "t must be positive, got {value:.3g}")
    return time.astype(dtype)


def check_start(
    manifold: Manifold, t: Float[Array, "*#batch"] | float, z: Float[Array, "*#batch n"]
) -> tuple[Float[Array, "*#batch"], Float[Array, "*batch n"]]:
    """Returns `t` and `z`, the latter on the manifold and broadcast to the leading axes of both."""
    z = check_points("z", z, manifold.ambient_dim)
    manifold.check_on("z", z)
    t = check_time(t, z.shape[:-1], z.dtype)
    batch = jnp.broadcast_shapes(t.shape, z.shape[:-1])
    return t, jnp.broadcast_to(z, (*batch, z.shape[-1]))


def check_ends(
    manifold: Manifold,
    t: Float[Array, "*#batch"] | float,
    z: Float[Array, "*#batch n"],
    w: Float[Array, "*#batch n"],
) -> tuple[Float[Array, "*#batch"], Float[Array, "*#batch n"], Float[Array, "*#batch n"]]:
    """Returns `t`, `z` and `w` in one dtype."""
    z, w = check_pair(("z", "w"), z, w, manifold.ambient_dim)
    batch = jnp.broadcast_shapes(z.shape, w.shape)[:-1]
    return check_time(t, batch, z.dtype), z, w

"""Exact samples of Brownian motion."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_start, unsupported
from mvae.manifolds import Euclidean, FlatTorus, Manifold


def sample(
    key: jax.Array,
    manifold: Manifold,
    z: Float[Array, "*#batch n"],
    t: Float[Array, "*#batch"] | float,
) -> Float[Array, "*batch n"]:
    """Draws exact samples of Brownian motion started at z, after time t.

    Euclidean space: z + sqrt(t) eps. Flat torus: each circle turned by sqrt(t) eps.

    >>> sample(jax.random.key(0), Euclidean(2), jnp.zeros((5, 2)), 0.1).shape
    (5, 2)

    Args:
      key: typed key of `jax.random`.
      manifold: `Euclidean` or `FlatTorus`.
      z: starting points, (..., n).
      t: time, a variance per tangent direction, (...) broadcast against the leading axes of z.

    Returns:
      Samples, (..., n), reparametrised: differentiable in z and t.

    Raises:
      ValueError: for wrong shapes or dtypes, or a t that is not positive; under `jax.jit` the values of t are
        not known and not checked.
      NotImplementedError: for other manifolds.
    """
    t, z = check_start(manifold, t, z)
    noise = jnp.sqrt(t)[..., None] * jax.random.normal(key, (*z.shape[:-1], manifold.dim), z.dtype)
    match manifold:
        case Euclidean():
            return z + noise
        case FlatTorus():
            return manifold.rotate(z, noise)
        case _:
            raise unsupported("exact sampler", manifold, "use random_walk, which tends to it with num_steps")

"""Random walks that approach Brownian motion."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_start
from mvae.manifolds import (
    SO3,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Hyperbolic,
    Manifold,
    Product,
    ProjectiveSpace,
    Sphere,
)
from mvae.manifolds.checks import in_float32
from mvae.manifolds.dispatch import open_function

_KINDS = ("projection", "geodesic")
UNROLL = 10  # steps per turn of the compiled loop: the arrays of a step are small, and a turn costs as much as they do


@in_float32
def random_walk(
    key: jax.Array,
    manifold: Manifold,
    z: Float[Array, "*#batch n"],
    t: Float[Array, "*#batch"] | float,
    *,
    num_steps: int = 10,
    kind: str = "projection",
    return_path: bool = False,
) -> Float[Array, "*batch n"] | Float[Array, "steps *batch n"]:
    """Walks from z for a time t, in N steps.

      projection:  z <- P(z + sqrt(t/N) eps)
      geodesic:    z <- exp_z(sqrt(t/N) (tangent part of eps)),   eps ~ N(0, I) in the ambient space.

    Both tend in distribution to Brownian motion at time t as N grows, with an error of order t/N. On Euclidean space
    they are Brownian motion itself, so that without the path one step is taken, whatever N.

    >>> from mvae.manifolds import Sphere
    >>> z = jnp.array([0.0, 0.0, 1.0])
    >>> random_walk(jax.random.key(0), Sphere(2), z, 0.1, num_steps=5, return_path=True).shape
    (6, 3)

    Args:
        key: Typed key of `jax.random`.
        manifold: Space to walk on.
        z: Starting points, (..., n).
        t: Time, a variance per tangent direction, (...) broadcast against the leading axes of z.
        num_steps: Number N of steps.
        kind: "projection" or "geodesic".
        return_path: Whether to return every position, the start included.

    Returns:
        End points, (..., n), or the path, (N + 1, ..., n); differentiable in z and t.

    Raises:
        ValueError: For wrong shapes, an unknown `kind`, a `num_steps` below 1, a t that is not positive, or points off
            the manifold; of the values, under `jax.jit`, `check_values` alone knows.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {_KINDS}, got {kind!r}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    t, z = check_start(manifold, t, z)
    if isinstance(manifold, Euclidean) and not return_path:
        num_steps = 1
    scale = jnp.sqrt(t / num_steps)[..., None]

    # Noise is drawn step by step: it is used where it is made, and not written to memory and read again.
    def step(position: Array, key: Array) -> tuple[Array, Array | None]:
        position = walk_step(manifold, position, scale, jax.random.normal(key, z.shape, z.dtype), kind)
        return position, position if return_path else None

    unroll = min(num_steps, steps_per_turn(manifold))
    end, path = jax.lax.scan(step, z, jax.random.split(key, num_steps), unroll=unroll)
    return end if path is None else jnp.concatenate([z[None], path])


@open_function("step of a walk", "register one")
def walk_step(
    manifold: Manifold,
    z: Float[Array, "*batch n"],
    scale: Float[Array, "*#batch 1"],
    noise: Float[Array, "*batch n"],
    kind: str,
) -> Float[Array, "*batch n"]:
    """Returns where a step of a walk leads, for normal `noise` in the ambient space, times `scale`.

    A manifold whose metric is not that of the ambient space registers its own: there noise is not isotropic.
    """
    return walk_step.of(manifold)(manifold, z, scale, noise, kind)


@walk_step.register(Manifold)
def _(manifold: Manifold, z: Array, scale: Array, noise: Array, kind: str) -> Array:
    if kind == "projection":
        return manifold.project(z + scale * noise)
    return manifold.exp(z, scale * manifold.to_tangent(z, noise))


@walk_step.register(Hyperbolic)
def _(manifold: Hyperbolic, z: Array, scale: Array, noise: Array, kind: str) -> Array:
    """A geodesic, of both kinds: the last d entries of the noise are carried from the origin."""
    del kind
    return manifold.carry(z, scale * noise[..., 1:])


@walk_step.register(Product)
def _(manifold: Product, z: Array, scale: Array, noise: Array, kind: str) -> Array:
    parts = zip(manifold.factors, manifold.split(z), manifold.split(noise), strict=True)
    return manifold.join(tuple(walk_step(factor, part, scale, own, kind) for factor, part, own in parts))


@open_function("number of steps per turn", "it is 1")
def steps_per_turn(manifold: Manifold) -> int:
    """Returns how many steps a turn of the compiled loop has: `UNROLL` where a step is a formula.

    It is 1 where a step is a search of its own, as on `Implicit`: there unrolling buys no time and costs compilation.
    So it is for a manifold of one's own that has not registered another number.
    """
    return steps_per_turn.of(manifold)(manifold)


@steps_per_turn.register(Manifold)
def _(manifold: Manifold) -> int:
    del manifold
    return 1


@steps_per_turn.register(Euclidean)
@steps_per_turn.register(FlatTorus)
@steps_per_turn.register(Hyperbolic)
@steps_per_turn.register(Sphere)
@steps_per_turn.register(ProjectiveSpace)
@steps_per_turn.register(SO3)
@steps_per_turn.register(EmbeddedTorus)
def _(manifold: Manifold) -> int:
    del manifold
    return UNROLL


@steps_per_turn.register(Product)
def _(manifold: Product) -> int:
    return min(steps_per_turn(factor) for factor in manifold.factors)

"""The point of the image of a cube that is nearest to a given one, by descent from the nearest of a sample."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mvae.evaluation.maps.nearest_images import BLOCK

STARTS = 6  # nearest points of the sample: at a seam some are of the other side, from where descent ends at the border
STEPS = 10
_DAMPING = 1e-3  # over the mean square of the singular values
_SMALLEST, _LARGEST = 1e-7, 1e7


class Preimages(NamedTuple):
    """For each of N points the nearest one of the image: distances (N,), points u of the cube (N, n)."""

    distances: Float[Array, " N"]
    u: Float[Array, "N n"]


def nearest_preimages(
    f: Callable[[Float[Array, " n"]], Float[Array, " k"]],
    targets: Float[Array, "N k"],
    u: Float[Array, "M n"],
    images: Float[Array, "M k"],
    bounds: tuple[float, float],
) -> Preimages:
    """Minimises |f(u) - y| over the cube for each target y by Levenberg and Marquardt's method.

    It starts from the six u whose images are nearest and keeps the best end; ten steps each, cut off at the faces.

    Args:
        f: Differentiable map of one point, (n,) -> (k,).
        targets: y, (N, k).
        u: A sample of the cube, (M, n), M of at least six.
        images: f of it, (M, k).
        bounds: Least and greatest coordinate in the cube.
    """

    def of(target: Float[Array, " k"]) -> Preimages:
        squares = jnp.sum((images - target) ** 2, axis=-1)
        starts = jnp.clip(u[jax.lax.top_k(-squares, STARTS)[1]], *bounds)
        ends, distances = jax.vmap(lambda start: _descended(f, target, start, bounds))(starts)
        best = jnp.argmin(distances)
        return Preimages(distances[best], ends[best])

    return jax.lax.map(of, targets, batch_size=BLOCK)


def _descended(
    f: Callable[[Array], Array], target: Float[Array, " k"], start: Float[Array, " n"], bounds: tuple[float, float]
) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    eye = jnp.eye(len(start), dtype=start.dtype)

    def step(_: Int[Array, ""], state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        u, residual, damping = state
        jacobian = jax.vmap(lambda direction: jax.jvp(f, (u,), (direction,))[1], out_axes=1)(eye)
        normal = jacobian.T @ jacobian
        # The scale keeps the system regular where J is 0, as at a pole.
        scale = jnp.maximum(jnp.trace(normal) / len(u), jnp.finfo(u.dtype).eps)
        moved = jnp.clip(u - _solved(normal + damping * scale * eye, jacobian.T @ residual), *bounds)
        changed = f(moved) - target
        better = jnp.sum(changed**2) < jnp.sum(residual**2)
        damping = jnp.clip(damping * jnp.where(better, 0.1, 10.0), _SMALLEST, _LARGEST)
        return jnp.where(better, moved, u), jnp.where(better, changed, residual), damping

    initial = (start, f(start) - target, jnp.asarray(_DAMPING, start.dtype))
    u, residual, _ = jax.lax.fori_loop(0, STEPS, step, initial)
    return u, jnp.linalg.norm(residual)


def _solved(a: Float[Array, "n n"], b: Float[Array, " n"]) -> Float[Array, " n"]:
    """Solves a x = b for a positive definite matrix of two or three rows by elimination, which compiles fast."""
    rows = [jnp.append(a[i], b[i]) for i in range(len(b))]
    for i, pivot in enumerate(rows):
        rows[i] = pivot / pivot[i]
        rows = [row if j == i else row - row[i] * rows[i] for j, row in enumerate(rows)]
    return jnp.stack([row[-1] for row in rows])

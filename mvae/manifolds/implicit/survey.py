"""What is found out once about an implicit manifold: where it is, how large, and how far its normals reach."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvae.manifolds.implicit.equations import Equations
from mvae.manifolds.implicit.projection import arrived, closest_point, land

_NET = 256
_CANDIDATES = 4096
_LANDINGS = 100
_FAR = 1e3


class Survey(NamedTuple):
    """Facts about a closed manifold, in float64.

    Attributes:
        net: Points of the manifold that no point of it is far from, (k, n).
        lower: Least coordinates, (n,).
        upper: Greatest coordinates, (n,).
        reach: Distance up to which closest points are unique, estimated from above on pairs of points.
    """

    net: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    reach: float

    @property
    def scale(self) -> float:
        """Greatest coordinate of the net, a length."""
        return float(np.max(np.abs(self.net)))


@functools.cache
def survey(equations: Equations) -> Survey:
    """Finds the manifold: Gauss-Newton steps from points at all distances, then from a box around what they found.

    Raises:
        ValueError: If F = 0 has no solution that this finds, or is not bounded.
    """
    rng = np.random.default_rng(0)
    n = equations.ambient_dim
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        starts = rng.standard_normal((_CANDIDATES, n)) * 10 ** rng.uniform(-2, 2, (_CANDIDATES, 1))
        first = _landed(equations, starts)
        if len(first) == 0:
            raise ValueError("constraint must vanish somewhere: no zero of it was found")
        lower, upper = _box(first)
        pool = np.concatenate([first, _landed(equations, rng.uniform(lower, upper, (_CANDIDATES, n)))])
        net = _spread_out(pool, _NET)
        center, size = (lower + upper) / 2, np.linalg.norm(upper - lower)
        far = center + _FAR * size * np.concatenate([np.eye(n), -np.eye(n)])
        ends = np.asarray(_closest(equations, jnp.asarray(net), jnp.asarray(far)))
        if np.max(np.linalg.norm(ends - center, axis=-1)) > 10 * size:
            raise ValueError("constraint must have a bounded set of zeros: points far out were found on it")
        pool = np.concatenate([pool, ends])
        net = np.concatenate([net, ends])
        tangent = np.asarray(jax.jit(jax.vmap(lambda x: equations.frame(x).tangent))(net))
    return Survey(net, pool.min(axis=0), pool.max(axis=0), _reach(net, tangent, pool))


@functools.partial(jax.jit, static_argnums=0)
def _land_all(equations: Equations, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    def one(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        scale = 1 + jnp.max(jnp.abs(y))
        p, length = land(equations, y, scale, _LANDINGS)
        return p, arrived(length, scale)

    return jax.vmap(one)(x)


@functools.partial(jax.jit, static_argnums=0)
def _closest(equations: Equations, net: jax.Array, x: jax.Array) -> jax.Array:
    return jax.vmap(lambda y: closest_point(equations, net, y))(x)


def _landed(equations: Equations, x: np.ndarray) -> np.ndarray:
    p, good = _land_all(equations, jnp.asarray(x))
    return np.asarray(p)[np.asarray(good)]


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * np.max(upper - lower)
    return lower - margin, upper + margin


def _spread_out(points: np.ndarray, count: int) -> np.ndarray:
    """Takes `count` points, each the one farthest from those before."""
    chosen = [0]
    distance = np.sum((points - points[0]) ** 2, axis=-1)
    for _ in range(min(count, len(points)) - 1):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.sum((points - points[chosen[-1]]) ** 2, axis=-1))
    return points[chosen]


def _reach(net: np.ndarray, tangent: np.ndarray, pool: np.ndarray) -> float:
    """Least |q - p|^2 / (2 |normal part of q - p|): the reach [federer1959, Thm. 4.18], on pairs of points."""
    least = np.inf
    close = 1e-4 * np.max(np.ptp(pool, axis=0))
    for p, projection in zip(net, tangent, strict=True):
        offset = pool - p
        square = np.sum(offset**2, axis=-1)
        height = np.linalg.norm(offset - offset @ projection, axis=-1)
        ratio = square / np.maximum(2 * height, 1e-12 * square + 1e-300)
        least = min(least, np.min(ratio[square > close**2], initial=np.inf))
    return float(least)

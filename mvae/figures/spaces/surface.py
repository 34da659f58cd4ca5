"""Closed surfaces in space, shaded, as a viewer far away sees them, and which of their points he sees.

A ray goes from every pixel towards the surface and is followed in steps, shorter than the surface is
thick, to the first one inside; bisection then finds where it entered.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mvae.figures.spaces.globe import orthographic
from mvae.manifolds import EmbeddedTorus, Implicit, Manifold
from mvae.manifolds.dispatch import open_function
from mvae.manifolds.implicit.survey import survey

AZIMUTH = math.radians(-72.0)
ELEVATION = math.radians(55.0)
_SAMPLES = 2  # rays along a side of a pixel
_BISECTIONS = 16
_STEPS_PER_REACH = 4
_OFF = 0.1  # of a step, from a point of the surface to the first place that is tried
_MOST_STEPS = 2000
_OFF_SURFACE = 1e-2
_FAR = 300.0  # in sizes of the surface, for float32 far enough and not too far
_MARGIN = 0.02
_LIGHT = np.array([-0.41, 0.33, 0.85])  # right, up, towards the viewer; a unit vector but for rounding
_DARKEST, _LIGHTEST = 0.5, 0.97
_RIM = 0.45
_RIM_JUMP = 0.04  # of the size of the surface: a step in depth by which one part of it lies before another


class View(NamedTuple):
    """A direction to look from.

    Attributes:
        name: What to call it under an image.
        axes: Rows are the directions to the right, upward and towards the viewer, (3, 3), orthonormal.
    """

    name: str
    axes: np.ndarray


class Picture(NamedTuple):
    """A surface seen from one side.

    Attributes:
        rgba: Colours, (h, w, 4), in [0, 1]; row 0 on top, transparent where there is no surface.
        extent: (left, right, bottom, top), in the coordinates to the right and upward.
    """

    rgba: np.ndarray
    extent: tuple[float, float, float, float]


class Solid(NamedTuple):
    """The body that a surface encloses.

    Attributes:
        lower: Least coordinates, (3,).
        upper: Greatest coordinates, (3,).
        reach: A length below its thickness.
        level: Points (..., 3) -> values (...), in operations of `jax.numpy`: zero on the surface alone, negative
            inside.
    """

    lower: np.ndarray
    upper: np.ndarray
    reach: float
    level: Callable[[Float[Array, "*batch 3"]], Float[Array, "*batch"]]

    @property
    def center(self) -> np.ndarray:
        """Middle of the box."""
        return (self.lower + self.upper) / 2

    @property
    def size(self) -> float:
        """Diagonal of the box."""
        return float(np.linalg.norm(self.upper - self.lower))


@open_function("image as a surface", "its points are drawn in ambient space")
def solid(manifold: Manifold) -> Solid:
    """Returns the body that a closed surface in space encloses, which is all that drawing it takes.

    Args:
        manifold: `EmbeddedTorus`, an `Implicit` of dimension 2 in R^3, or a surface that has registered its own.

    Raises:
        NotImplementedError: For another manifold; a surface registers a function of it, `solid.register(Type)`.
    """
    return solid.of(manifold)(manifold)


@solid.register(EmbeddedTorus)
def _(manifold: EmbeddedTorus) -> Solid:
    major, minor = manifold.major_radius, manifold.minor_radius
    upper = np.array([major + minor, major + minor, minor])

    def level(x: Array) -> Array:
        planar = jnp.sqrt(x[..., 0] ** 2 + x[..., 1] ** 2) - major
        return planar**2 + x[..., 2] ** 2 - minor**2

    return Solid(-upper, upper, min(minor, major - minor), level)


@solid.register(Implicit)
def _(manifold: Implicit) -> Solid:
    facts, equations = survey(manifold.equations), manifold.equations

    def value(point: Array) -> Array:
        return equations(point)[0]

    def level(x: Array) -> Array:
        far = jnp.asarray(facts.upper + np.linalg.norm(facts.upper - facts.lower), x.dtype)
        return jnp.sign(value(far)) * jnp.vectorize(value, signature="(n)->()")(x)

    return Solid(facts.lower, facts.upper, facts.reach, level)


def is_surface(manifold: Manifold) -> bool:
    """Returns whether it is a closed surface in space that this module draws."""
    return solid.knows(manifold) and (manifold.dim, manifold.ambient_dim) == (2, 3)


def views(manifold: Manifold) -> tuple[View, View]:
    """Returns two opposite views, so that every point faces one of them.

    The longest side of the box around the surface lies to the right, the shortest one points upward.
    """
    body = solid(manifold)
    order = np.argsort(-(body.upper - body.lower), kind="stable")
    turn = np.eye(3)[order]
    turn[1] *= np.linalg.det(turn)  # a rotation, not a reflection
    sides = [("front, from above", AZIMUTH, ELEVATION), ("back, from below", AZIMUTH + math.pi, -ELEVATION)]
    return tuple(View(name, _axes(azimuth, elevation) @ turn) for name, azimuth, elevation in sides)  # type: ignore[return-value]


def _axes(azimuth: float, elevation: float) -> np.ndarray:
    plane, height = orthographic(np.eye(3), azimuth, elevation)
    return np.stack([*plane.T, height])


def check_on(manifold: Manifold, name: str, z: np.ndarray) -> None:
    """Raises ValueError, naming `name`, unless all points lie on the surface up to a hundredth of its size."""
    off = np.linalg.norm(z - np.asarray(manifold.project(jnp.asarray(z, jnp.float32))), axis=-1).max()
    if off > _OFF_SURFACE * solid(manifold).size:
        raise ValueError(f"{name} must lie on the manifold, but a point is at distance {off:.2g} from it")


def frame(manifold: Manifold, view: View) -> tuple[float, float, float, float]:
    """Returns (left, right, bottom, top) of the surface, seen from there, with a margin.

    The point of the surface closest to one far away is its outermost in that direction.
    """
    body = solid(manifold)
    far = _FAR * body.size * np.stack([-view.axes[0], view.axes[0], -view.axes[1], view.axes[1]])
    ends = np.asarray(manifold.project(jnp.asarray(body.center + far, jnp.float32)), np.float64) @ view.axes[:2].T
    left, right, bottom, top = ends[0, 0], ends[1, 0], ends[2, 1], ends[3, 1]
    margin = _MARGIN * max(right - left, top - bottom)
    return float(left - margin), float(right + margin), float(bottom - margin), float(top + margin)


def picture(manifold: Manifold, view: View, width: int) -> Picture:
    """Draws the surface in grey, lit from the upper left, its rims darker.

    Args:
        manifold: A surface, see `is_surface`.
        view: Where to look from.
        width: Pixels along the horizontal side.

    Returns:
        The image; its height follows from `frame`.
    """
    body, extent = solid(manifold), frame(manifold, view)
    left, right, bottom, top = extent
    height = max(round(width * (top - bottom) / (right - left)), 1)
    across = left + (right - left) * (np.arange(_SAMPLES * width) + 0.5) / (_SAMPLES * width)
    up = top - (top - bottom) * (np.arange(_SAMPLES * height) + 0.5) / (_SAMPLES * height)
    plane = np.stack(np.meshgrid(across, up), axis=-1)
    depth = body.center @ view.axes[2] + body.size / 2
    start = plane @ view.axes[:2] + depth * view.axes[2]
    travelled, normal = _first_hit(manifold, jnp.asarray(start, jnp.float32), jnp.asarray(view.axes[2], jnp.float32))
    travelled, normal = np.asarray(travelled, np.float64), np.asarray(normal, np.float64) @ view.axes.T
    hit = np.isfinite(travelled)
    light = np.clip(normal @ _LIGHT, 0.0, 1.0)
    grey = _DARKEST + (_LIGHTEST - _DARKEST) * light
    grey = np.where(_rims(travelled, _RIM_JUMP * body.size), _RIM, grey)
    return Picture(_averaged(grey, hit), extent)


def seen(manifold: Manifold, z: np.ndarray, view: View) -> np.ndarray:
    """Returns whether no part of the body lies between each point of the surface, (n, 3), and the viewer, (n,)."""
    direction = jnp.asarray(view.axes[2], jnp.float32)
    return ~np.asarray(_blocked(manifold, jnp.asarray(z, jnp.float32), direction))


def _rims(depth: np.ndarray, jump: float) -> np.ndarray:
    """Pixels of the nearer side of a jump in depth."""
    filled = np.where(np.isfinite(depth), depth, np.inf)
    wide = _SAMPLES
    padded = np.pad(filled, wide, constant_values=np.inf)
    rows, cols = slice(wide, -wide), slice(wide, -wide)
    neighbours = [
        padded[2 * wide :, cols],
        padded[: -2 * wide, cols],
        padded[rows, 2 * wide :],
        padded[rows, : -2 * wide],
    ]
    return np.isfinite(depth) & (np.max(neighbours, axis=0) > filled + jump)


def _averaged(grey: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Means over blocks of `_SAMPLES` squared rays."""
    rows, cols = (side // _SAMPLES for side in grey.shape)
    weights = hit.reshape(rows, _SAMPLES, cols, _SAMPLES).astype(float)
    total = weights.sum(axis=(1, 3))
    mean = np.sum(grey.reshape(weights.shape) * weights, axis=(1, 3)) / np.maximum(total, 1.0)
    return np.concatenate([np.repeat(mean[..., None], 3, axis=-1), (total / _SAMPLES**2)[..., None]], axis=-1)


def _steps(manifold: Any) -> tuple[float, int]:
    """Length of a step along a ray, and how many cross the box around the body."""
    body = solid(manifold)
    count = min(math.ceil(_STEPS_PER_REACH * body.size / body.reach), _MOST_STEPS)
    return body.size / count, count


@functools.partial(jax.jit, static_argnums=0)
def _first_hit(
    manifold: Any, start: Float[Array, "*batch 3"], towards: Float[Array, " 3"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch 3"]]:
    """Length of the way from `start` to the surface, away from the viewer, infinite without one; normal there."""
    (step, count), level = _steps(manifold), solid(manifold).level

    def at(length: Array) -> Array:
        return start - length[..., None] * towards

    def march(k: Array, first: Array) -> Array:
        inside = level(at(jnp.full(first.shape, k * step, first.dtype))) < 0
        return jnp.where(inside & jnp.isinf(first), k * step, first)

    first = jax.lax.fori_loop(0, count + 1, march, jnp.full(start.shape[:-1], jnp.inf, start.dtype))
    hit = jnp.isfinite(first)

    def bisect(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        outer, inner = ends
        middle = (outer + inner) / 2
        inside = level(at(middle)) < 0
        return jnp.where(inside, outer, middle), jnp.where(inside, middle, inner)

    inner = jnp.where(hit, first, step)
    outer, inner = jax.lax.fori_loop(0, _BISECTIONS, bisect, (inner - step, inner))
    gradient = jax.grad(lambda x: jnp.sum(level(x)))(at((outer + inner) / 2))
    length = jnp.linalg.norm(gradient, axis=-1, keepdims=True)
    return jnp.where(hit, inner, jnp.inf), gradient / jnp.where(length > 0, length, 1)


@functools.partial(jax.jit, static_argnums=0)
def _blocked(manifold: Any, z: Float[Array, "*batch 3"], towards: Float[Array, " 3"]) -> Bool[Array, "*batch"]:
    (step, count), level = _steps(manifold), solid(manifold).level

    def march(k: Array, blocked: Array) -> Array:
        return blocked | (level(z + (k + _OFF) * step * towards) < 0)

    return jax.lax.fori_loop(0, count, march, jnp.zeros(z.shape[:-1], bool))

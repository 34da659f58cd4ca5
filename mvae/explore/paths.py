"""What lies near and between codes: neighbours, geodesics, walks and orbits, with the pictures along them."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import KDTree

from mvae.explore.scenes import Scene
from mvae.explore.sheets import packed
from mvae.manifolds import SO3, Euclidean, FlatTorus, Hyperbolic, Manifold, Product, ProjectiveSpace, Sphere
from mvae.manifolds.quotient.space import QuotientSpace
from mvae.runs.trained import Trained
from mvae.transport import path

NEIGHBOURS = 6
LANDMARKS = 16  # codes between which geodesics are computed beforehand
STRIP, FINE = 9, 33  # places of a geodesic, with pictures of their own and without
WALKS, WALK_STEPS = 6, 40
ORBITS, ORBIT_TIMES = 6, 33
ORBIT_ANGLE = math.pi  # coefficient at the ends, in turns by a radian
FAR = 2.0  # times the largest code: where orbits end


class Paths(NamedTuple):
    """Paths over a latent space.

    Attributes:
        described: For each its kind, name, number and packed places, and where its pictures begin.
        pictures: Of all of them, one after the other, (n, *event).
    """

    described: list[dict[str, Any]]
    pictures: np.ndarray


class _Path(NamedTuple):
    """A path by points of the manifold (t, ambient_dim), and examples that are known along it."""

    kind: str
    name: str
    points: np.ndarray
    pictures: np.ndarray | None = None
    ends: tuple[int, int] | None = None


def neighbours(manifold: Manifold, codes: np.ndarray) -> np.ndarray:
    """Returns the codes nearest to each, (n, k): along the manifold where its distance has a formula, else in space."""
    num = min(NEIGHBOURS, len(codes) - 1)
    if not _has_formula(manifold):
        return KDTree(codes).query(codes, num + 1)[1].reshape(len(codes), -1)[:, 1:]
    points = jnp.asarray(codes, jnp.float32)

    @jax.jit
    def nearest(z: Any, row: Any) -> Any:
        distance = manifold.distance(z[None], points).at[row].set(jnp.inf)
        return jax.lax.top_k(-distance, num)[1]

    return np.asarray(jax.lax.map(lambda pair: nearest(*pair), (points, jnp.arange(len(codes))), batch_size=64))


def _has_formula(manifold: Manifold) -> bool:
    if isinstance(manifold, Product):
        return all(_has_formula(factor) for factor in manifold.factors)
    if isinstance(manifold, QuotientSpace):
        return _has_formula(manifold.cover)
    return isinstance(manifold, Euclidean | Sphere | ProjectiveSpace | FlatTorus | SO3 | Hyperbolic)


def landmarks(codes: np.ndarray) -> np.ndarray:
    """Returns the numbers of the codes between which geodesics are computed."""
    return _spread_out(codes, LANDMARKS)


def _spread_out(points: np.ndarray, num: int) -> np.ndarray:
    """Numbers of points, each the farthest from those before."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=-1)
    for _ in range(min(num, len(points)) - 1):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=-1))
    return np.array(chosen)


def paths_of(model: Trained, space: Scene, codes: np.ndarray, x: np.ndarray | None, beside: Mapping[str, Any]) -> Paths:
    """Returns walks and orbits of a model that has them, and geodesics where the page cannot find them itself.

    Args:
        model: The model.
        space: Where codes are shown.
        codes: The codes, (n, ambient_dim).
        x: The examples; None where they are not at hand, and no walk can begin.
        beside: What points are decoded with.
    """
    found = [*(() if x is None else _walks(model, codes, x)), *_orbits(model, codes)]
    solid = space.kind == "solid"  # the page has pictures all over it
    if not space.geodesic:
        found += _geodesics(model.manifold, codes, FINE if solid else STRIP)
    pictures = [each.pictures for each in found]
    unknown = [k for k, each in enumerate(found) if each.pictures is None and not (solid and each.kind == "geodesic")]
    if unknown:  # all at once, since points are decoded in batches of one size
        decoded = model.decode(np.concatenate([found[k].points for k in unknown]), **beside)
        for k, part in zip(
            unknown, np.split(decoded, np.cumsum([len(found[k].points) for k in unknown])), strict=False
        ):
            pictures[k] = part
    none = np.empty((0, *model.event_shape), np.float32)
    tiles = [none if each is None else each for each in pictures]
    firsts = np.cumsum([0, *map(len, tiles)])
    described = [
        {
            "kind": each.kind,
            "name": each.name,
            "ends": each.ends,
            "first": int(first),
            "count": len(each.points),
            "places": packed(space.place(each.points)),
        }
        for each, first in zip(found, firsts, strict=False)
    ]
    return Paths(described, np.concatenate([none, *tiles]))


def _walks(model: Trained, codes: np.ndarray, x: np.ndarray) -> list[_Path]:
    """Walks from a few examples, of a model that generates by walking."""
    try:
        walked = model.walk(x[_spread_out(codes, WALKS)], WALK_STEPS)
    except NotImplementedError:
        return []
    points = model.embed(walked.reshape(-1, *model.event_shape)).reshape(*walked.shape[:2], -1)
    return [
        _Path("walk", f"walk {k + 1}", z, pictures) for k, (z, pictures) in enumerate(zip(points, walked, strict=True))
    ]


def _orbits(model: Trained, codes: np.ndarray) -> list[_Path]:
    """Orbits of a few codes under each operator, of a model that has operators, up to where codes are no more."""
    try:
        operators = model.operators
    except NotImplementedError:
        return []
    sizes = np.linalg.norm(operators, axis=(1, 2))
    unit = math.sqrt(operators.shape[-1]) / sizes.max()
    times = jnp.asarray(ORBIT_ANGLE * unit * np.linspace(-1, 1, ORBIT_TIMES), jnp.float32)
    far = FAR * np.linalg.norm(codes, axis=1).max()
    chosen = _spread_out(codes, ORBITS)
    found = []
    for number in np.argsort(-sizes, kind="stable"):
        starts = jnp.asarray(codes[chosen], jnp.float32)
        moved = np.asarray(path(jnp.asarray(operators[number][None]), jnp.ones(1), starts, times))
        for code, z in zip(chosen, moved, strict=True):
            inside = z[np.linalg.norm(z, axis=1) <= far]
            found.append(_Path("orbit", f"operator {number + 1}, code {code}", inside))
    return [each for each in found if len(each.points) > 1]


def _geodesics(manifold: Manifold, codes: np.ndarray, num: int) -> list[_Path]:
    """Geodesics between any two landmarks."""
    marks = landmarks(codes)
    pairs = [(int(one), int(other)) for k, one in enumerate(marks) for other in marks[:k]]
    if not pairs:
        return []
    starts, ends = (jnp.asarray(codes[[pair[side] for pair in pairs]], jnp.float32) for side in (0, 1))

    @jax.jit
    def points(z: Any, w: Any) -> Any:
        times = jnp.linspace(0, 1, num)[:, None]
        return manifold.exp(z[:, None], times * manifold.log(z, w)[:, None])

    return [
        _Path("geodesic", "", z, ends=pair) for pair, z in zip(pairs, np.asarray(points(starts, ends)), strict=True)
    ]

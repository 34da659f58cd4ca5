"""Pictures whose parameter lies on a quotient: glides of spots, a rod's direction, a cube's pose, a spot and a lamp."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from mvae.manifolds import Cylinder, KleinBottle, Manifold, MobiusBand, ProjectiveSpace, RotationQuotient

SIZE = 12  # pixels a side
_SHARPNESS = 1.5  # of spots on a periodic square
_DEPTH = 2.0  # how much brighter the near end is, in log units a unit of length
_SPREAD = 0.22  # of a spot, where the body has the radius 0.7
_LAMP = 1.17  # brightness a unit of height
_CONTRAST = 4.0  # of a pixel of unit brightness; noise has unit variance


class Kind(NamedTuple):
    """Data of a known topology.

    Attributes:
        space: What the parameter lies on.
        render: Points, (n, ambient_dim) -> pictures, (n, SIZE, SIZE, 1).
        loops: Closed paths on the space by name, (steps, ambient_dim), as representatives without a jump.
        wrong: Texts of spaces to compare with.
    """

    space: Manifold
    render: Callable[[np.ndarray], np.ndarray]
    loops: Mapping[str, np.ndarray]
    wrong: tuple[str, ...]


def _scaled(pictures: np.ndarray) -> np.ndarray:
    return (_CONTRAST * pictures).astype(np.float32)[..., None]


def _circle_pairs(*angles: np.ndarray) -> np.ndarray:
    return np.concatenate([np.stack([np.cos(a), np.sin(a)], axis=-1) for a in angles], axis=-1)


def _spots(z: np.ndarray) -> np.ndarray:
    """A spot at (a, b) of the periodic square, and one where the glide (a + pi, -b) takes it: a point of the orbit."""
    pixels = 2 * math.pi * np.arange(SIZE) / SIZE
    a, b = (np.arctan2(z[:, i + 1], z[:, i])[:, None, None] for i in (0, 2))
    x, y = np.meshgrid(pixels, pixels, indexing="ij")
    both = [(a, b), (a + math.pi, -b)]
    return _scaled(np.sum([np.exp(_SHARPNESS * (np.cos(x - s) + np.cos(y - t) - 2)) for s, t in both], axis=0))


def _strip(z: np.ndarray) -> np.ndarray:
    """The same on a strip around b = 0: points are taken to the fundamental domain of the Möbius band first."""
    return _spots(_circle_pairs(*np.asarray(MobiusBand().coordinates(jnp.asarray(z))).T))


def _lit(points: np.ndarray) -> np.ndarray:
    """Pictures of points of space, (n, p, 3), seen along the third axis, nearer ones brighter."""
    pixels = np.linspace(-1, 1, SIZE)
    x, y = np.meshgrid(pixels, pixels, indexing="ij")
    across = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    light = np.exp(_DEPTH * points[..., 2])[..., None, None]
    return _scaled(np.sum(light * np.exp(-across / (2 * _SPREAD**2)), axis=1) / points.shape[1] ** 0.5 / 2)


def _rod(z: np.ndarray) -> np.ndarray:
    """A rod along a line, of which neither end is marked."""
    return _lit(0.7 * np.linspace(-1, 1, 9)[:, None] * z[:, None])


def _cube(z: np.ndarray) -> np.ndarray:
    """The midpoints of a cube's six faces; twice the contrast, since six spots that overlap vary less than one."""
    faces = np.concatenate([np.eye(3), -np.eye(3)])
    return 2 * _lit(0.7 * np.einsum("nij,pj->npi", z.reshape(-1, 3, 3), faces))


def _hand(z: np.ndarray) -> np.ndarray:
    """A spot on a ring, and a lamp amid it whose brightness grows along the cylinder, as fast as the spot moves."""
    space = Cylinder()
    angle, height = np.asarray(space.coordinates(jnp.asarray(z))).T
    spot = np.stack([0.6 * np.cos(angle), 0.6 * np.sin(angle), np.zeros_like(angle)], axis=-1)
    pixels = np.linspace(-1, 1, SIZE)
    x, y = np.meshgrid(pixels, pixels, indexing="ij")
    across = (x - spot[:, 0, None, None]) ** 2 + (y - spot[:, 1, None, None]) ** 2
    lamp = np.exp(-(x**2 + y**2) / (2 * 0.25**2))
    return _scaled(0.7 * np.exp(-across / (2 * 0.35**2)) + _LAMP * height[:, None, None] * lamp)


_TURN = np.linspace(0, 2 * math.pi, 241)
_HALF = np.linspace(0, math.pi, 241)


def _about(axis: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotations about an axis, (n, 9)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned = np.eye(3) + np.sin(angles)[:, None, None] * cross + (1 - np.cos(angles))[:, None, None] * cross @ cross
    return turned.reshape(-1, 9)


_START = _about(np.array([0.3, -0.5, 0.8]), np.array([0.9])).reshape(3, 3)


def _from_start(axis: tuple[int, int, int], angle: float) -> np.ndarray:
    turned = _about(np.array(axis, float), np.linspace(0, angle, 241)).reshape(-1, 3, 3)
    return (_START @ turned).reshape(-1, 9)


KINDS: dict[str, Kind] = {
    "klein": Kind(
        KleinBottle(),
        _spots,
        {"glide": _circle_pairs(_HALF, 0 * _HALF), "around": _circle_pairs(0 * _TURN + 0.8, _TURN)},
        ("flat_torus:2", "sphere:2", "cylinder"),
    ),
    "mobius": Kind(
        MobiusBand(), _strip, {"glide": _circle_pairs(_HALF, 0 * _HALF)}, ("cylinder", "euclidean:2", "sphere:2")
    ),
    "rod": Kind(
        ProjectiveSpace(2),
        _rod,
        {"half a turn": np.stack([np.cos(_HALF), 0.6 * np.sin(_HALF), 0.8 * np.sin(_HALF)], axis=-1)},
        ("sphere:2", "flat_torus:2"),
    ),
    "cube": Kind(
        RotationQuotient("octahedral"),
        _cube,
        {
            "quarter turn": _from_start((0, 0, 1), math.pi / 2),
            "third of a turn": _from_start((1, 1, 1), 2 * math.pi / 3),
        },
        ("so3", "euclidean:3"),
    ),
    "cylinder": Kind(
        Cylinder(), _hand, {"around": _circle_pairs(_TURN, 0 * _TURN + 1.5)}, ("mobius_band", "euclidean:2", "sphere:2")
    ),
}

"""Codes of latent points: their ambient coordinates, or their angles."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mvae.evaluation.rounding import settled
from mvae.manifolds import EmbeddedTorus, Euclidean, FlatTorus, Manifold, Sphere
from mvae.manifolds.checks import check_points
from mvae.manifolds.dispatch import open_function


def _points(manifold: Manifold, z: ArrayLike) -> np.ndarray:
    """Returns points in float64, once they are known to be on the manifold."""
    array = np.asarray(z)
    manifold.check_on("z", check_points("z", jnp.asarray(array), manifold.ambient_dim))
    return array.astype(np.float64)


def ambient_codes(manifold: Manifold, z: ArrayLike) -> Float[np.ndarray, "*batch n"]:
    """Returns the ambient coordinates of latent points as codes: the points themselves, in float64.

    Coordinates that are the same of all points but for the rounding of their dtype are made exactly so.

    >>> from mvae.manifolds import Sphere
    >>> ambient_codes(Sphere(1), np.array([[0.0, 1.0]])).tolist()
    [[0.0, 1.0]]

    Args:
        manifold: Any manifold, n its ambient dimension.
        z: Points of the manifold, (..., n), in its units of length.

    Raises:
        ValueError: Naming z, for a dtype that is not floating, a last axis other than n, or points off the manifold.
    """
    return settled(_points(manifold, z), z)


@open_function("angles as codes", "ambient_codes takes every manifold")
def angle_codes(manifold: Manifold, z: ArrayLike) -> Float[np.ndarray, "*batch d"]:
    """Returns the angles of latent points as codes, in radians.

    There are d of them, d the dimension of the manifold:

    - flat and embedded tori: their `angles`, in (-π, π];
    - the sphere of radius R: hyperspherical angles φ_1 … φ_d with z_1 = R cos φ_1, z_2 = R sin φ_1 cos φ_2, …,
      z_d = R sin φ_1 ⋯ sin φ_{d-1} cos φ_d, z_{d+1} = R sin φ_1 ⋯ sin φ_d. The first d - 1 are in [0, π], the last
      is in (-π, π]. After an angle of 0 or π those that follow are not determined; they are 0 or π there;
    - Euclidean space: the coordinates themselves, in units of length.

    An angle that crosses the cut at ±π jumps, and the metrics see the jump. Angles that are the same of all points but
    for the rounding of their dtype are made exactly so.

    >>> from mvae.manifolds import Sphere
    >>> (angle_codes(Sphere(2), np.array([[0.0, 0.0, 1.0]])) / np.pi).tolist()
    [[0.5, 0.5]]

    Args:
        manifold: Euclidean, Sphere, FlatTorus, EmbeddedTorus or one that has registered its angles,
            `angle_codes.register(Type)`: (manifold, z in float64) -> (..., d); n its ambient dimension.
        z: Points of the manifold, (..., n).

    Raises:
        NotImplementedError: For another manifold.
        ValueError: Naming z, for a dtype that is not floating, a last axis other than n, or points off the manifold.
    """
    angles = angle_codes.of(manifold)
    least = 0.0 if isinstance(manifold, Euclidean) else 1.0  # radian
    return settled(angles(manifold, _points(manifold, z)), z, least)


@angle_codes.register(FlatTorus)
@angle_codes.register(EmbeddedTorus)
def _(manifold: FlatTorus | EmbeddedTorus, z: np.ndarray) -> np.ndarray:
    return np.asarray(manifold.angles(jnp.asarray(z)), dtype=np.float64)


@angle_codes.register(Euclidean)
def _(manifold: Euclidean, z: np.ndarray) -> np.ndarray:
    del manifold
    return z


@angle_codes.register(Sphere)
def _(manifold: Sphere, z: np.ndarray) -> np.ndarray:
    del manifold
    return _hyperspherical(z)


def _hyperspherical(x: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch d"]:
    """Angles whose cosines and sines are those of `angle_codes`."""
    squares = np.cumsum(x[..., ::-1] ** 2, axis=-1)[..., ::-1]  # of the coordinates from each one on
    polar = np.arctan2(np.sqrt(squares[..., 1:-1]), x[..., :-2])
    around = np.arctan2(x[..., -1:], x[..., -2:-1])
    around = np.where(around <= -np.pi, -around, around)  # the sine of a half turn may be -0.0
    return np.concatenate([polar, around], axis=-1)

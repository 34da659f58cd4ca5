"""Topology of an encoder: the degree of the map from the space of the factors to the latent space."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from mvae.manifolds import SO3, FlatTorus, Manifold, ProjectiveSpace, Sphere
from mvae.manifolds.dispatch import open_function
from mvae.topology.simplicial_degree import projective_degree, sphere_degree


def _steps(angles: Float[np.ndarray, "loops points d"]) -> Float[np.ndarray, "loops points d"]:
    """Shortest way, in [-pi, pi), from each point of a closed loop to the next."""
    return (np.roll(angles, -1, axis=1) - angles + np.pi) % (2 * np.pi) - np.pi


def _turns(angles: Float[np.ndarray, "loops points d"]) -> Int[np.ndarray, "loops d"]:
    """Turns of each angle along closed loops, by summing the shortest way from point to point."""
    return np.rint(_steps(angles).sum(axis=1) / (2 * np.pi)).astype(int)


def _most_frequent(rows: Int[np.ndarray, "loops d"]) -> tuple[Int[np.ndarray, " d"], float]:
    """The most frequent row and its share."""
    values, counts = np.unique(rows, axis=0, return_counts=True)
    return values[counts.argmax()], float(counts.max() / len(rows))


def winding_matrix(angles: Float[np.ndarray, "*grid d"]) -> tuple[Int[np.ndarray, "d d"], float]:
    """Returns how often each angle turns along each axis of a periodic grid, and how far the grid agrees on it.

    Args:
        angles: Angles in radians on a periodic grid of d axes, (n1, ..., nd, d), no endpoint repeated.

    Returns:
        Winding: Entry (i, j) says how often angle i turns along axis j, the most frequent value among the
            parallel loops.
        consistent: Share of parallel loops that agree with `winding`, the smallest of all axes. On a circle, which
            has one loop, the share of steps shorter than a quarter turn.
    """
    d = angles.shape[-1]
    loops = [np.moveaxis(angles, axis, -2).reshape(-1, angles.shape[axis], d) for axis in range(d)]
    columns, shares = zip(*(_most_frequent(_turns(loop)) for loop in loops), strict=True)
    consistent = min(shares) if d > 1 else float((np.abs(_steps(loops[0])) < np.pi / 2).mean())
    return np.stack(columns, axis=1), consistent


class Degree(NamedTuple):
    """Degree of a map from a manifold to itself.

    Attributes:
        degree: The degree where `consistent` is 1. 0 where it is not: such a map is torn somewhere, or too steep
            for the points given.
        winding: On tori and the circle, (d, d) integers; entry (i, j) says how often latent angle i turns while
            factor j makes one turn (the most frequent value among the parallel loops). None on the other manifolds.
        consistent: On tori, share of parallel loops that agree with `winding`, the smallest of all directions. On a
            circle, share of steps shorter than a quarter turn. On the other manifolds, share of the simplices
            between neighbouring points whose corners have images within less than a quarter turn of one another.
    """

    degree: int
    winding: np.ndarray | None
    consistent: float


def _check_finite(name: str, x: np.ndarray) -> None:
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, got {np.count_nonzero(~np.isfinite(x))} entries that are not")


def _torus_degree(d: int, z: ArrayLike) -> Degree:
    z = np.asarray(z, dtype=np.float64)
    if z.ndim != d + 1 or z.shape[-1] != 2 * d or min(z.shape[:-1]) < 8:
        grid = ", ".join("nm"[:d] if d < 3 else ("n1", "...", f"n{d}"))
        raise ValueError(f"z must have shape ({grid}, {2 * d}) with {grid} of at least 8, got {z.shape}")
    _check_finite("z", z)
    winding, consistent = winding_matrix(np.arctan2(z[..., 1::2], z[..., 0::2]))
    return Degree(round(np.linalg.det(winding)) if consistent == 1.0 else 0, winding, consistent)


def _points(name: str, x: ArrayLike, manifold: Manifold) -> Float[np.ndarray, "n k"]:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[-1] != manifold.ambient_dim:
        raise ValueError(f"{name} must have shape (n, {manifold.ambient_dim}), got {points.shape}")
    _check_finite(name, points)
    manifold.check_on(name, jnp.asarray(points))
    if isinstance(manifold, SO3):
        return Rotation.from_matrix(points.reshape(-1, 3, 3)).as_quat()
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


@open_function("degree of maps", "it is counted on tori, spheres, projective spaces and SO3")
def mapping_degree(manifold: Manifold, z: ArrayLike, source: ArrayLike | None = None) -> Degree:
    """Returns the degree of an encoder from factors that form a manifold to latents on the same manifold.

    The degree counts how often the map covers a generic point, with orientation. A map of one of these manifolds to
    itself is homotopic to a homeomorphism exactly if its degree is ±1.

    - FlatTorus(d): latent angle i turns by W_ij turns along factor j, and the degree is det W. A network followed by
      a projection is continuous but where the network's output meets the centre of a circle; around such a point
      parallel loops wind differently, which `consistent` < 1 tells. The circle Sphere(1) is treated as FlatTorus(1).
    - Sphere(d), d ≥ 2: the source is triangulated and the degree counted by simplicial approximation.
    - ProjectiveSpace(d), d ≥ 2: the same for the lift of the map to S^d. Representatives may be chosen at will, of
      source and image. A map that is the identity on the fundamental group has an odd degree, one that is trivial
      there an even one. For even d, where RP^d has no orientation, the absolute value is returned.
    - SO3: the same, as RP^3; for instance n for taking the n-th power of a rotation.

    Simplicial degrees are those of the encoder if it takes the neighbourhood of each point, as far as the points
    around it, to within a quarter turn. What it does between the points is not seen.

    Args:
        manifold: FlatTorus, Sphere, ProjectiveSpace of dimension 2 or more, or SO3.
        z: Encoded images. For FlatTorus(d) on a periodic grid of the d factors, (n1, ..., nd, 2d): axis j runs
            once through factor j, endpoint not repeated. For the circle likewise, (n, 2). All n are at least 8, and
            so large that no latent angle moves by half a turn between neighbours. Else (n, ambient_dim).
        source: For the manifolds without a grid, the points of the manifold that were encoded, in the order of z,
            (n, ambient_dim), on the unit sphere whatever the radius of the latent one. They may be scattered, and
            must leave no gap on the sphere of a radius of 45 degrees or more. None for tori and the circle.

    Raises:
        ValueError: For a wrong shape, values that are not finite, points off the manifold, a source that is too sparse,
            lacking or not wanted.
        NotImplementedError: For another manifold; its `mapping_degree.register(Type)` takes (manifold, z, source).
    """
    return mapping_degree.of(manifold)(manifold, z, source)


@mapping_degree.register(FlatTorus)
def _of_torus(manifold: FlatTorus | Sphere, z: ArrayLike, source: ArrayLike | None) -> Degree:
    if source is not None:
        raise ValueError(f"source must be None for {manifold}, whose factors are on a grid")
    return _torus_degree(manifold.dim, z)


@mapping_degree.register(Sphere)
def _of_sphere(manifold: Sphere, z: ArrayLike, source: ArrayLike | None) -> Degree:
    if manifold.dim == 1:
        return _of_torus(manifold, z, source)
    return _simplicial(sphere_degree, manifold, Sphere(manifold.dim), z, source)


@mapping_degree.register(ProjectiveSpace)
@mapping_degree.register(SO3)
def _of_lines(manifold: ProjectiveSpace | SO3, z: ArrayLike, source: ArrayLike | None) -> Degree:
    if manifold.dim == 1:
        raise mapping_degree.lacking(manifold)
    return _simplicial(projective_degree, manifold, manifold, z, source)


def _simplicial(
    count: Callable[..., tuple[int, float]], manifold: Manifold, unit: Manifold, z: ArrayLike, source: ArrayLike | None
) -> Degree:
    """Degree counted on the points of a source, which lie on the manifold of radius one."""
    if source is None:
        raise ValueError(f"source must be given for {manifold}: the points that were encoded")
    image = _points("z", z, manifold)
    points = _points("source", source, unit)
    if len(points) != len(image):
        raise ValueError(f"source must have as many points as z, {len(image)}, got {len(points)}")
    degree, consistent = count(points, image)
    return Degree(degree, None, consistent)

"""How far points lie from the set that a data set without noise lies on.

Everything here is float64, on the host.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from mvae.data.dataset import number_option
from mvae.data.meshes.mesh_points import bunny_mesh
from mvae.data.meshes.triangle_distance import mesh_distance
from mvae.data.point_clouds import GRID_CENTRES, GRID_NOISE, TORUS
from mvae.errors import UsageError, unknown

Points = Float[np.ndarray, "n m"]
Distances = Float[np.ndarray, " n"]


def surface_distance(name: str, points: Any, *, dir: str = "", noise: float = GRID_NOISE) -> Float[np.ndarray, "..."]:
    """Returns the distance of points from the circle, loop, torus, sphere, moons, grid or bunny of that name.

    It is the least Euclidean distance in R^m from any point of the set, whatever noise the data have. Of
    `gaussian_grid` it is the distance from the nearest centre in units of the standard deviation around it: for the
    data themselves its square is that of a normal vector of R², with mean 2, as long as σ is small against 1.

    Args:
        name: Of the data set: `circle`, `loop`, `torus`, `sphere`, `two_moons`, `gaussian_grid` or `bunny`.
        points: `(..., m)`, an array; m is 2 or 3 as in the data set.
        dir: Bunny: the folder of its file, as in `mesh_points.bunny`.
        noise: gaussian_grid: the standard deviation σ, more than 0.

    Returns:
        `(...)`, float64; of `gaussian_grid` without unit, of the others a length in the units of the data.

    Raises:
        UsageError: If there is no such data set, σ is not a positive number, or the file of the bunny is missing or
            damaged.
        ValueError: If the points have another dimension or are not finite.

    >>> surface_distance("torus", [[3.5, 0.0, 0.0], [0.0, 0.0, 0.0]]).tolist()
    [0.5, 1.0]
    """
    if name not in _DIMS:
        raise unknown("data set of points", name, _DIMS)
    array = np.asarray(points, np.float64)
    if array.ndim < 1 or array.shape[-1] != _DIMS[name]:
        raise ValueError(f"points must be (..., {_DIMS[name]}) for {name}, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"points must be finite, got {array[~np.isfinite(array)][0]}")
    flat = array.reshape(-1, array.shape[-1])
    if name == "bunny":
        distances = mesh_distance(bunny_mesh(dir), flat)
    elif name == "gaussian_grid":
        if number_option("noise", noise, 0.0) == 0:
            raise UsageError("data option noise=0: distances in units of it need a positive number")
        distances = _from_points(flat, GRID_CENTRES) / noise
    else:
        distances = _DISTANCES[name](flat)
    return distances.reshape(array.shape[:-1])


def _from_sphere(points: Points) -> Distances:
    return np.abs(np.linalg.norm(points, axis=1) - 1)


def _from_torus(points: Points) -> Distances:
    """| |(√(x² + y²) - R, z)| - r |."""
    outward = np.hypot(points[:, 0], points[:, 1]) - TORUS.major_radius
    return np.abs(np.hypot(outward, points[:, 2]) - TORUS.minor_radius)


def _from_loop(points: Points) -> Distances:
    """The least distance at the angles of the twelve roots of a polynomial, among which all stationary points are.

    With γ(t) = (cos t, sin 2t, sin 3t), ½ d/dt |γ(t) - p|² = (γ - p)·γ' is

      x sin t - ½ sin 2t - 2y cos 2t - 3z cos 3t + sin 4t + (3/2) sin 6t for p = (x, y, z).

    Times 2i e^{6it} it is a polynomial of degree 12 in e^{it} whose coefficients of 1 and of e^{12it} do not depend on
    p. Its roots, of modulus 1 at the stationary points, are the eigenvalues of its companion matrix.
    """
    x, y, z = points.T
    coefficients = np.zeros((len(points), 13), complex)  # of e^{0it}, ..., e^{12it}
    for k, of_sin in ((1, x), (2, -0.5), (4, 1.0), (6, 1.5)):
        coefficients[:, 6 + k] += of_sin
        coefficients[:, 6 - k] -= of_sin
    for k, of_cos in ((2, -2 * y), (3, -3 * z)):
        coefficients[:, 6 + k] += 1j * of_cos
        coefficients[:, 6 - k] += 1j * of_cos
    companion = np.zeros((len(points), 12, 12), complex)
    companion[:, 1:, :-1] = np.eye(11)
    companion[:, :, -1] = -coefficients[:, :-1] / coefficients[:, -1:]
    t = np.angle(np.linalg.eigvals(companion))
    curve = np.stack([np.cos(t), np.sin(2 * t), np.sin(3 * t)], axis=-1)
    return np.linalg.norm(curve - points[:, None], axis=-1).min(axis=1)


def _from_moons(points: Points) -> Distances:
    """The lesser distance from two half circles, of which the second is the first, turned, about (1, ½)."""
    return np.minimum(_from_half_circle(points), _from_half_circle(np.array([1.0, 0.5]) - points))


def _from_half_circle(points: Points) -> Distances:
    """Distance from {|x| = 1, x_2 ≥ 0}: below it one of the ends is nearest."""
    ends = _from_points(points, np.array([[1.0, 0.0], [-1.0, 0.0]]))
    return np.where(points[:, 1] >= 0, _from_sphere(points), ends)


def _from_points(points: Points, others: Float[np.ndarray, "k m"]) -> Distances:
    return np.linalg.norm(points[:, None] - others, axis=-1).min(axis=1)


_DISTANCES: dict[str, Callable[[Points], Distances]] = {
    "circle": _from_sphere,
    "loop": _from_loop,
    "sphere": _from_sphere,
    "torus": _from_torus,
    "two_moons": _from_moons,
}
_DIMS = {"bunny": 3, "circle": 2, "gaussian_grid": 2, "loop": 3, "sphere": 3, "torus": 3, "two_moons": 2}

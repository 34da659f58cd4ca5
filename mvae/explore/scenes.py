"""How a latent space is shown to somebody who moves over it: where codes lie, and which points are decoded."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from mvae.explore import meshes
from mvae.figures import solid
from mvae.manifolds import SO3, Euclidean, FlatTorus, Manifold, ProjectiveSpace, Sphere
from mvae.manifolds.dispatch import open_function

NEAR = 16  # codes that a point of a projection is the mean of
WIDE = 2.0  # of the bandwidth, from the nearest code: farther out nothing is decoded
MARGIN = 0.06
FEW = 180  # points of a curve


class Scene(NamedTuple):
    """A latent space on the screen.

    Attributes:
        kind: "solid", a surface in space; "space", points in space; "plane"; "square", whose opposite sides are one;
            "circle"; "line".
        place: Points of the manifold, (n, ambient_dim) -> where they are shown, (n, 2 or 3).
        caption: What is seen, in a sentence.
        axes: Names of the axes.
        nodes: Points of the manifold that are decoded, (m, ambient_dim); none where only codes are.
        mesh: Where they are shown, and what lies between them: triangles, or stretches of a curve (t, 2).
        geodesic: How the shortest path between two places is found on the screen: "sphere", "projective", "torus",
            "flat"; "" where it is not, and paths are computed beforehand.
        lines: Curves on a surface that show how it lies, (l, p, 3).
        twice: Whether a place and its antipode are one point.
    """

    kind: str
    place: Callable[[np.ndarray], np.ndarray]
    caption: str
    axes: tuple[str, ...] = ()
    nodes: np.ndarray | None = None
    mesh: meshes.Mesh | None = None
    geodesic: str = ""
    lines: np.ndarray | None = None
    twice: bool = False


@open_function("scene", "its points are shown in ambient space, or by a projection of it")
def scene(manifold: Manifold, codes: np.ndarray, num: int) -> Scene:
    """Returns how a latent space is shown.

    - `Sphere(2)` and closed surfaces with a `mvae.figures.solid`: the surface. `ProjectiveSpace(2)`: the sphere, every
      point at both of its places.
    - `FlatTorus(2)`: the square of its angles. `Sphere(1)`, `FlatTorus(1)`: the circle.
    - `Euclidean(1)`, `(2)`, `(3)`, `SO3` as axes times angles, and other manifolds in space: as they are.
    - All others: a projection, of flat tori on the first two angles, else on the principal components of the codes.
      What is decoded at a place is the mean of the codes that are shown near it, on the manifold.

    A manifold of one's own registers a function of these arguments, `scene.register(Type)`.

    Args:
        manifold: The latent space.
        codes: Points on it, (n, ambient_dim).
        num: How many points may be decoded.
    """
    return scene.of(manifold)(manifold, codes, num)


@scene.register(Sphere)
def _(manifold: Sphere, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim == 1:
        return _circle(lambda z: z / manifold.radius, manifold.radius)
    if manifold.dim > 2:
        return _ambient(manifold, codes, num)
    mesh = meshes.ball(num)
    caption = "the sphere; lines of longitude and latitude are 30° apart"
    place = lambda z: z / manifold.radius  # noqa: E731
    nodes = manifold.radius * mesh.places
    return Scene("solid", place, caption, _names(3), nodes, mesh, "sphere", _graticule())


@scene.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim != 2:
        return _ambient(manifold, codes, num)
    mesh = meshes.ball(num)
    caption = "the projective plane as a sphere whose opposite points are one: every code is shown at both"
    return Scene("solid", np.asarray, caption, _names(3), mesh.places, mesh, "projective", _graticule(), twice=True)


@scene.register(FlatTorus)
def _(manifold: FlatTorus, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim == 1:
        return _circle(np.asarray)

    def place(z: np.ndarray) -> np.ndarray:
        return np.arctan2(z[:, 1:4:2], z[:, 0:4:2])

    axes = ("angle 1", "angle 2")
    if manifold.dim > 2:
        caption = f"the first two of {manifold.dim} angles; sides with the same arrows are one"
        return _projection(manifold, codes, num, place, caption, axes, 2 * math.pi)
    mesh = meshes.rectangle(np.full(2, -math.pi), np.full(2, math.pi), round(math.sqrt(num)))
    caption = "the torus as a square of two angles; sides with the same arrows are one"
    nodes = _turned(mesh.places.reshape(-1)).reshape(-1, 4)
    return Scene("square", place, caption, axes, nodes, mesh, "torus")


@scene.register(Euclidean)
def _(manifold: Euclidean, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim > 3:
        return _ambient(manifold, codes, num)
    lower, upper = _box(codes)
    if manifold.dim == 1:
        nodes = np.linspace(lower, upper, FEW)
        place = lambda z: np.stack([z[:, 0], np.full(len(z), 0.5)], axis=1)  # noqa: E731
        mesh = meshes.Mesh(np.stack([nodes[:, 0], np.full(FEW, 0.5)], axis=1), _stretches(FEW, closed=False))
        return Scene("line", place, "the line; upward is chance", ("z1",), nodes, mesh, "flat")
    if manifold.dim == 3:
        return Scene("space", np.asarray, "space", _names(3))
    mesh = meshes.rectangle(lower, upper, round(math.sqrt(num)))
    return Scene("plane", np.asarray, "the plane", _names(2), mesh.places, mesh, "flat")


@scene.register(SO3)
def _(manifold: SO3, codes: np.ndarray, num: int) -> Scene:
    del codes, num

    def place(z: np.ndarray) -> np.ndarray:
        return Rotation.from_matrix(z.reshape(-1, 3, 3)).as_rotvec()

    caption = "rotations as axis times angle, in a ball of radius π whose opposite points are one"
    return Scene("space", place, caption, ("x", "y", "z"))


@scene.register(Manifold)
def _ambient(manifold: Manifold, codes: np.ndarray, num: int) -> Scene:
    if (manifold.dim, manifold.ambient_dim) == (2, 3) and solid.knows(manifold):
        mesh = meshes.surface(manifold, num)
        return Scene("solid", np.asarray, "the surface, as it lies in space", _names(3), mesh.places, mesh)
    if manifold.ambient_dim == 2:
        return Scene("plane", np.asarray, "the plane around it", _names(2))
    if manifold.ambient_dim == 3:
        return Scene("space", np.asarray, "the space around it", _names(3))
    centre = codes.mean(axis=0)
    _, singular, directions = np.linalg.svd(codes - centre, full_matrices=True)
    variance = np.zeros(codes.shape[1])
    variance[: len(singular)] = singular**2
    share = variance[:2] / max(float(variance.sum()), np.finfo(float).tiny)
    axes = tuple(f"principal component {k + 1} ({100 * share[k]:.0f} %)" for k in range(2))
    caption = (
        f"a projection: {100 * share.sum():.0f} % of the variance of the codes, in {codes.shape[1]} coordinates; what "
        "decodes at a place is the mean of the codes shown there"
    )
    return _projection(manifold, codes, num, lambda z: (z - centre) @ directions[:2].T, caption, axes)


def _projection(
    manifold: Manifold,
    codes: np.ndarray,
    num: int,
    place: Callable[[np.ndarray], np.ndarray],
    caption: str,
    axes: tuple[str, ...],
    period: float | None = None,
) -> Scene:
    """A plane in which many points lie on top of each other, the codes near a place standing for them."""
    shown = place(codes)
    if period is None:
        lower, upper = _box(shown)
    else:
        lower, upper = np.full(2, -period / 2), np.full(2, period / 2)
    mesh = meshes.rectangle(lower, upper, round(math.sqrt(num)))
    tree = KDTree(_around(shown, period), boxsize=period)
    near = min(NEAR, len(codes))
    own = tree.query(tree.data, near)[0].reshape(len(codes), near)
    width = max(float(np.median(own[:, near // 2])), float((upper - lower).max()) / math.sqrt(num))
    distance, index = (each.reshape(-1, near) for each in tree.query(_around(mesh.places, period), near))
    weights = np.exp(-(distance**2 - distance[:, :1] ** 2) / (2 * width**2))
    weights /= weights.sum(axis=1, keepdims=True)
    nodes = _means(manifold, codes[index], weights)
    known = (distance[:, 0] <= WIDE * width) & np.isfinite(nodes).all(axis=1)
    number = np.cumsum(known) - 1
    cells = number[mesh.cells[known[mesh.cells].all(axis=1)]]
    kept = meshes.Mesh(mesh.places[known], cells)
    return Scene("plane" if period is None else "square", place, caption, axes, nodes[known], kept)


def _around(places: np.ndarray, period: float | None) -> np.ndarray:
    """Places in [0, period)."""
    if period is None:
        return places
    turned = np.mod(places, period)
    return np.where(turned < period, turned, 0.0)  # of what is just below 0


def _means(manifold: Manifold, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means exp(z, Σ w log(z, z_k)) of points (m, k, n) seen from z, the first of each."""

    @jax.jit
    def mean(points: Any, weights: Any) -> Any:
        first = points[:, 0]
        velocity = jnp.sum(weights[..., None] * manifold.log(points[:, :1], points), axis=1)
        return manifold.exp(first, velocity)

    return np.asarray(mean(jnp.asarray(points, jnp.float32), jnp.asarray(weights, jnp.float32)))


def _circle(place: Callable[[np.ndarray], np.ndarray], radius: float = 1.0) -> Scene:
    angles = np.linspace(-math.pi, math.pi, FEW, endpoint=False)
    mesh = meshes.Mesh(_turned(angles), _stretches(FEW, closed=True))
    caption = "the circle; how far outward is chance"
    return Scene("circle", place, caption, (), radius * mesh.places, mesh, "sphere")


def _turned(angles: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _stretches(num: int, *, closed: bool) -> np.ndarray:
    index = np.arange(num if closed else num - 1)
    return np.stack([index, (index + 1) % num], axis=1)


def spread(scene: Scene, places: np.ndarray) -> np.ndarray:
    """Returns places of codes, on curves moved aside at random so that they do not hide each other."""
    chance = np.random.default_rng(1).uniform(size=len(places))
    if scene.kind == "circle":
        return places * (1.04 + 0.14 * chance)[:, None]
    return np.stack([places[:, 0], chance], axis=1) if scene.kind == "line" else places


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a box around all but a few points, with a margin."""
    lower, upper = np.quantile(points, [0.002, 0.998], axis=0)
    sides = np.maximum(upper - lower, 1e-6 * max(1.0, float(np.abs(points).max())))
    return lower - MARGIN * sides.max(), upper + MARGIN * sides.max()


def _names(num: int) -> tuple[str, ...]:
    return tuple(f"z{k + 1}" for k in range(num))


def _graticule() -> np.ndarray:
    """Lines of longitude and latitude of the unit sphere, (l, p, 3)."""
    fine = np.linspace(-math.pi, math.pi, 121)
    lines = []
    for longitude in np.arange(0, math.pi, math.pi / 6):
        flat = np.stack([np.cos(longitude) * np.cos(fine), np.sin(longitude) * np.cos(fine), np.sin(fine)], axis=1)
        lines.append(flat)
    for latitude in np.arange(-2, 3) * math.pi / 6:
        around = math.cos(latitude) * _turned(fine)
        lines.append(np.concatenate([around, np.full((len(fine), 1), math.sin(latitude))], axis=1))
    return np.stack(lines)

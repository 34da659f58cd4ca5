"""How a latent space is shown to somebody who moves over it: where codes lie, and which points are decoded."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from mvae.explore import meshes
from mvae.explore.projection import box, projected
from mvae.figures import solid
from mvae.manifolds import (
    SO3,
    Euclidean,
    FlatQuotient,
    FlatTorus,
    Hyperbolic,
    Manifold,
    ProjectiveSpace,
    Quotient,
    QuotientSpace,
    RotationQuotient,
    Sphere,
)
from mvae.manifolds.dispatch import open_function

FEW = 180  # points of a curve
MOST_IMAGES = 12  # of a point, that are all shown
RIM = 0.999  # of the Poincaré disc: codes that are farther out, 7.6 radii of curvature, are not decoded around
BEYOND = 0.25  # how far beyond the codes places are decoded, in half radii of curvature


class Scene(NamedTuple):
    """A latent space on the screen.

    Attributes:
        kind: "solid", a surface in space; "space", points in space; "plane"; "square", a box of the plane whose sides
            are glued or borders; "disc", that of Poincaré; "circle"; "line".
        place: Points of the manifold, (n, ambient_dim) -> where they are shown, (n, 2 or 3).
        caption: What is seen, in a sentence.
        axes: Names of the axes.
        nodes: Points of the manifold that are decoded, (m, ambient_dim); none where only codes are.
        mesh: Where they are shown, and what lies between them: triangles, or stretches of a curve (t, 2).
        geodesic: How the shortest path between two places is found on the screen: "sphere", "hyperbolic", "box",
            "flat"; "" where it is not, and paths are computed beforehand.
        lines: Curves on a surface that show how it lies, (l, p, 3).
        images: Rotations and reflections, (g, 3, 3), whose images of a place are one point, the identity first.
        sides: Ends (low, high) of the coordinates of a square or line.
        edges: What both ends of each are: "glued" to one, "flipped", glued with a flip, or "boundary".
    """

    kind: str
    place: Callable[[np.ndarray], np.ndarray]
    caption: str
    axes: tuple[str, ...] = ()
    nodes: np.ndarray | None = None
    mesh: meshes.Mesh | None = None
    geodesic: str = ""
    lines: np.ndarray | None = None
    images: np.ndarray | None = None
    sides: tuple[tuple[float, float], ...] = ()
    edges: tuple[str, ...] = ()


@open_function("scene", "its points are shown in ambient space, or by a projection of it")
def scene(manifold: Manifold, codes: np.ndarray, num: int) -> Scene:
    """Returns how a latent space is shown.

    - `Sphere(2)` and closed surfaces with a `mvae.figures.solid`: the surface. `ProjectiveSpace(2)`: the sphere, every
      point at both of its places.
      Other quotients of the sphere, by few isometries: likewise, at all of them.
    - `FlatTorus(2)`, `KleinBottle`, `MobiusBand`, `Cylinder`: the box of their coordinates, with arrows on sides that
      are one. `Interval`: the line. `Sphere(1)`, `FlatTorus(1)`: the circle.
    - `Hyperbolic(2)`: the Poincaré disc; `(3)`: the ball.
    - `Euclidean(1)`, `(2)`, `(3)`, and other manifolds in space: as they are. `SO3`: axes times angles, modulo a
      symmetry those of the least angle.
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
    caption = "the sphere; lines of longitude and latitude are 30° apart"
    return _globe(num, caption, radius=manifold.radius)


@scene.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim != 2:
        return _ambient(manifold, codes, num)
    caption = "the projective plane as a sphere whose opposite points are one: every code is shown at both"
    return _globe(num, caption, images=np.stack([np.eye(3), -np.eye(3)]))


def _globe(num: int, caption: str, *, radius: float = 1.0, images: np.ndarray | None = None) -> Scene:
    mesh = meshes.ball(num)
    place = lambda z: z / radius  # noqa: E731
    return Scene("solid", place, caption, _names(3), radius * mesh.places, mesh, "sphere", _graticule(), images)


@scene.register(FlatTorus)
def _(manifold: FlatTorus, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim == 1:
        return _circle(np.asarray)

    def place(z: np.ndarray) -> np.ndarray:
        return np.arctan2(z[:, 1:4:2], z[:, 0:4:2])

    axes, sides, edges = ("angle 1", "angle 2"), ((-math.pi, math.pi),) * 2, ("glued", "glued")
    if manifold.dim > 2:
        caption = f"the first two of {manifold.dim} angles; sides with the same arrows are one"
        nodes, mesh = projected(manifold, codes, place(codes), num, 2 * math.pi)
        return Scene("square", place, caption, axes, nodes, mesh, sides=sides, edges=edges)
    mesh = meshes.rectangle(np.full(2, -math.pi), np.full(2, math.pi), round(math.sqrt(num)))
    caption = "the torus as a square of two angles; sides with the same arrows are one"
    nodes = _turned(mesh.places.reshape(-1)).reshape(-1, 4)
    return Scene("square", place, caption, axes, nodes, mesh, "box", sides=sides, edges=edges)


@scene.register(FlatQuotient)
def _(manifold: FlatQuotient, codes: np.ndarray, num: int) -> Scene:
    del codes
    low, high = np.array(manifold.sides).T
    of_points, to_points = jax.jit(manifold.coordinates), jax.jit(manifold.from_coordinates)
    place = lambda z: np.asarray(of_points(jnp.asarray(z, jnp.float32)))  # noqa: E731
    sides, edges = manifold.sides, manifold.edges
    if manifold.dim == 1:
        along = np.linspace(low, high, FEW)
        mesh = meshes.Mesh(np.stack([along[:, 0], np.full(FEW, 0.5)], axis=1), _stretches(FEW, closed=False))
        nodes, caption = np.asarray(to_points(along)), "the interval; upward is chance"
        on_line = lambda z: np.stack([place(z)[:, 0], np.full(len(z), 0.5)], axis=1)  # noqa: E731
        return Scene("line", on_line, caption, ("along",), nodes, mesh, "flat", sides=sides, edges=edges)
    ratio = min(float((high - low).max() / (high - low).min()), 9.0)
    mesh = meshes.rectangle(low, high, round(math.sqrt(num * ratio)))
    name = {"KleinBottle": "the Klein bottle", "MobiusBand": "the Möbius band", "Cylinder": "the cylinder"}
    caption = f"{name.get(type(manifold).__name__, 'the space')} cut open: sides with the same arrows are one"
    caption += ", thick sides are its border" if "boundary" in edges else ""
    nodes = np.asarray(to_points(mesh.places))
    return Scene("square", place, caption, ("along", "across"), nodes, mesh, "box", sides=sides, edges=edges)


@scene.register(Quotient)
def _(manifold: Quotient, codes: np.ndarray, num: int) -> Scene:
    cover, images = manifold.cover, manifold.group.array
    if isinstance(cover, Sphere) and cover.dim == 2 and len(images) <= MOST_IMAGES:
        caption = f"the sphere, of which {len(images)} points at a time are one: every code is shown at all of them"
        return _globe(num, caption, radius=cover.radius, images=images)
    return _of_orbits(manifold, codes, num)


@scene.register(QuotientSpace)
def _of_orbits(manifold: QuotientSpace, codes: np.ndarray, num: int) -> Scene:
    """Each point by the representative that is nearest to the first code."""
    first = jnp.asarray(codes[:1], jnp.float32)
    nearest = jax.jit(manifold.nearest_representative)
    near = lambda z: np.asarray(nearest(first, jnp.asarray(z, jnp.float32)))  # noqa: E731
    shown = _ambient(manifold, near(codes), num)
    return shown._replace(place=lambda z: shown.place(near(z)))


@scene.register(RotationQuotient)
def _(manifold: RotationQuotient, codes: np.ndarray, num: int) -> Scene:
    del codes, num
    orbit = jax.jit(manifold.orbit)

    def place(z: np.ndarray) -> np.ndarray:
        images = np.asarray(orbit(jnp.asarray(z, jnp.float32))).reshape(-1, 3, 3)
        turns = Rotation.from_matrix(images).as_rotvec().reshape(manifold.group.order, len(z), 3)
        least = np.argmin(np.round(np.linalg.norm(turns, axis=-1), 5), axis=0)
        return turns[least, np.arange(len(z))]

    caption = f"poses modulo the {manifold.group.order} rotations of a symmetry: axis times angle, of the least angle"
    return Scene("space", place, caption, ("x", "y", "z"))


@scene.register(Hyperbolic)
def _(manifold: Hyperbolic, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim > 3:
        return _ambient(manifold, codes, num)
    disc = jax.jit(manifold.poincare_disc)
    place = lambda z: np.asarray(disc(jnp.asarray(z, jnp.float32)))  # noqa: E731
    if manifold.dim == 3:
        caption = "hyperbolic space as the Poincaré ball, whose rim is infinitely far"
        return Scene("space", place, caption, ("x1", "x2", "x3"))
    far = float(np.quantile(np.linalg.norm(place(codes), axis=1), 0.998))
    mesh = meshes.disc(math.tanh(math.atanh(min(far, RIM)) + BEYOND), num)
    square = np.sum(mesh.places**2, axis=1, keepdims=True)
    nodes = manifold.radius * np.concatenate([1 + square, 2 * mesh.places], axis=1) / (1 - square)
    caption = (
        "the Poincaré disc, whose rim is infinitely far; circles are 1, 2, 3, … radii of curvature from the origin"
    )
    return Scene("disc", place, caption, (), nodes, mesh, "hyperbolic", sides=((-1.0, 1.0),) * 2)


@scene.register(Euclidean)
def _(manifold: Euclidean, codes: np.ndarray, num: int) -> Scene:
    if manifold.dim > 3:
        return _ambient(manifold, codes, num)
    lower, upper = box(codes)
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
    place = lambda z: (z - centre) @ directions[:2].T  # noqa: E731
    nodes, mesh = projected(manifold, codes, place(codes), num)
    return Scene("plane", place, caption, axes, nodes, mesh)


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

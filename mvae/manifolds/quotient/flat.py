"""Flat quotients of one or two dimensions: interval, cylinder, Möbius band and Klein bottle."""

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.manifolds.checks import check_points, check_radius
from mvae.manifolds.flat_torus import FlatTorus
from mvae.manifolds.product import Product
from mvae.manifolds.pushforward import UniformMap, uniform_map
from mvae.manifolds.quotient.groups import block_diagonal, generated_by, turn
from mvae.manifolds.quotient.space import QuotientSpace
from mvae.manifolds.sphere import Sphere

_REFLECTION = np.diag([1.0, -1.0])  # of a circle: the angle b goes to -b
_SIDEWAYS = np.diag([-1.0, 1.0])  # to pi - b
_HALF_TURN = turn(math.pi)
_KLEIN = generated_by(block_diagonal(_HALF_TURN, _REFLECTION))
_CYLINDER = generated_by(block_diagonal(np.eye(2), _REFLECTION))
_MOBIUS = generated_by(block_diagonal(_HALF_TURN, _REFLECTION), block_diagonal(np.eye(2), _SIDEWAYS))
_INTERVAL = generated_by(_REFLECTION)


class FlatQuotient(QuotientSpace):
    """A quotient of a product of circles, with coordinates on a fundamental domain that is a box."""

    @property
    def radii(self) -> tuple[float, ...]:
        """Radii of the circles whose product the cover is."""
        raise NotImplementedError

    @property
    def sides(self) -> tuple[tuple[float, float], ...]:
        """Ends (low, high) of each coordinate on the fundamental domain."""
        raise NotImplementedError

    @property
    def edges(self) -> tuple[str, ...]:
        """What the two ends of each coordinate are: "boundary", "glued" to one, or "flipped", glued with a flip."""
        raise NotImplementedError

    def coordinates(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch d"]:
        """Coordinates of points on the fundamental domain, lengths, the same for each representative.

        Args:
            z: Points, (..., 2d).

        Returns:
            Coordinates, (..., d), between the ends that `sides` has. They jump where an edge is glued to another.
        """
        pairs = self._points("z", z).reshape(*z.shape[:-1], self.dim, 2)
        return self._folded(jnp.arctan2(pairs[..., 1], pairs[..., 0])) * jnp.asarray(self.radii, z.dtype)

    def from_coordinates(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch n"]:
        """Points with given coordinates.

        Args:
            x: Lengths, (..., d), of any size: what lies beyond the domain is reflected or glued as the space says.

        Returns:
            Points, (..., 2d).
        """
        radii = jnp.asarray(self.radii, jnp.asarray(x).dtype)
        angles = check_points("x", x, self.dim) / radii
        pairs = radii[:, None] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        return pairs.reshape(*pairs.shape[:-2], 2 * self.dim)

    def _folded(self, angles: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        """Angles of the representative in the fundamental domain, for angles in [-pi, pi]."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Interval(FlatQuotient):
    """An interval, [0, L] = S^1 / {1, reflection}: Brownian motion is reflected at both ends.

    >>> space = Interval(2.0)
    >>> space.coordinates(space.from_coordinates(jnp.array([[-0.5], [3.0]]))).round(5).tolist()
    [[0.5], [1.0]]

    Args:
        length: L.

    Raises:
        ValueError: If `length` is not positive and finite.
    """

    length: float = math.pi
    dim = 1
    group = _INTERVAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", _check_length("length", self.length))
        object.__setattr__(self, "cover", Sphere(1, self.length / math.pi))

    @property
    def radii(self) -> tuple[float, ...]:
        """L / pi."""
        return (self.length / math.pi,)

    @property
    def sides(self) -> tuple[tuple[float, float], ...]:
        """(0, L)."""
        return ((0.0, self.length),)

    @property
    def edges(self) -> tuple[str, ...]:
        """Of each coordinate."""
        return ("boundary",)

    def _folded(self, angles: Array) -> Array:
        return jnp.abs(angles)


@dataclasses.dataclass(frozen=True)
class Cylinder(FlatQuotient):
    """A circle times an interval, of the circumference C and the height H, with reflecting ends.

    Args:
        circumference: C.
        height: H.

    Raises:
        ValueError: If one of them is not positive and finite.
    """

    circumference: float = 2 * math.pi
    height: float = math.pi
    dim = 2
    group = _CYLINDER

    def __post_init__(self) -> None:
        object.__setattr__(self, "circumference", _check_length("circumference", self.circumference))
        object.__setattr__(self, "height", _check_length("height", self.height))
        object.__setattr__(self, "cover", _circles(self.radii))

    @property
    def radii(self) -> tuple[float, ...]:
        """C / 2 pi and H / pi."""
        return (self.circumference / (2 * math.pi), self.height / math.pi)

    @property
    def sides(self) -> tuple[tuple[float, float], ...]:
        """(-C/2, C/2), whose ends are one, and (0, H)."""
        return ((-self.circumference / 2, self.circumference / 2), (0.0, self.height))

    @property
    def edges(self) -> tuple[str, ...]:
        """Of each coordinate."""
        return ("glued", "boundary")

    def _folded(self, angles: Array) -> Array:
        return jnp.stack([angles[..., 0], jnp.abs(angles[..., 1])], axis=-1)


@dataclasses.dataclass(frozen=True)
class MobiusBand(FlatQuotient):
    """The Möbius band with a central circle of the length L and the width W, with a reflecting border.

    It is the torus of angles (a, b) modulo (a, b) -> (a + pi, -b) and (a, b) -> (a, pi - b).

    Args:
        length: L.
        width: W.

    Raises:
        ValueError: If one of them is not positive and finite.
    """

    length: float = math.pi
    width: float = math.pi
    dim = 2
    group = _MOBIUS

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", _check_length("length", self.length))
        object.__setattr__(self, "width", _check_length("width", self.width))
        object.__setattr__(self, "cover", _circles(self.radii))

    @property
    def radii(self) -> tuple[float, ...]:
        """L / pi and W / pi."""
        return (self.length / math.pi, self.width / math.pi)

    @property
    def sides(self) -> tuple[tuple[float, float], ...]:
        """(0, L), whose ends are glued with a flip, and (-W/2, W/2)."""
        return ((0.0, self.length), (-self.width / 2, self.width / 2))

    @property
    def edges(self) -> tuple[str, ...]:
        """Of each coordinate."""
        return ("flipped", "boundary")

    def _folded(self, angles: Array) -> Array:
        along, across = _glided(angles)
        beyond = jnp.abs(across) > math.pi / 2
        return jnp.stack([along, jnp.where(beyond, jnp.sign(across) * math.pi - across, across)], axis=-1)


@dataclasses.dataclass(frozen=True)
class KleinBottle(FlatQuotient):
    """The Klein bottle: the flat torus of angles (a, b) modulo (a, b) -> (a + pi, -b), of area 2 pi^2.

    >>> z = FlatTorus(2).from_angles(jnp.array([[0.5, 1.0], [0.5 - math.pi, -1.0]]))
    >>> round(float(KleinBottle().distance(z[0], z[1])), 6)
    0.0
    """

    dim = 2
    group = _KLEIN
    cover = FlatTorus(2)

    @property
    def radii(self) -> tuple[float, ...]:
        """1 and 1."""
        return (1.0, 1.0)

    @property
    def sides(self) -> tuple[tuple[float, float], ...]:
        """(0, pi), whose ends are glued with a flip, and (-pi, pi), whose ends are one."""
        return ((0.0, math.pi), (-math.pi, math.pi))

    @property
    def edges(self) -> tuple[str, ...]:
        """Of each coordinate."""
        return ("flipped", "glued")

    def _folded(self, angles: Array) -> Array:
        return jnp.stack(_glided(angles), axis=-1)


def _glided(angles: Float[Array, "*batch 2"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Angles whose first is in [0, pi], under (a, b) -> (a + pi, -b)."""
    along, across = angles[..., 0], angles[..., 1]
    return jnp.where(along < 0, along + math.pi, along), jnp.where(along < 0, -across, across)


@functools.cache
def _circles(radii: tuple[float, ...]) -> Product:
    return Product(tuple(Sphere(1, radius) for radius in radii))


def _check_length(name: str, value: float) -> float:
    try:
        return check_radius(value)
    except ValueError as error:
        raise ValueError(str(error).replace("radius", name, 1)) from None


@uniform_map.register(FlatQuotient)
def _(manifold: FlatQuotient) -> UniformMap:
    low, high = np.array(manifold.sides).T

    def carried(u: Float[Array, "*batch d"]) -> Float[Array, "*batch n"]:
        return manifold.from_coordinates(jnp.asarray(low, u.dtype) + jnp.asarray(high - low, u.dtype) * u)

    return carried

"""The torus of revolution in three dimensions."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from mvae.manifolds import safe_math, torus_geodesics
from mvae.manifolds.checks import check_points
from mvae.manifolds.flat_torus import FlatTorus
from mvae.manifolds.manifold import Manifold


def _check_radii(major_radius: float, minor_radius: float) -> tuple[float, float]:
    """Returns both as `float`; raises `ValueError` unless 0 < minor_radius < major_radius < infinity."""
    given = f"got major_radius={major_radius!r}, minor_radius={minor_radius!r}"
    try:
        major, minor = float(major_radius), float(minor_radius)
    except (TypeError, ValueError):
        raise ValueError(f"major_radius and minor_radius must be numbers, {given}") from None
    if not 0 < minor < major < math.inf:
        raise ValueError(f"minor_radius must be positive and less than major_radius, both finite: {given}")
    return major, minor


def _join(planar: Float[Array, "*batch 2"], height: Float[Array, "*batch"]) -> Float[Array, "*batch 3"]:
    return jnp.concatenate([planar, height[..., None]], axis=-1)


@jax.jit
def _off_tube(
    x: Float[Array, "*batch 3"], major_radius: Float[Array, ""] | float, minor_radius: Float[Array, ""] | float
) -> Float[Array, "*batch"]:
    tube = jnp.stack([safe_math.norm(x[..., :2]) - major_radius, x[..., 2]], axis=-1)
    return jnp.abs(safe_math.norm(tube) - minor_radius)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def angle_of_area(ratio: float, level: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Solves x + ratio · sin x = level, 0 < ratio < 1 and |level| ≤ π: the minor angle up to which area has grown.

    Newton's method from 0, from which the iterates are monotone.
    """

    def newton(_: Int[Array, ""], minor: Array) -> Array:
        gap = minor + ratio * jnp.sin(minor) - level
        return minor - gap / (1 + ratio * jnp.cos(minor))

    return jax.lax.fori_loop(0, 20, newton, jnp.zeros_like(level))


@angle_of_area.defjvp
def _angle_of_area_jvp(ratio: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    minor = angle_of_area(ratio, *primals)
    return minor, tangents[0] / (1 + ratio * jnp.cos(minor))


@dataclasses.dataclass(frozen=True)
class EmbeddedTorus(Manifold):
    """The surface in R^3 of a tube of radius a around a circle of radius c > a.

      ((c + a cos x) cos y, (c + a cos x) sin y, a sin x),

    with minor angle x around the tube, 0 on the outer equator, and major angle y around the axis.

    Geodesics are computed: `exp` by a symmetric integrator of order 8 with a fixed number of steps, `log` and
    `distance` by descent on the energy of paths on both sides of the tube, then by Newton's method for `exp`.
    Limits, measured for the default radii: `exp` has error below 1e-9 up to |v| = 10, more than the diameter,
    and in float32 a few eps times |v| + 1, magnified as the geodesics spread on the inner side; twice the
    length costs a factor of 2^8. For a/c from 0.1 to 0.8 `distance` was the least of a dense search for every
    pair tried, the cut locus included; a thinner tube needs more terms in the descent and is not supported in
    `log` and `distance` beyond some turns of the tube.

    >>> round(EmbeddedTorus().volume / math.pi**2, 6)
    7.2

    Args:
        major_radius: Radius c of the core circle, a length.
        minor_radius: Radius a of the tube, a length.

    Raises:
        ValueError: Unless 0 < minor_radius < major_radius, both finite.
    """

    major_radius: float = 3.0
    minor_radius: float = 0.6

    def __post_init__(self) -> None:
        major, minor = _check_radii(self.major_radius, self.minor_radius)
        object.__setattr__(self, "major_radius", major)
        object.__setattr__(self, "minor_radius", minor)

    @property
    def dim(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Dimension 2."""
        return 2

    @property
    def ambient_dim(self) -> int:
        """Dimension 3."""
        return 3

    @property
    def volume(self) -> float:
        """4 pi^2 a c, an area."""
        return 4 * math.pi**2 * self.major_radius * self.minor_radius

    @property
    def log_volume(self) -> float:
        """Logarithm of 4 pi^2 a c."""
        return math.log(self.volume)

    @property
    def _ratio(self) -> float:
        return self.minor_radius / self.major_radius

    def circles(self, x: Float[Array, "*batch 3"]) -> Float[Array, "*batch 4"]:
        """Point of `FlatTorus(2)` with the angles of the closest point.

        Args:
            x: Points of the ambient space, (..., 3).

        Returns:
            (cos x, sin x, cos y, sin y) of the closest point, (..., 4).
        """
        x = self._points("x", x)
        tube = jnp.stack([safe_math.norm(x[..., :2]) - self.major_radius, x[..., 2]], axis=-1)
        return jnp.concatenate([safe_math.normalize(tube), safe_math.normalize(x[..., :2])], axis=-1)

    def _point(self, circles: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3"]:
        radius = self.major_radius + self.minor_radius * circles[..., :1]
        return _join(radius * circles[..., 2:], self.minor_radius * circles[..., 1])

    def _normal(self, z: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
        circles = self.circles(z)
        return _join(circles[..., :1] * circles[..., 2:], circles[..., 1])

    def _frame(
        self, circles: Float[Array, "*batch 4"]
    ) -> tuple[Float[Array, "*batch 3"], Float[Array, "*batch 3"], Float[Array, "*batch 1"]]:
        """Returns the unit tangent vectors along the two angles, and the distance c + a cos x from the axis."""
        radial = circles[..., 2:]
        around = jnp.stack([-radial[..., 1], radial[..., 0]], axis=-1)
        radius = self.major_radius + self.minor_radius * circles[..., :1]
        first = _join(-circles[..., 1:2] * radial, circles[..., 0])
        return first, _join(around, jnp.zeros_like(circles[..., 0])), radius

    def angles(self, z: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Minor and major angle.

        Args:
            z: Points of the torus, (..., 3).

        Returns:
            Angles (x, y) in (-pi, pi], (..., 2), in radians.
        """
        return FlatTorus(2).angles(self.circles(z))

    def from_angles(self, a: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Points with the given minor and major angle.

        Args:
            a: Angles (x, y), (..., 2), in radians, of any size.

        Returns:
            Points of the torus, (..., 3).
        """
        return self._point(FlatTorus(2).from_angles(check_points("a", a, 2)))

    def project(self, x: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """Returns the closest point, with a convention for the two sets of points that have many.

        On the axis it is the closest point of major angle 0 and on the core circle that on the outer equator,
        each with derivative 0 in the angle that is chosen so.
        """
        return self._point(self.circles(x))

    def to_tangent(self, z: Float[Array, "*#batch 3"], v: Float[Array, "*#batch 3"]) -> Float[Array, "*batch 3"]:
        """Returns v - <n, v> n with the unit normal n at z."""
        z, v = self._pair(("z", "v"), z, v)
        normal = self._normal(z)
        return v - jnp.sum(normal * v, axis=-1, keepdims=True) * normal

    def exp(self, z: Float[Array, "*#batch 3"], v: Float[Array, "*#batch 3"]) -> Float[Array, "*batch 3"]:
        """Returns the end of the geodesic, integrated; see the class for its accuracy."""
        z, v = jnp.broadcast_arrays(*self._pair(("z", "v"), z, v))
        circles = self.circles(z)
        along_minor, along_major, radius = self._frame(circles)
        rate = jnp.stack(
            [
                jnp.sum(along_minor * v, axis=-1) / self.minor_radius,
                jnp.sum(along_major * v, axis=-1) / radius[..., 0],
            ],
            axis=-1,
        )
        minor = jnp.arctan2(circles[..., 1], circles[..., 0])
        turn = torus_geodesics.flow(self._ratio, minor, rate)
        return self._point(FlatTorus(2).rotate(circles, turn))

    def _rates(self, z: Float[Array, "*batch 3"], w: Float[Array, "*batch 3"]) -> tuple[Array, Array]:
        """Returns the four coordinates of z on the circles and the rates of the geodesic to w."""
        start = self.circles(z)
        turn = FlatTorus(2).angles_between(start, self.circles(w))
        minor = jnp.arctan2(start[..., 1], start[..., 0])
        return start, torus_geodesics.shoot(self._ratio, minor, turn)

    def log(self, z: Float[Array, "*#batch 3"], w: Float[Array, "*#batch 3"]) -> Float[Array, "*batch 3"]:
        """Returns the initial velocity of a shortest geodesic; on the cut locus it is one of several."""
        circles, rate = self._rates(*jnp.broadcast_arrays(*self._ends(z, w)))
        along_minor, along_major, radius = self._frame(circles)
        return self.minor_radius * rate[..., :1] * along_minor + radius * rate[..., 1:] * along_major

    def distance(self, z: Float[Array, "*#batch 3"], w: Float[Array, "*#batch 3"]) -> Float[Array, "*batch"]:
        """Returns the length of `log`, with derivative 0 at w = z and that of `log`'s branch on the cut locus."""
        circles, rate = self._rates(*jnp.broadcast_arrays(*self._ends(z, w)))
        radius = self.major_radius + self.minor_radius * circles[..., 0]
        return safe_math.norm(jnp.stack([self.minor_radius * rate[..., 0], radius * rate[..., 1]], axis=-1))

    def scalar_curvature(self, z: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Returns 2 cos x / (a (c + a cos x))."""
        cosine = self.circles(z)[..., 0]
        return 2 * cosine / (self.minor_radius * (self.major_radius + self.minor_radius * cosine))

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape 3"]:
        """Draws from the uniform distribution: y uniform, x by the inverse of its distribution function.

        x + (a/c) sin x is uniform.
        """
        level, major = jnp.moveaxis(jax.random.uniform(key, (*shape, 2), minval=-math.pi, maxval=math.pi), -1, 0)
        minor = angle_of_area(self._ratio, level)
        return self.from_angles(jnp.stack([minor, major], axis=-1))

    def contains(self, x: Float[Array, "*batch 3"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether the distance from the surface is at most atol."""
        return self._off(self._points("x", x)) <= atol

    @property
    def _size(self) -> float:
        return max(self.minor_radius, self.major_radius / 100)  # rounding of a thin tube is that of its core

    def _off(self, x: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        return _off_tube(x, self.major_radius, self.minor_radius)

"""Hyperbolic space, the hyperboloid in Minkowski space."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_dim, check_radius
from mvae.manifolds.hyperbolic.quantile import LONGEST, distance_per_length
from mvae.manifolds.manifold import Manifold

# Distances from the origin, in units of the radius: where both points are within _FAR, differences of coordinates lose
# nothing; where one is within _NEAR and the other beyond _FAR, their product does not; else polar coordinates are used.
_NEAR, _FAR = 0.5, 1.0


def _dot(x: Float[Array, "*#batch d"], y: Float[Array, "*#batch d"]) -> Float[Array, "*batch 1"]:
    return jnp.sum(x * y, axis=-1, keepdims=True)


def _time(x: Float[Array, "*batch d"]) -> Float[Array, "*batch 1"]:
    """Hyperbolic cosine of the distance r of the point with spatial part x: sqrt(1 + |x|^2), without overflow."""
    return safe_math.norm(jnp.concatenate([jnp.ones_like(x[..., :1]), x], axis=-1))[..., None]


def _sinhc(r: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """sinh(r) / r for r >= 0, with derivative 0 at 0."""
    small = r < float(jnp.finfo(r.dtype).eps) ** 0.25
    safe = jnp.where(small, 1, r)
    return jnp.where(small, 1 + r**2 / 6, jnp.sinh(safe) / safe)


def _over_sinhc(s: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """arcsinh(s) / s for s >= 0, with derivative 0 at 0."""
    small = s < float(jnp.finfo(s.dtype).eps) ** 0.25
    safe = jnp.where(small, 1, s)
    return jnp.where(small, 1 - s**2 / 6, jnp.arcsinh(safe) / safe)


def _polar(x: Float[Array, "*batch d"], away: Bool[Array, "*batch 1"]) -> tuple[Array, Array]:
    """Distance r from the origin, (..., 1), and direction, where `away` says that the point is not near it."""
    pole = jnp.zeros_like(x).at[..., 0].set(1)
    x = jnp.where(away, x, pole)
    length = safe_math.norm(x)[..., None]
    return jnp.arcsinh(length), x / length


def _from_frame(x: Float[Array, "*batch d"], v: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
    """End of the geodesic from x with velocity v in the frame that is carried to x from the origin; spatial parts."""
    length = safe_math.norm(v)[..., None]
    sine = _sinhc(length) * v
    away = safe_math.norm(x)[..., None] > math.sinh(_NEAR)
    near = sine + (jnp.cosh(length) + _dot(x, sine) / (1 + _time(x))) * x
    r, u = _polar(x, away)
    along = _dot(u, v)
    beside = v - along * u
    # Inward steps lose digits to cancellation unless sinh(r) cosh(s) + cosh(r) sinh(s) cos is written by sinh(r +- s);
    # short ones lose few, and have derivatives by this form alone.
    long = length > _FAR
    speed = jnp.where(long, length, 1)
    cosine = jnp.clip(along / speed, -1, 1)
    share = _dot(beside, beside) / speed**2  # 1 - cosine^2, without cancellation
    outward = jnp.where(cosine > 0, 1 + cosine, share / (1 + jnp.abs(cosine)))
    inward = jnp.where(cosine > 0, share / (1 + jnp.abs(cosine)), 1 - cosine)
    steep = (jnp.sinh(r + speed) * outward + jnp.sinh(r - speed) * inward) / 2
    brief = jnp.where(long, 0, length)
    short = jnp.sinh(r) * jnp.cosh(brief) + jnp.cosh(r) * _sinhc(brief) * along
    far = jnp.where(long, steep, short) * u + _sinhc(length) * beside
    return jnp.where(away, far, near)


def _to_frame(x: Float[Array, "*#batch d"], b: Float[Array, "*#batch d"]) -> Float[Array, "*batch d"]:
    """Tangent vectors with spatial part b at x, in the frame that is carried to x from the origin."""
    time = _time(x)
    return b - x * _dot(x, b) / (time * (1 + time))


def _out_of_frame(x: Float[Array, "*#batch d"], v: Float[Array, "*#batch d"]) -> Float[Array, "*batch d"]:
    """Undoes `_to_frame`."""
    return v + x * _dot(x, v) / (1 + _time(x))


def _chord_squared(x: Float[Array, "*#batch d"], y: Float[Array, "*#batch d"]) -> Float[Array, "*batch"]:
    """sinh^2 of half the distance."""
    lengths = jnp.stack([safe_math.norm(x), safe_math.norm(y)])
    near = jnp.min(lengths, axis=0) < math.sinh(_NEAR)
    beside = jnp.max(lengths, axis=0) < math.sinh(_FAR)
    apart, times = x - y, _time(x) + _time(y)
    difference = _dot(apart, apart) - (_dot(apart, x + y) / times) ** 2
    product = 2 * (_time(x) * _time(y) - _dot(x, y) - 1)
    pole = jnp.zeros_like(x).at[..., 0].set(1)
    x, y = (jnp.where(near[..., None], pole, point) for point in (x, y))
    outward, around = _steps_between(x, y)
    polar = jnp.sinh(jnp.arcsinh(outward) / 2) ** 2
    polar = polar + safe_math.norm(x)[..., None] / safe_math.norm(y)[..., None] * _dot(around, around) / 4
    return jnp.where(near[..., None], jnp.where(beside[..., None], difference, product) / 4, polar)[..., 0]


def _steps_between(x: Float[Array, "*batch d"], y: Float[Array, "*batch d"]) -> tuple[Array, Array]:
    """Returns sinh(s - r), (..., 1), and |y| (v - u), for x and y at distances r and s in directions u and v; x not 0.

    Both by the difference of the points, so that they keep their digits where it is small, unless y is much nearer to
    the origin.
    """
    length, reach = safe_math.norm(x)[..., None], safe_math.norm(y)[..., None]
    apart = y - x
    longer = _dot(apart, x + y) / (length + reach)
    outward = longer * ((length + reach) / (length * _time(y) + reach * _time(x)))
    u = x / length
    return outward, jnp.where(reach < length / 2, y - u * reach, apart - u * longer)


@dataclasses.dataclass(frozen=True)
class Hyperbolic(Manifold):
    """H^d of curvature K < 0: the points (x_0, x) of R^(d+1) with x_0 > 0 and x_0^2 - |x|^2 = R^2, R = 1 / sqrt(-K).

    The metric is the one that the Minkowski form -x_0^2 + |x|^2 induces, not the Euclidean one: the length of a tangent
    vector v is sqrt(|v|^2 - v_0^2), see `norm`. A point, and a tangent vector at a point, is told by its spatial part,
    the last d coordinates; the first follows from it, whatever is given. Distances are computed in polar coordinates,
    so that they are right in float32 where x_0 w_0 - <x, w> is rounding alone; all is finite within 40 R of the origin.

    It has no uniform distribution: Brownian motion from the origin at `prior_time` takes its place as reference
    distribution and prior.

    >>> space = Hyperbolic(2)
    >>> z, w = space.from_tangent(jnp.array([[1.0, 0.0], [-2.0, 0.0]]))
    >>> round(float(space.distance(z, w)), 5)
    3.0

    Args:
        dim: Dimension d, at least 2.
        curvature: Sectional curvature K, in units of one over length squared.
        prior_time: Time of the prior, a length squared, at most 12 R^2 / (d - 1).

    Raises:
        ValueError: For values outside of these ranges.
    """

    dim: int
    curvature: float = -1.0
    prior_time: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_dim(self.dim))
        if self.dim < 2:
            raise ValueError(f"dim must be at least 2, got {self.dim}: of dimension 1 it is the line, Euclidean(1)")
        try:
            curvature = float(self.curvature)
        except (TypeError, ValueError):
            raise ValueError(f"curvature must be a number, got {self.curvature!r}") from None
        if not (-math.inf < curvature < 0):
            raise ValueError(f"curvature must be negative and finite, got {self.curvature!r}")
        object.__setattr__(self, "curvature", curvature)
        try:
            prior_time = check_radius(self.prior_time)
        except ValueError as error:
            raise ValueError(str(error).replace("radius", "prior_time", 1)) from None
        object.__setattr__(self, "prior_time", prior_time)
        if -curvature * prior_time * (self.dim - 1) > LONGEST:
            raise ValueError(
                f"prior_time must be at most {LONGEST / (self.dim - 1) / -curvature:.3g} at this dimension and "
                f"curvature, got {prior_time}"
            )

    @property
    def radius(self) -> float:
        """R = 1 / sqrt(-K)."""
        return 1 / math.sqrt(-self.curvature)

    @property
    def ambient_dim(self) -> int:
        """Dimension d + 1."""
        return self.dim + 1

    @property
    def log_volume(self) -> float:
        """Infinity."""
        return math.inf

    def from_tangent(self, v: Float[Array, "*batch d"]) -> Float[Array, "*batch n"]:
        """Points reached from the origin (R, 0, ..., 0) by the geodesics of initial velocity (0, v).

        Args:
            v: Vectors, (..., d).

        Returns:
            Points, (..., d + 1).
        """
        v = jnp.asarray(v) / self.radius
        return self._point(_sinhc(safe_math.norm(v)[..., None]) * v)

    def to_origin(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch d"]:
        """Undoes `from_tangent`: distance from the origin times direction.

        Args:
            z: Points, (..., d + 1).

        Returns:
            Vectors, (..., d).
        """
        x = self._spatial("z", z)
        return self.radius * _over_sinhc(safe_math.norm(x)[..., None]) * x

    def carry(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch d"]) -> Float[Array, "*batch n"]:
        """Points reached from z by the geodesics whose velocity is (0, v) at the origin, carried to z from there.

        For v ~ N(0, I) the velocity is isotropic at z.

        Args:
            z: Points, (..., d + 1).
            v: Vectors, (..., d), lengths.

        Returns:
            Points, (..., d + 1).
        """
        return self._point(_from_frame(*jnp.broadcast_arrays(self._spatial("z", z), v / self.radius)))

    def norm(self, v: Float[Array, "*#batch n"], z: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Lengths of tangent vectors v at z in the metric of the space, (...)."""
        return safe_math.norm(_to_frame(self._spatial("z", z), v[..., 1:]))

    def poincare_disc(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch d"]:
        """Returns x / (R + x_0), the points in the unit ball by stereographic projection."""
        x = self._spatial("z", z)
        return x / (1 + _time(x))

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns the point with the spatial part of x; it is the nearest along the axis of x_0."""
        return self._point(self._spatial("x", x))

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the tangent vector with the spatial part of v: v_0 = <x, v> / x_0."""
        z, v = self._pair(("z", "v"), z, v)
        x, b = jnp.broadcast_arrays(self._spatial("z", z), v[..., 1:])
        return jnp.concatenate([_dot(x, b) / _time(x), b], axis=-1)

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns cosh(|v|/R) z + sinh(|v|/R) R v / |v|, by the spatial part of v."""
        z, v = self._pair(("z", "v"), z, v)
        x, b = jnp.broadcast_arrays(self._spatial("z", z), v[..., 1:] / self.radius)
        return self._point(_from_frame(x, _to_frame(x, b)))

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the tangent vector at z that `exp` takes to w."""
        z, w = self._ends(z, w)
        x, y = jnp.broadcast_arrays(self._spatial("z", z), self._spatial("w", w))
        pole = jnp.zeros_like(x).at[..., 0].set(1)
        away, reached = ((safe_math.norm(point) > math.sinh(_NEAR))[..., None] for point in (x, y))
        near = y + (_dot(x, y) / (1 + _time(x)) - _time(y)) * x
        r, u = _polar(x, away)
        along = _dot(u, y)
        inward = (along * jnp.cosh(r) - jnp.sinh(r) * _time(y) - along) * u + y
        outward, around = _steps_between(jnp.where(away, x, pole), jnp.where(reached, y, pole))
        turned = _dot(around, around) / (2 * safe_math.norm(jnp.where(reached, y, pole))[..., None])  # |y| (1 - cos)
        far = (outward - jnp.cosh(r) * turned + turned) * u + around
        sine = jnp.where(away, jnp.where(reached, far, inward), near)
        v = _over_sinhc(safe_math.norm(sine)[..., None]) * sine
        return self.to_tangent(z, jnp.pad(self.radius * _out_of_frame(x, v), [(0, 0)] * (v.ndim - 1) + [(1, 0)]))

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns 2 R arcsinh of the root of sinh^2(r/2R), with derivative 0 at w = z."""
        z, w = self._ends(z, w)
        square = _chord_squared(*jnp.broadcast_arrays(self._spatial("z", z), self._spatial("w", w)))
        apart = square > float(jnp.finfo(square.dtype).tiny)
        return jnp.where(apart, 2 * self.radius * jnp.arcsinh(jnp.sqrt(jnp.where(apart, square, 1))), 0)

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns d (d - 1) K."""
        return self._constant(z, self.dim * (self.dim - 1) * self.curvature)

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws from Brownian motion started at the origin, at `prior_time`: it stands in for the uniform one."""
        step = jax.random.normal(key, (*shape, self.dim))
        time = jnp.asarray(self.prior_time / self.radius**2, step.dtype)
        ratio = distance_per_length(self.dim, time, safe_math.norm(step))
        return self.from_tangent(self.radius * ratio[..., None] * step)

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether x_0 is sqrt(R^2 + |x|^2) up to atol, relative to it."""
        return self._off(self._points("x", x)) <= atol

    @property
    def _size(self) -> float:
        return self.radius

    def _off(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        time = self.radius * _time(x[..., 1:] / self.radius)[..., 0]
        return self.radius * jnp.abs(x[..., 0] - time) / time

    def _spatial(self, name: str, x: Float[Array, "*batch n"]) -> Float[Array, "*batch d"]:
        """Spatial part, in units of R."""
        return self._points(name, x)[..., 1:] / self.radius

    def _point(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch n"]:
        """Point with a spatial part in units of R."""
        return self.radius * jnp.concatenate([_time(x), x], axis=-1)

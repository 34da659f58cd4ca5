"""The round sphere."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_dim, check_radius
from mvae.manifolds.manifold import Manifold


def _dot(x: Float[Array, "*#batch n"], y: Float[Array, "*#batch n"]) -> Float[Array, "*batch 1"]:
    return jnp.sum(x * y, axis=-1, keepdims=True)


def _tangent_part(u: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
    return v - _dot(u, v) * u


def _angle(z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
    """Angle between two vectors of one length: no arccos of a cosine, which is blind below sqrt(eps)."""
    return 2 * jnp.arctan2(safe_math.norm(z - w), safe_math.norm(z + w))


def _any_tangent(u: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
    """Unit tangent vector at u: the tangent part of the coordinate axis that is least aligned with u."""
    axis = jax.nn.one_hot(jnp.argmin(jnp.abs(u), axis=-1), u.shape[-1], dtype=u.dtype)
    return safe_math.normalize(_tangent_part(u, axis))


@jax.jit
def _off_sphere(x: Float[Array, "*batch n"], radius: Float[Array, ""] | float) -> Float[Array, "*batch"]:
    return jnp.abs(safe_math.norm(x) - radius)


@dataclasses.dataclass(frozen=True)
class Sphere(Manifold):
    """S^d of radius R in R^(d+1): |z| = R.

    >>> Sphere(dim=2).volume / math.pi
    4.0

    Args:
        dim: Dimension d.
        radius: Radius R, a length.

    Raises:
        ValueError: If `dim` is not an integer of at least 1, or `radius` is not positive and finite.
    """

    dim: int
    radius: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_dim(self.dim))
        object.__setattr__(self, "radius", check_radius(self.radius))

    @property
    def ambient_dim(self) -> int:
        """Dimension d + 1."""
        return self.dim + 1

    @property
    def log_volume(self) -> float:
        """Logarithm of 2 pi^((d+1)/2) R^d / Gamma((d+1)/2)."""
        half = (self.dim + 1) / 2
        return math.log(2) + half * math.log(math.pi) + self.dim * math.log(self.radius) - math.lgamma(half)

    @property
    def volume(self) -> float:
        """2 pi^((d+1)/2) R^d / Gamma((d+1)/2); 0 where that underflows (d in the hundreds)."""
        half = (self.dim + 1) / 2
        if half > 100:
            return math.exp(self.log_volume)
        return 2 * math.pi**half / math.gamma(half) * self.radius**self.dim

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns R x / |x|; (R, 0, ..., 0) with derivative 0 where max|x| < sqrt(tiny), so at the origin."""
        return self.radius * safe_math.normalize(self._points("x", x))

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns v - <z, v> z / R^2."""
        z, v = self._pair(("z", "v"), z, v)
        return _tangent_part(z / self.radius, v)

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns cos(|v|/R) z + sin(|v|/R) R v / |v|.

        The length of z is freed from rounding first: steps on end do not leave the sphere.
        """
        z, v = self._pair(("z", "v"), z, v)
        # A step of Newton's for the length, which squares the error; bounded for what is no point of the sphere.
        z = z * (1.5 - 0.5 * jnp.minimum(_dot(z, z) / self.radius**2, 2))
        angle_squared = _dot(v, v) / self.radius**2
        return safe_math.cos_sqrt(angle_squared) * z + safe_math.sinc_sqrt(angle_squared) * v

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the shortest tangent vector that `exp` takes to w.

        Within 4 eps of the antipode of z every direction is as good: then it is that of the tangent part of
        the coordinate axis least aligned with z.
        """
        return self.log_unchecked(*self._ends(z, w))

    def log_unchecked(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns `log` of arrays that are points of the sphere, in one dtype."""
        u, chord, antichord = z / self.radius, (w - z) / self.radius, (w + z) / self.radius
        sine_squared = _dot(chord, chord) / 4  # of half the angle
        # Chord, antichord and w / R have the same tangent part; the shorter one loses nothing to cancellation.
        tangent = _tangent_part(u, jnp.where(sine_squared < 0.5, chord, antichord))
        near = sine_squared < safe_math.taylor_threshold(u)
        small = safe_math.angle_over_sine(jnp.where(near, sine_squared, 0)) * tangent

        length = safe_math.norm(tangent)[..., None]
        opposite = ~near & (length < 4 * float(jnp.finfo(u.dtype).eps))
        direction = tangent / jnp.where(near | opposite, 1, length)
        direction = jnp.where(opposite, _any_tangent(u), direction)
        return self.radius * jnp.where(near, small, _angle(z, w)[..., None] * direction)

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns 2 R atan2(|z - w|, |z + w|), with derivative 0 along the sphere at w = z and at w = -z."""
        return self.distance_unchecked(*self._ends(z, w))

    def distance_unchecked(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns `distance` of arrays that are points of the sphere, in one dtype."""
        return self.radius * _angle(z, w)

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns d (d - 1) / R^2."""
        return self._constant(z, self.dim * (self.dim - 1) / self.radius**2)

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws from the uniform distribution: the projection of N(0, I)."""
        return self.project(jax.random.normal(key, (*shape, self.ambient_dim)))

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether | |x| - R | <= atol."""
        return self._off(self._points("x", x)) <= atol

    @property
    def _size(self) -> float:
        return self.radius

    def _off(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        return _off_sphere(x, self.radius)

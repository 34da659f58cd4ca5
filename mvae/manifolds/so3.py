"""The rotations of space."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_points
from mvae.manifolds.manifold import Manifold

# By bytes of the dtype. After n squarings a relative gap of 40 / 2^n of the two largest eigenvalues is resolved
# to rounding; a normal random matrix has a smaller one with a chance near 10^-5 and 10^-9.
_SQUARINGS = {4: 14, 8: 20}
_PAIRS = [(i, j) for i in range(4) for j in range(i, 4)]


def _matrix(x: Float[Array, "*batch 9"]) -> Float[Array, "*batch 3 3"]:
    return x.reshape(*x.shape[:-1], 3, 3)


def _flat(a: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 9"]:
    return a.reshape(*a.shape[:-2], 9)


def _transpose(a: Float[Array, "*batch n m"]) -> Float[Array, "*batch m n"]:
    return jnp.swapaxes(a, -1, -2)


@jax.jit
def _matmul(a: Float[Array, "*#batch n m"], b: Float[Array, "*#batch m k"]) -> Float[Array, "*batch n k"]:
    # Entry by entry: one pass over the batch, and accelerators round the factors of their own product of matrices.
    (n, m), k = a.shape[-2:], b.shape[-1]
    entries = [sum(a[..., i, s] * b[..., s, j] for s in range(m)) for i in range(n) for j in range(k)]
    return jnp.stack(entries, axis=-1).reshape(*jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2]), n, k)


def _between(z: Float[Array, "*#batch 9"], x: Float[Array, "*#batch 9"]) -> Float[Array, "*batch 3 3"]:
    """Returns Z^T X."""
    return _matmul(_transpose(_matrix(z)), _matrix(x))


@jax.jit
def _axial(a: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    """Vector of the antisymmetric matrix A - A^T."""
    return jnp.stack([a[..., j, i] - a[..., i, j] for i, j in ((1, 2), (2, 0), (0, 1))], axis=-1)


@jax.jit
def _cross_matrix(v: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Matrix of the cross product, [v] x = v x x."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = jnp.zeros_like(x)
    return jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*v.shape[:-1], 3, 3)


def _davenport(a: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4 4"]:
    """Symmetric matrix K with <R(q), A> = q^T K q for every unit quaternion q.

    Its eigenvalues are s1 + s2 + s3, s1 - s2 - s3, -s1 + s2 - s3 and -s1 - s2 + s3, with s1 >= s2 >= |s3| the
    singular values of A, s3 having the sign of det A.
    """
    trace = jnp.trace(a, axis1=-2, axis2=-1)[..., None, None]
    axial = _axial(a)[..., None]
    block = a + _transpose(a) - trace * jnp.eye(3, dtype=a.dtype)
    return jnp.block([[trace, _transpose(axial)], [axial, block]])


def _largest_column(a: Float[Array, "*batch 4 4"]) -> Float[Array, "*batch 4"]:
    """Column of a positive semidefinite matrix that has the largest diagonal entry."""
    largest = jnp.argmax(jnp.diagonal(a, axis1=-2, axis2=-1), axis=-1)
    return jnp.sum(jnp.where(jnp.arange(4) == largest[..., None, None], a, 0), axis=-1)


def _square(_: Any, entries: list[Array]) -> list[Array]:
    """Squares a symmetric matrix over its trace, given and returned as the entries on and above the diagonal."""
    entry = dict(zip(_PAIRS, entries, strict=True))
    scale = 1 / (entry[0, 0] + entry[1, 1] + entry[2, 2] + entry[3, 3])
    rows = [[entry[min(i, j), max(i, j)] * scale for j in range(4)] for i in range(4)]
    return [sum((rows[i][k] * rows[j][k] for k in range(1, 4)), rows[i][0] * rows[j][0]) for i, j in _PAIRS]


@jax.jit
def _leading_eigenvector(a: Float[Array, "*batch 4 4"]) -> Float[Array, "*batch 4"]:
    """Unit vector in the leading eigenspace of a positive semidefinite matrix, by repeated squaring.

    Squaring tends to the projector onto that space, whatever its dimension, and rounds as well as a stable
    eigensolver does: the gaps grow faster than the errors.
    """
    entries = jax.lax.fori_loop(0, _SQUARINGS[a.dtype.itemsize], _square, [a[..., i, j] for i, j in _PAIRS])
    entry = dict(zip(_PAIRS, entries, strict=True))
    full = jnp.stack([entry[min(i, j), max(i, j)] for i in range(4) for j in range(4)], axis=-1)
    return safe_math.normalize(_largest_column(full.reshape(a.shape)))


@jax.jit
def _rotation(q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Rotation by a unit quaternion (s, v): (s^2 - |v|^2) I + 2 v v^T + 2 s [v]."""
    s, x, y, z = (q[..., i] for i in range(4))
    rows = (
        (s**2 + x**2 - y**2 - z**2, 2 * (x * y - s * z), 2 * (x * z + s * y)),
        (2 * (x * y + s * z), s**2 - x**2 + y**2 - z**2, 2 * (y * z - s * x)),
        (2 * (x * z - s * y), 2 * (y * z + s * x), s**2 - x**2 - y**2 + z**2),
    )
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


@jax.custom_jvp
def _nearest_rotation(a: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3 3"]:
    """Rotation R of the largest <R, A>, for a matrix A of norm near 1 or zero."""
    bound = math.sqrt(3) * safe_math.norm(_flat(a))[..., None, None]  # of the eigenvalues of K
    bound = jnp.where(bound > 0, bound, 1)
    return _rotation(_leading_eigenvector(_davenport(a) + bound * jnp.eye(4, dtype=a.dtype)))


@_nearest_rotation.defjvp
def _nearest_rotation_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # With P = R^T A symmetric and dR = R [w], the antisymmetric part of R^T dA says (tr P - P) w = axial(R^T dA).
    (a,), (da,) = primals, tangents
    rotation = _nearest_rotation(a)
    stretch = _matmul(_transpose(rotation), a)
    stretch = (stretch + _transpose(stretch)) / 2
    gaps = jnp.trace(stretch, axis1=-2, axis2=-1)[..., None, None] * jnp.eye(3, dtype=a.dtype) - stretch
    # Rows of the adjugate; the eigenvalues of `gaps` are s2 + s3, s1 + s3 and s1 + s2.
    adjugate = jnp.stack([jnp.cross(gaps[..., i, :], gaps[..., j, :]) for i, j in ((1, 2), (2, 0), (0, 1))], axis=-2)
    determinant = jnp.sum(gaps[..., 0, :] * adjugate[..., 0, :], axis=-1)[..., None]
    size = safe_math.norm(_flat(adjugate))[..., None]
    unique = determinant > 4 * float(jnp.finfo(a.dtype).eps) * size
    axial = _axial(_matmul(_transpose(rotation), da))[..., None]
    turn = _matmul(adjugate, axial)[..., 0] / jnp.where(unique, determinant, 1)
    return rotation, _matmul(rotation, _cross_matrix(jnp.where(unique, turn, 0)))


@jax.jit
def _quaternion_between(z: Float[Array, "*#batch 9"], w: Float[Array, "*#batch 9"]) -> Float[Array, "*batch 4"]:
    """Unit quaternion q, with q_0 >= 0, of the rotation Z^T W."""
    # 4 q q^T = K(Z^T W) + I, by the difference of the points, so that a small angle keeps its digits.
    identity = jnp.zeros((4, 4), z.dtype).at[0, 0].set(4)
    q = safe_math.normalize(_largest_column(_davenport(_between(z, w - z)) + identity))
    return jnp.where(q[..., :1] < 0, -q, q)


def _determinant(a: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    return jnp.sum(a[..., 0, :] * jnp.cross(a[..., 1, :], a[..., 2, :]), axis=-1)


@jax.jit
def _off_rotations(x: Float[Array, "*batch 9"]) -> Float[Array, "*batch"]:
    """|X^T X - I| / 2, and 2 at least, the distance of a reflection, where the determinant is negative."""
    unlike = safe_math.norm(_flat(_between(x, x) - jnp.eye(3, dtype=x.dtype))) / 2
    return jnp.where(_determinant(_matrix(x)) < 0, jnp.maximum(unlike, 2), unlike)


@dataclasses.dataclass(frozen=True)
class SO3(Manifold):
    """SO(3) in R^9: rotations of space as 3 x 3 matrices, row by row, with the Frobenius metric.

    A rotation by the angle a is at distance sqrt(2) a of the identity, which makes this the projective space
    RP^3 of radius 2 sqrt(2). The cut locus of a rotation is at half turns from it; there `log` takes one of the
    two ways, and the derivative of `distance` is that way's, or 0.

    >>> float(SO3().scalar_curvature(jnp.eye(3).ravel()))
    0.75
    """

    dim = 3

    @property
    def ambient_dim(self) -> int:
        """9."""
        return 9

    @property
    def log_volume(self) -> float:
        """Logarithm of 16 sqrt(2) pi^2."""
        return math.log(self.volume)

    @property
    def volume(self) -> float:
        """16 sqrt(2) pi^2."""
        return 16 * math.sqrt(2) * math.pi**2

    def from_quaternion(self, q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 9"]:
        """Rotation by a quaternion.

        Args:
            q: Quaternions (cos(a/2), sin(a/2) axis), (..., 4), of any length but 0.

        Returns:
            Rotations, (..., 9); q and -q give the same.
        """
        return _flat(_rotation(safe_math.normalize(check_points("q", q, 4))))

    def project(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Returns the nearest rotation, with its exact derivative; at a rotation that is the tangent part.

        With singular values s1 >= s2 >= |s3| of x, s3 having the sign of its determinant, the nearest rotation
        is unique if s2 + s3 > 0. Else it is one of the nearest and the derivative is set to 0; where max|x| <
        sqrt(tiny) it is the identity.
        """
        x = self._points("x", x)
        scale = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True))
        degenerate = scale < float(jnp.finfo(x.dtype).tiny) ** 0.5
        scaled = jnp.where(degenerate, 0, x) / jnp.where(degenerate, 1, scale)
        return _flat(_nearest_rotation(_matrix(scaled)))

    def to_tangent(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns Z times the antisymmetric part of Z^T V."""
        z, v = self._pair(("z", "v"), z, v)
        return _flat(_matmul(_matrix(z), _cross_matrix(_axial(_between(z, v)) / 2)))

    def exp(self, z: Float[Array, "*#batch n"], v: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns Z times the rotation about the axial vector of Z^T V by its length (Rodrigues).

        Z is freed from rounding first, by Z (3 - Z^T Z) / 2: steps on end do not leave the rotations.
        """
        z, v = self._pair(("z", "v"), z, v)
        z = 1.5 * z - 0.5 * _flat(_matmul(_matrix(z), _between(z, z)))
        turn = _axial(_between(z, v)) / 2
        half_squared = jnp.sum(turn**2, axis=-1, keepdims=True) / 4
        half_turn = safe_math.sinc_sqrt(half_squared) / 2 * turn
        q = jnp.concatenate([safe_math.cos_sqrt(half_squared), half_turn], axis=-1)
        return _flat(_matmul(_matrix(z), _rotation(q)))

    def log(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
        """Returns the shortest tangent vector that `exp` takes to w; a half turn goes either way."""
        z, w = self._ends(z, w)
        q = _quaternion_between(z, w)
        cosine, axis = q[..., :1], q[..., 1:]  # of and by half the angle
        sine = safe_math.norm(axis)[..., None]
        quarter_squared = jnp.sum(axis**2, axis=-1, keepdims=True) / (2 * (1 + cosine))
        near = quarter_squared < safe_math.taylor_threshold(q)
        series = safe_math.angle_over_sine(jnp.where(near, quarter_squared, 0))
        ratio = jnp.where(near, series, jnp.arctan2(sine, cosine) / jnp.where(near, 1, sine))
        return _flat(_matmul(_matrix(z), _cross_matrix(2 * ratio * axis)))

    def distance(self, z: Float[Array, "*#batch n"], w: Float[Array, "*#batch n"]) -> Float[Array, "*batch"]:
        """Returns sqrt(2) times the angle of the rotation Z^T W, with derivative 0 at w = z."""
        z, w = self._ends(z, w)
        q = _quaternion_between(z, w)
        return 2 * math.sqrt(2) * jnp.arctan2(safe_math.norm(q[..., 1:]), q[..., 0])

    def scalar_curvature(self, z: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """Returns 3/4."""
        return self._constant(z, 0.75)

    def uniform(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Float[Array, "*shape n"]:
        """Draws from the uniform distribution: the rotation by a normal quaternion."""
        return self.from_quaternion(jax.random.normal(key, (*shape, 4)))

    def contains(self, x: Float[Array, "*batch n"], atol: float = 1e-5) -> Bool[Array, "*batch"]:
        """Returns whether |X^T X - I| / 2 <= atol and det X > 0."""
        x = self._points("x", x)
        return (self._off(x) <= atol) & (_determinant(_matrix(x)) > 0)

    def _off(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        return _off_rotations(x)

"""The equations F = 0 of an implicit manifold, and the linear algebra of their Jacobian at one point.

Everything here takes one point, a vector of size n; `jnp.vectorize` makes batches of it in `implicit.py`. The
matrices are as small as the ambient space, so they are eliminated in place, by operations that compile into the
loops around them, instead of by calls to LAPACK.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_dim

Constraint = Callable[[Array], Array]
dot = functools.partial(jnp.matmul, precision="highest")  # accelerators round the factors of a product otherwise


class Frame(NamedTuple):
    """Tangent and normal space at a point.

    Attributes:
        residual: F divided by the lengths of the gradients, (m,); zero where a gradient vanishes.
        normals: Unit gradients N, (m, n); zero where a gradient vanishes.
        lengths: Lengths of the gradients, (m,); one where a gradient vanishes.
        metric: Inverse of N N^T, (m, m); zero on gradients that depend on those before.
        tangent: Orthogonal projection onto the tangent space, (n, n).
    """

    residual: Float[Array, " m"]
    normals: Float[Array, "m n"]
    lengths: Float[Array, " m"]
    metric: Float[Array, "m m"]
    tangent: Float[Array, "n n"]

    def multipliers(self, u: Float[Array, " n"]) -> Float[Array, " m"]:
        """Coefficients, in the unit gradients, of the normal part of u."""
        return dot(self.metric, dot(self.normals, u))

    def rise(self, values: Float[Array, " m"]) -> Float[Array, " n"]:
        """Shortest vector along which the equations grow by `values`, times the lengths of the gradients."""
        return dot(dot(self.metric, values), self.normals)


@dataclasses.dataclass(frozen=True)
class Equations:
    """The map F from R^n to R^(n-d), checked, with its derivatives at a point."""

    constraint: Constraint
    dim: int
    ambient_dim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_dim(self.dim))
        object.__setattr__(self, "ambient_dim", _check_ambient_dim(self.ambient_dim, self.dim))
        _check_constraint(self.constraint, self.ambient_dim, self.ambient_dim - self.dim)

    def __call__(self, x: Float[Array, " n"]) -> Float[Array, " m"]:
        """F at x, in the dtype of x."""
        return jnp.reshape(self.constraint(x), (-1,)).astype(x.dtype)

    def frame(self, x: Float[Array, " n"]) -> Frame:
        """Tangent and normal space at x, of the level set through x."""
        jacobian = jax.jacrev(self)(x)
        lengths = safe_math.norm(jacobian)
        regular = lengths > 0
        lengths = jnp.where(regular, lengths, 1)
        normals = jacobian / lengths[:, None]
        metric, _, _ = invert_positive(dot(normals, normals.T), 100 * float(jnp.finfo(x.dtype).eps))
        tangent = jnp.eye(x.size, dtype=x.dtype) - dot(normals.T, dot(metric, normals))
        return Frame(jnp.where(regular, self(x) / lengths, 0), normals, lengths, metric, tangent)

    def hessians(self, x: Float[Array, " n"], frame: Frame) -> Float[Array, "m n n"]:
        """Second derivatives of F over the lengths of the gradients."""
        return jax.jacfwd(jax.jacrev(self))(x) / frame.lengths[:, None, None]

    def bend(self, x: Float[Array, " n"], v: Float[Array, " n"], frame: Frame) -> Float[Array, " m"]:
        """Second derivative of F along v, twice, over the lengths of the gradients."""

        def slope(y: Array) -> Array:
            return jax.jvp(self, (y,), (v,))[1]

        return jax.jvp(slope, (x,), (v,))[1] / frame.lengths

    def spread(self, x: Float[Array, " n"], p: Float[Array, " n"], frame: Frame) -> Float[Array, "n n"]:
        """Derivative of x by its closest point p along the tangent space, completed by 1 on the normal space.

        It is one minus the second fundamental form along x - p: the Hessian, along the manifold, of half the
        squared distance to x.
        """
        weights = frame.multipliers(x - p) / frame.lengths
        curved = jax.hessian(lambda y: jnp.sum(weights * self(y)))(p)
        return jnp.eye(x.size, dtype=x.dtype) + dot(frame.tangent, dot(curved, frame.tangent))


def invert_positive(
    matrix: Float[Array, "n n"], least: float
) -> tuple[Float[Array, "n n"], Float[Array, ""], Bool[Array, ""]]:
    """Inverse of a positive definite matrix by symmetric elimination.

    Args:
        matrix: Symmetric matrix, (n, n).
        least: Pivot below which a coordinate is taken for a combination of those before it and left out.

    Returns:
        The inverse, zero in the rows and columns left out; the logarithm of the product of the other pivots;
        whether none was left out.
    """
    size = matrix.shape[-1]
    log_determinant, full = jnp.zeros((), matrix.dtype), jnp.array(True)
    for k in range(size):
        unit = np.eye(size, dtype=bool)[k]
        cross = unit[:, None] | unit
        pivot = matrix[k, k]
        keep = pivot > least
        safe = jnp.where(keep, pivot, 1)
        row = jnp.where(keep & ~unit, matrix[k], 0)
        swept = (
            jnp.where(unit[:, None], row, 0)
            + jnp.where(unit, row[:, None], 0)
            - jnp.where(unit[:, None] & unit & keep, 1, 0).astype(row.dtype)
        ) / safe
        matrix = jnp.where(cross, swept, matrix - row[:, None] * row / safe)
        log_determinant, full = log_determinant + jnp.log(safe), full & keep
    return -matrix, log_determinant, full


def _check_ambient_dim(ambient_dim: int, dim: int) -> int:
    try:
        value = check_dim(ambient_dim)
    except ValueError:
        value = 0
    if value <= dim:
        raise ValueError(f"ambient_dim must be an integer greater than dim, got {ambient_dim!r} for dim {dim}")
    return value


def _check_constraint(constraint: Constraint, ambient_dim: int, count: int) -> None:
    if not callable(constraint):
        raise ValueError(f"constraint must be a function of one point, got {constraint!r}")
    try:
        out = jax.eval_shape(constraint, jax.ShapeDtypeStruct((ambient_dim,), jnp.float32))
    except Exception as error:
        raise ValueError(f"constraint must accept a point of shape ({ambient_dim},), it raised: {error}") from error
    shape, dtype = getattr(out, "shape", None), getattr(out, "dtype", None)
    if shape != (count,) and not (count == 1 and shape == ()):
        raise ValueError(f"constraint must return an array of shape ({count},), got {out}")
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"constraint must return a floating dtype, got {dtype}")

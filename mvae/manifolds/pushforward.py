"""Laws that a map f of R^n to R^m, m >= n, pushes forward onto its image [golikov2018, App. 5].

A map takes one point, (n,) -> (m,), as f = lambda z: decoder(parameters, z) does; the functions here broadcast over the
leading axes of z and can be differentiated with respect to z and to all that f closes over.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds import safe_math
from mvae.manifolds.half_precision import in_float32

_ROUNDING = 4  # times m eps: the part of a column beside the others that passes for rounding


@in_float32
def metric_tensor(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]], z: Float[Array, "*batch n"]
) -> Float[Array, "*batch n n"]:
    """Metric tensor that f induces, G_ij(z) = <df/dz_i, df/dz_j>.

    >>> metric_tensor(lambda z: jnp.stack([3 * z[0], 2 * z[1], z[1]]), jnp.zeros(2)).tolist()
    [[9.0, 0.0], [0.0, 5.0]]

    Args:
      f: map of one point, (n,) -> (m,), differentiable.
      z: points, (..., n).

    Returns:
      Symmetric matrices, (..., n, n), in squared units of f over those of z.

    Raises:
      ValueError: naming the argument, for z without a last axis or of a dtype that is not floating, and unless f
        takes (n,) to (m,) with m >= n.

    Source: [golikov2018, App. 5.1].
    """
    columns = _jacobian_columns(f, z)
    return jnp.sum(columns[..., :, None, :] * columns[..., None, :, :], axis=-1)


@in_float32
def log_volume_element(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]], z: Float[Array, "*batch n"]
) -> Float[Array, "*batch"]:
    """Logarithm of the volume of f(A) over that of A for small A around z, 1/2 log det G(z).

    It is the sum of log r_kk, J = Q R, so that the condition of J and not its square bounds the error.

    Args:
      f: map of one point, (n,) -> (m,), differentiable.
      z: points, (..., n).

    Returns:
      Logarithms, (...). Where the columns of J depend on each other up to rounding (4 m eps of a column is what is
      left of it beside those before), -inf with derivative 0.

    Raises:
      ValueError: as `metric_tensor` does.

    Source: [golikov2018, App. 5.1].

    >>> circle = lambda z: jnp.stack([jnp.cos(6 * z[0]), jnp.sin(6 * z[0])])
    >>> round(float(jnp.exp(log_volume_element(circle, jnp.array([0.3])))), 4)
    6.0
    """
    return _log_volume(_jacobian_columns(f, z))


@in_float32
def pushforward_log_density(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]],
    log_prior: Callable[[Float[Array, " n"]], Float[Array, ""]],
    z: Float[Array, "*batch n"],
) -> Float[Array, "*batch"]:
    """Logarithm of the density at f(z) of f's image of the law p, with respect to Riemannian volume.

    log p_M(f(z)) = log p(z) - 1/2 log det G(z), for f injective. Where several points have the image f(z) it is the
    part of z; the density is the sum of theirs.

    Args:
      f: map of one point, (n,) -> (m,), differentiable.
      log_prior: log p of one point, (n,) -> ().
      z: points where p is positive, (..., n).

    Returns:
      Logarithms, (...), in units of one over the volume of the image; +inf where J is rank deficient.

    Raises:
      ValueError: as `metric_tensor` does, and unless log_prior takes (n,) to ().

    Source: [golikov2018, App. 5.1].
    """
    log_element = log_volume_element(f, z)
    z = jnp.asarray(z)
    shape = jax.eval_shape(log_prior, jax.ShapeDtypeStruct(z.shape[-1:], z.dtype)).shape
    if shape != ():
        raise ValueError(f"log_prior must take one point to a number, got shape {shape} for {z.shape[-1:]}")
    return jnp.vectorize(log_prior, signature="(n)->()")(z) - log_element


@jax.jit
def _log_volume(columns: Float[Array, "*batch n m"]) -> Float[Array, "*batch"]:
    """Logarithm of the volume that n vectors span, by modified Gram-Schmidt, whose R is as good as Householder's."""
    n, m = columns.shape[-2:]
    tolerance = _ROUNDING * m * float(jnp.finfo(columns.dtype).eps)
    whole = safe_math.norm(columns)
    rest = [columns[..., k, :] for k in range(n)]
    lengths, deficient = [], jnp.zeros(whole.shape[:-1], bool)
    for k in range(n):
        length = safe_math.norm(rest[k])
        gone = length <= tolerance * whole[..., k]  # False for NaN, which stays to be seen
        deficient = deficient | gone
        lengths.append(jnp.where(gone, 1, length))
        unit = rest[k] / lengths[k][..., None]
        for j in range(k + 1, n):
            rest[j] = rest[j] - jnp.sum(unit * rest[j], axis=-1, keepdims=True) * unit
    total = sum(jnp.log(jnp.where(deficient, 1, length)) for length in lengths)
    return jnp.where(deficient, -jnp.inf, total)


def _jacobian_columns(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]], z: Float[Array, "*batch n"]
) -> Float[Array, "*batch n m"]:
    """Derivatives of f along the axes of z, one a row."""
    z = jnp.asarray(z)
    if not jnp.issubdtype(z.dtype, jnp.floating):
        raise ValueError(f"z must have a floating dtype, got {z.dtype}")
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(f"z must have points on its last axis, got shape {z.shape}")
    n = z.shape[-1]
    image = jax.eval_shape(f, jax.ShapeDtypeStruct((n,), z.dtype))
    if not hasattr(image, "shape") or len(image.shape) != 1 or image.shape[0] < n:
        given = getattr(image, "shape", type(image))
        raise ValueError(f"f must take one point ({n},) to one of a space of dimension {n} or more, got {given}")

    def at(point: Float[Array, " n"]) -> Float[Array, "n m"]:
        return jax.vmap(lambda direction: jax.jvp(f, (point,), (direction,))[1])(jnp.eye(n, dtype=z.dtype))

    return jnp.vectorize(at, signature="(n)->(n,m)")(z)

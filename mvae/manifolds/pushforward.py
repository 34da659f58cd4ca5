"""Distributions under maps: what f of R^n to R^m, m >= n, pushes forward [golikov2018, App. 5]; uniform maps.

A map takes one point, (n,) -> (m,), as f = lambda z: decoder(parameters, z) does; the functions here broadcast over the
leading axes of z and can be differentiated with respect to z and to all that f closes over. `uniform_map` gives those
that carry the uniform distribution of a cube to the uniform distribution of a manifold, in closed form.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds import safe_math
from mvae.manifolds.checks import check_points, in_float32
from mvae.manifolds.dispatch import open_function
from mvae.manifolds.embedded_torus import EmbeddedTorus, angle_of_area
from mvae.manifolds.flat_torus import FlatTorus
from mvae.manifolds.manifold import Manifold
from mvae.manifolds.product import Product
from mvae.manifolds.projective_space import ProjectiveSpace
from mvae.manifolds.so3 import SO3
from mvae.manifolds.sphere import Sphere

UniformMap = Callable[[Float[Array, "*batch d"]], Float[Array, "*batch n"]]
_ROUNDING = 4  # times m eps: the part of a column beside the others that passes for rounding


@in_float32
def metric_tensor(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]], z: Float[Array, "*batch n"]
) -> Float[Array, "*batch n n"]:
    """Metric tensor that f induces, G_ij(z) = <df/dz_i, df/dz_j>.

    >>> metric_tensor(lambda z: jnp.stack([3 * z[0], 2 * z[1], z[1]]), jnp.zeros(2)).tolist()
    [[9.0, 0.0], [0.0, 5.0]]

    Args:
        f: Map of one point, (n,) -> (m,), differentiable.
        z: Points, (..., n).

    Returns:
        Symmetric matrices, (..., n, n), in squared units of f over those of z.

    Raises:
        ValueError: Naming the argument, for z without a last axis or of a dtype that is not floating, and unless f
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
        f: Map of one point, (n,) -> (m,), differentiable.
        z: Points, (..., n).

    Returns:
        Logarithms, (...). Where the columns of J depend on each other up to rounding (4 m eps of a column is what is
        left of it beside those before), -inf with derivative 0.

    Raises:
        ValueError: As `metric_tensor` does.

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
    """Logarithm of the density at f(z) of f's image of the distribution p, with respect to Riemannian volume.

    log p_M(f(z)) = log p(z) - 1/2 log det G(z), for f injective. Where several points have the image f(z) it is the
    part of z; the density is the sum of theirs.

    Args:
        f: Map of one point, (n,) -> (m,), differentiable.
        log_prior: Log p of one point, (n,) -> ().
        z: Points where p is positive, (..., n).

    Returns:
        Logarithms, (...), in units of one over the volume of the image; +inf where J is rank deficient.

    Raises:
        ValueError: As `metric_tensor` does, and unless log_prior takes (n,) to ().

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


@open_function("map from the cube that keeps the uniform distribution", "none is known in closed form; learn one")
def uniform_map(manifold: Manifold) -> UniformMap:
    """Returns f: [0, 1]^d → M ⊂ R^n under which uniform u give uniform f(u), onto and one to one up to null sets.

    Its volume element sqrt(det JᵀJ) is Vol(M) wherever f is smooth. With u = (u_1, ..., u_d):

        circle          (cos 2πu_1, sin 2πu_1)
        S²              height 1 - 2u_1, longitude 2πu_2 (Archimedes)
        S^(2k-1) in C^k moduli² uniform on the simplex from u_1, ..., u_(k-1), phases 2πu_k, ..., 2πu_(2k-1)
        RP^d            the same on half of the sphere: heights 1 - u_1, or the first phase πu_k
        SO(3)           rotations by the quaternions of RP³ [shoemake1992]
        flat torus      angles 2πu_i
        embedded torus  minor angle x with x + (a/c) sin x = 2πu_1 - π, major angle 2πu_2 - π
        product         factor by factor

    A closed manifold has no such map that is continuous all around: f tears along the image of the faces of the cube.
    Derivatives are finite on the closed cube; they are large, of order eps^(-1/2), at the poles of spheres.

    >>> [round(float(x), 6) for x in uniform_map(Sphere(dim=2))(jnp.array([0.5, 0.25]))]
    [-0.0, 1.0, 0.0]

    Args:
        manifold: A closed manifold of the list, spheres of any radius.

    Returns:
        The map, from (..., d) to (..., n); it raises `ValueError` for another last axis or a dtype that is not
        floating.

    Raises:
        NotImplementedError: Naming the manifold where no closed form is known: spheres and projective spaces of even
            dimension above 2, `Implicit`; and for Euclidean space, which has no uniform distribution. A manifold of
            one's own registers a function that returns its map, `uniform_map.register(Type)`.
    """
    coordinates = uniform_map.of(manifold)(manifold)

    @in_float32
    def carried(u: Float[Array, "*batch d"]) -> Float[Array, "*batch n"]:
        return coordinates(check_points("u", u, manifold.dim))

    return carried


@uniform_map.register(Sphere)
@uniform_map.register(ProjectiveSpace)
def _of_sphere(manifold: Sphere | ProjectiveSpace) -> UniformMap:
    turn = math.pi if isinstance(manifold, ProjectiveSpace) else 2 * math.pi
    radius = manifold.radius if isinstance(manifold, Sphere) else 1.0
    if manifold.dim == 2:
        return lambda u: radius * _by_height(u, turn / math.pi)
    if manifold.dim % 2 == 0:
        raise NotImplementedError(
            f"no map from the cube to {manifold} that keeps the uniform distribution is known in closed form: its "
            "dimension is even and above 2"
        )
    return lambda u: radius * _by_phases(u, turn)


@uniform_map.register(SO3)
def _of_rotations(manifold: SO3) -> UniformMap:
    quaternion = _of_sphere(ProjectiveSpace(3))
    return lambda u: manifold.from_quaternion(quaternion(u))


@uniform_map.register(FlatTorus)
def _of_circles(manifold: FlatTorus) -> UniformMap:
    return lambda u: manifold.from_angles(2 * math.pi * u)


def _by_height(u: Float[Array, "*batch 2"], span: float) -> Float[Array, "*batch 3"]:
    """Point of S² at the height 1 - span · u_1."""
    drop = span * u[..., 0]
    radius = _root(drop * (2 - drop))
    longitude = 2 * math.pi * u[..., 1]
    return jnp.stack([radius * jnp.cos(longitude), radius * jnp.sin(longitude), 1 - drop], axis=-1)


def _by_phases(u: Float[Array, "*batch d"], turn: float) -> Float[Array, "*batch n"]:
    """Point of the sphere in C^k, d = 2k - 1, its first phase `turn` times a coordinate of u."""
    k = (u.shape[-1] + 1) // 2
    left, squares = jnp.ones_like(u[..., 0]), []
    for j in range(k - 1):
        # Of k - 1 - j more moduli², uniform on a simplex, the first leaves the share (1 - u)^(1 / (k - 1 - j)).
        kept = (1 - u[..., j]) if j == k - 2 else _root(1 - u[..., j], 1 / (k - 1 - j))
        squares.append(left * (1 - kept))
        left = left * kept
    moduli = jnp.stack([_root(square) if k > 1 else square for square in [*squares, left]], axis=-1)
    phases = u[..., k - 1 :] * jnp.asarray([turn] + [2 * math.pi] * (k - 1), u.dtype)
    pairs = jnp.stack([moduli * jnp.cos(phases), moduli * jnp.sin(phases)], axis=-1)
    return pairs.reshape(*u.shape[:-1], 2 * k)


def _root(x: Float[Array, "*batch"], power: float = 0.5) -> Float[Array, "*batch"]:
    """x^power for x ≥ 0, flat below eps²: there derivatives would be infinite."""
    return jnp.maximum(x, float(jnp.finfo(x.dtype).eps) ** 2) ** power


@uniform_map.register(EmbeddedTorus)
def _of_tube(manifold: EmbeddedTorus) -> UniformMap:
    return functools.partial(_on_tube, manifold)


def _on_tube(manifold: EmbeddedTorus, u: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
    """Area up to the minor angle x grows as x + (a/c) sin x."""
    levels = math.pi * (2 * u - 1)
    minor = angle_of_area(manifold.minor_radius / manifold.major_radius, levels[..., 0])
    return manifold.from_angles(jnp.stack([minor, levels[..., 1]], axis=-1))


@uniform_map.register(Product)
def _of_product(manifold: Product) -> UniformMap:
    maps = [uniform_map.of(factor)(factor) for factor in manifold.factors]
    ends = [sum(factor.dim for factor in manifold.factors[: i + 1]) for i in range(len(maps))]

    def carried(u: Float[Array, "*batch d"]) -> Float[Array, "*batch n"]:
        parts = [
            one(u[..., end - factor.dim : end]) for one, factor, end in zip(maps, manifold.factors, ends, strict=True)
        ]
        return jnp.concatenate(parts, axis=-1)

    return carried

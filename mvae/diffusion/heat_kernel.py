"""Heat kernels: transition densities of Brownian motion."""

import functools
import math
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.diffusion.checks import check_ends
from mvae.diffusion.circle_kernel import log_circle_kernel
from mvae.diffusion.embedded_torus.kernel import log_embedded_torus_kernel
from mvae.diffusion.implicit_kernel import log_implicit_kernel
from mvae.diffusion.radial_table import log_chord_kernel, log_line_chord_kernel
from mvae.diffusion.sphere_kernel import log_sphere_kernel
from mvae.manifolds import (
    SO3,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Implicit,
    Manifold,
    Product,
    ProjectiveSpace,
    Sphere,
)
from mvae.manifolds.checks import in_float32
from mvae.manifolds.dispatch import open_function

SO3_RADIUS = 2 * math.sqrt(2)  # SO(3) is the projective space RP^3 of this radius


@open_function("heat kernel", "use one of the manifolds named in its documentation")
@in_float32
def log_heat_kernel(
    manifold: Manifold,
    t: Float[Array, "*#batch"] | float,
    z: Float[Array, "*#batch n"],
    w: Float[Array, "*#batch n"],
) -> Float[Array, "*batch"]:
    """Log density at w, with respect to Riemannian volume, of Brownian motion started at z, after time t.

      d/dt q = 1/2 Laplacian q,  q(0; z, .) = delta_z.

    >>> z, w = jnp.array([0.0, 0.0, 1.0]), jnp.array([0.0, 1.0, 0.0])
    >>> round(float(log_heat_kernel(Sphere(2), 0.3, z, w)), 4)
    -4.4673

    Args:
        manifold: `Euclidean`, `FlatTorus`, `Sphere` or `ProjectiveSpace`, of any dimension, `SO3`, `EmbeddedTorus`, a
            `Product` of them, or an `Implicit`, for which it is the small-time expansion, see `log_implicit_kernel`.
        t: Time, a variance per tangent direction, (...) broadcast against the leading axes of z and w.
        z: Starting points, (..., n).
        w: End points, (..., n).

    Returns:
        Log densities, (...), with finite derivatives in t, z and w, at z and at its cut locus too. Against
        exact series, for t in [1e-5, 10] and d up to 50, the density has relative error below 1e-10 in float64
        and 1e-4 in float32; as |log q| grows past 100 the error follows its rounding. Smaller times give the
        Gaussian in the distance with its curvature factors, larger ones -log Vol. In float32 spheres, lines and
        rotations take all but their leading factors from a table of the dimension, see `radial_table`, built at the
        first use in some ten milliseconds; a time for each row or for all is cheaper than one for each pair.

    Raises:
        ValueError: For wrong shapes or dtypes, a t that is not positive, or points off the manifold; of the values,
            under `jax.jit`, `check_values` alone knows.
        NotImplementedError: For other manifolds; their `log_heat_kernel.register(Type)` takes (manifold, t, z, w).
    """
    t, z, w = check_ends(manifold, t, z, w)
    return log_heat_kernel.of(manifold)(manifold, t, z, w)


@log_heat_kernel.register(Euclidean)
def _(manifold: Euclidean, t: Array, z: Array, w: Array) -> Array:
    return -jnp.sum((w - z) ** 2, axis=-1) / (2 * t) - manifold.dim / 2 * jnp.log(2 * math.pi * t)


@log_heat_kernel.register(FlatTorus)
def _(manifold: FlatTorus, t: Array, z: Array, w: Array) -> Array:
    return jnp.sum(log_circle_kernel(jnp, t[..., None], manifold.angles_between(z, w)), axis=-1)


@log_heat_kernel.register(Sphere)
def _(manifold: Sphere, t: Array, z: Array, w: Array) -> Array:
    dim, radius = manifold.dim, manifold.radius
    if is_tabulated(dim, z):
        return _log_tabulated(dim, t / radius**2, z, w) - dim * math.log(radius)
    angle = manifold.distance(z, w) / radius
    return log_radial_kernel(dim, *jnp.broadcast_arrays(t / radius**2, angle)) - dim * math.log(radius)


@log_heat_kernel.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace, t: Array, z: Array, w: Array) -> Array:
    if is_tabulated(manifold.dim, z):
        return _log_tabulated(manifold.dim, t, z, w, lines=True)
    return log_line_kernel(manifold.dim, *jnp.broadcast_arrays(t, manifold.distance(z, w)))


@log_heat_kernel.register(SO3)
def _(manifold: SO3, t: Array, z: Array, w: Array) -> Array:
    if is_tabulated(3, z):
        return _log_tabulated_rotations(t / SO3_RADIUS**2, z, w) - 3 * math.log(SO3_RADIUS)
    angle = manifold.distance(z, w) / SO3_RADIUS
    return log_line_kernel(3, *jnp.broadcast_arrays(t / SO3_RADIUS**2, angle)) - 3 * math.log(SO3_RADIUS)


@log_heat_kernel.register(Product)
def _(manifold: Product, t: Array, z: Array, w: Array) -> Array:
    ends = zip(manifold.factors, manifold.split(z), manifold.split(w), strict=True)
    return functools.reduce(operator.add, (log_heat_kernel(factor, t, *pair) for factor, *pair in ends))


log_heat_kernel.register(EmbeddedTorus)(log_embedded_torus_kernel)
log_heat_kernel.register(Implicit)(log_implicit_kernel)


@open_function("word on whether its heat kernel is an expansion", "register it")
def is_expansion(manifold: Manifold) -> bool:
    """Whether `log_heat_kernel` is a small-time expansion there, not the density.

    An expansion does not integrate to one, so importance weights made of it are biased.

    >>> from mvae.manifolds.implicit.surfaces import SURFACES
    >>> is_expansion(Sphere(2)), is_expansion(Product((Sphere(2), SURFACES["genus_two"])))
    (False, True)

    Args:
        manifold: Any.

    Returns:
        True for `Implicit` and for a `Product` with such a factor; False for what has not registered otherwise.
    """
    return is_expansion.of(manifold)(manifold)


@is_expansion.register(Manifold)
def _(manifold: Manifold) -> bool:
    del manifold
    return False


@is_expansion.register(Implicit)
def _(manifold: Implicit) -> bool:
    del manifold
    return True


@is_expansion.register(Product)
def _(manifold: Product) -> bool:
    return any(is_expansion(factor) for factor in manifold.factors)


def is_tabulated(dim: int, z: Array) -> bool:
    """Whether the density on S^d comes from a table, for points of this dtype."""
    return dim > 1 and z.dtype == jnp.float32


@functools.partial(jax.jit, static_argnums=0, static_argnames="lines")
def _log_tabulated(dim: int, t: Array, z: Array, w: Array, *, lines: bool = False) -> Array:
    """Log heat kernel of the unit sphere, or of its lines, between points of any sphere around the origin."""
    squares = jnp.sum(z**2, axis=-1) + jnp.sum(w**2, axis=-1)
    chord = _squared_norm(z, w, operator.sub)
    if not lines:
        return log_chord_kernel(dim, t, jnp.minimum(chord / (2 * squares), 1))
    chord = jnp.minimum(chord, _squared_norm(z, w, operator.add))
    return log_line_chord_kernel(dim, t, jnp.minimum(chord / (2 * squares), 0.5))


def _squared_norm(z: Array, w: Array, of: Callable[[Array, Array], Array]) -> Array:
    # Entry by entry, which compiles to loops over the batch; XLA sums along a short last axis one number at a time.
    entries = zip(jnp.moveaxis(z, -1, 0), jnp.moveaxis(w, -1, 0), strict=True)
    return functools.reduce(operator.add, (of(x, y) ** 2 for x, y in entries))


@jax.jit
def _log_tabulated_rotations(t: Array, z: Array, w: Array) -> Array:
    """Log heat kernel of RP^3 between the quaternions of two rotations, at half the angle b of the turn between."""
    (a, b) = (jnp.moveaxis(x, -1, 0) for x in (z, w))
    trace = functools.reduce(operator.add, (x * y for x, y in zip(a, b, strict=True)))
    # The vector of Z^T W - W^T Z, of length 2 sin b; by the difference of the points small turns keep their digits.
    change = [y - x for x, y in zip(a, b, strict=True)]
    axial = [
        sum(a[3 * k + j] * change[3 * k + i] - a[3 * k + i] * change[3 * k + j] for k in range(3))
        for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    product = sum(x**2 for x in axial) / 16  # sin^2(b/2) cos^2(b/2)
    cosine_squared = jnp.clip((1 + trace) / 4, 0, 1)
    small_turn = cosine_squared > 0.5
    smaller = product / jnp.where(small_turn, cosine_squared, 1 - cosine_squared)
    sine_squared = jnp.where(small_turn, smaller, 1 - smaller)
    cosine = jnp.sqrt(jnp.where(small_turn, 1 - smaller, jnp.where(smaller > 0, smaller, 1)))
    cosine = jnp.where(small_turn | (smaller > 0), cosine, 0)
    return log_line_chord_kernel(3, t, sine_squared / (2 * (1 + cosine)))


@functools.partial(jax.jit, static_argnums=0)
def log_radial_kernel(dim: int, t: Float[Array, "*batch"], angle: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Log heat kernel of the unit sphere S^d as a function of the angle between the two points."""
    return log_circle_kernel(jnp, t, angle) if dim == 1 else log_sphere_kernel(jnp, t, angle, dim)


@functools.partial(jax.jit, static_argnums=0)
def log_line_kernel(dim: int, t: Float[Array, "*batch"], angle: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Log heat kernel of RP^d as a function of the angle between the lines: both preimages on S^d count."""
    near, far = log_radial_kernel(dim, jnp.stack([t, t]), jnp.stack([angle, math.pi - angle]))
    return jnp.logaddexp(near, far)

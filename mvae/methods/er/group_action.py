"""The group-action encoder: an isometry of the latent space, chosen by the encoder, moves the sample z to g z.

With a group that acts transitively and keeps the uniform distribution, the posteriors that an embedding f makes are
joined by their images under every g, and KL(g q || p) = KL(q || p).

Source: [golikov2018, Sec. 3]. There the encoder produces an angle for SO(2). Here a group element is the projection of
free outputs onto the group: it is the same group, but the encoder has no seam at 2π to be continuous across.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from mvae.manifolds import SO3, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere
from mvae.manifolds.checks import check_points
from mvae.manifolds.dispatch import open_function

_ROTATIONS = SO3()
_QUATERNIONS = Sphere(3)


class GroupAction(NamedTuple):
    """A group of isometries that acts transitively on a manifold in R^m.

    Attributes:
        name: The group.
        num_outputs: k, how many numbers the encoder gives for an element.
        element: Outputs (..., k) -> group elements, (..., k): outputs are projected onto the group, in the
            coordinates of `group`. Zero outputs give the identity with derivative 0; near zero, element and
            derivative are finite.
        act: (elements (..., k), points (..., m)) -> points, (..., m); leading axes broadcast.
        identity: The element that moves nothing, (k,), as floats. A head whose bias it is starts there.
    """

    name: str
    num_outputs: int
    element: Callable[[Float[Array, "*batch k"]], Float[Array, "*batch k"]]
    act: Callable[[Float[Array, "*#batch k"], Float[Array, "*#batch m"]], Float[Array, "*batch m"]]
    identity: tuple[float, ...]


@open_function("group of isometries that acts transitively and keeps the prior", "leave out config.model.group")
def group_action(manifold: Manifold) -> GroupAction:
    """Returns the group that acts on a manifold.

    - S^1: SO(2), as unit vectors (cos a, sin a).
    - S^2: SO(3), as matrices row by row; nine outputs, of which the nearest rotation is taken.
    - S^3: unit quaternions (s, v), by multiplication from the left.
    - SO(3): itself, by multiplication from the left.
    - T^d: d circles.
    - A product: the product of the groups of its factors.

    Spheres may have any radius; projective spaces have the group of their sphere, which takes -z to -g z.

    >>> group_action(Sphere(2)).num_outputs
    9

    Args:
        manifold: The latent space.

    Raises:
        NotImplementedError: For any other manifold. Translations of Euclidean space do not keep the prior N(0, I);
            the isometries of an embedded torus are those of its axis, which do not reach every point; and the groups
            of spheres and projective spaces of more than three dimensions are not implemented. A manifold of one's own
            registers a function that returns its action, `group_action.register(Type)`.
    """
    return group_action.of(manifold)(manifold)


@group_action.register(FlatTorus)
def _of_circles(manifold: Manifold) -> GroupAction:
    circles = FlatTorus(manifold.dim)
    name = "SO(2)" if manifold.dim == 1 else f"SO(2)^{manifold.dim}"
    return GroupAction(name, circles.ambient_dim, circles.project, _turn(circles), (1.0, 0.0) * manifold.dim)


@group_action.register(Sphere)
@group_action.register(ProjectiveSpace)
def _of_sphere(manifold: Sphere | ProjectiveSpace) -> GroupAction:
    match manifold.dim:
        case 1:
            return _of_circles(manifold)
        case 2:
            return _rotations(1)
        case 3:
            return GroupAction("unit quaternions", 4, _QUATERNIONS.project, _multiply, (1.0, 0.0, 0.0, 0.0))
        case _:
            raise group_action.lacking(manifold)


@group_action.register(SO3)
def _of_rotations(manifold: SO3) -> GroupAction:
    del manifold
    return _rotations(3)


def _turn(circles: FlatTorus) -> Callable[..., Float[Array, "*batch m"]]:
    def act(g: Float[Array, "*#batch m"], z: Float[Array, "*#batch m"]) -> Float[Array, "*batch m"]:
        g, z = check_points("g", g, circles.ambient_dim), check_points("z", z, circles.ambient_dim)
        cosine, sine, x, y = g[..., 0::2], g[..., 1::2], z[..., 0::2], z[..., 1::2]
        turned = jnp.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)
        return turned.reshape(*turned.shape[:-2], circles.ambient_dim)

    return act


def _rotations(num_columns: int) -> GroupAction:
    """SO(3) acting from the left on matrices of 3 rows, flat, row by row."""

    def act(g: Float[Array, "*#batch 9"], z: Float[Array, "*#batch m"]) -> Float[Array, "*batch m"]:
        g, z = check_points("g", g, 9), check_points("z", z, 3 * num_columns)
        matrix, columns = g.reshape(*g.shape[:-1], 3, 3), z.reshape(*z.shape[:-1], 3, num_columns)
        # Entry by entry: accelerators round the factors of their own product of matrices.
        rows = [sum(matrix[..., i, j, None] * columns[..., j, :] for j in range(3)) for i in range(3)]
        return jnp.concatenate(rows, axis=-1)

    identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return GroupAction("SO(3)", 9, _ROTATIONS.project, act, identity)


def _multiply(g: Float[Array, "*#batch 4"], z: Float[Array, "*#batch 4"]) -> Float[Array, "*batch 4"]:
    """Hamilton's product g z of quaternions (s, v)."""
    g, z = check_points("g", g, 4), check_points("z", z, 4)
    s, x, y, w = (g[..., i] for i in range(4))
    t, a, b, c = (z[..., i] for i in range(4))
    product = (
        s * t - x * a - y * b - w * c,
        s * a + x * t + y * c - w * b,
        s * b - x * c + y * t + w * a,
        s * c + x * b - y * a + w * t,
    )
    return jnp.stack(product, axis=-1)


@group_action.register(Product)
def _product(manifold: Product) -> GroupAction:
    actions = [group_action(factor) for factor in manifold.factors]
    num_outputs = sum(action.num_outputs for action in actions)
    ends = [sum(action.num_outputs for action in actions[: i + 1]) for i in range(len(actions) - 1)]

    def split(name: str, g: Float[Array, "*batch k"]) -> list[Float[Array, "*batch j"]]:
        return jnp.split(check_points(name, g, num_outputs), ends, axis=-1)

    def element(outputs: Float[Array, "*batch k"]) -> Float[Array, "*batch k"]:
        parts = zip(actions, split("outputs", outputs), strict=True)
        return jnp.concatenate([action.element(part) for action, part in parts], axis=-1)

    def act(g: Float[Array, "*#batch k"], z: Float[Array, "*#batch m"]) -> Float[Array, "*batch m"]:
        parts = zip(actions, split("g", g), manifold.split(z), strict=True)
        return manifold.join(tuple(action.act(each, point) for action, each, point in parts))

    name = " x ".join(action.name for action in actions)
    identity = tuple(entry for action in actions for entry in action.identity)
    return GroupAction(name, num_outputs, element, act, identity)

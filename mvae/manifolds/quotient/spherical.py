"""Quotients of the 3-sphere and of the rotations: lens spaces, poses of symmetric bodies."""

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae.manifolds.pushforward import UniformMap, uniform_map
from mvae.manifolds.quotient.groups import Group, block_diagonal, generated_by, rotation_group, turn
from mvae.manifolds.quotient.space import QuotientSpace
from mvae.manifolds.so3 import SO3
from mvae.manifolds.sphere import Sphere


@functools.cache
def _lens_group(p: int, q: int) -> Group:
    return generated_by(block_diagonal(turn(2 * math.pi / p), turn(2 * math.pi * q / p)))


@dataclasses.dataclass(frozen=True)
class LensSpace(QuotientSpace):
    """L(p, q) = S^3 / Z_p: in C^2 the generator takes (x, y) to (e^(2 pi i / p) x, e^(2 pi i q / p) y).

    L(1, 0) is S^3 and L(2, 1) is RP^3.

    Args:
        p: Order of the group, at least 1.
        q: An integer prime to p.

    Raises:
        ValueError: For other values.
    """

    p: int
    q: int
    dim = 3
    cover = Sphere(3)

    def __post_init__(self) -> None:
        for name, value in (("p", self.p), ("q", self.q)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{name} must be an integer, got {value!r}")
        if not 1 <= self.p <= 1000 or math.gcd(self.p, self.q) != 1:
            raise ValueError(f"p must be in 1 to 1000 and q prime to it, got p = {self.p}, q = {self.q}")
        object.__setattr__(self, "group", _lens_group(self.p, self.q % self.p))

    @property
    def is_homogeneous(self) -> bool:
        """Whether isometries take each point to each other one: for q = 1 and q = -1 modulo p."""
        return self.q % self.p in (1 % self.p, self.p - 1)


@dataclasses.dataclass(frozen=True)
class RotationQuotient(QuotientSpace):
    """SO(3) / G: poses of a body with the symmetry G, a group of rotations: R and R g are one pose.

    Rotations act on the body from the left, R: body -> space, so that turning what is seen is an isometry, and all
    points are alike.

    >>> round(SO3().volume / RotationQuotient("octahedral").volume)
    24

    Args:
        symmetry: One of `mvae.manifolds.quotient.groups.SYMMETRIES`; see `rotation_group` there.
        order: The n of "cyclic" and "dihedral"; None for the others.

    Raises:
        ValueError: For another symmetry or order.
    """

    symmetry: str
    order: int | None = None
    dim = 3
    cover = SO3()

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", _from_the_right(rotation_group(self.symmetry, self.order)))

    @property
    def rotations(self) -> Group:
        """The symmetry of the body, as rotations of space."""
        return rotation_group(self.symmetry, self.order)


@functools.cache
def _from_the_right(rotations: Group) -> Group:
    matrices = np.stack([np.kron(np.eye(3), rotation.T) for rotation in rotations.array])
    return Group(tuple(tuple(map(tuple, matrix)) for matrix in matrices.tolist()))


@uniform_map.register(LensSpace)
def _(manifold: LensSpace) -> UniformMap:
    sphere = uniform_map.of(manifold.cover)(manifold.cover)
    return lambda u: sphere(u * jnp.asarray([1, 1 / manifold.p, 1], u.dtype))


@uniform_map.register(RotationQuotient)
def _(manifold: RotationQuotient) -> UniformMap:
    if manifold.order is None:
        raise NotImplementedError(
            f"no map from the cube to {manifold} that keeps the uniform distribution is in closed form here"
        )
    # Quaternions are pairs (q_0 + q_3 k, q_1 - q_2 k), whose phases the turns about the third axis move together;
    # half turns exchange their moduli.
    scale = [1 if manifold.symmetry == "cyclic" else 0.5, 1 / (2 * manifold.order), 1]
    sphere = uniform_map.of(Sphere(3))(Sphere(3))

    def carried(u: Float[Array, "*batch 3"]) -> Float[Array, "*batch 9"]:
        pairs = sphere(u * jnp.asarray(scale, u.dtype))
        quaternion = jnp.stack([pairs[..., 0], pairs[..., 2], -pairs[..., 3], pairs[..., 1]], axis=-1)
        return manifold.cover.from_quaternion(quaternion)

    return carried

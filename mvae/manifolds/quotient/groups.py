"""Finite groups of matrices: isometries of an ambient space, and the rotations of symmetric bodies."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_LARGEST = 1000  # elements of a group: sums run over all of them
_SAME = 1e-9  # entries that differ by less are those of one element
_DIGITS = 15

SYMMETRIES = ("cyclic", "dihedral", "tetrahedral", "octahedral", "icosahedral")


@dataclasses.dataclass(frozen=True)
class Group:
    """A finite group of orthogonal matrices, hashable.

    >>> generated_by(np.diag([1.0, -1.0])).order
    2

    Args:
        matrices: Each element, row by row, the identity first; `generated_by` makes them from a few.
    """

    matrices: tuple[tuple[tuple[float, ...], ...], ...]

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.matrices)

    @property
    def size(self) -> int:
        """Dimension n of the space R^n that the elements act on."""
        return len(self.matrices[0])

    @property
    def array(self) -> np.ndarray:
        """Elements, (order, n, n), in float64."""
        return np.array(self.matrices)


def generated_by(*generators: Any) -> Group:
    """Returns the smallest group that has the given matrices.

    Args:
        *generators: Orthogonal matrices, (n, n) each.

    Raises:
        ValueError: Unless they are orthogonal and of one size, and if the group has more than 1000 elements.
    """
    given = [_orthogonal(generator) for generator in generators]
    if not given or len({matrix.shape for matrix in given}) > 1:
        raise ValueError(f"generators must be one matrix or more, of one size, got shapes {[m.shape for m in given]}")
    found, reached = [np.eye(len(given[0]))], 0
    while reached < len(found):
        for generator in given:
            product = generator @ found[reached]
            if np.abs(np.array(found) - product).max(axis=(1, 2)).min() > _SAME:
                found.append(product)
        reached += 1
        if len(found) > _LARGEST:
            raise ValueError(f"generators must make a finite group of at most {_LARGEST} elements, got more")
    rounded = np.round(found, _DIGITS) + 0.0  # -0.0 would be equal and hash alike, but read otherwise
    return Group(tuple(tuple(map(tuple, matrix)) for matrix in rounded.tolist()))


def _orthogonal(generator: Any) -> np.ndarray:
    matrix = np.asarray(generator, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"generators must be square matrices, got shape {matrix.shape}")
    if not np.abs(matrix @ matrix.T - np.eye(len(matrix))).max() < _SAME:
        raise ValueError(f"generators must be orthogonal matrices, got {matrix.tolist()}")
    return matrix


def block_diagonal(*blocks: Any) -> np.ndarray:
    """Returns the square matrix with square blocks on its diagonal."""
    sizes = [len(block) for block in blocks]
    result, start = np.zeros((sum(sizes), sum(sizes))), 0
    for block, size in zip(blocks, sizes, strict=True):
        result[start : start + size, start : start + size] = block
        start += size
    return result


def turn(angle: float) -> np.ndarray:
    """Returns the rotation of the plane by an angle, in radians."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def rotation_about(axis: Sequence[float], angle: float) -> np.ndarray:
    """Returns the rotation of space about an axis by an angle, in radians (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


@functools.cache
def rotation_group(symmetry: str, order: int | None = None) -> Group:
    """Returns the group of rotations of space that a body has.

    "cyclic" are the turns about the third axis by multiples of 2 pi / n; "dihedral" those and half turns about axes at
    a right angle, the first one among them: of a prism over a regular n-gon, 2n elements. "tetrahedral" (12),
    "octahedral" (24, of a cube too) and "icosahedral" (60) are those of the regular bodies, with the axes of
    coordinates as twofold or fourfold ones.

    >>> [rotation_group(name).order for name in ("tetrahedral", "octahedral", "icosahedral")]
    [12, 24, 60]

    Args:
        symmetry: One of `SYMMETRIES`.
        order: The n of "cyclic" and "dihedral", at least 1; None for the others.

    Raises:
        ValueError: For another symmetry or order.
    """
    if symmetry not in SYMMETRIES:
        raise ValueError(f"symmetry must be one of {', '.join(SYMMETRIES)}, got {symmetry!r}")
    if symmetry in ("cyclic", "dihedral"):
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            raise ValueError(f"order must be an integer of at least 1 for the {symmetry} symmetry, got {order!r}")
        about = rotation_about((0, 0, 1), 2 * math.pi / order)
        return generated_by(about) if symmetry == "cyclic" else generated_by(about, np.diag([1.0, -1.0, -1.0]))
    if order is not None:
        raise ValueError(f"order is for the cyclic and dihedral symmetries, got {order!r} for the {symmetry} one")
    third, half = np.eye(3)[[2, 0, 1]], np.diag([-1.0, -1.0, 1.0])
    if symmetry == "tetrahedral":
        return generated_by(third, half)
    if symmetry == "octahedral":
        return generated_by(third, rotation_about((0, 0, 1), math.pi / 2))
    golden = (1 + math.sqrt(5)) / 2
    return generated_by(third, half, rotation_about((0, 1, golden), 2 * math.pi / 5))

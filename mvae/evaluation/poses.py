"""Poses read from codes on SO(3): one rotation of the object's axes and one of the camera's, fitted to known poses."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

STEPS = 100  # of the alternation; each is exact in one of the two rotations
TOLERANCE = 1e-12


class PoseAlignment(NamedTuple):
    """The map of codes Z to poses, G Z H, or G Zᵀ H where the codes have the other handedness.

    Attributes:
        left: G, a rotation, (3, 3).
        right: H, a rotation, (3, 3).
        transposed: Whether codes are transposed first. The inverse is an isometry of SO(3) of degree -1, and no data
            that are not told their poses can tell it from the identity.
    """

    left: Float[np.ndarray, "3 3"]
    right: Float[np.ndarray, "3 3"]
    transposed: bool

    def apply(self, codes: ArrayLike) -> Float[np.ndarray, "n 9"]:
        """Returns the poses that are read from codes, (n, 9) -> (n, 9)."""
        z = np.asarray(codes, np.float64).reshape(-1, 3, 3)
        return (self.left @ (z.transpose(0, 2, 1) if self.transposed else z) @ self.right).reshape(-1, 9)


def align_poses(codes: ArrayLike, poses: ArrayLike) -> PoseAlignment:
    """Returns the isometry of SO(3) that brings codes nearest to poses, in the mean square of the Frobenius distance.

    The mean of the products of the entries, R_ij Z_kl, is G_ik H_lj to a scale where R = G Z H and the Z are uniform:
    the nearest such product starts an alternation of Procrustes problems in G and H. Of both handednesses the better
    one is taken.

    Args:
        codes: Rotations, row by row, (n, 9).
        poses: Rotations, in the same order, (n, 9).

    Raises:
        ValueError: For shapes that do not fit, or values that are not finite.

    Source: nearest Kronecker product [vanloan1993].
    """
    z, r = (_rotations(name, array) for name, array in (("codes", codes), ("poses", poses)))
    if len(z) != len(r):
        raise ValueError(f"codes and poses must be equally many, got {len(z)} and {len(r)}")
    fits = [(*_two_sided(given, r), transposed) for given, transposed in ((z, False), (z.transpose(0, 2, 1), True))]
    _, left, right, transposed = max(fits, key=lambda fit: fit[0])
    return PoseAlignment(left, right, transposed)


def pose_errors(found: ArrayLike, poses: ArrayLike) -> Float[np.ndarray, " n"]:
    """Returns the angle of the rotation between found and true poses, radians, from 0 to π; by chance 2.2 on average.

    Args:
        found: Rotations, row by row, (n, 9).
        poses: The same.

    Raises:
        ValueError: For shapes that do not fit, or values that are not finite.
    """
    a, b = (_rotations(name, array) for name, array in (("found", found), ("poses", poses)))
    if len(a) != len(b):
        raise ValueError(f"found and poses must be equally many, got {len(a)} and {len(b)}")
    # |A - B| = 2 √2 sin(angle / 2), which keeps the digits of small angles
    return 2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=(1, 2)) / np.sqrt(8), 0, 1))


def _rotations(name: str, array: ArrayLike) -> Float[np.ndarray, "n 3 3"]:
    found = np.asarray(array, np.float64)
    if found.ndim != 2 or found.shape[1] != 9 or not len(found):
        raise ValueError(f"{name} must have shape (n, 9), got {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite")
    return found.reshape(-1, 3, 3)


def _two_sided(
    z: Float[np.ndarray, "n 3 3"], r: Float[np.ndarray, "n 3 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
    """Mean of tr(Rᵀ G Z H), G and H."""
    products = np.einsum("nij,nkl->ikjl", r, z) / len(z)
    left = np.linalg.svd(products.reshape(9, 9))[0][:, 0].reshape(3, 3)
    left, score, right = _nearest(left * np.sign(np.linalg.det(left))), -np.inf, left
    for _ in range(STEPS):
        right = _nearest(np.einsum("ikjl,ik->lj", products, left))
        left = _nearest(np.einsum("ikjl,lj->ik", products, right))
        before, score = score, float(np.einsum("ikjl,ik,lj->", products, left, right))
        if score - before < TOLERANCE:
            break
    return score, left, right


def _nearest(a: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation G of the largest tr(Gᵀ A)."""
    left, _, right = np.linalg.svd(a)
    left[:, 2] *= np.sign(np.linalg.det(left @ right))
    return left @ right

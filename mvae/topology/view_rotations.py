"""Rotations of an object in its views, from the turns of the image plane that bring views nearest to each other.

SO(3) has no circular coordinate, as its loops are contractible if gone round twice. But it is a bundle of circles over
the sphere of the directions that one looks from: views from one direction differ by a turn of the image plane, which is
seen. Of views from neighbouring directions the best turn is the parallel transport of the sphere, and the Laplacian of
that connection has the rows of the rotation matrices for its lowest eigenspace [hadani2011].
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Complex, Float, Int
from numpy.typing import ArrayLike
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import eigsh

from mvae.errors import check_count

NUM_RADII, NUM_ANGLES, NUM_FREQUENCIES = 10, 64, 16
SCALE_NEIGHBOR = 5  # whose distance is the scale of a view
NUM_HEARD = 6  # landmarks whose turned rotations a view takes the mean of
NUM_BALANCED = 20
_ROWS = 128  # views that are compared with all at a time


class ViewRotations(NamedTuple):
    """Rotations of the object in its views, known up to a rotation of the object's axes.

    Attributes:
        rotations: Row by row, (n, 9): rows are the axes of the camera in those of the object, to the right of the
            image, away from the camera and up; so that a point p of the object is at R p.
        eigenvalues: The largest of the normalised adjacency of landmarks with their turns, (6,): three near 1, and a
            gap before the others, where the views are all those of one object.
        residual: Root mean square of |(a + i b)²| / |a + i b|² over the landmarks: 0 where all frames are orthogonal.
    """

    rotations: Float[np.ndarray, "n 9"]
    eigenvalues: Float[np.ndarray, " 6"]
    residual: float


def view_rotations(images: ArrayLike, *, num_neighbors: int = 10, num_landmarks: int = 2000) -> ViewRotations:
    """Returns the rotation of the object in each of its views, from all around.

    1. Of each pair of landmarks the turn of one image about its middle that brings it nearest to the other, and the
       distance that is left, by correlation of polar images; the nearest are linked, with local scales.
    2. The Hermitian matrix of links, weight times e^(i turn), normalised. Of its three leading eigenvectors ψ a linear
       map gives frames, (a + i b) = ψ M with all (a + i b)·(a + i b) near 0, a linear problem in M Mᵀ; the rest of M so
       that the directions a × b are balanced. a and b are the axes of the image.
    3. The other views take the mean of the rotations of their nearest landmarks, turned.

    Limits: A turn of the camera about its axis must turn the image and change nothing else: where light is fixed to the
    camera's side, give silhouettes. Distances that rise faster in some directions than in others, at equal angles,
    distort the result. The time grows with the square of the number of landmarks; 2000 of 32 × 32 pixels take 15 s.

    Args:
        images: (n, side, side) or (n, side, side, 1), the object's middle in the middle.
        num_neighbors: Links of each landmark.
        num_landmarks: Number of views, the first ones, that are compared with all.

    Raises:
        ValueError: For a wrong shape, values that are not finite, or too few views.

    Source: [hadani2011].
    """
    x = np.asarray(images, np.float64)
    if x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim != 3 or x.shape[1] != x.shape[2] or x.shape[1] < 8:
        raise ValueError(f"images must have shape (n, side, side) with a side of 8 or more, got {np.shape(images)}")
    if not np.isfinite(x).all():
        raise ValueError("images must be finite")
    num_neighbors = check_count("num_neighbors", num_neighbors, 1)
    num = min(check_count("num_landmarks", num_landmarks, 4), len(x))
    if num <= max(num_neighbors, 8):
        raise ValueError(f"images must be more than {max(num_neighbors, 8)}, got {num}")
    modes = _angular_modes(x)
    links = _nearest(modes[:num], modes[:num], num_neighbors, itself=False)
    eigenvalues, frames, residual = _frames(links)
    rotations = _rotations(frames)
    if num < len(x):
        others = _nearest(modes[num:], modes[:num], NUM_HEARD, itself=True)
        weights = 1 / np.maximum(others.distances, np.finfo(float).tiny) ** 2
        heard = np.einsum("nk,nkj->nj", weights * np.exp(1j * others.turns), frames[others.indices])
        rotations = np.concatenate([rotations, _rotations(heard)])
    return ViewRotations(rotations, eigenvalues, residual)


class _Links(NamedTuple):
    """Nearest landmarks of views: indices, angles by which these are turned, distances that are left, (n, k) each."""

    indices: Int[np.ndarray, "n k"]
    turns: Float[np.ndarray, "n k"]
    distances: Float[np.ndarray, "n k"]


def _angular_modes(x: Float[np.ndarray, "n side side"]) -> Complex[np.ndarray, "m n r"]:
    """Fourier modes along circles about the middle, weighted so that the sum of squares is that over pixels."""
    middle = (x.shape[1] - 1) / 2
    radii = np.linspace(middle / NUM_RADII, middle, NUM_RADII)
    angles = 2 * np.pi * np.arange(NUM_ANGLES) / NUM_ANGLES
    column = middle + radii[:, None] * np.cos(angles)
    row = middle - radii[:, None] * np.sin(angles)
    polar = np.stack([map_coordinates(image, [row, column], order=1) for image in x])
    modes = np.fft.rfft(polar, axis=-1)[..., :NUM_FREQUENCIES] * np.sqrt(radii)[:, None]
    return np.ascontiguousarray(modes.transpose(2, 0, 1))


def _nearest(
    views: Complex[np.ndarray, "m n r"], landmarks: Complex[np.ndarray, "m l r"], num: int, *, itself: bool
) -> _Links:
    twice = np.where(np.arange(len(views)) == 0, 1, 2)[:, None]  # modes of both signs
    sizes = [(twice * (np.abs(modes) ** 2).sum(axis=2)).sum(axis=0) for modes in (views, landmarks)]
    parts = []
    for start in range(0, views.shape[1], _ROWS):
        part = views[:, start : start + _ROWS]
        products = np.einsum("mnr,mlr->nlm", part, landmarks.conj(), optimize=True)
        correlation = np.fft.irfft(products, NUM_ANGLES, axis=-1) * NUM_ANGLES  # by the angle of the turn
        place = correlation.argmax(axis=-1)
        best = np.take_along_axis(correlation, place[..., None], axis=-1)[..., 0]
        squares = sizes[0][start : start + _ROWS, None] + sizes[1][None] - 2 * best
        if not itself:
            squares[np.arange(len(squares)), start + np.arange(len(squares))] = np.inf
        chosen = np.argsort(squares, axis=1)[:, :num]
        rows = np.arange(len(squares))[:, None]
        around = np.stack([correlation[rows, chosen, (place[rows, chosen] + off) % NUM_ANGLES] for off in (-1, 0, 1)])
        bend = around[0] - 2 * around[1] + around[2]
        between = np.where(bend < 0, (around[0] - around[2]) / (2 * np.where(bend < 0, bend, 1)), 0)
        turns = 2 * np.pi / NUM_ANGLES * (place[rows, chosen] + between)
        parts.append(_Links(chosen, turns, np.sqrt(np.maximum(squares[rows, chosen], 0))))
    return _Links(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _frames(links: _Links) -> tuple[Float[np.ndarray, " 6"], Complex[np.ndarray, "l 3"], float]:
    """Leading eigenvalues, a + i b of each landmark, and how far these are from orthonormal."""
    num, k = links.indices.shape
    scales = np.maximum(links.distances[:, min(SCALE_NEIGHBOR, k) - 1], np.finfo(float).tiny)
    weights = np.exp(-(links.distances**2) / (scales[:, None] * scales[links.indices]))
    values = weights * np.exp(1j * links.turns)
    matrix = csr_array((values.ravel(), (np.repeat(np.arange(num), k), links.indices.ravel())), shape=(num, num))
    matrix = (matrix + matrix.conj().T) / 2
    root = diags_array(1 / np.sqrt(np.maximum(abs(matrix).sum(axis=1), np.finfo(float).tiny)))
    start = np.random.default_rng(0).normal(size=num).astype(complex)  # so that runs agree
    eigenvalues, vectors = eigsh(root @ matrix @ root, 6, which="LA", v0=start)
    order = np.argsort(-eigenvalues)
    psi = np.asarray(root @ vectors[:, order[:3]])
    psi = psi / np.maximum(np.linalg.norm(psi, axis=1, keepdims=True), np.finfo(float).tiny)
    frames = _centred(_to_null(psi))
    off = np.abs((frames**2).sum(axis=1)) / (np.abs(frames) ** 2).sum(axis=1)
    return eigenvalues[order], frames, float(np.sqrt(np.mean(off**2)))


def _to_null(psi: Complex[np.ndarray, "l 3"]) -> Complex[np.ndarray, "l 3"]:
    """ψ M with (ψ M)·(ψ M) near 0: S = M Mᵀ is fitted by least squares, and M is its symmetric root, by Takagi."""
    i, j = np.triu_indices(3)
    features = psi[:, i] * psi[:, j] * np.where(i == j, 1, np.sqrt(2))
    least = np.linalg.svd(features.conj().T @ features)[2][-1].conj() / np.where(i == j, 1, np.sqrt(2))
    fit = np.zeros((3, 3), complex)
    fit[i, j] = fit[j, i] = least
    left, sizes, right = np.linalg.svd(fit)
    root = scipy.linalg.sqrtm(np.diag(sizes) @ (right @ left.conj()))
    return psi @ left @ np.asarray(root, complex)


def _directions(frames: Complex[np.ndarray, "l 3"]) -> Float[np.ndarray, "l 3"]:
    normal = np.cross(np.imag(frames), np.real(frames))
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny)


def _centred(frames: Complex[np.ndarray, "l 3"]) -> Complex[np.ndarray, "l 3"]:
    """The frames whose directions have mean 0, by a complex rotation.

    Complex rotations keep (a + i b)² = 0; those by imaginary angles move the directions by conformal maps of the
    sphere, of which one has the directions balanced, as views from all around are.
    """
    for _ in range(NUM_BALANCED):
        mean = _directions(frames).mean(axis=0)
        x, y, z = 1.5 * mean
        boosts = (scipy.linalg.expm(sign * 1j * np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])) for sign in (1, -1))
        frames = min(
            (frames @ boost for boost in boosts), key=lambda moved: np.linalg.norm(_directions(moved).mean(axis=0))
        )
    return frames


def _rotations(frames: Complex[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 9"]:
    """Nearest rotations with a and b, the real and imaginary parts, for the axes to the right and up."""
    right, up = np.real(frames), np.imag(frames)
    size = np.sqrt((np.abs(frames) ** 2).sum(axis=1, keepdims=True) / 2)
    right, up = right / size, up / size
    left, _, after = np.linalg.svd(np.stack([right, np.cross(up, right), up], axis=1))
    left[:, :, 2] *= np.sign(np.linalg.det(left @ after))[:, None]
    return (left @ after).reshape(-1, 9)

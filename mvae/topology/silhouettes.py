"""Rotations of a body in its views, from its support function that their silhouettes have in common.

SO(3) has no circular coordinate: its loops are contractible if gone round twice. But a silhouette reaches in the
direction e of the image plane as far as the body does in the direction that the rotation R has brought there,
h(e) = H(Rᵀ e), and the support function H of a rigid body is one for all views. It tells poses without distances of
images, which grow faster in some directions of SO(3) than in others.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter
from scipy.sparse import csr_array
from scipy.spatial.transform import Rotation

from mvae.errors import check_count

NUM_ANGLES = 32  # of the image plane, in which views are compared
NUM_DIRECTIONS = 400  # that a view is looked for among, 10° apart
EDGE = 0.3  # of the brightest pixel around: from there on a pixel is the body
DARK = 0.1  # of the brightest of all images: what has no brighter pixel around is background
LEAST_VIEWS = 100
NUM_FIRST = 300  # views that several starts are tried on
FIRST_ROUNDS = ((2, 8), (3, 4), (4, 4))  # degree of H, rounds with it, from a random start
LAST_ROUNDS = ((4, 2), (6, 2), (8, 2))  # from the best of them
NUM_STEPS = 4  # of Gauss and Newton, each after a fit of H while that is sought
LONGEST_STEP = 0.2  # radians
_DAMPING, _RIDGE = 1e-3, 1e-8  # of the mean of the diagonal
_VIEWS_AT_ONCE = 64
_ANGLES = 2 * np.pi * np.arange(NUM_ANGLES) / NUM_ANGLES
_TURNS = Rotation.from_rotvec(np.multiply.outer(_ANGLES, [0, -1, 0])).as_matrix()  # of the image, counter-clockwise


class ViewRotations(NamedTuple):
    """Rotations of a body in its views, known up to one of its axes, and of the camera by a half turn about its axis.

    Attributes:
        rotations: Row by row, (n, 9): rows are the axes of the camera in those of the body, to the right of the image,
            away from the camera and up; so that a point p of the body is at R p.
        residual: Root mean square of h - H over the standard deviation of h: near 0 where the silhouettes are of one
            body, 1 where rotations explain nothing.
    """

    rotations: Float[np.ndarray, "n 9"]
    residual: float


def view_rotations(
    images: ArrayLike, *, num_landmarks: int = 1000, num_starts: int = 4, seed: int = 0
) -> ViewRotations:
    """Returns the rotation of a body in each of its views, from all around, found from their silhouettes.

    1. Silhouettes: a pixel over the brightest of the 9 about it, so that the light does not matter; how far they reach
       in 32 directions, h, in half sides of the image, the middle of the image being the origin.
    2. From random rotations of 300 views in turn: H as a polynomial of degree 2 on the sphere by least squares; each
       view where it fits H best, of 400 directions and 32 turns of the image; Gauss-Newton steps of all rotations.
       The degree rises to 4, and with 1000 views to 8. The start that leaves least is taken, as usual where structure
       and poses are sought at once [penczek1994].
    3. All views where they fit H best after such steps from the best direction in each octant.

    h of a view is the support function of its silhouette's convex hull, and what H can be is studied in [prince1990];
    motion from silhouettes of curved bodies is that of [vijayakumar1996], here for views in no order.

    Limits: One rigid body on a dark background, seen from far away, a point of it in the middle of every image. With
    polynomials of degree 8 and 32 × 32 pixels, median errors are 2 to 3 degrees. A body whose hull has a symmetry has
    more than one answer. Light from the side that leaves parts of the border dark moves it.

    Args:
        images: (n, side, side) or (n, side, side, 1), from 0 (background) on.
        num_landmarks: Number of views, the first ones, that H is fitted to.
        num_starts: Number of random starts.
        seed: Of the starts.

    Raises:
        ValueError: For a wrong shape, values that are not finite, fewer than 100 views, an image of nothing, or bodies
            that reach the border of most images.

    Source: [vijayakumar1996], [prince1990], [penczek1994].
    """
    return rotations_of_supports(support_values(images), num_landmarks=num_landmarks, num_starts=num_starts, seed=seed)


def rotations_of_supports(
    reach: Float[np.ndarray, "n a"], *, num_landmarks: int = 1000, num_starts: int = 4, seed: int = 0
) -> ViewRotations:
    """Returns the rotations of `view_rotations` for the `support_values` of the images."""
    num = min(check_count("num_landmarks", num_landmarks, LEAST_VIEWS), len(reach))
    if num < LEAST_VIEWS:
        raise ValueError(f"images must be {LEAST_VIEWS} or more, got {num}")
    generator = np.random.default_rng(check_count("seed", seed, 0))
    first = reach[: min(num, NUM_FIRST)]
    random = Rotation.random(check_count("num_starts", num_starts, 1) * len(first), generator).as_matrix()
    starts = (_alternate(first, rotations, FIRST_ROUNDS) for rotations in random.reshape(num_starts, -1, 3, 3))
    body, _ = min(starts, key=lambda fit: fit[1])
    body, _ = _alternate(reach[:num], _placed(reach[:num], body)[0], LAST_ROUNDS)
    rotations, left = _placed(reach, body)
    return ViewRotations(rotations.reshape(-1, 9), float(np.sqrt(left.sum() / reach.size) / reach.std()))


def support_values(images: ArrayLike) -> Float[np.ndarray, "n a"]:
    """Returns how far silhouettes reach from the middle of the image, in half sides.

    The silhouette is where a pixel has `EDGE` of the brightest of the nine about it or more; the border is interpolated
    between pixels. Direction k is the angle 2πk/32, counter-clockwise from the right.

    Args:
        images: (n, side, side) or (n, side, side, 1), from 0 (background) on.

    Raises:
        ValueError: As `view_rotations`.
    """
    x = np.asarray(images, np.float64)
    if x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim != 3 or x.shape[1] != x.shape[2] or x.shape[1] < 8:
        raise ValueError(
            f"images must be square and grey, (n, side, side) with a side of 8 or more, got {np.shape(images)}"
        )
    if not np.isfinite(x).all():
        raise ValueError("images must be finite")
    around = maximum_filter(x, (1, 3, 3))
    bright = DARK * x.max(initial=0)
    if (empty := (around.max(axis=(1, 2), initial=0) <= bright) | (bright <= 0)).any():
        raise ValueError(f"images must show a body, brighter than the background 0: image {empty.argmax()} shows none")
    shape = x / np.maximum(around, bright)
    border = np.concatenate([shape[:, 0], shape[:, -1], shape[:, :, 0], shape[:, :, -1]], axis=1)
    if ((border >= EDGE).any(axis=1)).mean() > 0.5:
        raise ValueError(
            "images must have a dark border, 0, all around the body: it is reached in more than half of all"
        )
    reach = [_reach(shape.reshape(len(x), -1), np.pi * k / (NUM_ANGLES // 2)) for k in range(NUM_ANGLES // 2)]
    return np.concatenate([np.stack(ends, axis=1) for ends in zip(*reach, strict=True)], axis=1)


def _reach(
    shape: Float[np.ndarray, "n pixels"], angle: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """How far silhouettes reach in one direction and in the opposite one."""
    side = math.isqrt(shape.shape[1])
    profile = (_turning(side, angle) @ shape.T).reshape(side, side, -1).max(axis=1).T
    return _last(profile), _last(profile[:, ::-1])


def _last(profile: Float[np.ndarray, "n side"]) -> Float[np.ndarray, " n"]:
    """Where a profile falls below the edge for the last time, from its middle, in half of its length."""
    side = profile.shape[1]
    inside, profile = profile >= EDGE, np.pad(profile, ((0, 0), (0, 1)))
    last = side - 1 - inside[:, ::-1].argmax(axis=1)
    rows = np.arange(len(profile))
    here, beyond = profile[rows, last], profile[rows, last + 1]
    found = last + np.clip((here - EDGE) / np.maximum(here - beyond, 1e-9), 0, 1) - (side - 1) / 2
    return np.where(inside.any(axis=1), found, 0.0) / (side / 2)


def _turning(side: int, angle: float) -> csr_array:
    """The map of images, flat, to those whose rows run in the direction of an angle: bilinear, 0 outside."""
    middle = (side - 1) / 2
    along, across = (np.ravel(part) for part in np.indices((side, side)) - middle)
    column = middle + math.cos(angle) * along - math.sin(angle) * across
    row = middle - math.sin(angle) * along - math.cos(angle) * across
    weights, sources = [], []
    for down, right in itertools.product((0, 1), repeat=2):
        r, c = np.floor(row).astype(int) + down, np.floor(column).astype(int) + right
        within = (r >= 0) & (r < side) & (c >= 0) & (c < side)
        weights.append(np.where(within, (1 - np.abs(row - r)) * (1 - np.abs(column - c)), 0.0))
        sources.append(np.where(within, r * side + c, 0))
    targets = np.tile(np.arange(side**2), 4)
    return csr_array((np.concatenate(weights), (targets, np.concatenate(sources))), shape=(side**2, side**2))


def _parts(array: np.ndarray) -> list[np.ndarray]:
    return [array[i : i + _VIEWS_AT_ONCE] for i in range(0, len(array), _VIEWS_AT_ONCE)]


class _Body(NamedTuple):
    """A support function: homogeneous polynomials of degrees L and L - 1, which on the sphere are all up to L."""

    degree: int
    coefficients: Float[np.ndarray, " p"]


@functools.cache
def _powers(degree: int) -> Int[np.ndarray, "3 p"]:
    """Powers of x, y and z in the monomials."""
    all_round = [(i, j, d - i - j) for d in (degree, degree - 1) for i in range(d + 1) for j in range(d + 1 - i)]
    return np.array(all_round).T


@functools.cache
def _derivatives(degree: int) -> Float[np.ndarray, "3 q p"]:
    """The linear maps of the coefficients of a polynomial to those of its derivatives, which have a degree less."""
    powers, lower = _powers(degree), _powers(degree - 1)
    return np.stack(
        [
            powers[k] * (lower[:, :, None] == (powers - np.eye(3, dtype=int)[:, [k]])[:, None]).all(axis=0)
            for k in range(3)
        ]
    ).astype(float)


def _monomials(u: Float[np.ndarray, "*b 3"], degree: int) -> Float[np.ndarray, "p *b"]:
    i, j, k = _powers(degree)
    flat = u.reshape(-1, 3).T
    table = np.cumprod(np.stack([np.ones_like(flat), *[flat] * degree]), axis=0)  # power by axis by point
    return (table[i, 0] * table[j, 1] * table[k, 2]).reshape(len(i), *u.shape[:-1])


def _support(u: Float[np.ndarray, "*b 3"], body: _Body) -> Float[np.ndarray, "*b"]:
    return np.tensordot(body.coefficients, _monomials(u, body.degree), axes=1)


def _seen(rotations: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n a 3"]:
    """Directions of the body, Rᵀ e, that are seen in the directions e of the image plane."""
    return np.cos(_ANGLES)[:, None] * rotations[:, None, 0] + np.sin(_ANGLES)[:, None] * rotations[:, None, 2]


def _fitted(reach: Float[np.ndarray, "n a"], rotations: Float[np.ndarray, "n 3 3"], degree: int) -> _Body:
    """The body of least squares."""
    values = _monomials(_seen(rotations), degree).reshape(-1, reach.size)
    gram = values @ values.T
    size = np.sqrt(np.diag(gram))
    gram = gram / (size * size[:, None]) + _RIDGE * np.eye(len(gram))
    return _Body(degree, np.linalg.solve(gram, values @ reach.ravel() / size) / size)


def _errors(
    reach: Float[np.ndarray, "n a"], rotations: Float[np.ndarray, "n 3 3"], body: _Body
) -> Float[np.ndarray, " n"]:
    """Sum of squares that each view leaves."""
    return ((reach - _support(_seen(rotations), body)) ** 2).sum(axis=1)


def _alternate(
    reach: Float[np.ndarray, "n a"], rotations: Float[np.ndarray, "n 3 3"], rounds: tuple[tuple[int, int], ...]
) -> tuple[_Body, float]:
    """The body, fitted in turn with the rotations, and the sum of squares that is left."""
    body = _fitted(reach, rotations, rounds[0][0])
    for degree, num in rounds:
        for _ in range(num):
            body = _fitted(reach, rotations, degree)
            searched = _searched(reach, body, [np.arange(NUM_DIRECTIONS)])[:, 0]
            better = _errors(reach, searched, body) < _errors(reach, rotations, body)
            rotations = np.where(better[:, None, None], searched, rotations)
            for _ in range(NUM_STEPS):
                body = _fitted(reach, rotations, degree)
                rotations = _stepped(reach, rotations, body)
    return body, float(_errors(reach, rotations, body).sum())


def _placed(reach: Float[np.ndarray, "n a"], body: _Body) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, " n"]]:
    """Rotations that fit a body best, of those to which Gauss-Newton steps come from each octant of directions.

    Views from nearly opposite sides have nearly mirrored silhouettes, so that the best before these is not it always.

    Returns:
        Rotations, and the sum of squares that each leaves.
    """
    found, left = [], []
    for part in _parts(reach):
        tried = _searched(part, body, _octants())
        many = np.repeat(part, tried.shape[1], axis=0)
        settled = _settled(many, tried.reshape(-1, 3, 3), body)
        best = _errors(many, settled, body).reshape(len(part), -1).argmin(axis=1)
        found.append(_settled(part, settled.reshape(tried.shape)[np.arange(len(part)), best], body))
        left.append(_errors(part, found[-1], body))
    return np.concatenate(found), np.concatenate(left)


def _settled(
    reach: Float[np.ndarray, "n a"], rotations: Float[np.ndarray, "n 3 3"], body: _Body
) -> Float[np.ndarray, "n 3 3"]:
    for _ in range(NUM_STEPS):
        rotations = _stepped(reach, rotations, body)
    return rotations


def _stepped(
    reach: Float[np.ndarray, "n a"], rotations: Float[np.ndarray, "n 3 3"], body: _Body
) -> Float[np.ndarray, "n 3 3"]:
    """Rotations R exp(v), v one damped step of Gauss and Newton: u = Rᵀ e moves by u × v."""
    u = _seen(rotations)
    gradient = np.tensordot(_derivatives(body.degree) @ body.coefficients, _monomials(u, body.degree - 1), axes=1)
    slope = np.cross(np.moveaxis(gradient, 0, -1), u)
    square = slope.mT @ slope
    damping = _DAMPING * np.trace(square, axis1=1, axis2=2) / 3 + np.finfo(float).tiny
    square += damping[:, None, None] * np.eye(3)
    step = np.linalg.solve(square, np.einsum("nak,na->nk", slope, reach - _support(u, body))[..., None])[..., 0]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step *= np.minimum(1, LONGEST_STEP / np.maximum(length, np.finfo(float).tiny))
    return rotations @ Rotation.from_rotvec(step).as_matrix()


def _searched(
    reach: Float[np.ndarray, "n a"], body: _Body, groups: list[Int[np.ndarray, " g"]]
) -> Float[np.ndarray, "n k 3 3"]:
    """Where views fit a body best, of the directions of each group and turns of the image by its angles."""
    frames = _frames()
    template = _support(_seen(frames), body)
    sizes, modes = (template**2).sum(axis=1), np.fft.rfft(template, axis=1).conj()
    found = []
    for part in _parts(reach):
        products = np.fft.irfft(np.fft.rfft(part, axis=1)[:, None] * modes, NUM_ANGLES, axis=-1)
        left = sizes - 2 * products.max(axis=-1)  # less the size of the view
        direction = np.stack([group[left[:, group].argmin(axis=1)] for group in groups], axis=1)
        turn = np.take_along_axis(products, direction[:, :, None], axis=1).argmax(axis=-1)
        found.append(_TURNS[turn] @ frames[direction])
    return np.concatenate(found)


@functools.cache
def _frames() -> Float[np.ndarray, "d 3 3"]:
    """Rotations of the camera that look along directions on a spiral around the sphere, evenly spread."""
    i = np.arange(NUM_DIRECTIONS) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / NUM_DIRECTIONS), np.pi * (1 + math.sqrt(5)) * i
    away = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1)
    right = np.cross(np.where(np.abs(away[:, :1]) < 0.9, [1.0, 0, 0], [0, 1.0, 0]), away)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, away, np.cross(right, away)], axis=1)


@functools.cache
def _octants() -> list[Int[np.ndarray, " g"]]:
    """Directions of `_frames` with the same three signs."""
    signs = (_frames()[:, 1] > 0) @ [4, 2, 1]
    return [np.flatnonzero(signs == octant) for octant in range(8)]

"""Local geometry of a noisy cloud: its dimension, its points without noise, tangent spaces, orientation, boundary."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

MAX_DIM = 5
GAP = 4.0  # ratio of local variances, along the manifold over across it, from which a dimension is taken to be seen
_MIN_NEIGHBORS = 8  # for each dimension
_MAX_SHARE = 0.2  # of the points in a neighbourhood
_NUM_CENTERS = 400
_FEW_FEATURES = 8  # fewer have no bulk of noise to measure
_CHUNK = 256  # neighbourhoods at a time
_ONE_SIDED = 0.75  # of the mean direction in a half ball


class LocalDimension(NamedTuple):
    """Dimension of the manifold that a cloud lies near.

    Attributes:
        dim: Dimension d.
        num_neighbors: Size of the neighbourhoods in which d directions stand out most.
        gaps: Dimension -> the greatest ratio, over sizes of neighbourhoods, of the variance along its last direction
            to that along the next.
    """

    dim: int
    num_neighbors: int
    gaps: dict[int, float]


def principal_part(x: Float[np.ndarray, "n f"]) -> tuple[Float[np.ndarray, "n q"], float]:
    """Returns coordinates of points along the principal components that stand out of noise, and the noise.

    With noise of variance σ² in all f features, the squared singular values of pure noise fill, for n and f large, the
    interval σ² (√n ± √f)² with a known density, that of Marchenko and Pastur; σ is what puts its median at that of the
    data [gavish2014], and what lies above the interval is kept. Data of fewer than 8 features, or where more than half
    of the components stand out, are only rotated, and the noise is unknown: 0.

    Args:
        x: Points, (n, f).

    Returns:
        y: Centred coordinates, (n, q), most varying first.
        noise: σ in the units of x, or 0.
    """
    n = len(x)
    x = x - x.mean(axis=0)
    if x.shape[1] <= n:
        left, singular, _ = np.linalg.svd(x, full_matrices=False)
    else:  # rounding, 1e-8 of the largest, is below what is dropped
        squares, left = np.linalg.eigh(x @ x.T)
        singular, left = np.sqrt(np.maximum(squares[::-1], 0)), left[:, ::-1]
    y = left * singular
    y = y[:, singular > 1e-6 * singular[0]]
    num = y.shape[1]
    if num < _FEW_FEATURES:
        return y, 0.0
    large, beta = max(n, num), min(n, num) / max(n, num)
    squares = singular[:num] ** 2
    variance = float(np.median(squares)) / (large * _median_of_noise(beta))
    kept = max(int((squares > 1.05 * variance * large * (1 + math.sqrt(beta)) ** 2).sum()), 1)
    return (y, 0.0) if kept > num / 2 else (y[:, :kept], math.sqrt(variance))


def _median_of_noise(beta: float) -> float:
    """Median of the Marchenko-Pastur distribution of unit variance and aspect ratio beta <= 1."""
    low, high = (1 - math.sqrt(beta)) ** 2, (1 + math.sqrt(beta)) ** 2
    # midpoints in an angle that takes the roots at both ends away
    angle = (np.arange(4096) + 0.5) * np.pi / 4096
    value = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    total = np.cumsum(np.sin(angle) ** 2 / value)
    return float(value[np.searchsorted(total, total[-1] / 2)])


def local_dimension(
    y: Float[np.ndarray, "n q"], noise: float, generator: np.random.Generator, max_dim: int = MAX_DIM
) -> LocalDimension:
    """Returns the dimension of the manifold near which points lie, from local principal components at many scales.

    Near a manifold, a neighbourhood that is wider than the noise and flatter than it is wide varies in d directions
    more than in all others [little2017]. For each size of neighbourhoods, from 8 d points to a fifth of all, the
    medians of the logarithms of local variances are taken; d is the least dimension whose greatest gap is above `GAP`,
    or that of the greatest gap if there is none. The full dimension q is compared with the noise.

    Args:
        y: Points, (n, q), of `principal_part`.
        noise: Its σ; 0 where it is unknown, and then the full dimension counts where no other is seen.
        generator: Draws the points about which is looked.
        max_dim: Largest dimension that is considered.
    """
    n, q = y.shape
    tree, centers = KDTree(y), y[generator.permutation(n)[:_NUM_CENTERS]]
    best: dict[int, tuple[float, int]] = {}
    for k in neighborhood_sizes(n):
        around = y[np.asarray(tree.query(centers, k + 1)[1])]
        variances = np.linalg.svd(around - around.mean(axis=1, keepdims=True), compute_uv=False)[:, :q] ** 2 / k
        logs = np.median(np.log(np.maximum(variances, np.finfo(float).tiny)), axis=0)
        across = 2 * math.log(noise) if noise else logs[-1] - math.log(GAP)
        drops = logs - np.append(logs[1:], across)
        for d in range(1, min(max_dim, len(drops)) + 1):
            if _MIN_NEIGHBORS * d <= k:
                best[d] = max(best.get(d, (-math.inf, k)), (float(drops[d - 1]), k))
    seen = [d for d in sorted(best) if best[d][0] >= math.log(GAP) - 1e-9]
    dim = seen[0] if seen else max(best, key=lambda d: best[d][0])
    return LocalDimension(dim, best[dim][1], {d: math.exp(min(gap, 300.0)) for d, (gap, _) in best.items()})


def neighborhood_sizes(n: int) -> list[int]:
    """Numbers of neighbours that are tried for n points, each about √2 times the one before it."""
    largest = max(min(n - 1, _MIN_NEIGHBORS), int(_MAX_SHARE * n))
    steps = int(2 * math.log2(largest / _MIN_NEIGHBORS)) if largest > _MIN_NEIGHBORS else 0
    return [min(largest, round(_MIN_NEIGHBORS * 2 ** (step / 2))) for step in range(steps + 1)]


def smoothed(
    y: Float[np.ndarray, "n q"], dim: int, num_neighbors: int, *, num_rounds: int = 2
) -> Float[np.ndarray, "n q"]:
    """Returns points moved across the manifold to where their neighbours say that it is.

    About each point the manifold is a graph over the space of the first `dim` local principal components, fitted by
    least squares by a quadratic, or linear where the neighbours are few; the point is moved onto it, and keeps its
    place along that space: moving least squares [levin2004].

    Args:
        y: Points, (n, q).
        dim: Dimension of the manifold.
        num_neighbors: Size of a neighbourhood.
        num_rounds: How often this is done.
    """
    for _ in range(num_rounds):
        index = np.asarray(KDTree(y).query(y, num_neighbors + 1)[1])
        y = np.concatenate([_moved(y[part], dim) for part in _chunks(index)])
    return y


def _moved(around: Float[np.ndarray, "n k q"], dim: int) -> Float[np.ndarray, "n q"]:
    """First points of neighbourhoods, moved across the manifold onto the fit to all of each."""
    first, second = np.triu_indices(dim)
    center = around.mean(axis=1, keepdims=True)
    around = around - center
    frame = _principal_frames(around, dim)
    along = np.einsum("nkq,ndq->nkd", around, frame)
    scaled = along / np.maximum(np.abs(along).max(axis=1, keepdims=True), np.finfo(float).tiny)
    terms = [np.ones((*scaled.shape[:2], 1)), scaled]
    if around.shape[1] > 2 * (1 + dim + len(first)):
        terms.append(scaled[..., first] * scaled[..., second])
    basis = np.linalg.qr(np.concatenate(terms, axis=-1))[0]
    # the value of the fit at the point itself, its own nearest neighbour
    fitted = np.einsum("np,nkp,nkq->nq", basis[:, 0], basis, around, optimize=True)
    kept = np.einsum("nq,ndq,nde->ne", around[:, 0] - fitted, frame, frame, optimize=True)
    return center[:, 0] + fitted + kept


def _chunks(index: Int[np.ndarray, "n k"]) -> list[Int[np.ndarray, "m k"]]:
    return [index[i : i + _CHUNK] for i in range(0, len(index), _CHUNK)]


def _principal_frames(centered: Float[np.ndarray, "n k q"], dim: int) -> Float[np.ndarray, "n d q"]:
    """The directions in which each neighbourhood varies most."""
    vectors = np.linalg.eigh(centered.mT @ centered)[1]
    return vectors[..., ::-1][..., :dim].mT


def tangent_frames(
    y: Float[np.ndarray, "n q"], at: Int[np.ndarray, " m"], dim: int, num_neighbors: int
) -> tuple[Float[np.ndarray, "m d q"], Float[np.ndarray, " m"]]:
    """Returns orthonormal frames of the tangent spaces at some of the points, and how one-sided their neighbours are.

    Args:
        y: Points, (n, q).
        at: Indices of the points.
        dim: Dimension of the manifold.
        num_neighbors: Size of a neighbourhood.

    Returns:
        Frames: First local principal components, (m, d, q).
        one_sided: Length of the mean unit vector from the point to its neighbours along the tangent space, in units of
            that of a half ball, Γ(d/2) / (√π Γ((d+1)/2)): about 1 on a boundary, and of the order of 1/√k inside, (m,).
    """
    half = math.gamma(dim / 2) / (math.sqrt(math.pi) * math.gamma((dim + 1) / 2))  # mean of |cos| on the sphere
    frames, one_sided = [], []
    for part in _chunks(np.asarray(KDTree(y).query(y[at], num_neighbors + 1)[1])):
        around = y[part]
        frames.append(_principal_frames(around - around.mean(axis=1, keepdims=True), dim))
        along = np.einsum("mkq,mdq->mkd", around[:, 1:] - around[:, :1], frames[-1])
        unit = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), np.finfo(float).tiny)
        one_sided.append(np.linalg.norm(unit.mean(axis=1), axis=-1) / half)
    return np.concatenate(frames), np.concatenate(one_sided)


def orientation_defect(points: Float[np.ndarray, "m q"], frames: Float[np.ndarray, "m d q"]) -> float:
    """Returns how far tangent frames are from an orientation of the whole, 0 where they have one.

    Neighbours i, j are linked by the determinant of the frame at j seen from the frame at i, whose sign says whether
    the two have one sense. The connection Laplacian of those signs [singer2011] has the eigenvalue 0 if signs can be
    given to the points that explain them all. Returned is its least eigenvalue divided by the second of the Laplacian
    without signs, which is the scale of the cloud: on RP² 1/3, on a flat Klein bottle 1/4 or more, on orientable
    manifolds about 0.

    Args:
        points: (m, q), at most some hundreds.
        frames: (m, d, q).
    """
    m, dim = len(points), frames.shape[1]
    num = min(4 * dim + 4, m - 1)
    near = np.asarray(KDTree(points).query(points, num + 1)[1])[:, 1:].ravel()
    here = np.repeat(np.arange(m), num)
    determinants = np.linalg.det(np.einsum("edq,eaq->eda", frames[here], frames[near]))
    weights, senses = np.square(determinants), np.sign(determinants)
    signed, unsigned = (_symmetric(values, here, near, m) for values in (weights * senses, weights))
    scale = 1 / np.sqrt(np.maximum(np.asarray(unsigned.sum(axis=1)).ravel(), np.finfo(float).tiny))
    scale = diags_array(scale)
    least = 1 - np.linalg.eigvalsh((scale @ signed @ scale).toarray())[-1]
    second = 1 - np.linalg.eigvalsh((scale @ unsigned @ scale).toarray())[-2]
    return float(max(least, 0.0) / max(second, 1e-9))


def _symmetric(values: np.ndarray, here: np.ndarray, near: np.ndarray, m: int) -> coo_array:
    matrix = coo_array((values, (here, near)), shape=(m, m))
    return (matrix + matrix.T) / 2


def boundary_share(one_sided: Float[np.ndarray, " n"], dim: int, num_neighbors: int) -> float:
    """Returns the share of one-sided points in units of what a ball would have.

    A point of a ball of n points is one-sided if it is within about a quarter of the radius of a neighbourhood from
    the boundary: a share of dim (k / n)^(1/dim) / 4. About 0 without a boundary, about 1 for a ball.
    """
    expected = dim * (num_neighbors / len(one_sided)) ** (1 / dim) / 4
    return float((one_sided > _ONE_SIDED).mean() / expected)


def number_of_ends(y: Float[np.ndarray, "n q"], one_sided: Float[np.ndarray, " n"], num_neighbors: int) -> int:
    """Returns how many ends a curve has: groups of one-sided points, half a neighbourhood apart.

    An end has about an eighth of a neighbourhood of them; groups of less than a quarter of that do not count.
    """
    found = y[one_sided > _ONE_SIDED]
    if len(found) == 0:
        return 0
    reach = np.asarray(KDTree(y).query(found, num_neighbors + 1)[0])[:, -1]
    linked = cdist(found, found) < np.median(reach) / 2
    _, group = connected_components(csr_array(linked), directed=False)
    return int((np.bincount(group) >= max(num_neighbors / 32, 1)).sum())

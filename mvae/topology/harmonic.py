"""Harmonic representatives of integer classes: coordinates with values in a torus that change as little as they can.

A cocycle α over Z/p is lifted to the integers. Of all cocycles α + dθ of its class, θ a real function of the points,
that one is harmonic whose energy Σ w_ij (α_ij + θ_j - θ_i)² is least. Its periods are integers, so that its sum along
paths is a function modulo 1 of the points: the coordinate [desilva2011]. Classes span a lattice, and a basis of it with
least energy gives coordinates of a torus that turn separately [scoccola2023].
"""

import itertools
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

NUM_MULTIPLES = 6
FLOOR = 0.05  # of the median length of the edges: shorter ones weigh as much, or copies would outweigh all


class Forms(NamedTuple):
    """Harmonic cocycles with integer periods, a basis of least energy.

    Attributes:
        values: Change of coordinate k from point i to j in turns, (k, n, n), 0 where i and j are not linked.
        angles: Coordinates of the points in radians, (n, k), in [-π, π).
        energy: Σ_ij w_ij (change in turns)² over the edges, for each pair of coordinates, (k, k).
        linked: Pairs that are not farther apart than the scale, (n, n).
    """

    values: Float[np.ndarray, "k n n"]
    angles: Float[np.ndarray, "n k"]
    energy: Float[np.ndarray, "k k"]
    linked: Bool[np.ndarray, "n n"]


def is_cocycle(values: Int[np.ndarray, "n n"], linked: Bool[np.ndarray, "n n"]) -> bool:
    """Returns whether integers on the edges of a graph sum to zero around each of its triangles."""
    for i in range(len(linked)):
        near = np.flatnonzero(linked[i])
        around = values[i, near][:, None] + values[np.ix_(near, near)] - values[i, near][None, :]
        if around[linked[np.ix_(near, near)]].any():
            return False
    return True


def integer_lift(
    cocycle: Int[np.ndarray, "n n"], linked: Bool[np.ndarray, "n n"], prime: int
) -> Int[np.ndarray, "n n"] | None:
    """Returns a cocycle of integers on the edges of a graph that is a multiple of one modulo a prime; None without one.

    Values are taken nearest to zero, of those multiples that make them small. The class itself may have no such lift:
    where a loop is born at a small scale and covers one of a larger scale twice, it is half of an integer class there,
    modulo 47 as 24, and twice the class is the one to take.
    """
    values = np.where(linked, cocycle, 0)
    multiples = [(factor * values + prime // 2) % prime - prime // 2 for factor in range(1, prime // 2 + 1)]
    for values in sorted(multiples, key=lambda each: np.abs(each).sum())[:NUM_MULTIPLES]:
        if is_cocycle(values, linked):
            return values
    return None


def edge_weights(distances: Float[np.ndarray, "n n"], linked: Bool[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Returns 1 / distance² on the edges, divided by the sum of the weights at either end."""
    lengths = distances[linked]
    floor = FLOOR * np.median(lengths) + np.finfo(float).tiny
    weights = np.where(linked, 1 / np.maximum(distances, floor) ** 2, 0.0)
    degree = weights.sum(axis=1)
    degree = np.where(degree > 0, degree / degree.mean(), 1.0)
    return weights / (degree[:, None] * degree[None, :])


def _harmonic(values: Int[np.ndarray, "k n n"], weights: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "k n n"]:
    """Least squares; one unit of weight on the mean of each part of the graph makes the solution unique."""
    divergence = np.einsum("ij,kij->ik", weights, values)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    _, part = connected_components(csr_array(weights > 0), directed=False)
    same = part[:, None] == part[None, :]
    laplacian += weights.max() * same / same.sum(axis=1)
    theta = scipy.linalg.cho_solve(scipy.linalg.cho_factor(laplacian), divergence).T
    return np.where(weights > 0, values + theta[:, None, :] - theta[:, :, None], 0.0)


def _integrate(forms: Float[np.ndarray, "k n n"], linked: Bool[np.ndarray, "n n"]) -> Float[np.ndarray, "k n"]:
    """Sums along trees from one point of each part of the graph, which has 0."""
    graph, sums = csr_array(linked), np.zeros(forms.shape[:2])
    _, part = connected_components(graph, directed=False)
    for root in np.unique(part, return_index=True)[1]:
        order, before = breadth_first_order(graph, root, directed=False)
        for point in order[1:]:
            sums[:, point] = sums[:, before[point]] + forms[:, before[point], point]
    return sums


def _lattice(rows: Int[np.ndarray, "m k"]) -> Int[np.ndarray, "r k"]:
    """Hermite form of the lattice that rows of integers span, without rows of zeros; Euclid's algorithm by columns."""
    rows, basis = np.unique(rows, axis=0), []
    for column in range(rows.shape[1]):
        while True:
            alive = np.flatnonzero(rows[:, column])
            if len(alive) == 0:
                break
            pivot = alive[np.abs(rows[alive, column]).argmin()]
            quotient = rows[:, column] // rows[pivot, column]
            quotient[pivot] = 0
            rows = rows - quotient[:, None] * rows[pivot]
            if np.count_nonzero(rows[:, column]) == 1:
                basis.append(rows[pivot])
                rows = np.unique(np.delete(rows, pivot, axis=0), axis=0)
                break
    return np.array(basis).reshape(-1, rows.shape[1])


def reduced_basis(gram: Float[np.ndarray, "k k"]) -> Int[np.ndarray, "k k"]:
    """Returns the rows of a basis of Z^k that are short in the norm of a Gram matrix, shortest first.

    Each row is made as short as whole multiples of the others allow, near the real solution, until none gets shorter:
    the algorithm of Lagrange and Gauss for k = 2, that of [nguyen2009] in its greedy form for more, whose result is as
    short as can be up to k = 4.
    """
    k = len(gram)
    basis = np.eye(k, dtype=np.int64)
    around = np.array(list(itertools.product((-1, 0, 1), repeat=k - 1)))
    changed = True
    while changed and k > 1:
        changed = False
        for i in range(k):
            others = np.delete(basis, i, axis=0)
            gram_others = others @ gram @ others.T
            real, *_ = np.linalg.lstsq(gram_others, others @ gram @ basis[i], rcond=None)
            candidates = basis[i] - (np.rint(real).astype(np.int64) + around) @ others
            norms = np.einsum("ci,ij,cj->c", candidates, gram, candidates)
            if norms.min() < (1 - 1e-9) * (basis[i] @ gram @ basis[i]):
                basis[i], changed = candidates[norms.argmin()], True
    return basis[np.argsort(np.einsum("ki,ij,kj->k", basis, gram, basis), kind="stable")]


def harmonic_forms(
    distances: Float[np.ndarray, "n n"], cocycles: tuple[Int[np.ndarray, "n n"], ...], scale: float, prime: int
) -> Forms | None:
    """Returns the harmonic basis of least energy of the classes of some cocycles on the complex of a scale.

    The edges are the pairs that are not farther apart than the scale. Their weights are 1 / distance², divided by the
    sum of the weights at either end as in [coifman2006], so that a coordinate does not turn slower where points are
    dense. Periods are divided by what they have in common, so that the coordinates map the loops of the complex onto
    those of the torus.

    Args:
        distances: Symmetric, (n, n).
        cocycles: Integers modulo a prime, nearest to zero, antisymmetric.
        scale: Of the complex, between birth and death of all classes.
        prime: p.

    Returns:
        The forms; None where no multiple of a cocycle lifts to the integers, or the classes are dependent.
    """
    linked = (distances <= scale) & ~np.eye(len(distances), dtype=bool)
    lifts = [integer_lift(cocycle, linked, prime) for cocycle in cocycles]
    values = [lift for lift in lifts if lift is not None]
    if not linked.any() or len(values) < len(lifts):
        return None
    weights = edge_weights(distances, linked)
    forms = _harmonic(np.stack(values), weights)
    sums = _integrate(forms, linked)
    i, j = np.nonzero(np.triu(linked))
    periods = np.rint(sums[:, i] + forms[:, i, j] - sums[:, j]).astype(np.int64).T
    lattice = _lattice(periods)
    if len(lattice) < len(cocycles):
        return None
    forms = np.einsum("lk,kij->lij", np.linalg.inv(lattice.T.astype(float)), forms)
    gram = np.einsum("aij,ij,bij->ab", forms, weights, forms) / 2
    basis = reduced_basis(gram)
    forms = np.einsum("lk,kij->lij", basis.astype(float), forms)
    turns = _integrate(forms, linked).T
    angles = 2 * np.pi * ((turns + 0.5) % 1 - 0.5)
    return Forms(forms, angles, basis @ gram @ basis.T, linked)

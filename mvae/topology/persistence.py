"""Persistent cohomology of degree one: bars of loops in a cloud, with the cocycles that measure them."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.topology.distances import rows_of_matrix

PRIMES = (47, 53, 59, 61)


class Persistence(NamedTuple):
    """Classes of H¹ of the Vietoris-Rips complexes of a cloud, most persistent first.

    Attributes:
        bars: Birth and death of each class, (classes, 2), in units of distance. The deaths are finite but where the
            distances are cut off.
        cocycles: A representative over Z/p of each class, antisymmetric, (n, n), integers in (-p/2, p/2): the change of
            a coordinate with values in Z/p from point i to point j. Restricted to the edges that are not longer than r,
            it is a cocycle of the complex of scale r for any r from birth to death.
        prime: p.
    """

    bars: Float[np.ndarray, "classes 2"]
    cocycles: tuple[np.ndarray, ...]
    prime: int


def ripser(user: str) -> Callable[..., dict[str, Any]]:
    """Returns the function ripser, persistent cohomology of Vietoris-Rips complexes [bauer2021], for `user`."""
    try:
        return importlib.import_module("ripser").ripser
    except ModuleNotFoundError as error:
        if error.name != "ripser":
            raise
        raise ModuleNotFoundError(
            f"{user} needs ripser, which is in the extra eval: pip install 'mvae[eval]'", name=error.name
        ) from None


def persistent_cohomology(
    distances: ArrayLike, *, max_classes: int = 3, prime: int = PRIMES[0], user: str = "persistent_cohomology"
) -> Persistence:
    """Returns the most persistent classes of H¹(VR(r); Z/p) over all scales r, by death minus birth.

    Args:
        distances: Symmetric, (n, n); time and memory grow about as n³ for n points, and n = 500 takes a second or two.
        max_classes: Number of classes returned, or as many as there are.
        prime: p, a prime number; one that is not small where cocycles are to lift to the integers.
        user: Name of the function that a message is about.

    Raises:
        ValueError: For a matrix that is none of distances.
        ModuleNotFoundError: Where ripser is not installed.
    """
    max_classes, find = check_count("max_classes", max_classes, 1), ripser(user)
    row, n, _ = rows_of_matrix("distances", distances, "they are given as such")
    if n < 3:
        raise ValueError(f"distances must be of three points or more, got {n}")
    matrix = np.stack([row(i) for i in range(n)])
    found = find(matrix, distance_matrix=True, maxdim=1, coeff=prime, do_cocycles=True)
    bars = np.asarray(found["dgms"][1], np.float64).reshape(-1, 2)
    order = np.argsort(bars[:, 0] - bars[:, 1], kind="stable")[:max_classes]
    cocycles = tuple(_antisymmetric(found["cocycles"][1][k], n, prime) for k in order)
    return Persistence(bars[order], cocycles, prime)


def _antisymmetric(entries: np.ndarray, n: int, prime: int) -> np.ndarray:
    """Sparse cocycle of ripser, rows (i, j, value), as a matrix of integers nearest to zero."""
    dense = np.zeros((n, n), np.int64)
    i, j, value = np.asarray(entries, np.int64).T
    value = (value + prime // 2) % prime - prime // 2
    dense[i, j] = value
    dense[j, i] = -value
    return dense

"""What the disentanglement metrics share: checks of codes and factors, bins, splits, the import of scikit-learn."""

import importlib
from types import ModuleType

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from mvae.evaluation.rounding import settled


def scikit_learn(module: str, user: str) -> ModuleType:
    """Imports a module of scikit-learn, which only some metrics need.

    Args:
        module: Name within scikit-learn, as "svm".
        user: Function that needs it, for the message.

    Raises:
        ModuleNotFoundError: Where scikit-learn is not installed, with the extra that brings it.
    """
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "sklearn":
            raise
        raise ModuleNotFoundError(
            f"{user} needs scikit-learn, which is in the extra eval: pip install 'mvae[eval]'", name=error.name
        ) from None


def _matrix(name: str, x: ArrayLike, rows: str) -> np.ndarray:
    """Returns a matrix of finite real numbers, not empty."""
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} must be an array of shape {rows}") from None
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} must have shape {rows}, not empty, got {array.shape}")
    if not (np.issubdtype(array.dtype, np.integer) or array.dtype == bool):
        if not np.can_cast(array.dtype, np.float64, "same_kind") and array.dtype.name != "bfloat16":
            raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array


def check_data(
    codes: ArrayLike, factors: ArrayLike, *, min_codes: int = 1, min_factors: int = 1, continuous: bool = False
) -> tuple[Float[np.ndarray, "n k"], np.ndarray]:
    """Returns codes in float64, (n, k), and factors, (n, f).

    A code that is constant but for the rounding of its dtype is made exactly so: its noise would be bins and splits.

    Args:
        codes: Real numbers, (n, k).
        factors: Integers, (n, f); real numbers too if `continuous`.
        min_codes: Least k.
        min_factors: Least f.
        continuous: Whether factors may be real numbers; they are returned in float64 then.

    Raises:
        ValueError: Naming the argument, for a wrong shape or dtype, no rows, values that are not finite, too few
            columns, or a factor that is constant.
    """
    z, v = _matrix("codes", codes, "(n, k)"), _matrix("factors", factors, "(n, f)")
    if len(z) != len(v):
        raise ValueError(f"codes and factors must have the same number of rows, got {len(z)} and {len(v)}")
    if z.shape[1] < min_codes:
        raise ValueError(f"codes must have at least {min_codes} columns, got {z.shape[1]}")
    if v.shape[1] < min_factors:
        raise ValueError(f"factors must have at least {min_factors} columns, got {v.shape[1]}")
    if not continuous and v.dtype == np.float64:
        raise ValueError(f"factors must be integers, got dtype {np.asarray(factors).dtype}")
    constant = np.flatnonzero((v == v[0]).all(axis=0))
    if constant.size:
        raise ValueError(f"factors must vary, got a constant in column {constant[0]}")
    return settled(z, codes), v.astype(np.float64 if continuous else np.int64)


def bins(x: Float[np.ndarray, "n k"], num_bins: int) -> Int[np.ndarray, "n k"]:
    """Numbers of the bins of equal width between the least and the largest value of each column.

    A constant column is all in bin 0.
    """
    low = x.min(axis=0)
    width = x.max(axis=0) - low
    share = (x - low) / np.where(width > 0, width, 1)
    return np.minimum((share * num_bins).astype(np.int64), num_bins - 1)


def numbered(factor: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Replaces each value by its rank among the distinct values, from 0."""
    return np.unique(factor, return_inverse=True)[1].reshape(-1)


def standardized(codes: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Gives each column mean 0 and standard deviation 1; a constant column is 0."""
    width = np.ptp(codes, axis=0)
    scaled = (codes - codes.mean(axis=0)) / np.where(width > 0, width, 1)  # squares of these do not underflow
    return np.where(width > 0, scaled / np.where(width > 0, scaled.std(axis=0), 1), 0)


def split_rows(
    factors: np.ndarray, test_fraction: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
    """Cuts the rows at random into a training and a test part.

    Raises:
        ValueError: If the fraction is not between 0 and 1, a part is empty, or a factor is constant in the
            training part.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must be between 0 and 1, got {test_fraction!r}")
    order = rng.permutation(len(factors))
    num_test = round(test_fraction * len(factors))
    test, train = order[:num_test], order[num_test:]
    if not num_test or not len(train):
        raise ValueError(f"test_fraction {test_fraction!r} leaves no rows for one part of {len(factors)}")
    constant = np.flatnonzero((factors[train] == factors[train[0]]).all(axis=0))
    if constant.size:
        raise ValueError(f"factors must vary among the {len(train)} training rows, column {constant[0]} does not")
    return train, test

"""How far numbers may be off for the precision that they were given in."""

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

ROUNDINGS = 8.0  # how many of its roundings a number may be off


def rounding(x: ArrayLike, least: float = 0.0) -> float:
    """Returns eight units of rounding of the largest of some numbers in their own dtype, double for integers.

    What is to be told from zero or from one another has to be compared with this before it is converted to double
    precision, in which the noise of single precision looks like a signal.

    >>> rounding(np.array([1.0, -4.0], np.float32)) == 32 * 2.0**-23
    True

    Args:
        x: Numbers.
        least: What the largest is taken to be at least, such as 1 radian for angles.
    """
    given = np.asarray(x)
    kind = given.dtype if jnp.issubdtype(given.dtype, jnp.floating) else np.dtype(np.float64)
    largest = float(np.max(np.abs(given.astype(np.float64)), initial=least))
    return ROUNDINGS * float(jnp.finfo(kind).eps) * largest


def settled(x: np.ndarray, given: ArrayLike, least: float = 0.0) -> np.ndarray:
    """Returns columns in double precision, those that are constant but for rounding made exactly so.

    Args:
        x: Numbers, (n, k), n ≥ 1, or (k,).
        given: What they were made of, in its own dtype.
        least: As in `rounding`.
    """
    kind, x = np.asarray(given).dtype, np.asarray(x, np.float64)
    if x.ndim != 2 or not len(x):
        return x
    noise = np.array([rounding(column.astype(kind), least) for column in x.T])
    return np.where(np.ptp(x, axis=0) <= noise, x[:1], x)

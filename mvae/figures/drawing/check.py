"""What a drawing function asks of its arrays, and how it complains."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def finite(name: str, value: Any, shape: Sequence[int | str]) -> np.ndarray:
    """Returns `value` as a float array, or complains by name.

    Args:
        name: The argument's name, for the message.
        value: Anything `np.asarray` takes, a JAX array included.
        shape: The shape asked for; a string stands for any size but zero.

    Returns:
        The array, as float64.

    Raises:
        ValueError: If the shape differs, an axis is empty, or an entry is NaN or infinite.

    >>> finite("z", [[0.0, 1.0]], ("n", 2)).shape
    (1, 2)
    >>> finite("z", [[0.0, float("nan")]], ("n", 2))
    Traceback (most recent call last):
        ...
    ValueError: z must be finite, but 1 of its 2 entries are NaN or infinite
    """
    array = np.asarray(value).astype(np.float64)
    fits = len(array.shape) == len(shape) and all(
        size > 0 and (isinstance(want, str) or size == want) for size, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} must have shape ({wanted}) with no empty axis, got {array.shape}")
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise ValueError(f"{name} must be finite, but {bad} of its {array.size} entries are NaN or infinite")
    return array

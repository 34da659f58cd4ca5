"""A user's own arrays as a data set: checked, scaled, split into training and test rows."""

import math
import zlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Batch, Dataset, Rows, Scaling
from mvae.errors import UsageError

NAME = "arrays"  # of data that were given as arrays, in place of a name of `mvae.data.BUILDERS`
SCALES = ("auto", "unit", "standard", "none")
CHECKED = 4096  # rows that are looked at together
_SPLIT_SEED = 0


def from_arrays(x: Any, *, scale: str = "auto", test_fraction: float = 0.1, **columns: Any) -> Dataset:
    """Returns a data set of a user's own arrays.

    The test rows are drawn at random, always the same ones of so many rows.

    Args:
      x: examples, (n, ...): an array of numpy or jax, a frame of pandas or polars, or anything that numpy takes for an
        array of numbers. Vectors are (n, d), images (n, height, width, channels).
      scale: what the model sees: "unit", x brought to [0, 1], "standard", each entry less its mean over the training
        rows and over its standard deviation there, "none", x itself; "auto" is "unit" for bytes and "none" else.
      test_fraction: share of the rows that are the test set, above 0 and below 1.
      **columns: what else is known of each row, such as label, (n, ...): numbers.

    Raises:
      UsageError: for what is not an array of finite numbers of two rows or more, columns of another length, and options
        that are out of range.

    >>> dataset = from_arrays(np.zeros((20, 3)), label=np.arange(20))
    >>> dataset.num_train, dataset.num_test, dataset.event_shape, dataset.scaling.kind
    (18, 2, (3,), 'none')
    """
    x = numeric(x, "x")
    if x.ndim < 2:
        raise UsageError(f"x has shape {x.shape}: give examples by rows, (n, ...), so one number for each as (n, 1)")
    check_finite(x, "x")
    if len(x) < 2:
        raise UsageError(f"x has {len(x)} row: two are needed at least, one to train on and one to test with")
    if scale not in SCALES:
        raise UsageError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if not 0 < test_fraction < 1:
        raise UsageError(f"test_fraction must lie between 0 and 1, got {test_fraction!r}")
    rows = {"x": _narrow(x)} | {name: _narrow(numeric(column, name)) for name, column in columns.items()}
    for name, column in rows.items():
        if column.ndim == 0 or len(column) != len(x):
            raise UsageError(f"{name} has shape {column.shape}, but x has {len(x)} rows: give one entry for each")
        check_finite(column, name)
    num_test = min(max(1, round(test_fraction * len(x))), len(x) - 1)
    is_test = np.zeros(len(x), bool)
    is_test[np.random.default_rng(_SPLIT_SEED).permutation(len(x))[:num_test]] = True
    train, test = ({name: column[part] for name, column in rows.items()} for part in (~is_test, is_test))
    return _dataset(train, test, _scaling(train["x"], scale))


def _dataset(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray], scaling: Scaling) -> Dataset:
    def render(rows: Rows) -> Batch:
        return rows | {"x": scaling.apply(rows["x"])}

    def on_device(rows: Mapping[str, np.ndarray]) -> Rows:
        return {name: jnp.asarray(column) for name, column in rows.items()}

    return Dataset(
        name=NAME,
        train=on_device(train),
        test=on_device(test),
        render=render,
        event_shape=train["x"].shape[1:],
        scaling=scaling,
        digest=_digest(train, test),
    )


def _scaling(x: np.ndarray, scale: str) -> Scaling:
    """The scaling of training rows."""
    if scale == "none" or (scale == "auto" and x.dtype != np.uint8):
        return Scaling()
    if scale == "standard":
        mean, std = np.mean(x, axis=0, dtype=np.float64), np.std(x, axis=0, dtype=np.float64)
        return Scaling("standard", mean.astype(np.float32), np.where(std > 0, std, 1).astype(np.float32))
    low, high = (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
    return Scaling("unit", np.float32(low), np.float32(high - low if high > low else 1.0))


def _digest(*parts: Mapping[str, np.ndarray]) -> str:
    """A checksum of all columns, with their names and types."""
    value = 0
    for part in parts:
        for name, column in sorted(part.items()):
            value = zlib.crc32(f"{name} {column.dtype} {column.shape}".encode(), value)
            value = zlib.crc32(np.ascontiguousarray(column).data, value)
    return f"{value:08x}"


def numeric(x: Any, name: str) -> np.ndarray:
    """Returns numbers as an array of numpy, of whatever kind they come in; nothing is copied that need not be.

    Args:
      x: an array of numpy or jax, a frame or column of pandas or polars, or nested lists.
      name: what it is called in messages.

    Raises:
      UsageError: if it is no array of real numbers, such as texts, objects or rows of several lengths.
    """
    try:
        array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
    except ValueError as error:
        raise UsageError(f"{name} is no array: its rows differ in shape; give rows of one shape") from error
    if array.dtype == object:
        kinds = sorted({type(entry).__name__ for entry in array.ravel()[:100]})
        raise UsageError(f"{name} has entries of type {', '.join(kinds) or 'object'}: give numbers, of one dtype")
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise UsageError(f"{name} is of dtype {array.dtype}: give real numbers")
    return array


def check_finite(x: np.ndarray, name: str) -> None:
    """Raises unless an array has entries and all of them are finite as float32; looks at some rows at a time.

    Raises:
      UsageError: naming the first entry that is not.
    """
    if not x.size:
        raise UsageError(f"{name} is empty, its shape is {x.shape}")
    for start in range(0, len(x), CHECKED):
        part = x[start : start + CHECKED]
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(part.astype(np.float32)) if part.dtype.kind not in "biu" else np.zeros(())
        if wrong.any():
            place = np.argwhere(wrong)[0]
            value = part[tuple(place)]
            number = ", ".join(str(int(index)) for index in (place[0] + start, *place[1:]))
            raise UsageError(f"{name}[{number}] is {value}: every entry must be a finite number of float32")


def row_sizes(x: np.ndarray) -> np.ndarray:
    """Returns the root mean square of the entries of each row, (n,), float64."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    return np.sqrt(np.einsum("ij,ij->i", flat, flat) / max(math.prod(x.shape[1:]), 1))


def _narrow(x: np.ndarray) -> np.ndarray:
    """The dtype that a column has on the device: bytes stay bytes, other numbers have 32 bits."""
    if x.dtype == np.uint8:
        return x
    return x.astype(np.int32 if x.dtype.kind in "iu" else np.float32)

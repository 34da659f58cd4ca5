"""What every data set is: arrays on the device and the pure function that makes batches of them."""

import dataclasses
import math
import numbers
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from mvae.data.rows import RowSource
from mvae.errors import UsageError

Rows = dict[str, Array]
Batch = dict[str, Array]


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """What the model sees of an example: (x - shift) / scale; pure, of numpy's and jax's arrays alike.

    Attributes:
        kind: "unit", "standard" or "none".
        shift: In units of x, a number or one for each entry.
        scale: The same, positive.
    """

    kind: str = "none"
    shift: Any = 0.0
    scale: Any = 1.0

    def apply(self, x: Any) -> Any:
        """Returns what the model sees, float32."""
        x = x.astype(np.float32)
        return x if self.kind == "none" else (x - self.shift) / self.scale

    def undo(self, x: Any) -> Any:
        """Returns what the model outputs in units of the data."""
        return x if self.kind == "none" else x * self.scale + self.shift


class Dataset(NamedTuple):
    """Arrays that live on the device, or stay on the host, and the pure function that turns rows of them into a batch.

    A batch always has `"x"`, float32 `(B, *event_shape)`: images `(B, H, W, C)`, vectors `(B, n)`. Other entries depend
    on the data set: `"label"`, int32 `(B,)`, for digits, for points in classes and for known factors; `"translation"`,
    float32 `(B, 2)` in radians, for translated images; `"factors"`, int32 `(B, k)`, and `"azimuth"` and
    `"elevation"`, float32 `(B,)` in radians, for known factors; `"angle"`, float32 `(B,)` in radians, and `"anchors"`,
    float32 `(B, N, H, W, C)`, for rotated digits; `"latent"`, float32 `(B, 2)`, for points of a plane and of a torus
    and for grid cells, `(B, m)` for points lifted from a latent space in R^m, and `(B, 9)` for views under rotations;
    `"direction"`, float32 `(B,)` in radians, for head-direction cells; `"parameter"`, float32 `(B,)` in [0, 1), for
    points of curves; `"frame"`, int32 `(B,)`, for a video; `"condition"` and `"size_factor"`, float32 `(B,)`, what
    counts are in proportion to, for data of one's own.

    Attributes:
        name: The name under which `mvae.data.load` knows the data set.
        train: Training arrays, the example axis first in every one of them.
        test: Test arrays under the same keys.
        render: Rows `(B, ...)` of `train` or `test` -> batch; pure, so it runs inside the jitted step.
        event_shape: Shape of an example of `"x"`: `(height, width, channels)` of an image, `(n,)` of a vector.
        factor_names: Names of the columns of `"factors"`; empty where no factors are known.
        factor_sizes: How many values each factor has; column j of `"factors"` lies in `[0, factor_sizes[j])`.
        periodic_factors: The factors that are angles, in equal steps all the way round.
        condition_names: The categories of `"condition"`, int32 `(B,)`, a nuisance that is known and given to encoder
            and decoder; empty where there is none.
        label_names: The text of each `"label"`, of data of one's own; empty for others.
        feature_names: Names of the entries of `"x"`, of data of one's own that have them: columns of tables, genes.
        size_unit: What `"size_factor"` was divided by, of data of one's own.
        angle: The column of a known angle, in radians, of data of one's own and of head-direction cells; None for
            others.
        curves: Where the data lie on curves, one per class, but for noise: points of them in order, with `"x"`,
            `"label"` and `"parameter"`.
        closed_curves: Whether each of `curves` returns to where it began.
        rotated_by: The column of rows with the angle in radians by which `render` turns an image; None where it turns
            none.
        source: What training rows are read from while they stay on the host, as `mvae.data.load_streamed` leaves them;
            the entries of `train` are then its columns, which are no arrays of jax but are indexed like them. None
            where `train` lives on the device.
        scaling: How `render` scales `"x"`, where that is to be undone in what a model outputs; None for data whose
            units are those that the model sees.
        digest: A checksum of all rows, where they are a user's own arrays.
        notes: What a method has found out of the training rows, for its reports, in types of JSON.
    """

    name: str
    train: Rows
    test: Rows
    render: Callable[[Rows], Batch]
    event_shape: tuple[int, ...]
    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    periodic_factors: tuple[str, ...] = ()
    condition_names: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    angle: str | None = None
    size_unit: float = 1.0
    curves: Rows | None = None
    closed_curves: bool = False
    rotated_by: str | None = None
    source: RowSource | None = None
    scaling: Scaling | None = None
    digest: str | None = None
    notes: Mapping[str, Any] = {}

    @property
    def num_train(self) -> int:
        """Number of training examples."""
        return _num_examples(self.train)

    @property
    def num_test(self) -> int:
        """Number of test examples."""
        return _num_examples(self.test)


def _num_examples(arrays: Rows) -> int:
    return next(iter(arrays.values())).shape[0]


CHECKED = 10_000  # rows that are looked at together


def check_finite(dataset: Dataset) -> None:
    """Raises if a number of the data is not finite, which would show in a loss or a score, hours later.

    Columns of integers, as those of images, need not be looked at; the others are read once.

    Args:
        dataset: The data set.

    Raises:
        UsageError: Naming the column, the first such row, and how many there are.
    """
    for part, rows in (("training", dataset.train), ("test", dataset.test)):
        for name, column in rows.items():
            if jnp.issubdtype(column.dtype, jnp.floating) and (wrong := _not_finite(column)):
                more = f", the first of {len(wrong)} such rows" if len(wrong) > 1 else ""
                raise UsageError(
                    f"the data set {dataset.name}: {name!r} of {part} row {wrong[0]} is not finite{more}: mend the "
                    "data or leave those rows out"
                )


def _not_finite(column: Array | np.ndarray) -> list[int]:
    """Numbers of the rows that have entries which are not finite; rows of a file are read a part at a time."""
    whole = np.asarray(column) if isinstance(column, Array) else column
    wrong: list[int] = []
    for first in range(0, len(whole), CHECKED):
        part = whole[first : first + CHECKED]
        finite = np.isfinite(part).reshape(len(part), -1).all(axis=1)
        wrong += (first + np.flatnonzero(~finite)).tolist()
    return wrong


def integer_option(name: str, given: int, minimum: int, maximum: int | None = None) -> int:
    """Returns `given` if it is an integer from `minimum` to `maximum`.

    Args:
        name: The option's name, for the message.
        given: The option's value.
        minimum: The least value that makes sense.
        maximum: The greatest value that makes sense; None for no bound.

    Raises:
        UsageError: If it is not an integer, less than `minimum` or greater than `maximum`.

    >>> integer_option("size", 64, 2)
    64
    """
    try:
        number = operator.index(given)
    except TypeError:
        number = None
    too_large = number is not None and maximum is not None and number > maximum
    if number is None or isinstance(given, bool) or number < minimum or too_large:
        most = "" if maximum is None else f" and at most {maximum}"
        raise UsageError(f"data option {name}={given!r}: must be an integer of at least {minimum}{most}")
    return number


def number_option(name: str, given: float, minimum: float) -> float:
    """Returns `given` as a float if it is a finite number of at least `minimum`.

    Args:
        name: The option's name, for the message.
        given: The option's value.
        minimum: The least value that makes sense.

    Raises:
        UsageError: If it is not a number, not finite or less than `minimum`.

    >>> number_option("noise", 0, 0.0)
    0.0
    """
    is_number = isinstance(given, numbers.Real) and not isinstance(given, bool)
    if not is_number or not math.isfinite(given) or given < minimum:
        raise UsageError(f"data option {name}={given!r}: must be a finite number of at least {minimum:g}")
    return float(given)

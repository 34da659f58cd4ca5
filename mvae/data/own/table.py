"""A table of examples and the columns beside them, wherever it is from."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mvae.errors import UsageError, unknown

LOGGER = logging.getLogger(__name__)
MAX_BYTES = 2**33  # of an array that a sparse matrix is made into


class Table(NamedTuple):
    """Examples and what stands beside them.

    Attributes:
        x: Examples, (n, ...), or None where they are to be chosen among the columns.
        columns: Name -> one entry for each row: numbers or texts.
        place: Where this is from, for messages.
        names: Of the features of x, where they have names.
    """

    x: np.ndarray | None
    columns: dict[str, np.ndarray]
    place: str
    names: tuple[str, ...] = ()


def choose(table: Table, features: Sequence[str], taken: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the examples of a table: x, or the columns of numbers side by side, and their names.

    Args:
        table: The table.
        features: Names of columns; empty for all that are numbers and not taken.
        taken: Columns that have another role.

    Raises:
        UsageError: For a column that is not there or holds no numbers, and if none is left.
    """
    if table.x is not None:
        return table.x, table.names
    check_names(list(features), f"features of {table.place}", "give each once")
    columns = {name: column for name, column in table.columns.items() if name not in taken}
    for name in features:
        if name in taken:
            raise UsageError(f"{table.place}: the column {name!r} is among features and has another role, too")
        if name not in columns:
            raise unknown(f"column of {table.place}", name, columns)
        if columns[name].dtype.kind not in "biuf":
            raise UsageError(f"{table.place}: the column {name!r} holds {_sample(columns[name])}, which are no numbers")
    names = tuple(features) or tuple(name for name, each in columns.items() if each.dtype.kind in "biuf")
    if not names:
        beside = f" beside {', '.join(taken)}" if taken else ""
        other = next(
            (each for each in (";", "\t", " ") if len(table.columns) == 1 and each in next(iter(table.columns))), ""
        )
        hint = f"; are they separated by {other!r}? save it with commas" if other else ""
        raise UsageError(f"{table.place} has no column of numbers{beside}: {_all(table)}{hint}")
    if left := [name for name in columns if name not in names]:
        LOGGER.info("%s: left out are the columns %s", table.place, ", ".join(map(repr, left)))
    return np.stack([columns[name] for name in names], axis=1), names


def aligned(x: np.ndarray, names: Sequence[str], wanted: Sequence[str], place: str) -> np.ndarray:
    """Returns examples with their features in the order that is wanted, by their names.

    Args:
        x: Examples, (n, d).
        names: Of their features; empty where they have none, and the order is taken to be right.
        wanted: Names in the order that is wanted; empty for the order that there is.
        place: Where they are from, for messages.

    Raises:
        UsageError: If a feature is lacking.
    """
    if not names or not wanted or tuple(names) == tuple(wanted):
        return x
    check_names(list(names), place)
    positions = {name: index for index, name in enumerate(names)}
    if lacking := [name for name in wanted if name not in positions]:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UsageError(f"{place} lacks the feature {lacking[0]!r}{more} of the training data")
    return x[:, [positions[name] for name in wanted]]


def names_in(text: str) -> tuple[str, ...]:
    """Returns the names in a text with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def column_of(table: Table, name: str, role: str) -> np.ndarray:
    """Returns a column of a table by its name.

    Raises:
        UsageError: If there is no such column, listing those that there are.
    """
    if name not in table.columns:
        if not table.columns:
            raise UsageError(f"{role}={name!r}: {table.place} has no named columns, give the array itself")
        raise unknown(f"column of {table.place} for {role}", name, table.columns)
    return table.columns[name]


def of_frame(frame: Any) -> Table:
    """Returns the columns of a frame of pandas or polars."""
    names = [str(name) for name in frame.columns]
    check_names(names, "the frame")
    columns = {}
    for name, own in zip(names, frame.columns, strict=True):
        column = plain_objects(np.asarray(frame[own].to_numpy()))
        columns[name] = column.astype(str) if is_text(column) else column
    return Table(None, columns, "the frame")


def plain_objects(array: np.ndarray) -> np.ndarray:
    """Returns objects that are all numbers as numbers, other arrays as they are."""
    if array.dtype != object or not all(
        isinstance(entry, int | float | np.number | np.bool_) for entry in array.ravel()
    ):
        return array
    try:
        found = np.array(array.tolist())
    except OverflowError:
        return array
    return found if found.dtype.kind in "biuf" else array


def dense(matrix: Any, place: str) -> np.ndarray:
    """Returns a sparse matrix of scipy as an array.

    Raises:
        UsageError: If that takes more than `MAX_BYTES`.
    """
    need = int(np.prod(matrix.shape, dtype=np.int64)) * matrix.dtype.itemsize
    if need > MAX_BYTES:
        raise UsageError(
            f"{place} is sparse, of shape {matrix.shape}, and as an array takes {need / 2**30:.0f} GiB: choose fewer "
            "columns of it first"
        )
    return np.asarray(matrix.todense() if not hasattr(matrix, "toarray") else matrix.toarray())


def check_names(names: Sequence[str], place: str, remedy: str = "rename them") -> None:
    """Checks that no name is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{place} has several columns of the name {name!r}: {remedy}")
        seen.add(name)


def is_text(column: np.ndarray) -> bool:
    """Returns whether a column holds texts, as such or as objects."""
    return column.dtype.kind in "SU" or (column.dtype == object and all(isinstance(entry, str) for entry in column))


def _sample(column: np.ndarray) -> str:
    return f"{str(column[0])!r} and the like" if len(column) else "nothing"


def _all(table: Table) -> str:
    return "its columns are " + (", ".join(table.columns) or "none")


def one_line(error: BaseException) -> str:
    """Returns the message of an error without line breaks."""
    return " ".join(str(error).split())

"""Training rows that stay on the host: arrays in its memory, or records read when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

HostRows = dict[str, np.ndarray]


@runtime_checkable
class RowSource(Protocol):
    """Rows that can be read in any order, by several threads at once."""

    def __len__(self) -> int:
        """Returns the number of rows."""
        ...

    def take(self, rows: np.ndarray) -> HostRows:
        """Returns rows by their numbers, of whatever shape: entries `(*rows.shape, ...)`."""
        ...


class ArrayRows:
    """Rows of arrays in the memory of the host."""

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self.columns = dict(arrays)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: np.ndarray) -> HostRows:
        """Returns rows by their numbers; see `RowSource`."""
        return {name: array[rows] for name, array in self.columns.items()}


class RecordRows:
    """Rows of a sequence of records, each a dict of numpy arrays or numbers, read when they are asked for.

    Such a sequence is a `data_source` of tensorflow-datasets, whose `__getitems__` reads many records at once, or a
    list. Entries take the types that jax has for them, as 32 bits for 64.

    Args:
        records: The sequence; it has at least one record, and all have the same entries.
        num: How many records to keep, the first ones; None keeps all.

    Raises:
        ValueError: If there are no records, or fewer than `num`.
    """

    def __init__(self, records: Any, num: int | None = None):
        if not 1 <= (len(records) if num is None else num) <= len(records):
            raise ValueError(f"num must be from 1 to {len(records)}, the records there are, got {num}")
        self._records, self._num = records, len(records) if num is None else num
        first = self.take(np.array(0))
        self.columns = {name: Column(self, name, array) for name, array in first.items()}

    def __len__(self) -> int:
        return self._num

    def take(self, rows: np.ndarray) -> HostRows:
        """Returns rows by their numbers; see `RowSource`. Each record is read once, however often it is asked for."""
        distinct, position = np.unique(rows, return_inverse=True)
        records = self._read(distinct.tolist())
        columns = {name: np.stack([np.asarray(record[name]) for record in records]) for name in records[0]}
        position = position.reshape(np.shape(rows))
        return {
            name: array.astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False)[position]
            for name, array in columns.items()
        }

    def _read(self, rows: list[int]) -> Sequence[Mapping[str, Any]]:
        if hasattr(self._records, "__getitems__"):
            return self._records.__getitems__(rows)
        return [self._records[row] for row in rows]


class Column:
    """One entry of all records, which reads like an array those rows that are asked for, and keeps none."""

    def __init__(self, source: RecordRows, name: str, example: np.ndarray):
        self._source, self._name, self._example = source, name, example

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array it stands for."""
        return len(self._source), *self._example.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of its entries."""
        return self._example.dtype

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._source.take(np.arange(len(self))[rows])[self._name]

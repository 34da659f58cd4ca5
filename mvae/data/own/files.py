"""Files of one's own: arrays, tables of text, .parquet; cells and images have modules of their own."""

import csv
import difflib
import logging
import math
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mvae.data.own import images
from mvae.data.own.cells import read_cells
from mvae.data.own.table import Table, check_names, dense, is_text, one_line
from mvae.errors import UsageError, unknown

LOGGER = logging.getLogger(__name__)
ENDINGS = ".npy, .npz, .csv, .tsv, .parquet, .h5ad, or a folder of images"
MISSING = {"", "na", "n/a", "nan", "null", "none", "nil", "-", "?", ".", "inf", "-inf"}  # texts of what is not known


def read_table(path: str, *, features: Sequence[str] = (), layer: str = "", size: int | tuple[int, int] = 0) -> Table:
    """Returns what a file or folder holds.

    Args:
        path: .npy, an array of examples by rows; .npz, arrays by name, or a sparse matrix of scipy; .csv and .tsv, with
            a line of names or none; .parquet; .h5ad, cells by genes; or a folder of images, whose subfolders are the
            column "folder", and their names the column "file".
        features: Of tables, the columns that are the examples; of .npz the name of their array.
        layer: Of .h5ad, what the examples are: "" for X, "raw" for the raw counts, the name of a layer, or of an entry
            of obsm such as "X_pca".
        size: Of images, the side of the squares they are resized to, or (height, width); 0 for the size that most have.

    Raises:
        UsageError: If it is not there, of another kind, damaged or empty, or does not have what is asked for.
    """
    where = Path(path).expanduser()
    if not path:
        raise UsageError(f"data option path is empty: give the file or folder of your data, {ENDINGS}")
    if not where.exists():
        names = [each.name for each in where.parent.iterdir()] if where.parent.is_dir() else []
        near = difflib.get_close_matches(where.name, names, n=4, cutoff=0.0)
        there = f"; beside it are {', '.join(near)}" if near else f", nor anything in {where.parent}"
        raise UsageError(f"there is no {where}{there}")
    if layer and where.suffix.lower() != ".h5ad":
        raise UsageError(f"data option layer={layer!r} is of .h5ad files, not of {where}")
    if size and isinstance(size, int) and not where.is_dir():
        raise UsageError(f"data option size={size} is of folders of images, not of {where}")
    if features and (where.is_dir() or where.suffix.lower() in (".npy", ".h5ad")):
        remedy = "; of an .h5ad, layer= says what the examples are" if where.suffix.lower() == ".h5ad" else ""
        raise UsageError(f"data option features={','.join(features)!r} is of tables and .npz, not of {where}{remedy}")
    if where.is_dir():
        return images.read_images(where, size)
    if where.suffix.lower() in images.ENDINGS:
        raise UsageError(f"{where} is one image: give the folder of the images")
    readers: dict[str, Callable[[], Table]] = {
        ".npy": lambda: _npy(where),
        ".npz": lambda: _npz(where, tuple(features)),
        ".csv": lambda: _csv(where, ",", features),
        ".tsv": lambda: _csv(where, "\t", features),
        ".parquet": lambda: _parquet(where, features),
        ".h5ad": lambda: read_cells(where, layer),
    }
    if (reader := readers.get(where.suffix.lower())) is None:
        raise UsageError(f"{where} has the ending {where.suffix or 'none'!r}, data are read from {ENDINGS}")
    if not where.stat().st_size:
        raise UsageError(f"{where} is empty")
    return reader()


def _npy(path: Path) -> Table:
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is no array of numbers that numpy reads ({one_line(error)})") from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise UsageError(f"{path} is an archive of arrays: let its name end in .npz")
    return Table(found, {}, str(path))


def _npz(path: Path, features: tuple[str, ...]) -> Table:
    from scipy import sparse

    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive")
        with np.load(path, allow_pickle=False) as file:
            if {"format", "shape", "data"} <= set(file.files):
                return Table(dense(sparse.load_npz(path), str(path)), {}, str(path))
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path} is no archive of arrays that numpy reads ({one_line(error)})") from error
    if len(features) > 1:
        raise UsageError(f"data option features={features}: of an .npz give one name, that of the array of examples")
    name = features[0] if features else "x" if "x" in arrays else next(iter(arrays)) if len(arrays) == 1 else None
    if name is None:
        raise UsageError(f"{path} has the arrays {', '.join(arrays) or 'none'}: name that of the examples by features=")
    if name not in arrays:
        raise unknown(f"array of {path}", name, arrays)
    return Table(arrays.pop(name), arrays, str(path))


def _csv(path: Path, delimiter: str, features: Sequence[str]) -> Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, line) for number, line in enumerate(csv.reader(file, delimiter=delimiter), 1) if line]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UsageError(f"{path} cannot be read as text ({one_line(error)})") from error
    if len(lines) < 2:
        raise UsageError(f"{path} has {len(lines)} line(s): give one of names, then one for each example")
    names, body = [name.strip() for name in lines[0][1]], lines[1:]
    if all(_number(name) is not None for name in names):  # no line of names
        names, body = [str(index) for index in range(len(names))], lines
    check_names(names, str(path))
    for number, line in body:
        if len(line) != len(names):
            raise UsageError(f"{path}, line {number}: {len(line)} entries, but there are {len(names)} names")
    columns = {}
    for index, name in enumerate(names):
        entries = [line[index].strip() for _, line in body]
        numbers = [_number(entry) for entry in entries]
        known = sum(number is not None for number in numbers)
        if known == len(numbers):
            values = np.asarray(numbers, np.float64)
            whole = all(entry.lstrip("+-").isdigit() for entry in entries) and np.abs(values).max() < 2**53
            columns[name] = values.astype(np.int64) if whole else values
        elif not _is_numbers(entries, numbers):
            columns[name] = np.asarray(entries)
        elif features and name not in features:  # gaps matter if it is a label or the like, and are named there
            columns[name] = np.asarray([math.nan if number is None else number for number in numbers])
        else:
            first = next(i for i, number in enumerate(numbers) if number is None)
            raise UsageError(
                f"{path}, line {body[first][0]}: the column {name!r} has {entries[first]!r} among numbers; fill it in "
                "or leave the line out, or name the columns to take by features="
            )
    unnamed = columns.pop("", None)  # the index that a frame was written with
    if unnamed is not None:
        LOGGER.info("%s: the column without a name is left out", path)
    return Table(None, columns, str(path))


def _is_numbers(entries: Sequence[str], numbers: Sequence[float | None]) -> bool:
    """Whether a column is one of numbers with gaps, not of texts."""
    known = sum(number is not None for number in numbers)
    gaps = all(entry.lower() in MISSING for entry, number in zip(entries, numbers, strict=True) if number is None)
    return known > len(numbers) / 2 or (known > 0 and gaps)


def _number(entry: str) -> float | None:
    try:
        number = float(entry)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parquet(path: Path, features: Sequence[str]) -> Table:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs pyarrow: pip install 'mvae[tables]'") from error
    try:
        found = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise UsageError(f"{path} is damaged or no file of parquet ({one_line(error)})") from error
    names = found.column_names
    check_names(names, str(path))
    columns = {}
    for name, column in zip(names, found.columns, strict=True):
        if name.startswith("__index_level_"):
            continue
        if column.null_count and (not features or name in features):
            raise UsageError(
                f"{path}: the column {name!r} has {column.null_count} empty entries; fill them in, or name the columns "
                "to take by features="
            )
        array = np.asarray(column.to_numpy())
        columns[name] = array.astype(str) if is_text(array) else array
    return Table(None, columns, str(path))

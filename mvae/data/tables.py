"""What files of one's own hold: examples by rows, and named columns beside them."""

import csv
import difflib
import logging
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mvae.errors import UsageError, unknown

LOGGER = logging.getLogger(__name__)
MAX_BYTES = 2**33  # of an array that a sparse matrix is made into
ENDINGS = ".npy, .npz, .csv, .tsv, .parquet, .h5ad, or a folder of images"
MISSING = {"", "na", "n/a", "nan", "null", "none", "nil", "-", "?", ".", "inf", "-inf"}  # texts of what is not known
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


class Table(NamedTuple):
    """Examples and what stands beside them.

    Attributes:
      x: examples, (n, ...), or None where they are to be chosen among the columns.
      columns: name -> one entry for each row: numbers or texts.
      place: where this is from, for messages.
      names: of the features of x, where they have names.
    """

    x: np.ndarray | None
    columns: dict[str, np.ndarray]
    place: str
    names: tuple[str, ...] = ()


def read_table(path: str, *, features: Sequence[str] = (), layer: str = "", size: int | tuple[int, int] = 0) -> Table:
    """Returns what a file or folder holds.

    Args:
      path: .npy, an array of examples by rows; .npz, arrays by name, or a sparse matrix of scipy; .csv and .tsv, with a
        line of names or none; .parquet; .h5ad, cells by genes; or a folder of images, whose subfolders are the column
        "folder", and their names the column "file".
      features: of tables, the columns that are the examples; of .npz the name of their array.
      layer: of .h5ad, what the examples are: "" for X, "raw" for the raw counts, the name of a layer, or of an entry
        of obsm such as "X_pca".
      size: of images, the side of the squares they are resized to, or (height, width); 0 for the size that most have.

    Raises:
      UsageError: if it is not there, of another kind, damaged or empty, or does not have what is asked for.
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
        return _images(where, size)
    if where.suffix.lower() in IMAGES:
        raise UsageError(f"{where} is one image: give the folder of the images")
    readers: dict[str, Callable[[], Table]] = {
        ".npy": lambda: _npy(where),
        ".npz": lambda: _npz(where, tuple(features)),
        ".csv": lambda: _csv(where, ",", features),
        ".tsv": lambda: _csv(where, "\t", features),
        ".parquet": lambda: _parquet(where, features),
        ".h5ad": lambda: _h5ad(where, layer),
    }
    if (reader := readers.get(where.suffix.lower())) is None:
        raise UsageError(f"{where} has the ending {where.suffix or 'none'!r}, data are read from {ENDINGS}")
    if not where.stat().st_size:
        raise UsageError(f"{where} is empty")
    return reader()


def choose(table: Table, features: Sequence[str], taken: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the examples of a table: x, or the columns of numbers side by side, and their names.

    Args:
      table: the table.
      features: names of columns; empty for all that are numbers and not taken.
      taken: columns that have another role.

    Raises:
      UsageError: for a column that is not there or holds no numbers, and if none is left.
    """
    if table.x is not None:
        return table.x, table.names
    _check_names(list(features), f"features of {table.place}", "give each once")
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
      x: examples, (n, d).
      names: of their features; empty where they have none, and the order is taken to be right.
      wanted: names in the order that is wanted; empty for the order that there is.
      place: where they are from, for messages.

    Raises:
      UsageError: if a feature is lacking.
    """
    if not names or not wanted or tuple(names) == tuple(wanted):
        return x
    _check_names(list(names), place)
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
      UsageError: if there is no such column, listing those that there are.
    """
    if name not in table.columns:
        if not table.columns:
            raise UsageError(f"{role}={name!r}: {table.place} has no named columns, give the array itself")
        raise unknown(f"column of {table.place} for {role}", name, table.columns)
    return table.columns[name]


def of_frame(frame: Any) -> Table:
    """Returns the columns of a frame of pandas or polars."""
    names = [str(name) for name in frame.columns]
    _check_names(names, "the frame")
    columns = {}
    for name, own in zip(names, frame.columns, strict=True):
        column = plain_objects(np.asarray(frame[own].to_numpy()))
        columns[name] = column.astype(str) if _is_text(column) else column
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
      UsageError: if that takes more than `MAX_BYTES`.
    """
    need = int(np.prod(matrix.shape, dtype=np.int64)) * matrix.dtype.itemsize
    if need > MAX_BYTES:
        raise UsageError(
            f"{place} is sparse, of shape {matrix.shape}, and as an array takes {need / 2**30:.0f} GiB: choose fewer "
            "columns of it first"
        )
    return np.asarray(matrix.todense() if not hasattr(matrix, "toarray") else matrix.toarray())


def _npy(path: Path) -> Table:
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is no array of numbers that numpy reads ({_line(error)})") from error
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
        raise UsageError(f"{path} is no archive of arrays that numpy reads ({_line(error)})") from error
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
        raise UsageError(f"{path} cannot be read as text ({_line(error)})") from error
    if len(lines) < 2:
        raise UsageError(f"{path} has {len(lines)} line(s): give one of names, then one for each example")
    names, body = [name.strip() for name in lines[0][1]], lines[1:]
    if all(_number(name) is not None for name in names):  # no line of names
        names, body = [str(index) for index in range(len(names))], lines
    _check_names(names, str(path))
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
        raise UsageError(f"{path} is damaged or no file of parquet ({_line(error)})") from error
    names = found.column_names
    _check_names(names, str(path))
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
        columns[name] = array.astype(str) if _is_text(array) else array
    return Table(None, columns, str(path))


def _h5ad(path: Path, layer: str) -> Table:
    try:
        import h5py
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs h5py: pip install 'mvae[cells]'") from error
    try:
        with h5py.File(path) as file:
            x = _cells(file, layer, str(path))
            return Table(x, _observations(file), str(path), _genes(file, layer, x.shape))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is damaged or no file of HDF5 ({_line(error)})") from error


def _cells(file: Any, layer: str, place: str) -> np.ndarray:
    """The matrix that `layer` names, as anndata writes it today and wrote it in 2018."""
    places = {"": "X", "raw": "raw/X" if "raw/X" in file else "raw.X"}
    for kind in ("layers", "obsm"):
        group = file.get(kind)
        names = () if group is None else group.dtype.names or () if hasattr(group, "dtype") else group
        places |= {name: f"{kind}/{name}" for name in names if name not in places}
    known = [name for name, where in places.items() if name and (name != "raw" or where in file)]
    if layer and layer not in known:
        raise unknown(f"layer of {place}", layer, known or ["none but X"])
    where = places[layer]
    kind, _, name = where.partition("/")
    if kind == "obsm" and hasattr(file["obsm"], "dtype"):  # a table of records
        return np.asarray(file["obsm"][name])
    if where not in file:
        raise UsageError(f"{place} has no {where}: name the examples by layer=, of {', '.join(known) or 'none'}")
    found = file[where]
    return np.asarray(found) if hasattr(found, "dtype") else dense(_sparse(found, place), place)


def _genes(file: Any, layer: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the columns of the matrix, where it is one of genes."""
    if layer and layer != "raw" and layer not in file.get("layers", ()):
        return ()
    var = file.get("var") if layer != "raw" else file.get("raw/var", file.get("raw.var"))
    if var is None:
        return ()
    if hasattr(var, "dtype"):
        records = var[:]
        found = _texts(records["index"]) if "index" in (records.dtype.names or ()) else np.empty(0)
    else:
        index = _text(var.attrs.get("_index", "_index"))
        found = _texts(var[index][:]) if index in var else np.empty(0)
    names = tuple(str(name) for name in found)
    return names if shape[1:] == (len(names),) and len(set(names)) == len(names) else ()


def _sparse(group: Any, place: str) -> Any:
    from scipy import sparse

    kind = _text(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "")))
    shape = group.attrs.get("shape", group.attrs.get("h5sparse_shape"))
    make = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix}.get(kind.removesuffix("_matrix"))
    if make is None or shape is None:
        raise UsageError(f"{place}: {group.name} is no matrix that is known here (its encoding is {kind or 'none'!r})")
    return make((group["data"][:], group["indices"][:], group["indptr"][:]), shape=tuple(shape))


def _observations(file: Any) -> dict[str, np.ndarray]:
    """The columns of obs; categories as their texts."""
    if (obs := file.get("obs")) is None:
        return {}
    if hasattr(obs, "dtype"):  # a table of records, categories beside it
        records, found = obs[:], {}
        for name in records.dtype.names:
            categories = file.get(f"uns/{name}_categories")
            found[name] = _texts(categories[:])[records[name]] if categories is not None else _texts(records[name])
        return found
    found = {}
    for name in obs:
        column = obs[name]
        if name == "__categories":
            continue
        if not hasattr(column, "dtype"):
            if "codes" in column and "categories" in column:
                found[name] = _categories(column["categories"][:], column["codes"][:])
        elif "categories" in column.attrs:
            found[name] = _categories(obs[column.attrs["categories"]][:], column[:])
        else:
            found[name] = _texts(column[:])
    return found


def _categories(names: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Categories by code; -1 is an empty entry."""
    texts = _texts(names)
    return np.where(codes < 0, "", texts[np.maximum(codes, 0)]) if texts.dtype.kind == "U" else texts[codes]


def _texts(array: np.ndarray) -> np.ndarray:
    """Texts of HDF5 as texts of numpy; numbers as they are."""
    return np.asarray([_text(entry) for entry in array]) if array.dtype.kind in "SO" else array


def _text(entry: Any) -> str:
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)


def _images(folder: Path, size: int | tuple[int, int]) -> Table:
    from PIL import Image, UnidentifiedImageError

    if isinstance(size, int) and size < 0:
        raise UsageError(f"data option size={size}: give the side of the images, or 0 for the size that most have")
    files = sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in IMAGES and not each.name.startswith(".")
    )
    if not files:
        raise UsageError(f"{folder} has no images: files that end in {', '.join(IMAGES)}")
    opened = []
    for path in files:
        try:
            with Image.open(path) as image:
                image.load()
                palette = image.mode == "P"  # of colours
                colours = "RGBA" if "transparency" in image.info else "RGB"
                opened.append(image.convert(colours) if palette else image.copy())
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
            raise UsageError(f"{path} is no image that can be read ({_line(error)}): mend or remove it") from error
    modes = {image.mode for image in opened}
    ((most, _),) = Counter(image.size for image in opened).most_common(1)
    shape = (size[1], size[0]) if isinstance(size, tuple) else (size, size) if size else most
    if changed := sum(image.size != shape for image in opened):
        LOGGER.info("%s: %d of %d images are resized to %d × %d", folder, changed, len(opened), *shape)
    if modes <= {"I;16", "I", "F"}:  # more than eight bits: fractions of their full range
        full = 1.0 if modes == {"F"} else 65535.0
        x = np.stack([np.asarray(_resized(image.convert("F"), shape)) / full for image in opened])[..., None]
    else:
        mode = "L" if modes <= {"1", "L"} else "RGBA" if modes & {"RGBA", "LA", "PA"} else "RGB"
        x = np.stack([np.asarray(_resized(image.convert(mode), shape)) for image in opened])
        x = x[..., None] if x.ndim == 3 else x
    relative = [path.relative_to(folder) for path in files]
    columns = {"file": np.asarray([str(path) for path in relative])}
    if any(len(path.parts) > 1 for path in relative):
        columns["folder"] = np.asarray([path.parts[0] if len(path.parts) > 1 else "" for path in relative])
    return Table(np.ascontiguousarray(x), columns, str(folder))


def _resized(image: Any, shape: tuple[int, int]) -> Any:
    from PIL import Image

    return image if image.size == shape else image.resize(shape, Image.Resampling.LANCZOS)


def _check_names(names: Sequence[str], place: str, remedy: str = "rename them") -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{place} has several columns of the name {name!r}: {remedy}")
        seen.add(name)


def _is_text(column: np.ndarray) -> bool:
    return column.dtype.kind in "SU" or (column.dtype == object and all(isinstance(entry, str) for entry in column))


def _sample(column: np.ndarray) -> str:
    return f"{str(column[0])!r} and the like" if len(column) else "nothing"


def _all(table: Table) -> str:
    return "its columns are " + (", ".join(table.columns) or "none")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())

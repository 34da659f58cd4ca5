"""Examples from files: .npy, .npz, .csv, .parquet and .h5ad."""

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mvae.data.arrays import numeric
from mvae.errors import UsageError


def read_examples(path: str | Path, *, layer: str | None = None) -> np.ndarray:
    """Returns the examples in a file, by rows.

    Args:
      path: .npy; .npz with the entry x, or one entry alone; .csv with numbers, and a first line of names or none;
        .parquet with columns of numbers; .h5ad, of which X or a layer is read.
      layer: of an .h5ad.

    Raises:
      UsageError: if there is no such file, its format is none of these, or it has no examples.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    ending = path.suffix.lower()
    if ending not in READERS:
        raise UsageError(f"{path}: files of examples end in {', '.join(READERS)}")
    if layer is not None and ending != ".h5ad":
        raise UsageError(f"{path}: layers are of .h5ad alone")
    try:
        found = READERS[ending](path) if ending != ".h5ad" else _h5ad(path, layer)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return numeric(found, str(path))


def _npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _npz(path: Path) -> np.ndarray:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        names = file.files
        if "x" not in names and len(names) != 1:
            raise UsageError(f"{path} has the entries {', '.join(names) or 'none'}: name the one with the examples x")
        return file["x" if "x" in names else names[0]]


def _csv(path: Path) -> np.ndarray:
    with path.open() as file:
        first = file.readline().strip()
    names = [name.strip() for name in first.split(",")]
    has_names = not all(_is_number(name) for name in names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a file without rows
            found = np.loadtxt(path, delimiter=",", skiprows=int(has_names), ndmin=2, comments=None)
    except ValueError as error:
        message = str(error).partition(";")[0]
        raise UsageError(f"{path}: every entry must be a number: {message}") from error
    if not found.size:
        raise UsageError(f"{path} is empty: it has no rows of numbers")
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(path: Path) -> Any:
    if importlib.util.find_spec("pyarrow") is not None:
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]

        table = parquet.read_table(path)
        return np.stack([numeric(table[name], f"{path}, column {name}") for name in table.column_names], axis=1)
    for package in ("polars", "pandas"):
        if importlib.util.find_spec(package) is not None:
            return importlib.import_module(package).read_parquet(path)
    raise UsageError(f"{path}: .parquet needs pyarrow, polars or pandas: pip install pyarrow")


def _h5ad(path: Path, layer: str | None) -> np.ndarray:
    with open_hdf5(path, "r") as file:
        if layer is not None and layer not in file.get("layers", {}):
            raise UsageError(f"{path} has no layer {layer!r}: it has {', '.join(file.get('layers', {})) or 'none'}")
        stored = file["X"] if layer is None else file["layers"][layer]
        if hasattr(stored, "shape"):
            return np.asarray(stored)
        return _sparse(stored)


def _sparse(stored: Any) -> np.ndarray:
    """A matrix by its rows or columns, as anndata writes it, as a dense array."""
    from scipy import sparse

    parts = tuple(np.asarray(stored[name]) for name in ("data", "indices", "indptr"))
    kind = sparse.csc_matrix if stored.attrs["encoding-type"] == "csc_matrix" else sparse.csr_matrix
    return kind(parts, shape=tuple(stored.attrs["shape"])).toarray()


def open_hdf5(path: Path, mode: str) -> Any:
    """Returns an opened file of HDF5.

    Raises:
      UsageError: if h5py is not installed.
      OSError: if it cannot be opened.
    """
    if importlib.util.find_spec("h5py") is None:
        raise UsageError(f"{path} needs h5py: pip install 'mvae[hdf5]', or pip install h5py")
    import h5py  # pyright: ignore[reportMissingImports]

    return h5py.File(path, mode)


READERS: dict[str, Callable[..., Any]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _csv,
    ".parquet": _parquet,
    ".h5ad": _h5ad,
}

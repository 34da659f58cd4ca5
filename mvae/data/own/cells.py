"""Cells by genes from .h5ad files, as anndata writes them today and wrote them in 2018."""

from pathlib import Path
from typing import Any

import numpy as np

from mvae.data.own.table import Table, dense, one_line
from mvae.errors import UsageError, unknown


def read_cells(path: Path, layer: str) -> Table:
    """Returns the cells of an .h5ad file; see `mvae.data.own.files.read_table`."""
    try:
        import h5py
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs h5py: pip install 'mvae[cells]'") from error
    try:
        with h5py.File(path) as file:
            x = _cells(file, layer, str(path))
            return Table(x, _observations(file), str(path), _genes(file, layer, x.shape))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is damaged or no file of HDF5 ({one_line(error)})") from error


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

"""A user's own arrays as a data set: checked, scaled, split into training and test rows."""

import logging
import math
import numbers
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Batch, Dataset, Rows, Scaling
from mvae.data.own.files import read_table
from mvae.data.own.table import Table, aligned, choose, column_of, dense, names_in, of_frame, plain_objects
from mvae.errors import UsageError

LOGGER = logging.getLogger(__name__)
NAME = "arrays"  # of data that were given as arrays, in place of a name of `mvae.data.BUILDERS`
SCALES = ("auto", "unit", "standard", "none")
CHECKED = 4096  # rows that are looked at together
LOST = 0.01  # of the deviation of a feature, in rounding
_SPLIT_SEED = 0


def from_arrays(
    x: Any,
    *,
    scale: str = "auto",
    test_fraction: float = 0.1,
    test: Any = None,
    label: Any = None,
    angle: Any = None,
    angle_period: float = 2 * math.pi,
    condition: Any = None,
    size_factor: Any = None,
    features: Sequence[str] | str = (),
    **columns: Any,
) -> Dataset:
    """Returns a data set of a user's own arrays.

    The test rows are drawn at random, always the same ones of so many rows, unless `test` says which they are.

    Args:
        x: Examples, (n, ...): an array of numpy or jax, a sparse matrix of scipy, a frame of pandas or polars, or
            anything that numpy takes for an array of numbers. Vectors are (n, d), images (n, height, width, channels).
        scale: What the model sees: "unit", x brought to [0, 1]; "standard", each entry less its mean over the training
            rows and over its standard deviation there; "none", x itself. "auto" is "unit" for bytes, "standard" for
            vectors of floats, and "none" for other integers, which may be counts, for true and false, and for images of
            floats.
        test_fraction: Share of the rows that are the test set, above 0 and below 1.
        test: Which rows are the test set, (n,): true and false, or 0 and 1, or "test" and "train".
        label: The class of each row, (n,): texts or whole numbers.
        angle: An angle that is known of each row, (n,), which codes are compared with.
        angle_period: How much of it is a full turn: 360 where it is in degrees, 52 for weeks of a year.
        condition: A nuisance that is known of each row, (n,): texts or whole numbers, such as the batch, animal or
            camera. Encoder and decoder are given it, so that codes need not have it.
        size_factor: What the counts of each row are in proportion to, (n,), positive, or "total" for their sum; it is
            divided by its mean over the training rows. For likelihoods of counts.
        features: Of a frame, the columns that are x, a sequence of names or a text with commas between them; all
            columns of numbers without another role if empty.
        **columns: What else is known of each row, (n, ...): numbers.

    Of a frame, `test`, `label`, `angle`, `condition` and `size_factor` may be names of columns.

    Raises:
        UsageError: For what is not an array of finite numbers of two rows or more, columns of another length, and
            options that are out of range, naming what is wrong and where.

    >>> dataset = from_arrays(np.eye(20, 3, dtype=np.uint8), label=np.arange(20))
    >>> dataset.num_train, dataset.num_test, dataset.event_shape, dataset.scaling.kind
    (18, 2, (3,), 'unit')
    """
    if x is None:
        raise UsageError("x is None: give examples by rows, (n, ...)")
    is_frame = hasattr(x, "columns") and hasattr(x, "to_numpy")
    table = of_frame(x) if is_frame else Table(x, {}, "x")
    if hasattr(x, "tocsr"):
        table = table._replace(x=dense(x, "x"))
    roles = {"test": test, "label": label, "angle": angle, "condition": condition, "size_factor": size_factor}
    if is_frame:  # whose columns may have numbers for names
        roles = {role: str(value) if isinstance(value, int | np.integer) else value for role, value in roles.items()}
    chosen = names_in(features) if isinstance(features, str) else tuple(str(name) for name in features)
    return _of_table(table, roles, chosen, scale, test_fraction, angle_period, columns)


def from_file(
    path: str = "",
    *,
    scale: str = "auto",
    test_fraction: float = 0.1,
    test: str = "",
    test_path: str = "",
    label: str = "",
    angle: str = "",
    angle_period: float = 2 * math.pi,
    condition: str = "",
    size_factor: str = "",
    features: str = "",
    layer: str = "",
    size: int = 0,
) -> Dataset:
    """Returns a data set of a user's own file.

    Args:
        path: .npy, .npz, .csv, .tsv, .parquet, .h5ad, or a folder of images; see `mvae.data.own.files.read_table`.
        scale: As for `from_arrays`.
        test_fraction: As for `from_arrays`.
        test: The column that says which rows are the test set, as for `from_arrays`; "" for none.
        test_path: A file of the test set's own, of the same kind; "" for none.
        label: The column of the class; "" for none. Of a folder of images "folder" is that of the subfolders.
        angle: The column of a known angle; "" for none.
        angle_period: How much of it is a full turn.
        condition: The column of a known nuisance; "" for none.
        size_factor: The column of size factors, or "total" for the sum of a row; "" for none.
        features: Columns that are the examples, separated by commas, of .npz the name of their array; all columns of
            numbers without another role if empty.
        layer: Of .h5ad, what the examples are: "" for X, "raw", the name of a layer or of an entry of obsm.
        size: Of images, the side of the squares they are resized to; 0 for the size that most of them have.

    Raises:
        UsageError: As for `from_arrays`, and for what cannot be read.
    """
    chosen = names_in(features)
    options: dict[str, Any] = {"features": chosen, "layer": layer, "size": size}
    table = read_table(path, **options)
    roles: dict[str, Any] = {"test": test, "label": label, "angle": angle, "condition": condition}
    roles = {name: value or None for name, value in (roles | {"size_factor": size_factor}).items()}
    if not test_path:
        return _of_table(table, roles, chosen, scale, test_fraction, angle_period, {})._replace(name="file")
    if test:
        raise UsageError(f"data options test={test!r} and test_path={test_path!r} both say what the test set is")
    other = read_table(test_path, **options)
    (x, names), (test_x, test_names) = (_with_x(each, chosen, roles) for each in (table, other))
    test_x = aligned(test_x, test_names, names, test_path)
    if x.shape[1:] != test_x.shape[1:]:
        raise UsageError(f"{path} has examples of shape {x.shape[1:]}, {test_path} of {test_x.shape[1:]}")
    columns = {}
    for name in table.columns:
        if name in other.columns:
            columns[name] = np.concatenate([table.columns[name], other.columns[name]])
    joined = np.concatenate([x, test_x])
    roles["test"] = np.arange(len(joined)) >= len(x)
    table = Table(joined, columns, f"{path} with {test_path}", names)
    return _of_table(table, roles, (), scale, test_fraction, angle_period, {})._replace(name="file")


def _with_x(table: Table, features: Sequence[str], roles: Mapping[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    return choose(table, () if table.x is not None else features, [r for r in roles.values() if isinstance(r, str)])


def _of_table(
    table: Table,
    roles: Mapping[str, Any],
    features: Sequence[str],
    scale: str,
    test_fraction: float,
    angle_period: float,
    beside: Mapping[str, Any],
) -> Dataset:
    """Checks everything, gives columns their roles, splits and scales."""
    if scale not in SCALES:
        raise UsageError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if not (isinstance(test_fraction, numbers.Real) and 0 < test_fraction < 1):
        raise UsageError(f"test_fraction must lie between 0 and 1, got {test_fraction!r}")
    if not (isinstance(angle_period, numbers.Real) and 0 < angle_period < math.inf):
        raise UsageError(f"angle_period must be a positive number, got {angle_period!r}")
    if features and table.place == "x":
        raise UsageError("features= are the names of columns, of which x has none")
    x, names = _with_x(table, features, roles)
    where = table.place if table.place == "x" else f"x of {table.place}"
    x = _examples(x, where, names)
    given = {
        role: column_of(table, value, role) if isinstance(value, str) and value != "total" else value
        for role, value in roles.items()
        if value is not None
    }
    rows: dict[str, np.ndarray] = {"x": narrow(x)}
    facts: dict[str, Any] = {"feature_names": names}
    _say_what_is_lost(x, where, names)
    if "label" in given:
        rows["label"], facts["label_names"] = categories(given["label"], "label", len(x))
    if "condition" in given:
        rows["condition"], facts["condition_names"] = categories(given["condition"], "condition", len(x))
        if len(facts["condition_names"]) > max(2, len(x) // 2):
            raise UsageError(
                f"condition has {len(facts['condition_names'])} values in {len(x)} rows: give one that many rows share"
            )
    if "angle" in given:
        angle = _one_each(given["angle"], "angle", len(x))
        turns = np.asarray(angle, np.float64) / float(angle_period)
        rows["angle"] = (2 * math.pi * np.where(np.abs(turns) > 1e3, turns % 1.0, turns)).astype(np.float32)
        facts["angle"] = "angle"
    for name, value in beside.items():
        rows[name] = narrow(column(value, name, len(x)))
    is_test = _test_rows(given.get("test"), len(x), test_fraction)
    if "size_factor" in given:
        sizes = x.reshape(len(x), -1).sum(axis=1, dtype=np.float64) if is_total(given["size_factor"]) else None
        sizes = _one_each(given["size_factor"], "size_factor", len(x)).astype(np.float64) if sizes is None else sizes
        if (low := np.flatnonzero(sizes <= 0)).size:
            raise UsageError(f"size_factor[{low[0]}] is {sizes[low[0]]:g}: size factors are positive; leave it out")
        facts["size_unit"] = float(sizes[~is_test].mean())
        rows["size_factor"] = (sizes / facts["size_unit"]).astype(np.float32)
    if scale == "auto" and x.dtype == bool:
        scale = "none"
    train, test = ({name: entries[part] for name, entries in rows.items()} for part in (~is_test, is_test))
    _check_split(train, test, facts)
    return _dataset(train, test, _scaling(train["x"], scale), facts)


def is_total(size_factor: Any) -> bool:
    """Whether size factors are to be the sums of the rows."""
    return isinstance(size_factor, str) and size_factor == "total"


def _examples(x: Any, where: str, names: Sequence[str]) -> np.ndarray:
    """Checked examples by rows."""
    x = numeric(x, where)
    if x.ndim < 2:
        raise UsageError(f"{where} has shape {x.shape}: give examples by rows, (n, ...), numbers as (n, 1)")
    check_finite(x, where, names)
    if len(x) < 2:
        raise UsageError(f"{where} has {len(x)} row: two are needed at least, one to train on and one to test with")
    if (x == x[:1]).all():
        raise UsageError(f"{where}: all {len(x)} rows are the same, there is nothing to learn; is it the right array?")
    return x


def column(values: Any, name: str, num: int) -> np.ndarray:
    """Returns a checked column of finite numbers.

    Raises:
        UsageError: For texts, another length or entries that are not finite.
    """
    found = numeric(values, name)
    if found.ndim == 0 or len(found) != num:
        raise UsageError(f"{name} has shape {found.shape}, but x has {num} rows: give one entry for each")
    check_finite(found, name)
    return found


def _one_each(values: Any, name: str, num: int) -> np.ndarray:
    """A checked column of one number for each row."""
    found = column(values, name, num)
    if found.ndim != 1:
        raise UsageError(f"{name} has shape {found.shape}, but x has {num} rows: give one number for each, ({num},)")
    return found


def categories(values: Any, name: str, num: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns categories as numbers from 0 on, int32 (n,), and the text of each, in their order.

    Raises:
        UsageError: For another length, numbers that are not whole, and empty texts.
    """
    array: Any = plain_objects(_array(values, name))
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind == "T" or (array.dtype == object and all(isinstance(entry, str) for entry in array.ravel())):
        array = np.array(array.tolist(), str)
    if array.shape != (num,):
        raise UsageError(f"{name} has shape {array.shape}, but x has {num} rows: give one entry for each, ({num},)")
    if array.dtype == object:
        odd = next((i for i, entry in enumerate(array) if not isinstance(entry, str | int)), 0)
        kinds = ", ".join(sorted({type(entry).__name__ for entry in array}))
        raise UsageError(f"{name}[{odd}] is {array[odd]!r}, entries are of {kinds}: classes are texts or whole numbers")
    if (
        array.dtype.kind == "f"
        and (wrong := np.flatnonzero((array != np.round(array)) | ~(np.abs(array) < 2**53))).size
    ):
        raise UsageError(f"{name}[{wrong[0]}] is {array[wrong[0]]}: classes are texts or whole numbers")
    if array.dtype.kind not in "biufU":
        raise UsageError(f"{name} is of dtype {array.dtype}: classes are texts or whole numbers")
    if array.dtype.kind == "U" and (empty := np.flatnonzero(np.char.strip(array) == "")).size:
        raise UsageError(f"{name}[{empty[0]}] is empty: give every row a class, or leave out those without one")
    array = array.astype(np.int64) if array.dtype.kind in "bf" else array
    known, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.int32), tuple(str(each) for each in known)


def _test_rows(given: Any, num: int, fraction: float) -> np.ndarray:
    """Which rows are the test set, bool (n,)."""
    if given is None:
        num_test = min(max(1, round(fraction * num)), num - 1)
        found = np.zeros(num, bool)
        found[np.random.default_rng(_SPLIT_SEED).permutation(num)[:num_test]] = True
        return found
    codes, names = categories(given, "test", num)
    if set(names) - {"0", "1"} and set(names) - {"train", "test"} and set(names) - {"True", "False"}:
        raise UsageError(f"test has the values {', '.join(names[:8])}: give true and false, 0 and 1, or train and test")
    found = np.isin(np.asarray(names), ("1", "test", "True"))[codes]
    if found.all() or not found.any():
        raise UsageError(f"test says that {'all' if found.all() else 'no'} rows are the test set: both sets need some")
    return found


def _check_split(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Raises for a condition that only the test set has; says which features do not change in training."""
    if "condition" in train and (unseen := sorted(set(test["condition"]) - set(train["condition"]))):
        raise UsageError(f"no training row has the condition {facts['condition_names'][unseen[0]]!r}: split them anew")
    constant = (train["x"] == train["x"][:1]).all(axis=0)
    if constant.ndim == 1 and constant.any():
        LOGGER.info("x: %d of %d features are constant in the training rows", constant.sum(), constant.size)


def _dataset(
    train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray], scaling: Scaling, facts: Mapping[str, Any]
) -> Dataset:
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
        **facts,
    )


def _scaling(x: np.ndarray, scale: str) -> Scaling:
    """The scaling of training rows."""
    if scale == "auto":
        scale = "unit" if x.dtype == np.uint8 else "standard" if x.dtype.kind == "f" and x.ndim == 2 else "none"
    if scale == "none":
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
        x: An array of numpy or jax, a frame or column of pandas or polars, or nested lists.
        name: What it is called in messages.

    Raises:
        UsageError: If it is no array of real numbers, such as texts, objects or rows of several lengths.
    """
    array = plain_objects(_array(x, name))
    if array.dtype == object:
        place = next((place for place, entry in np.ndenumerate(array) if not isinstance(entry, int | float)), ())
        kinds = sorted({type(entry).__name__ for entry in array.ravel()[:100]})
        first = f"{name}[{', '.join(map(str, place))}] is {str(array[place])[:40]!r}: " if place else ""
        raise UsageError(
            f"{first}{name} has entries of type {', '.join(kinds) or 'object'}: give numbers, of one dtype"
        )
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise UsageError(f"{name} is of dtype {array.dtype}: give real numbers")
    return array


def _array(x: Any, name: str) -> np.ndarray:
    """Whatever it comes in as an array of numpy.

    Raises:
        UsageError: For rows of several shapes, and entries that a mask hides.
    """
    try:
        array = x.to_numpy() if hasattr(x, "to_numpy") else x
        if np.ma.is_masked(array):
            hidden = int(np.ma.count_masked(array))
            raise UsageError(f"{name} has {hidden} masked entries: fill them in, or leave those rows out")
        return np.asarray(array)
    except ValueError as error:
        raise UsageError(f"{name} is no array: its rows differ in shape; give rows of one shape") from error


def check_finite(x: np.ndarray, name: str, names: Sequence[str] = ()) -> None:
    """Raises unless an array has entries and all of them are finite as float32; looks at some rows at a time.

    Raises:
        UsageError: Naming the first entry that is not.
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
            column = f" (column {names[place[1]]!r})" if names else ""
            raise UsageError(f"{name}[{number}]{column} is {value}: every entry must be a finite number of float32")


def row_sizes(x: np.ndarray) -> np.ndarray:
    """Returns the root mean square of the entries of each row, (n,), float64."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    return np.sqrt(np.einsum("ij,ij->i", flat, flat) / max(math.prod(x.shape[1:]), 1))


def narrow(x: np.ndarray) -> np.ndarray:
    """Returns a column with the dtype that it has on the device.

    Bytes stay bytes, other numbers have 32 bits, whole numbers beyond those of int32 are float32.
    """
    if x.dtype == np.uint8:
        return x
    whole = x.dtype.kind in "iu" and np.can_cast(x.dtype, np.int32)
    if not whole and x.dtype.kind in "iu":
        bounds = np.iinfo(np.int32)
        whole = not x.size or bool(x.min() >= bounds.min and x.max() <= bounds.max)
    return x.astype(np.int32 if whole else np.float32, copy=False)


def _say_what_is_lost(x: np.ndarray, where: str, names: Sequence[str]) -> None:
    """Warns of features of 64 bits that vary by less than float32 resolves, such as times in seconds since 1970."""
    if x.ndim != 2 or x.dtype.itemsize < 8:
        return
    rows = x[np.linspace(0, len(x) - 1, min(len(x), CHECKED)).astype(int)].astype(np.float64)
    spread, lost = rows.std(axis=0), np.abs(rows - rows.astype(np.float32)).max(axis=0)
    wrong = np.flatnonzero((lost > LOST * spread) & (spread > 1e-12 * np.abs(rows).max(axis=0)))
    if wrong.size:
        index = int(wrong[0])
        name = f"{where}[:, {index}]" + (f" (column {names[index]!r})" if names else "")
        LOGGER.warning(
            "%s varies by %.3g around %.9g, which the 32 bits of training hold to %.3g only: subtract its mean first%s",
            name,
            spread[index],
            rows[:, index].mean(),
            lost[index],
            f"; so do {len(wrong) - 1} more" if len(wrong) > 1 else "",
        )

"""What data sets with known factors have in common: how they are found, split and rendered."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Batch, Dataset, Rows, integer_option
from mvae.errors import UsageError


class Images(NamedTuple):
    """Images, uint8 `(N, H, W, C)`, and their factors, int32 `(N, k)`, each counted from 0, on the host."""

    images: np.ndarray
    factors: np.ndarray


def find(title: str, subfolder: str, directory: str, entries: Sequence[str], remedy: str) -> Path:
    """Returns the first of the entries that exists in a folder, or in its subfolder.

    Args:
        title: Name of the data set, for the message.
        subfolder: The subfolder to look into as well.
        directory: The folder, the data option `dir`.
        entries: Names of files or folders, the preferred one first.
        remedy: How to get the data, for the message.

    Raises:
        UsageError: If no folder is given, or none of the entries is there; it names every place.
    """
    folder = _folder(title, directory, remedy)
    looked = []
    for place in (folder, folder / subfolder):
        for entry in entries:
            if (place / entry).exists():
                return place / entry
        looked.append(f"{place} ({'has none of ' + ', '.join(entries) if place.is_dir() else 'no such folder'})")
    raise UsageError(f"{title} not found. Looked at: {'; '.join(looked)}. To get it: {remedy}")


def find_all(title: str, subfolder: str, directory: str, names: Sequence[str], remedy: str) -> dict[str, Path]:
    """Returns the paths of several files in one folder, or in its subfolder, each plain or compressed (`.gz`).

    Args:
        title: Name of the data set, for the message.
        subfolder: The subfolder to look into as well.
        directory: The folder, the data option `dir`.
        names: Names of the files without `.gz`.
        remedy: How to get the data, for the message.

    Returns:
        Name -> path for every name.

    Raises:
        UsageError: If no folder is given, or neither holds all files; it names those that are missing.
    """
    folder = _folder(title, directory, remedy)
    looked = []
    for place in (folder, folder / subfolder):
        paths = {name: place / name if (place / name).is_file() else place / f"{name}.gz" for name in names}
        missing = [f"{name}[.gz]" for name, path in paths.items() if not path.is_file()]
        if not missing:
            return paths
        looked.append(f"{place} ({'missing ' + ', '.join(missing) if place.is_dir() else 'no such folder'})")
    raise UsageError(f"{title} not found. Looked at: {'; '.join(looked)}. To get it: {remedy}")


def _folder(title: str, directory: str, remedy: str) -> Path:
    if not directory:
        raise UsageError(f"{title} needs the folder of its files: pass --config.data.dir=DIR. To get it: {remedy}")
    return Path(directory).expanduser()


def check_factors(path: Path, factors: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    """Returns the factors as int32 if every column lies in its range.

    Args:
        path: Where they come from, for messages.
        factors: Integers, `(N, k)`.
        sizes: Name of each column -> how many values it has.

    Raises:
        UsageError: If a value is out of range.
    """
    for (name, size), column in zip(sizes.items(), factors.T, strict=True):
        if column.min() < 0 or column.max() >= size:
            raise UsageError(
                f"{path}: expected values 0 to {size - 1} of the factor {name}, found {column.min()} to {column.max()}"
            )
    return factors.astype(np.int32)


def random_split(num: int, num_train: int, num_test: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the training and of the test images, disjoint, each in ascending order.

    A permutation of all images, drawn with the seed, begins with the test set and goes on with the training
    set: the test set does not depend on `num_train`.

    Args:
        num: How many images there are.
        num_train: How many to train on; 0 for all that are not in the test set.
        num_test: How many to test on, at least 1.
        seed: Seed of the permutation, in [0, 2³²).

    Raises:
        UsageError: If an option is out of range, or there are fewer images than asked for.

    >>> [part.size for part in random_split(100, 0, 10, seed=0)]
    [90, 10]
    """
    integer_option("num_train", num_train, 0)
    integer_option("num_test", num_test, 1)
    integer_option("seed", seed, 0, 2**32 - 1)
    left = num - num_test
    if left < max(num_train, 1):
        raise UsageError(
            f"data options num_train={num_train}, num_test={num_test}: there are only {num} images for both"
        )
    order = np.random.default_rng(seed).permutation(num)
    return np.sort(order[num_test : num_test + (num_train or left)]), np.sort(order[:num_test])


def make_dataset(
    name: str, train: Images, test: Images, *, sizes: Mapping[str, int], label: str, azimuth: str = ""
) -> Dataset:
    """Returns the data set of these images, their bytes on the device.

    Args:
        name: The name under which `mvae.data.load` knows it.
        train: Training images.
        test: Test images.
        sizes: Name of each factor -> how many values it has.
        label: The factor that is the label.
        azimuth: The factor that is the angle of a turntable, in equal steps all the way round; empty for none.
    """
    names = tuple(sizes)

    def rows(loaded: Images) -> Rows:
        factors = loaded.factors.astype(np.int32)
        entries = {"x": loaded.images, "factors": factors, "label": factors[:, names.index(label)]}
        if azimuth:
            step = 2 * math.pi / sizes[azimuth]
            entries["azimuth"] = (step * factors[:, names.index(azimuth)]).astype(np.float32)
        return {entry: jnp.asarray(array) for entry, array in entries.items()}

    height, width, channels = train.images.shape[1:]
    return Dataset(
        name=name,
        train=rows(train),
        test=rows(test),
        render=render,
        event_shape=(height, width, channels),
        factor_names=names,
        factor_sizes=tuple(sizes.values()),
        periodic_factors=(azimuth,) if azimuth else (),
    )


def render(rows: Rows) -> Batch:
    """Returns images in [0, 1] from images of bytes: x / 255, float32, and the other entries as they are."""
    return rows | {"x": rows["x"].astype(jnp.float32) / 255.0}


def all_rows(dataset: Dataset) -> Rows:
    """Returns the rows of the training set and after them those of the test set, on the host if the former are."""
    if dataset.source is None:
        return {name: jnp.concatenate([array, dataset.test[name]]) for name, array in dataset.train.items()}
    rows: Any = {name: np.concatenate([array, dataset.test[name]]) for name, array in dataset.train.items()}
    return rows


def full_grid(dataset: Dataset, factors: Sequence[str] | None = None) -> Rows:
    """Returns the rows of training and test set together, in the order of some factors, the last one fastest.

    Reshaped to the sizes of these factors they are a grid, such as the degree of an encoder is computed on.

    Args:
        dataset: Data with known factors of which every combination is there once, as of `turntable`.
        factors: Names of the factors; None for all.

    Raises:
        ValueError: If a combination is missing or there twice.
    """
    order = grid_order(dataset, dataset.factor_names if factors is None else factors)
    return {name: array[order] for name, array in all_rows(dataset).items()}


def grid_order(dataset: Dataset, factors: Sequence[str]) -> np.ndarray:
    """Returns the places among `all_rows` in the order of some factors, the last one fastest.

    Args:
        dataset: Data with known factors of which every combination is there once.
        factors: Names of the factors.

    Raises:
        ValueError: If a combination is missing or there twice.
    """
    columns = [dataset.factor_names.index(name) for name in factors]
    sizes = tuple(dataset.factor_sizes[column] for column in columns)
    values = np.concatenate([np.asarray(rows["factors"][:]) for rows in (dataset.train, dataset.test)])
    cells = np.asarray(np.ravel_multi_index(tuple(values.T[columns]), sizes))
    order = np.argsort(cells)
    if not np.array_equal(cells[order], np.arange(math.prod(sizes))):
        raise ValueError(f"{dataset.name} does not have every combination of {tuple(factors)} once")
    return order

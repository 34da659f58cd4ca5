"""Small NORB: grey images of 50 toys under known pose and light [lecun2004].

The files of the data set are read as they are; the builder of tensorflow-datasets needs TensorFlow to prepare them.
A file is: a magic number for the type of its entries, the number n of its dimensions, max(n, 3) sizes of which the
first n count, all of them little-endian 32-bit integers, then the entries in row-major order, little-endian.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mvae.data.dataset import Dataset, integer_option
from mvae.data.digits.idx import read_content
from mvae.data.factors.known_factors import Images, check_factors, find_all, make_dataset
from mvae.data.resize import area_average
from mvae.errors import UsageError

SIDE = 96
SIZES = {"category": 5, "instance": 10, "elevation": 9, "azimuth": 18, "lighting": 6}
PREFIXES = {
    "train": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "test": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}
FILES = tuple(f"{prefix}-{kind}.mat" for prefix in PREFIXES.values() for kind in ("dat", "cat", "info"))
REMEDY = (
    f"put the six files {', '.join(f'{name}.gz' for name in FILES)} into a folder DIR and pass --config.data.dir=DIR; "
    "they are on the page of the data set, https://cs.nyu.edu/~ylclab/data/norb-v1.0-small"
)
_TYPES = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}


def smallnorb(*, dir: str = "", size: int = 64, num_train: int = 0, num_test: int = 0) -> Dataset:
    """Returns small NORB: 24 300 training and 24 300 test images, the toys of one not among those of the other.

    Of each pair of images the first is kept, 96×96 in the files and averaged over areas down to `size`. They
    stay on the device as bytes; `render` divides them by 255. The factors are (category, instance, elevation,
    azimuth, lighting), counted from 0; `"label"` is the category (animal, human, aeroplane, truck, car),
    `"azimuth"` the angle in radians, in steps of 20°.

    Args:
        dir: The folder that holds the six files (`FILES`, compressed or not), directly or in a subfolder `smallnorb`.
        size: Pixels along a side, from 1 to 96.
        num_train: How many of the training images to keep, the first ones; 0 keeps all.
        num_test: How many of the test images to keep, the first ones; 0 keeps all.

    Raises:
        UsageError: If an option is out of range, the data are missing or damaged, or fewer than asked for.
    """
    integer_option("size", size, 1, SIDE)
    integer_option("num_train", num_train, 0)
    integer_option("num_test", num_test, 0)
    paths = find_all("small NORB", "smallnorb", dir, FILES, REMEDY)
    train = _first("num_train", num_train, _read(paths, "train"), size)
    test = _first("num_test", num_test, _read(paths, "test"), size)
    return make_dataset("smallnorb", train, test, sizes=SIZES, label="category", azimuth="azimuth")


def _first(option: str, num: int, loaded: Images, size: int) -> Images:
    available = len(loaded.images)
    if num > available:
        raise UsageError(f"data option {option}={num}: there are only {available} images; 0 keeps all")
    num = num or available
    return Images(area_average(loaded.images[:num], size), loaded.factors[:num])


def _read(paths: Mapping[str, Path], split: str) -> Images:
    data, category, info = (paths[f"{PREFIXES[split]}-{kind}.mat"] for kind in ("dat", "cat", "info"))
    pairs = read_matrix(data)
    if pairs.dtype != np.uint8 or pairs.shape[1:] != (2, SIDE, SIDE) or not len(pairs):
        raise UsageError(f"{data}: expected uint8 (N, 2, {SIDE}, {SIDE}), found {pairs.dtype} {pairs.shape}")
    factors = [_read_integers(category, (len(pairs),))[:, None], _read_integers(info, (len(pairs), 4))]
    table = np.concatenate(factors, axis=1)
    if np.any(table[:, 3] % 2):
        raise UsageError(f"{info}: expected even numbers for the azimuth, 0 to 34 in units of 10°, found odd ones")
    table[:, 3] //= 2
    return Images(pairs[:, 0, :, :, None], check_factors(info, table, SIZES))


def _read_integers(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    array = read_matrix(path)
    if array.dtype.kind != "i" or array.shape != shape:
        raise UsageError(f"{path}: expected integers of shape {shape}, found {array.dtype} {array.shape}")
    return array


def read_matrix(path: Path) -> np.ndarray:
    """Returns the array of a file in the format of NORB, plain or compressed with gzip.

    Raises:
        UsageError: If the file cannot be read, its magic number is not known, or its length is not what it has to be.
    """
    content = read_content(path)
    head = np.frombuffer(content[:8], "<i4") if len(content) >= 8 else np.zeros(2, "<i4")
    if int(head[0]) not in _TYPES or not 1 <= head[1] <= 8:
        raise UsageError(f"{path}: not a file of NORB: it begins with {content[:8].hex(' ') or 'no bytes'}")
    dtype, ndim = _TYPES[int(head[0])], int(head[1])
    start = 8 + 4 * max(ndim, 3)
    if len(content) < start:
        raise UsageError(f"{path}: truncated: expected a header of {start} bytes, found {len(content)}")
    shape = tuple(int(size) for size in np.frombuffer(content[8 : 8 + 4 * ndim], "<i4"))
    expected = start + math.prod(shape) * dtype.itemsize
    if min(shape) < 0 or len(content) != expected:
        raise UsageError(f"{path}: damaged: expected {expected} bytes for the shape {shape}, found {len(content)}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)

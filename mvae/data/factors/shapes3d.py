"""3D Shapes: an object in a room, every combination of six factors [burgess2018b].

The file of the data set is read as it is; the builder of tensorflow-datasets needs TensorFlow to prepare it.
"""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from mvae.data.dataset import Dataset
from mvae.data.factors.known_factors import Images, find, make_dataset, random_split
from mvae.errors import UsageError

FILE = "3dshapes.h5"
SIDE = 64
SIZES = {"floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "shape": 4, "orientation": 15}
REMEDY = (
    f"put the file {FILE} into a folder DIR and pass --config.data.dir=DIR; the repository of the data set, "
    "https://github.com/google-deepmind/3d-shapes, says where it is"
)
_AT_A_TIME = 4096  # images that are read at once; bounds the memory


def shapes3d(*, dir: str = "", num_train: int = 0, num_test: int = 5000, seed: int = 0) -> Dataset:
    """Returns 3D Shapes: 480 000 colour images of 64×64 pixels.

    The images stay on the device as bytes, 5.9 GB for all of them, and take as much on the host while they are
    loaded; `render` divides them by 255. The published set has no split: the test set is drawn with the seed. The
    factors are (floor_hue, wall_hue, object_hue, scale, shape, orientation), counted from 0 by growing value;
    `"label"` is the shape. Needs h5py, which `pip install 'mvae[hdf5]'` brings.

    Args:
        dir: The folder that holds `3dshapes.h5`, directly or in a subfolder `shapes3d`.
        num_train: How many images to train on, drawn with the seed; 0 for all that are not in the test set.
        num_test: How many images to test on, at least 1.
        seed: Seed of the split, in [0, 2³²); see `random_split`.

    Raises:
        UsageError: If an option is out of range, h5py is not installed, or the data are missing or damaged.
    """
    train, test = random_split(math.prod(SIZES.values()), num_train, num_test, seed)
    path = find("3D Shapes", "shapes3d", dir, (FILE,), REMEDY)
    return make_dataset("shapes3d", *read(path, [train, test]), sizes=SIZES, label="shape")


def read(path: Path, parts: list[np.ndarray]) -> list[Images]:
    """Returns some of the images and their factors.

    Args:
        path: The file.
        parts: Indices of the images of each part, ascending.

    Raises:
        UsageError: If h5py is not installed, or the file is damaged or does not hold what it should.
    """
    try:
        h5py = importlib.import_module("h5py")  # not among the requirements: nothing else needs it
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs h5py: pip install 'mvae[hdf5]', or pip install h5py") from error
    try:
        with h5py.File(path, "r") as file:
            factors = _factors(path, np.asarray(file["labels"]))
            images: Any = file["images"]
            expected = (len(factors), SIDE, SIDE, 3)
            if images.shape != expected or images.dtype != np.uint8:
                raise UsageError(f"{path}: expected images of uint8 {expected}, found {images.dtype} {images.shape}")
            return [Images(_take(images, part), factors[part]) for part in parts]
    except (OSError, KeyError, ValueError, RuntimeError) as error:  # h5py's for a damaged file
        raise UsageError(f"{path}: cannot be read, or is damaged ({error}). To get it: {REMEDY}") from error


def _take(images: Any, rows: np.ndarray) -> np.ndarray:
    """Returns rows of the file's array, reading all of it in blocks: single rows would take hours."""
    taken = np.empty((len(rows), *images.shape[1:]), np.uint8)
    for start in range(0, len(images), _AT_A_TIME):
        first, last = np.searchsorted(rows, (start, start + _AT_A_TIME))
        if first < last:
            taken[first:last] = images[start : start + _AT_A_TIME][rows[first:last] - start]
    return taken


def _factors(path: Path, values: np.ndarray) -> np.ndarray:
    """Returns the rank of each value among those of its column, int32."""
    num = math.prod(SIZES.values())
    if values.shape != (num, len(SIZES)):
        raise UsageError(f"{path}: expected labels of shape ({num}, {len(SIZES)}), found {values.shape}")
    ranks = np.empty(values.shape, np.int32)
    for column, (name, size) in enumerate(SIZES.items()):
        known, ranks[:, column] = np.unique(values[:, column], return_inverse=True)
        if len(known) != size:
            raise UsageError(f"{path}: expected {size} values of the factor {name}, found {len(known)}")
    return ranks

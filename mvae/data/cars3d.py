"""Cars3D: colour pictures of 183 cars from 24 azimuths and 4 elevations (Reed et al. 2015)."""

import math
import re
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import scipy.io

from mvae.data.dataset import Dataset, integer_option
from mvae.data.known_factors import Pictures, find, make_dataset, random_split
from mvae.data.resize import area_average
from mvae.errors import UsageError

ARCHIVE = "nips2015-analogy-data.tar.gz"
SIDE = 128
SIZES = {"elevation": 4, "azimuth": 24, "object": 183}
REMEDY = (
    f"put the archive {ARCHIVE}, or its folder data/cars, into a folder DIR and pass --config.data.dir=DIR; it "
    "accompanies the paper Deep Visual Analogy-Making, whose author's page is http://www.scottreed.info"
)
_MEMBER = re.compile(r"(?:.*/)?cars/([^/]+\.mat)")


def cars3d(*, dir: str = "", size: int = 64, num_train: int = 0, num_test: int = 5000, seed: int = 0) -> Dataset:
    """Returns Cars3D: 17 568 colour pictures, 128×128 in the files and averaged over areas down to `size`.

    The pictures stay on the device as bytes; `render` divides them by 255. The published set has no split: the
    test set is drawn with the seed. The factors are (elevation, azimuth, object), counted from 0, the objects in
    the order of the names of their files; `"label"` is the object, `"azimuth"` the angle in radians, in steps of
    15°.

    Args:
      dir: the folder that holds `nips2015-analogy-data.tar.gz`, or a folder `data/cars` or `cars` of its `.mat`
        files, directly or in a subfolder `cars3d`.
      size: pixels along a side, from 1 to 128.
      num_train: how many pictures to train on, drawn with the seed; 0 for all that are not in the test set.
      num_test: how many pictures to test on, at least 1.
      seed: seed of the split, in [0, 2³²); see `random_split`.

    Raises:
      UsageError: if an option is out of range, or the data are missing or damaged.
    """
    integer_option("size", size, 1, SIDE)
    train, test = random_split(math.prod(SIZES.values()), num_train, num_test, seed)
    pictures = read(find("Cars3D", "cars3d", dir, (ARCHIVE, "data/cars", "cars"), REMEDY), size)
    parts = [Pictures(pictures.images[part], pictures.factors[part]) for part in (train, test)]
    return make_dataset("cars3d", *parts, sizes=SIZES, label="object", azimuth="azimuth")


def read(source: Path, size: int = SIDE) -> Pictures:
    """Returns all pictures, car by car, each by azimuth and for each azimuth by elevation.

    Args:
      source: the archive, or the folder of the files of the cars.
      size: pixels along a side, from 1 to 128.

    Raises:
      UsageError: if a file is damaged, or there are not exactly 183 cars.
    """
    files = _folder_files(source) if source.is_dir() else _archive_files(source)
    cars = {name: area_average(_decode(content, f"{source}: {name}"), size) for name, content in files}
    if len(cars) != SIZES["object"]:
        raise UsageError(
            f"{source}: expected {SIZES['object']} files of cars (cars/*.mat), found {len(cars)}. To get it: {REMEDY}"
        )
    images = np.concatenate([cars[name] for name in sorted(cars)])
    grid = np.indices((SIZES["object"], SIZES["azimuth"], SIZES["elevation"]), np.int32).reshape(3, -1)
    return Pictures(images, grid[::-1].T)


def _folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*.mat")):
        try:
            yield path.name, path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from error


def _archive_files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                stream = archive.extractfile(member) if match else None
                if match and stream:
                    yield match[1], stream.read()
    except (OSError, tarfile.TarError, zlib.error, EOFError) as error:
        raise UsageError(f"{path}: cannot be read, or is damaged ({error}). To get it: {REMEDY}") from error


def _decode(content: bytes, where: str) -> np.ndarray:
    """Returns the pictures of a car, uint8 `(24·4, 128, 128, 3)`, by azimuth and then by elevation."""
    try:
        array = scipy.io.loadmat(BytesIO(content))["im"]
    except Exception as error:  # damage may raise anything in there
        raise UsageError(f"{where}: damaged file ({type(error).__name__}: {error})") from error
    expected = (SIDE, SIDE, 3, SIZES["azimuth"], SIZES["elevation"])
    if array.shape != expected or array.dtype != np.uint8:
        raise UsageError(f"{where}: expected im of uint8 {expected}, found {array.dtype} {array.shape}")
    return np.moveaxis(array, (3, 4), (0, 1)).reshape(-1, SIDE, SIDE, 3)

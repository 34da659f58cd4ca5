"""The files of Cars3D: where they are found, and what they hold."""

import re
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from mvae.data.factors.known_factors import Images, find
from mvae.data.resize import area_average
from mvae.errors import UsageError

URL = "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz"
ARCHIVE = "nips2015-analogy-data.tar.gz"
SIDE = 128
SIZES = {"elevation": 4, "azimuth": 24, "object": 183}
REMEDY = (
    f"put the archive {ARCHIVE}, or its folder data/cars, into a folder DIR and pass --config.data.dir=DIR; it "
    f"accompanies the paper Deep Visual Analogy-Making, {URL}"
)
_MEMBER = re.compile(r"(?:.*/)?cars/([^/]+\.mat)")


def locate(directory: str) -> Path:
    """Returns the archive, or the folder of the files of the cars, in a folder or in its subfolder `cars3d`.

    Raises:
        UsageError: If neither is there.
    """
    return find("Cars3D", "cars3d", directory, (ARCHIVE, "data/cars", "cars"), REMEDY)


def read(source: Path, size: int = SIDE) -> Images:
    """Returns all images, car by car, each by azimuth and for each azimuth by elevation.

    Args:
        source: The archive, or the folder of the files of the cars.
        size: Pixels along a side, from 1 to 128.

    Raises:
        UsageError: If a file is damaged, or there are not exactly 183 cars.
    """
    files = _folder_files(source) if source.is_dir() else _archive_files(source)
    cars = {name: area_average(_decode(content, f"{source}: {name}"), size) for name, content in files}
    if len(cars) != SIZES["object"]:
        raise UsageError(
            f"{source}: expected {SIZES['object']} files of cars (cars/*.mat), found {len(cars)}. To get it: {REMEDY}"
        )
    images = np.concatenate([cars[name] for name in sorted(cars)])
    grid = np.indices((SIZES["object"], SIZES["azimuth"], SIZES["elevation"]), np.int32).reshape(3, -1)
    return Images(images, grid[::-1].T)


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
    """Returns the images of a car, uint8 `(24·4, 128, 128, 3)`, by azimuth and then by elevation."""
    from scipy.io import loadmat  # here, since no other data need it

    try:
        array = loadmat(BytesIO(content))["im"]
    except Exception as error:  # damage may raise anything in there
        raise UsageError(f"{where}: damaged file ({type(error).__name__}: {error})") from error
    expected = (SIDE, SIDE, 3, SIZES["azimuth"], SIZES["elevation"])
    if array.shape != expected or array.dtype != np.uint8:
        raise UsageError(f"{where}: expected im of uint8 {expected}, found {array.dtype} {array.shape}")
    return np.moveaxis(array, (3, 4), (0, 1)).reshape(-1, SIDE, SIDE, 3)

"""The four files of MNIST: their names, where they are found, what they must contain."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvae.data.digits.idx import read_content, read_idx
from mvae.errors import UsageError

SIDE = 28
NUM_CLASSES = 10
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
# SHA-256 of the uncompressed content: it does not depend on how, and by whom, a file was compressed.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILES = tuple(SHA256)
# Subfolders of a folder of data: of this project, and of torchvision.
PLACES = (".", "mnist", "MNIST", "raw", "mnist/raw", "MNIST/raw")
_SPLITS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class Digits(NamedTuple):
    """Images, uint8 `(N, 28, 28, 1)`, and labels, int32 `(N,)` in 0..9, on the host."""

    images: np.ndarray
    labels: np.ndarray


def missing(looked: Iterable[str]) -> UsageError:
    """Returns the error for MNIST not found: where it was looked for, and how to get it.

    Args:
        looked: The places, each with what was wrong there.
    """
    return UsageError(
        f"MNIST not found. Looked at: {'; '.join(looked)}. To get it: put the four files "
        f"{', '.join(f'{name}.gz' for name in FILES)} into a folder DIR and pass --config.data.dir=DIR; or "
        f"leave it empty on a machine with network, which downloads them from {MIRRORS[0]}"
    )


def locate(directory: str) -> dict[str, Path]:
    """Returns the paths of the four files in a folder, or in one of its subfolders `PLACES`.

    Args:
        directory: The folder. The files may be compressed (`.gz`) or not, and have a full stop for the hyphen before
            `idx`; each may lie in a folder of its own name, as archives of single files leave them.

    Returns:
        Name -> path for every name in `FILES`.

    Raises:
        UsageError: If none of the folders holds all four files.
    """
    folder = Path(directory).expanduser()
    looked = []
    for place in [folder / subfolder for subfolder in PLACES]:
        found = {name: path for name in FILES if (path := _path_of(place, name))}
        if len(found) == len(FILES):
            return found
        fault = "no such folder"
        if place.is_dir():
            fault = "missing " + ", ".join(f"{name}[.gz]" for name in FILES if name not in found)
        looked.append(f"{place} ({fault})")
    raise missing(looked)


def _path_of(place: Path, name: str) -> Path | None:
    names = [f"{spelt}{suffix}" for spelt in (name, name.replace("-idx", ".idx")) for suffix in (".gz", "")]
    paths = [place / each for each in names] + [place / each / other for each in names for other in names]
    return next((path for path in paths if path.is_file()), None)


def read(paths: dict[str, Path]) -> dict[str, Digits]:
    """Returns the digits of the splits "train" and "test".

    Args:
        paths: The path of every file in `FILES`.

    Raises:
        UsageError: If a file is damaged, holds something else than 28×28 images of bytes or labels 0..9, or if images
            and labels of a split differ in number; it names the file, what was expected, what was found.
    """
    return {split: _read_split(paths[images], paths[labels]) for split, (images, labels) in _SPLITS.items()}


def _read_split(images_path: Path, labels_path: Path) -> Digits:
    images = read_idx(images_path, num_dims=3)
    labels = read_idx(labels_path, num_dims=1)
    for path, array in ((images_path, images), (labels_path, labels)):
        if array.dtype != np.uint8:
            raise UsageError(f"{path}: expected entries of type uint8, found {array.dtype}")
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        raise UsageError(f"{images_path}: expected images of {SIDE}×{SIDE} pixels, found {height}×{width}")
    if not len(images):
        raise UsageError(f"{images_path}: expected images, found none")
    if len(labels) != len(images):
        raise UsageError(
            f"{labels_path}: expected {len(images)} labels, as many as there are images in {images_path}, "
            f"found {len(labels)}"
        )
    if labels.max() >= NUM_CLASSES:
        raise UsageError(f"{labels_path}: expected labels 0 to {NUM_CLASSES - 1}, found {labels.max()}")
    return Digits(images[..., None], labels.astype(np.int32))


def check_content(name: str, path: Path) -> None:
    """Checks that a file's uncompressed content is that of the public file of this name.

    Args:
        name: One of `FILES`.
        path: The file.

    Raises:
        UsageError: If it cannot be read or its SHA-256 is another.
    """
    found = hashlib.sha256(read_content(path)).hexdigest()
    if found != SHA256[name]:
        raise UsageError(f"{path}: expected the content of {name} with SHA-256 {SHA256[name]}, found {found}")

"""A tensorflow-datasets builder of MNIST that needs no TensorFlow: to prepare, or to read.

Importing this module imports `tensorflow_datasets`, which is slow; `mvae.data.digits.mnist` does so only when it
has to.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow_datasets as tfds

from mvae.data.digits import mnist_files
from mvae.data.digits.mnist_files import Digits
from mvae.data.prepared import LocalInfo, data_folder, discard_download, prepare, probe
from mvae.errors import UsageError

SPLITS = ("train", "test")
T = TypeVar("T")


class MnistIdx(tfds.core.GeneratorBasedBuilder):
    """MNIST from its four IDX files, in their order, prepared as ArrayRecord.

    The prepared data lie in `<data_dir>/mnist_idx/<version>`.
    """

    VERSION = tfds.core.Version("2.0.0")  # 2: the images are the column "x"

    def __init__(self, *, idx_dir: str = "", file_format: str = "array_record", **kwargs: Any) -> None:
        """Makes the builder; nothing is read, downloaded or prepared yet.

        Args:
            idx_dir: The folder that holds the four files; they are downloaded if it is empty.
            file_format: The format of the prepared files.
            **kwargs: `data_dir`, `config` and `version` of the base class.
        """
        self._idx_dir = idx_dir
        super().__init__(file_format=file_format, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        side = mnist_files.SIDE
        return LocalInfo(
            builder=self,
            description="Images of handwritten digits, 28×28, 60 000 for training and 10 000 for test.",
            features=tfds.features.FeaturesDict(
                {
                    "x": tfds.features.Tensor(shape=(side, side, 1), dtype=np.uint8),
                    "label": tfds.features.Scalar(dtype=np.int32),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:  # pyright: ignore[reportIncompatibleMethodOverride]
        paths = mnist_files.locate(self._idx_dir) if self._idx_dir else download(dl_manager)
        return {split: self._generate_examples(digits) for split, digits in mnist_files.read(paths).items()}

    def _generate_examples(self, digits: Digits) -> Iterator[tuple[int, dict]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        for index, (image, label) in enumerate(zip(*digits, strict=True)):
            yield index, {"x": image, "label": label}


def download(dl_manager: tfds.download.DownloadManager) -> dict[str, Path]:
    """Downloads the four files from the first mirror that delivers them intact.

    Args:
        dl_manager: Does the downloads and keeps the files.

    Returns:
        Name -> path for every name in `mnist_files.FILES`, the content checked against its SHA-256. A file that
        fails the check is deleted, so that a later run does not find it again.

    Raises:
        UsageError: If no mirror delivers them; it says what was wrong with each.
    """
    failures = []
    for mirror in mnist_files.MIRRORS:
        urls = {name: f"{mirror}{name}.gz" for name in mnist_files.FILES}
        try:
            probe(urls[mnist_files.FILES[0]])
            paths: Any = dl_manager.download(urls)
            for name, path in paths.items():
                _check_or_delete(name, path)
        except Exception as error:  # whatever it is, another mirror may do better
            failures.append(f"{mirror} ({type(error).__name__}: {error})")
        else:
            return paths
    raise mnist_files.missing(failures)


def _check_or_delete(name: str, path: Path) -> None:
    try:
        mnist_files.check_content(name, path)
    except UsageError:
        discard_download(path)
        raise


def load_prepared(*, data_dir: str = "", idx_dir: str = "") -> dict[str, Digits]:
    """Returns the digits of the splits "train" and "test", preparing them first if that has not been done.

    Args:
        data_dir: The folder of tensorflow-datasets; if empty, that of the environment variable TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.
        idx_dir: The folder of the four IDX files, needed only for preparing; if empty, they are downloaded.

    Raises:
        UsageError: If the data cannot be found, prepared or read; it names the folder.
    """
    return _of_prepared(lambda builder: {split: _read_split(builder, split) for split in SPLITS}, data_dir, idx_dir)


def open_prepared(*, data_dir: str = "", idx_dir: str = "") -> tuple[Any, Digits]:
    """Returns the records of the split "train", which stay in their file, and the digits of "test".

    A record is {"x": uint8 `(28, 28, 1)`, "label": int32}.

    Args:
        data_dir: As for `load_prepared`.
        idx_dir: Likewise.

    Raises:
        UsageError: As there.
    """
    return _of_prepared(lambda builder: (_source(builder, "train"), _read_split(builder, "test")), data_dir, idx_dir)


def _of_prepared(read: Callable[[MnistIdx], T], data_dir: str, idx_dir: str) -> T:
    folder = data_folder(data_dir)
    try:
        return read(prepare(lambda: MnistIdx(data_dir=folder, idx_dir=idx_dir), set(SPLITS)))
    except UsageError as error:
        raise UsageError(f"{folder} holds no prepared MNIST, and it could not be made. {error}") from error
    except Exception as error:  # errors of the library and of its file formats have no common base
        raise UsageError(
            f"MNIST cannot be prepared or read in {folder} ({type(error).__name__}: {error}): see that "
            f"the folder can be written to, or delete {os.path.join(folder, MnistIdx.name)} to have it made "
            "again, or pass --config.data.dir=DIR with the folder of the four original files"
        ) from error


def _source(builder: MnistIdx, split: str) -> Any:
    return cast(Any, builder).as_data_source(split)  # its decorator hides its signature from type checkers


def _read_split(builder: MnistIdx, split: str) -> Digits:
    source = _source(builder, split)
    rows = source.__getitems__(range(len(source)))
    images = np.stack([row["x"] for row in rows])
    return Digits(images, np.array([row["label"] for row in rows], np.int32))

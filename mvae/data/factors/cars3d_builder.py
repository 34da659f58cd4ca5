"""A tensorflow-datasets builder of Cars3D, which that library does not have; it needs no TensorFlow.

Importing this module imports `tensorflow_datasets`, which is slow; `mvae.data.factors.cars3d` does so only if it must.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow_datasets as tfds

from mvae.data.factors import cars3d_files
from mvae.data.factors.known_factors import Images, check_factors
from mvae.data.prepared import LocalInfo, data_folder, discard_download, prepare, probe
from mvae.data.resize import area_average
from mvae.errors import UsageError

_AT_A_TIME = 96  # images that are read at once; bounds the memory


class Cars3dMat(tfds.core.GeneratorBasedBuilder):
    """Cars3D from its archive, all cars in one split "train", prepared as ArrayRecord.

    The prepared data lie in `<data_dir>/cars3d_mat/<version>`.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, source: str = "", file_format: str = "array_record", **kwargs: Any) -> None:
        """Makes the builder; nothing is read, downloaded or prepared yet.

        Args:
            source: The archive, or the folder of the files of the cars; the archive is downloaded if it is empty.
            file_format: The format of the prepared files.
            **kwargs: `data_dir`, `config` and `version` of the base class.
        """
        self._source = source
        super().__init__(file_format=file_format, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        side = cars3d_files.SIDE
        features: dict[str, Any] = {"image": tfds.features.Tensor(shape=(side, side, 3), dtype=np.uint8)}
        features |= {name: tfds.features.Scalar(dtype=np.int32) for name in cars3d_files.SIZES}
        return LocalInfo(
            builder=self,
            description="Colour images of 183 cars, 128×128, from 24 azimuths and 4 elevations.",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:  # pyright: ignore[reportIncompatibleMethodOverride]
        source = Path(self._source) if self._source else download(dl_manager)
        return {"train": self._generate_examples(source)}

    def _generate_examples(self, source: Path) -> Iterator[tuple[int, dict]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            loaded = cars3d_files.read(source)
        except UsageError:
            if not self._source:
                discard_download(source)
            raise
        for index, (image, factors) in enumerate(zip(*loaded, strict=True)):
            yield index, {"image": image} | dict(zip(cars3d_files.SIZES, factors, strict=True))


def download(dl_manager: tfds.download.DownloadManager) -> Path:
    """Downloads the archive.

    Raises:
        UsageError: If it cannot be had; it says why.
    """
    try:
        probe(cars3d_files.URL)
        return Path(cast(Any, dl_manager).download(cars3d_files.URL))
    except Exception as error:  # errors of the library have no common base
        raise UsageError(
            f"{cars3d_files.URL} cannot be downloaded ({type(error).__name__}: {error}). To get Cars3D: "
            f"{cars3d_files.REMEDY}"
        ) from error


def load_prepared(size: int, *, data_dir: str = "", source: str = "") -> Images:
    """Returns all images, preparing them first if that has not been done.

    Args:
        size: Pixels along a side, from 1 to 128.
        data_dir: The folder of tensorflow-datasets; if empty, that of the environment variable TFDS_DATA_DIR, else
            `~/tensorflow_datasets`.
        source: The archive, or the folder of the files of the cars, needed only for preparing; if empty, the archive is
            downloaded.

    Raises:
        UsageError: If the data cannot be found, prepared or read; it names the folder.
    """
    folder = data_folder(data_dir)
    try:
        return _read(prepare(lambda: Cars3dMat(data_dir=folder, source=source), {"train"}), size)
    except UsageError as error:
        raise UsageError(f"{folder} holds no prepared Cars3D, and it could not be made. {error}") from error
    except Exception as error:  # errors of the library and of its file formats have no common base
        raise UsageError(
            f"Cars3D cannot be prepared or read in {folder} ({type(error).__name__}: {error}): see that the folder "
            f"can be written to, or delete {os.path.join(folder, Cars3dMat.name)} to have it made again, or pass "
            "--config.data.dir=DIR with the folder of the archive"
        ) from error


def _read(builder: Cars3dMat, size: int) -> Images:
    source = cast(Any, builder).as_data_source("train")  # its decorator hides its signature from type checkers
    images, factors = [], []
    for start in range(0, len(source), _AT_A_TIME):
        rows = source.__getitems__(range(start, min(start + _AT_A_TIME, len(source))))
        images.append(area_average(np.stack([row["image"] for row in rows]), size))
        factors += [[row[name] for name in cars3d_files.SIZES] for row in rows]
    table = check_factors(Path(builder.data_path), np.array(factors), cars3d_files.SIZES)
    return Images(np.concatenate(images), table)

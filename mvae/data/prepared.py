"""Builders of tensorflow-datasets of our own: prepared once, read without TensorFlow.

Importing this module imports `tensorflow_datasets`, which is slow; data sets do so only when they have to.
"""

import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tensorflow_datasets as tfds

DEFAULT_DATA_DIR = "~/tensorflow_datasets"
PROBE_SECONDS = 10.0

Builder = TypeVar("Builder", bound=tfds.core.GeneratorBasedBuilder)


class LocalInfo(tfds.core.DatasetInfo):
    """Information about a data set that is not in the public bucket of prepared ones."""

    def initialize_from_bucket(self) -> None:
        """Does nothing: to look into the bucket would need the network, and TensorFlow."""


def data_folder(data_dir: str = "") -> str:
    """Returns the folder of prepared data: the given one, else TFDS_DATA_DIR, else `~/tensorflow_datasets`."""
    return os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or DEFAULT_DATA_DIR)


def probe(url: str) -> None:
    """Asks once whether a file can be had; the download manager tries for minutes where there is no network.

    Raises:
        OSError: If it cannot.
    """
    head = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(head, timeout=PROBE_SECONDS):
        pass


def discard_download(path: Path) -> None:
    """Deletes a damaged download, so that a later run does not find it again."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.INFO").unlink(missing_ok=True)  # the manager's note of size and checksum


def prepare(make: Callable[[], Builder], splits: set[str]) -> Builder:
    """Returns a builder whose data are prepared: as they are found, or made now if they are not complete.

    Args:
        make: Makes the builder.
        splits: The names of all of its splits.
    """
    builder = make()
    if _is_complete(builder, splits):
        return builder
    modes = tfds.download.GenerateMode
    # The library takes every folder of this name for a finished one: an unfinished one has to be replaced.
    # What it prepares itself grows in a temporary folder, renamed when it is finished.
    mode = modes.REUSE_CACHE_IF_EXISTS if builder.data_path.exists() else modes.REUSE_DATASET_IF_EXISTS
    config = tfds.download.DownloadConfig(download_mode=mode, try_download_gcs=False)
    try:
        builder.download_and_prepare(download_config=config)
    except OSError:  # the renaming fails if another process was faster
        builder = make()
        if not _is_complete(builder, splits):
            raise
    return builder


def _is_complete(builder: tfds.core.GeneratorBasedBuilder, splits: set[str]) -> bool:
    """Whether the prepared folder has its metadata and every file that they list."""
    if not builder.data_path.exists() or not builder.is_prepared():
        return False
    found = builder.info.splits
    return set(found) == splits and all(path.exists() for split in found.values() for path in split.filepaths)

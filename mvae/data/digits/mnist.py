"""MNIST, the bytes of its images on the device."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Batch, Dataset, Rows, integer_option
from mvae.data.digits import mnist_files
from mvae.data.digits.mnist_files import Digits
from mvae.data.rows import RecordRows
from mvae.errors import UsageError


def mnist(*, dir: str = "", num_train: int = 0, num_test: int = 0) -> Dataset:
    """Returns MNIST: 60 000 training and 10 000 test images of 28×28 pixels.

    The images stay on the device as bytes; `render` divides them by 255. They are not binarised.

    Args:
        dir: The folder that holds the four IDX files (`mnist_files.FILES`, compressed or not), directly or in one of
            the subfolders `mnist_files.PLACES`, such as `MNIST/raw` of torchvision. If empty, the data that
            tensorflow-datasets keeps under `TFDS_DATA_DIR`, or under its own default folder; the first use downloads
            and prepares them there.
        num_train: How many of the training images to keep, the first ones; 0 keeps all.
        num_test: How many of the test images to keep, the first ones; 0 keeps all.

    Raises:
        UsageError: If the data are missing or damaged, or fewer than asked for.
    """
    integer_option("num_train", num_train, 0)
    integer_option("num_test", num_test, 0)
    if dir:
        digits = mnist_files.read(mnist_files.locate(dir))
    else:
        from mvae.data.digits.mnist_builder import load_prepared  # imports tensorflow_datasets, which takes seconds

        digits = load_prepared()
    return Dataset(
        name="mnist",
        train=_first("num_train", num_train, digits["train"]),
        test=_first("num_test", num_test, digits["test"]),
        render=render,
        event_shape=(mnist_files.SIDE, mnist_files.SIDE, 1),
    )


def mnist_of_records(*, dir: str = "", num_train: int = 0, num_test: int = 0) -> Dataset:
    """Returns MNIST as `mnist` does, but that the training images stay in the file of tensorflow-datasets.

    They are read from there when they are asked for. With `dir`, whose files are compressed as a whole, it is `mnist`.

    Args:
        dir: As for `mnist`.
        num_train: Likewise.
        num_test: Likewise.

    Raises:
        UsageError: As for `mnist`.
    """
    if dir:
        return mnist(dir=dir, num_train=num_train, num_test=num_test)
    integer_option("num_train", num_train, 0)
    integer_option("num_test", num_test, 0)
    from mvae.data.digits.mnist_builder import open_prepared  # imports tensorflow_datasets, which takes seconds

    records, test = open_prepared()
    source = RecordRows(records, _at_most("num_train", num_train, len(records)))
    columns: Any = source.columns
    return Dataset(
        name="mnist",
        train=columns,
        test=_first("num_test", num_test, test),
        render=render,
        event_shape=(mnist_files.SIDE, mnist_files.SIDE, 1),
        source=source,
    )


def _at_most(option: str, num: int, available: int) -> int:
    """Returns how many images an option keeps."""
    if num > available:
        raise UsageError(f"data option {option}={num}: there are only {available} images; 0 keeps all")
    return num or available


def _first(option: str, num: int, digits: Digits) -> Rows:
    num = _at_most(option, num, len(digits.labels))
    return {"x": jnp.asarray(digits.images[:num]), "label": jnp.asarray(digits.labels[:num], np.int32)}


def render(rows: Rows) -> Batch:
    """Returns images in [0, 1] from images of bytes: x / 255, float32, and the labels as they are."""
    return {"x": rows["x"].astype(jnp.float32) / 255.0, "label": rows["label"]}

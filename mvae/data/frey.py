"""Frey faces: a video of one face, 1965 grey images of 28×20 pixels (Brendan Frey) [roweis2002].

The file of the data set is read as it is. It holds the matrix `ff` in the format MATLAB 5, little-endian and not
compressed: a header of 128 bytes, descriptions of 56 bytes, then an image a column, row by row. SciPy reads the format
too, but a damaged file of it can end the process with a segmentation fault (SciPy 1.17, another type of the entries).
"""

import struct
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Batch, Dataset, Rows, integer_option
from mvae.data.digits.idx import read_content
from mvae.data.factors.known_factors import find
from mvae.errors import UsageError

FILE = "frey_rawface.mat"
NUM_FRAMES = 1965
HEIGHT, WIDTH = 28, 20
_NUM_BYTES = NUM_FRAMES * HEIGHT * WIDTH
_VERSION = b"\x00\x01IM"  # the end of the header: version 1, little-endian
_HEADER = 128
_LAYOUT = struct.pack(
    "<10I2H4s2I",
    *(14, _NUM_BYTES + 48),  # a matrix, so many bytes
    *(6, 8, 9, 0),  # of class uint8, real
    *(5, 8, HEIGHT * WIDTH, NUM_FRAMES),
    *(1, 2, b"ff"),  # its name
    *(2, _NUM_BYTES),  # its entries, bytes, column by column
)
REMEDY = (
    f"put the file {FILE} into a folder DIR and pass --config.data.dir=DIR; it is on the page "
    "https://cs.nyu.edu/~roweis/data.html"
)


def frey(*, dir: str = "", test_every: int = 10) -> Dataset:
    """Returns the Frey faces in the order of the video.

    The images stay on the device as bytes, and `render` divides them by 255. The frames test_every - 1,
    2·test_every - 1, ... (counted from 0) are the test set, the others the training set: nothing is random.

    Batches have `"x"`, float32 `(B, 28, 20, 1)`, and `"frame"`, int32 `(B,)`, 0 to 1964.

    Args:
        dir: The folder that holds `frey_rawface.mat`, directly or in a subfolder `frey`.
        test_every: Every how many frames one is kept for the test, from 2 to 1965.

    Raises:
        UsageError: If an option is out of range, or the file is missing or damaged.
    """
    integer_option("test_every", test_every, 2, NUM_FRAMES)
    images = read(find("Frey faces", "frey", dir, (FILE,), REMEDY))
    frames = np.arange(NUM_FRAMES, dtype=np.int32)
    is_test = frames % test_every == test_every - 1

    def rows(part: np.ndarray) -> Rows:
        return {"x": jnp.asarray(images[part]), "frame": jnp.asarray(frames[part])}

    return Dataset(name="frey", train=rows(~is_test), test=rows(is_test), render=render, event_shape=(HEIGHT, WIDTH, 1))


def render(rows: Rows) -> Batch:
    """Returns images in [0, 1] from images of bytes: x / 255, float32, and the frames as they are."""
    return rows | {"x": rows["x"].astype(jnp.float32) / 255.0}


def read(path: Path) -> np.ndarray:
    """Returns the images in the order of the video, bytes `(1965, 28, 20, 1)`.

    Raises:
        UsageError: If the file cannot be read, or is not as the module says.
    """
    content = read_content(path)
    start = _HEADER + len(_LAYOUT)
    expected = start + _NUM_BYTES
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "too long"
        raise UsageError(f"{path}: {fault}: expected {expected} bytes, found {len(content)}. To get it: {REMEDY}")
    if content[_HEADER - len(_VERSION) : start] != _VERSION + _LAYOUT:
        raise UsageError(
            f"{path}: damaged, or another file: expected a matrix ff of bytes, {HEIGHT * WIDTH}×{NUM_FRAMES}, in the "
            f"format MATLAB 5, little-endian and not compressed. To get it: {REMEDY}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(NUM_FRAMES, HEIGHT, WIDTH, 1)

"""dSprites: white shapes on black, every combination of five factors [matthey2017].

The file of the data set is read as it is; the builder of tensorflow-datasets needs TensorFlow to prepare it.
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import jax.numpy as jnp
import numpy as np

from mvae.data.dataset import Batch, Dataset, Rows
from mvae.data.factors.known_factors import Images, check_factors, find, make_dataset, random_split
from mvae.errors import UsageError

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
SIDE = 64
SIZES = {"shape": 3, "scale": 6, "orientation": 40, "x_position": 32, "y_position": 32}
REMEDY = (
    f"put the file {FILE} into a folder DIR and pass --config.data.dir=DIR; it is in the repository of the data set, "
    "https://github.com/google-deepmind/dsprites-dataset"
)
_AT_A_TIME = 4096  # images that are bytes at once; bounds the memory


def dsprites(*, dir: str = "", num_train: int = 0, num_test: int = 5000, seed: int = 0) -> Dataset:
    """Returns dSprites: 737 280 images of 64×64 pixels that are 0 or 1.

    The images stay on the device as bits, 377 MB for all of them; `render` unpacks them. The published set has
    no split: the test set is drawn with the seed. The factors are (shape, scale, orientation, x_position,
    y_position), counted from 0; the constant colour is left out. `"label"` is the shape: square, ellipse, heart.

    Args:
        dir: The folder that holds the file `FILE`, directly or in a subfolder `dsprites`.
        num_train: How many images to train on, drawn with the seed; 0 for all that are not in the test set.
        num_test: How many images to test on, at least 1.
        seed: Seed of the split, in [0, 2³²); see `random_split`.

    Raises:
        UsageError: If an option is out of range, or the data are missing or damaged.
    """
    train, test = random_split(math.prod(SIZES.values()), num_train, num_test, seed)
    loaded = read(find("dSprites", "dsprites", dir, (FILE,), REMEDY))
    parts = [Images(loaded.images[part], loaded.factors[part]) for part in (train, test)]
    dataset = make_dataset("dsprites", *parts, sizes=SIZES, label="shape")
    return dataset._replace(render=render, event_shape=(SIDE, SIDE, 1))


def render(rows: Rows) -> Batch:
    """Returns images of zeros and ones, float32, from their bits, and the other entries as they are."""
    return rows | {"x": jnp.unpackbits(rows["x"], axis=2).astype(jnp.float32)}


def read(path: Path) -> Images:
    """Returns all images and their factors, in the order of the file; the images as bits, `(N, 64, 8, 1)`.

    Raises:
        UsageError: If the file is damaged or does not hold what it should.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open("latents_classes.npy") as stream:
                classes = np.lib.format.read_array(stream, allow_pickle=False)
            num = math.prod(SIZES.values())
            if classes.shape != (num, 1 + len(SIZES)) or not np.issubdtype(classes.dtype, np.integer):
                raise UsageError(
                    f"{path}: expected latents_classes of integers ({num}, {1 + len(SIZES)}), found {classes.dtype} "
                    f"{classes.shape}"
                )
            with archive.open("imgs.npy") as stream:
                images = _read_bits(path, stream, num)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise UsageError(f"{path}: cannot be read, or is damaged ({error}). To get it: {REMEDY}") from error
    return Images(images, check_factors(path, classes[:, 1:], SIZES))


def _read_bits(path: Path, stream: IO[bytes], num: int) -> np.ndarray:
    """Reads `(num, 64, 64)` bytes of 0 and 1 in blocks, and returns them as bits, `(num, 64, 8, 1)`."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(stream)
    if shape != (num, SIDE, SIDE) or fortran_order or dtype != np.uint8:
        raise UsageError(f"{path}: expected imgs of uint8 ({num}, {SIDE}, {SIDE}), found {dtype} {shape}")
    bits = np.empty((num, SIDE, SIDE // 8, 1), np.uint8)
    for start in range(0, num, _AT_A_TIME):
        block = bits[start : start + _AT_A_TIME]
        content = stream.read(len(block) * SIDE * SIDE)
        block[..., 0] = np.packbits(np.frombuffer(content, np.uint8).reshape(-1, SIDE, SIDE), axis=2)
    if stream.read(1):  # reading to the end also checks the checksum
        raise UsageError(f"{path}: trailing bytes in imgs")
    return bits

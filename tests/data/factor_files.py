"""Small files in the original formats of the data sets with known factors."""

import functools
import zipfile
from io import BytesIO

import numpy as np
from PIL import Image


def png(array):
    stream = BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def coil20_picture(number, angle):
    """Four grey areas; that of the object number and that of the angle say which picture it is."""
    picture = np.zeros((128, 128), np.uint8)
    picture[:64, :64], picture[:64, 64:] = 10 * number, 3 * angle
    picture[64:, :64] = 255
    return picture


def write_coil20(path, change=()):
    """Writes the archive; `change` maps names of pictures to other contents, None leaves one out."""
    files = _coil20_files() | dict(change)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(f"coil-20-proc/{name}", content)


@functools.cache
def _coil20_files():
    return {f"obj{n}__{k}.png": png(coil20_picture(n, k)) for n in range(1, 21) for k in range(72)}

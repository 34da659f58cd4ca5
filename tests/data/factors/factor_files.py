"""Small files in the original formats of the data sets with known factors."""

import functools
import gzip
import itertools
import struct
import tarfile
import zipfile
from io import BytesIO

import numpy as np
import scipy.io
from PIL import Image


def png(array):
    stream = BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def coil20_picture(number, angle):
    """Four grey areas; that of the object number and that of the angle say which image it is."""
    picture = np.zeros((128, 128), np.uint8)
    picture[:64, :64], picture[:64, 64:] = 10 * number, 3 * angle
    picture[64:, :64] = 255
    return picture


def write_coil20(path, change=()):
    """Writes the archive; `change` maps names of images to other contents, None leaves one out."""
    files = _coil20_files() | dict(change)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(f"coil-20-proc/{name}", content)


@functools.cache
def _coil20_files():
    return {f"obj{n}__{k}.png": png(coil20_picture(n, k)) for n in range(1, 21) for k in range(72)}


# Every combination of fewer values than the published sets have: modules' SIZES are to be set to these.
DSPRITES_SIZES = {"shape": 3, "scale": 2, "orientation": 4, "x_position": 2, "y_position": 3}
SHAPES3D_SIZES = {"floor_hue": 2, "wall_hue": 3, "object_hue": 2, "scale": 2, "shape": 4, "orientation": 3}
CARS3D_SIZES = {"elevation": 4, "azimuth": 24, "object": 3}
NORB_NUM = {"training": 30, "testing": 20}


def combinations(sizes):
    """All combinations of factors, the last one fastest, (N, k)."""
    return np.array(list(itertools.product(*(range(size) for size in sizes.values()))))


def dsprites_arrays():
    classes = combinations(DSPRITES_SIZES)
    images = np.zeros((len(classes), 64, 64), np.uint8)
    for image, factors in zip(images, classes, strict=True):
        for row, factor in enumerate(factors):
            image[10 * row, 7 : 7 + factor] = 1  # so many white pixels in that row
    constant = np.zeros((len(classes), 1), np.int64)
    classes = np.concatenate([constant, classes], axis=1)
    return {"imgs": images, "latents_classes": classes, "latents_values": classes / 2}


def write_dsprites(path, change=()):
    """Writes the file with its pickled metadata; `change` replaces arrays, None leaves one out."""
    arrays = dsprites_arrays() | dict(change)
    metadata = np.array({"title": "small"}, dtype=object)
    np.savez_compressed(path, metadata=metadata, **{k: v for k, v in arrays.items() if v is not None})


def shapes3d_arrays():
    factors = combinations(SHAPES3D_SIZES)
    images = np.zeros((len(factors), 64, 64, 3), np.uint8)
    images[:, 0, : factors.shape[1], 1] = 10 * factors
    images[:, 1, 0, 2] = 200
    return {"images": images, "labels": -1.5 + factors / 4}


def write_shapes3d(path, change=()):
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in (shapes3d_arrays() | dict(change)).items():
            if array is not None:
                file.create_dataset(name, data=array, compression="gzip", chunks=(10, *array.shape[1:]))


def cars3d_images(car):
    """(128, 128, 3, 24, 4): three areas whose values say which car, azimuth and elevation it is."""
    images = np.zeros((128, 128, 3, 24, 4), np.uint8)
    images[:64, :64, 0] = 20 * (car + 1)
    images[:64, 64:, 1] = 10 * np.arange(24)[:, None]
    images[64:, :64, 2] = 50 * np.arange(4)
    return images


def mat_bytes(array, name="im"):
    stream = BytesIO()
    scipy.io.savemat(stream, {name: array}, do_compression=True)
    return stream.getvalue()


@functools.cache
def _cars3d_files():
    return {f"car_{car}.mat": mat_bytes(cars3d_images(car)) for car in range(3)}


def write_cars3d(path, change=()):
    """Writes the archive, the cars in no order and beside other data."""
    files = _cars3d_files() | dict(change)
    members = {f"data/cars/{name}": files[name] for name in sorted(files, reverse=True) if files[name] is not None}
    members |= {"data/cars/list.txt": b"car_0", "data/sprites/sprites_1.mat": b"other"}
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))


def norb_bytes(array):
    """The format of NORB written from its definition."""
    magic, dtype = {"u": (0x1E3D4C55, "u1"), "i": (0x1E3D4C54, "<i4")}[array.dtype.kind]
    sizes = [*array.shape, 1, 1, 1][: max(array.ndim, 3)]
    return struct.pack(f"<{2 + len(sizes)}I", magic, array.ndim, *sizes) + array.astype(dtype).tobytes()


def norb_arrays(part):
    num = NORB_NUM[part]
    rng = np.random.default_rng(num)
    category = rng.integers(0, 5, num, np.int32)
    info = np.stack([rng.integers(0, high, num, np.int32) for high in (10, 9, 18, 6)], axis=1)
    info[:, 2] *= 2
    pairs = rng.integers(0, 256, (num, 2, 96, 96), np.uint8)
    return {"dat": pairs, "cat": category, "info": info}


def norb_name(part, kind):
    numbers = {"training": "46789", "testing": "01235"}[part]
    return f"smallnorb-5x{numbers}x9x18x6x2x96x96-{part}-{kind}.mat"


def write_smallnorb(folder):
    for part in NORB_NUM:
        for kind, array in norb_arrays(part).items():
            content = gzip.compress(norb_bytes(array), compresslevel=1, mtime=0)
            (folder / f"{norb_name(part, kind)}.gz").write_bytes(content)


@functools.cache
def frey_faces():
    """Images of random bytes, (1965, 28, 20)."""
    return np.random.default_rng(0).integers(0, 256, (1965, 28, 20), np.uint8)


def write_frey(path):
    scipy.io.savemat(path, {"ff": frey_faces().reshape(1965, 560).T})

"""The IDX format of the original MNIST files, plain or compressed with gzip.

A file is: two zero bytes, a byte for the type of its entries, a byte for the number n of its dimensions, the
n sizes as big-endian 32-bit integers, the entries in row-major order, big-endian, and nothing after them.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from mvae.errors import UsageError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_content(path: Path) -> bytes:
    """Returns a file's bytes, uncompressed if they begin as a gzip file does, whatever its name.

    Raises:
        UsageError: If the file cannot be read, or its compressed part is damaged or ends too early.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise UsageError(f"{path}: truncated: its gzip stream ends after {len(content)} bytes") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(f"{path}: damaged gzip file ({error})") from error


def decode_idx(content: bytes, path: Path, num_dims: int) -> np.ndarray:
    """Returns the array that uncompressed IDX bytes hold, in the machine's byte order.

    Args:
        content: The bytes.
        path: Where they come from, for messages.
        num_dims: The number of dimensions that the array must have.

    Raises:
        UsageError: If the magic number, the number of dimensions or the length is not what it has to be.

    >>> decode_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), Path("labels"), num_dims=1)
    array([7, 9], dtype=uint8)
    """
    magic = content[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
        types = ", ".join(f"{code:02x}" for code in _TYPES)
        raise UsageError(
            f"{path}: not an IDX file: expected the bytes 00 00, a type ({types}) and {num_dims:02x}, "
            f"found {magic.hex(' ') or 'no bytes'}"
        )
    if magic[3] != num_dims:
        raise UsageError(f"{path}: expected an array of {num_dims} dimensions, found {magic[3]}")
    header = 4 + 4 * num_dims
    if len(content) < header:
        raise UsageError(f"{path}: truncated: expected a header of {header} bytes, found {len(content)}")
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    dtype = np.dtype(_TYPES[magic[2]])
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "trailing bytes"
        raise UsageError(f"{path}: {fault}: expected {expected} bytes for the shape {shape}, found {len(content)}")
    return np.frombuffer(content, dtype, offset=header).reshape(shape).astype(dtype.newbyteorder("="))


def read_idx(path: Path, num_dims: int) -> np.ndarray:
    """Returns the array of an IDX file; see `decode_idx`."""
    return decode_idx(read_content(path), path, num_dims)

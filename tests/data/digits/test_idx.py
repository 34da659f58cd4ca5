import gzip
import re
import struct

import numpy as np
import pytest

from mvae.data.digits.idx import read_idx
from mvae.errors import UsageError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
GOOD = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 3, 4) + ARRAY.tobytes()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("compressed", [False, True])
def test_reads_every_type_of_entry(tmp_path, kind, compressed):
    array = np.array([[-3, 0, 100], [7, -1, 5]]).astype(kind)
    content = bytes([0, 0, CODES[kind], 2]) + struct.pack(">2I", 2, 3) + array.astype(f">{kind}").tobytes()
    path = tmp_path / "file"  # without .gz: what counts is the content
    path.write_bytes(gzip.compress(content, mtime=0) if compressed else content)
    found = read_idx(path, num_dims=2)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(kind)


def test_the_result_is_writable(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    found = read_idx(path, num_dims=3)
    found[0] = 0  # a view of the file's bytes would refuse


def damaged_gzip(content):
    data = bytearray(gzip.compress(content, mtime=0))
    data[-5] ^= 0xFF  # in the checksum
    return bytes(data)


def damaged_stream(content):
    data = bytearray(gzip.compress(content, mtime=0))
    data[10] = 0x07  # a block of a type that does not exist
    return bytes(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(GOOD, mtime=0)[:-12], "truncated: its gzip stream ends after"),
        (gzip.compress(GOOD, mtime=0)[:6], "truncated: its gzip stream ends after 6 bytes"),
        (damaged_gzip(GOOD), "damaged gzip file"),
        (damaged_stream(GOOD), "damaged gzip file"),
        (gzip.compress(GOOD, mtime=0) + b"more", "damaged gzip file"),
        (b"", "not an IDX file.*found no bytes"),
        (b"\0\0", "not an IDX file.*found 00 00"),
        (b"\1" + GOOD[1:], "not an IDX file: expected the bytes 00 00.*found 01 00 08 03"),
        (b"\0\0\x0a" + GOOD[3:], "not an IDX file.*found 00 00 0a 03"),
        (b"<html>Not found</html>", "not an IDX file"),
        (b"\0\0\x08\x01" + GOOD[4:], "expected an array of 3 dimensions, found 1"),
        (GOOD[:10], "truncated: expected a header of 16 bytes, found 10"),
        (GOOD[:-1], r"truncated: expected 40 bytes for the shape \(2, 3, 4\), found 39"),
        (GOOD + b"\0", r"trailing bytes: expected 40 bytes for the shape \(2, 3, 4\), found 41"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "truncated: expected 79228162458924105385300197391 bytes"),
    ],
)
def test_every_damage_is_named_with_its_file(tmp_path, content, message):
    path = tmp_path / "some-images"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"^{re.escape(str(path))}: {message}"):
        read_idx(path, num_dims=3)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"absent: cannot be read \(No such file"):
        read_idx(tmp_path / "absent", num_dims=1)
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory"):
        read_idx(tmp_path, num_dims=1)

import gzip
import struct

import numpy as np

NUM = {"train": 50, "test": 20}


def idx_bytes(array, magic=None):
    """The IDX format written from its definition: magic, big-endian sizes, entries."""
    header = magic or bytes([0, 0, 8, array.ndim])
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


class DigitFiles:
    """Four small files in the original format, and what they hold."""

    def __init__(self, folder):
        self.folder = folder
        rng = np.random.default_rng(0)
        folder.mkdir(parents=True)
        self.images, self.labels = {}, {}
        for split, prefix in (("train", "train"), ("test", "t10k")):
            self.images[split] = rng.integers(0, 256, (NUM[split], 28, 28), np.uint8)
            self.labels[split] = rng.integers(0, 10, NUM[split], np.uint8)
            self.write(f"{prefix}-images-idx3-ubyte", idx_bytes(self.images[split]))
            self.write(f"{prefix}-labels-idx1-ubyte", idx_bytes(self.labels[split]))

    def path(self, name):
        return self.folder / f"{name}.gz"

    def write(self, name, content):
        self.path(name).write_bytes(gzip.compress(content, mtime=0))

    def content(self, name):
        return gzip.decompress(self.path(name).read_bytes())

    def assert_equal(self, split, images, labels):
        np.testing.assert_array_equal(images, self.images[split][..., None])
        np.testing.assert_array_equal(labels, self.labels[split])

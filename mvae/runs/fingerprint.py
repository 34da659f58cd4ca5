"""Fingerprint of the training data: what a run is to know again of them, so that it does not go on with others."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvae.data import Dataset

Fingerprint = dict[str, Any]

EDGE, SPREAD = 64, 128  # rows that are looked at: so many at either end, and so many in between
PROJECTIONS = 16
TOLERANCE = 1e-3  # of a projection, relative to the size of entries: devices render images to rounding alike


def fingerprint(dataset: Dataset) -> Fingerprint:
    """Returns the numbers of examples, the shape of `x`, projections of `x` and a checksum of labels, on some rows.

    The same data have the same one whether they are on the device or streamed, but for rounding of the projections:
    projection i is that of the (i, i + 16, ...)-th of the rows, end to end, on cos(1), cos(2), ..., divided by the
    root of half its length. So each is about as large as an entry of `x`.

    Args:
        dataset: The data.
    """
    num = dataset.num_train
    ends = np.r_[np.arange(min(EDGE, num)), np.arange(max(num - EDGE, 0), num)]
    rows = np.unique(np.r_[ends, np.linspace(0, num - 1, SPREAD).astype(int)])
    if dataset.source is not None:
        sample: Any = dataset.source.take(rows)
    else:
        on_cpu = jax.default_backend() == "cpu"  # where to look at an array costs nothing and to index it a compilation
        sample = {name: (np.asarray(array) if on_cpu else array)[rows] for name, array in dataset.train.items()}

    @jax.jit
    def looked_at(sample: Any) -> dict[str, Any]:
        batch = dataset.render(sample)
        return {name: batch[name] for name in ("x", "label") if name in batch}

    batch = jax.device_get(looked_at({name: jnp.asarray(array) for name, array in sample.items()}))
    x = np.nan_to_num(np.asarray(batch["x"], np.float64), posinf=0, neginf=0).reshape(len(rows), -1)
    projections = [_projection(x[i::PROJECTIONS].ravel()) for i in range(min(PROJECTIONS, len(rows)))]
    found: Fingerprint = {
        "num_train": num,
        "event_shape": list(dataset.event_shape),
        "size": float(np.sqrt(np.mean(np.square(x)))),
        "projections": projections,
    }
    if dataset.digest is not None:
        found["digest"] = dataset.digest
    if "label" in batch:
        found["labels"] = f"{zlib.crc32(np.asarray(batch['label'], np.int64).tobytes()):08x}"
    return found


def _projection(entries: np.ndarray) -> float:
    return float(entries @ np.cos(1.0 + np.arange(len(entries))) / np.sqrt(len(entries) / 2))


def different(before: Fingerprint, now: Fingerprint) -> str:
    """Returns in what two fingerprints differ, in words; an empty text if they are of the same data."""
    for name, words in (("num_train", "training examples"), ("event_shape", "shape of x"), ("labels", "labels")):
        if before.get(name) != now.get(name):
            return f"{words}: {before.get(name)} there, {now.get(name)} here"
    left, right = np.asarray(before["projections"]), np.asarray(now["projections"])
    if left.shape != right.shape or not np.allclose(left, right, rtol=0, atol=TOLERANCE * before["size"] + 1e-30):
        return "examples of x differ"
    if before.get("digest") != now.get("digest"):
        return "some rows or columns differ"
    return ""

"""codes.npz of a run: where training and test rows lie in latent space, for every seed, with what is known of them."""

import math
from pathlib import Path

import jax
import numpy as np

from mvae.data import Dataset
from mvae.data.dataset import Rows
from mvae.runs.trained.models import Functions, Trained
from mvae.runs.trained.saved import write_npz

FILE = "codes.npz"
MOST_ROWS = 100_000  # of each part; of more they are spread evenly
AT_A_TIME = 10_000  # rows that are rendered together
MOST_NUMBERS = 16  # of a row, in a column that is kept
LEFT_OUT = ("x", "anchors", "index")


def write_codes(folder: Path, functions: Functions, params: object, seeds: tuple[int, ...], dataset: Dataset) -> None:
    """Writes codes.npz, for models that have an encoder.

    It has "seeds"; "train" and "test", the locations of the posteriors, (seeds, rows, ambient_dim), what
    `Trained.embed` gives of the same rows; "train_rows" and "test_rows", the numbers of these rows in their part; and
    the columns that the data have beside x, such as "train_label" and "test_label".

    Args:
        folder: The run's folder.
        functions: Of the model.
        params: Parameters, seeds on the first axis.
        seeds: The seeds.
        dataset: The data.

    Raises:
        OSError: If the file cannot be written.
    """
    if "encoder" in functions.model.lacks:
        return
    found: dict[str, np.ndarray] = {"seeds": np.asarray(seeds)}
    members = [
        Trained(functions, jax.tree.map(lambda leaf, index=index: leaf[index], params), seed)
        for index, seed in enumerate(seeds)
    ]
    for part, rows in (("train", dataset.train), ("test", dataset.test)):
        num = len(next(iter(rows.values())))
        index = np.linspace(0, num - 1, min(num, MOST_ROWS)).astype(int)
        found[f"{part}_rows"] = index
        parts = np.split(index, range(AT_A_TIME, len(index), AT_A_TIME))
        found[part] = np.concatenate([_located(members, dataset, rows, some) for some in parts], axis=1)
        for name in sorted((dataset.train.keys() & dataset.test.keys()) - set(LEFT_OUT)):
            if math.prod(rows[name].shape[1:]) <= MOST_NUMBERS:
                found[f"{part}_{name}"] = np.asarray(rows[name])[index]
    write_npz(folder / FILE, found)


def _located(members: list[Trained], dataset: Dataset, rows: Rows, index: np.ndarray) -> np.ndarray:
    """Codes of some rows by all members, (members, rows, ambient_dim)."""
    some = {name: column[index] for name, column in rows.items()}
    batch = {name: np.asarray(column) for name, column in jax.jit(dataset.render)(some).items()}
    if dataset.scaling is not None:
        batch["x"] = np.asarray(some["x"])  # in units of the data
    return np.stack([member.located(batch) for member in members])

"""Do degree and persistent homology agree on which runs captured the topology?

    python experiments/dvae/capture_homology.py --workdir=runs/capture

Reads the cells that `capture.py` left in the workdir. For every run it computes the degree of the encoder and the Betti
numbers of the encoded translations as points of the flat torus, and prints how often each pair occurred. An encoder of
degree ±1 covers the torus, whose Betti numbers are 1, 2, 1; one of degree 0 need not. It says of how many runs the
landmarks do not resolve the points: there no hole could be seen.
"""

import collections
from pathlib import Path

import numpy as np
from absl import flags
from capture_cells import degrees
from tqdm import tqdm

from mvae.errors import UsageError
from mvae.evaluation import betti_numbers
from mvae.manifolds import FlatTorus
from mvae.programs import launch

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the cells' files.", required=True)
_CELLS = flags.DEFINE_string("cells", "*.npz", "Which files, as a glob pattern.")


def agreement(ends: list[np.ndarray]) -> str:
    """Returns a Markdown table of how often each pair of degree and Betti numbers occurred.

    Args:
        ends: Encoded grids, (runs, n, n, 4) each.
    """
    counts: collections.Counter[tuple[int, tuple[int, ...]]] = collections.Counter()
    unresolved = 0
    for z in tqdm(ends, unit="cell"):
        for run, degree in zip(z, degrees(z), strict=True):
            found = betti_numbers(FlatTorus(2), run.reshape(-1, 4), num_landmarks=200)
            counts[abs(int(degree)), tuple(int(number) for number in found.numbers)] += 1
            unresolved += found.resolved < 1
    lines = ["| abs(degree) | Betti numbers | runs |", "|---|---|---|"]
    ranked = sorted(counts.items(), key=lambda item: (-item[0][0], -item[1]))
    lines += [f"| {degree} | {', '.join(map(str, numbers))} | {count} |" for (degree, numbers), count in ranked]
    torus = sum(count for (degree, numbers), count in counts.items() if (degree == 1) == (numbers == (1, 2, 1)))
    total = sum(counts.values())
    lines += [f"degree ±1 if and only if 1, 2, 1: {torus} of {total} runs"]
    lines += [f"not resolved by their landmarks: {unresolved} of {total} runs"]
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    paths = sorted(Path(_WORKDIR.value).expanduser().glob(_CELLS.value))
    if not paths:
        raise UsageError(f"--workdir, --cells: no file {_CELLS.value} in {_WORKDIR.value}; run capture.py first")
    ends = []
    for path in paths:
        with np.load(path) as runs:
            ends.append(runs["end"])
    print(agreement(ends))


if __name__ == "__main__":
    launch(main)

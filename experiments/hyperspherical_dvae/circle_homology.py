"""Do degree and persistent homology agree on the objects of COIL-20 whose circle was found?

    python experiments/hyperspherical_dvae/circle_homology.py --data_dir=DIR --workdir=runs/learned

Reads the run folders that `circles.py` left in the workdir. For every seed it computes the Betti numbers of the codes
of all 72 views as points of the circle, and prints how often each pair with the degree of the run occurred. An encoder
of degree ±1 covers the circle, whose Betti numbers are 1, 1; one that covers it twice does so, too.
"""

import collections
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

import mvae
from mvae.data import load
from mvae.errors import UsageError
from mvae.evaluation import betti_numbers
from mvae.programs import launch

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of COIL-20.", required=True)


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    folders = sorted(path.parent for path in Path(_WORKDIR.value).expanduser().glob("*/object_*/results.json"))
    if not folders:
        raise UsageError(f"--workdir: no runs in {_WORKDIR.value}; run circles.py first")
    counts: collections.Counter[tuple[int, tuple[int, ...]]] = collections.Counter()
    for folder in tqdm(folders, unit="run"):
        number = int(folder.name.removeprefix("object_"))
        views = load("coil20", dir=_DATA_DIR.value, object=number, size=32)
        x = np.concatenate([np.asarray(views.render(rows)["x"]) for rows in (views.train, views.test)])
        run = mvae.load(folder)
        for index, member in enumerate(run.results["members"]):
            found = betti_numbers(run[index].manifold, run[index].embed(x), max_dim=1, num_landmarks=len(x) // 4)
            counts[abs(member["degree"]), found.numbers] += 1
    print("| abs(degree) | Betti numbers | runs |\n|---|---|---|")
    for (degree, numbers), count in sorted(counts.items(), key=lambda item: (-item[0][0], -item[1])):
        print(f"| {degree} | {', '.join(map(str, numbers))} | {count} |")
    agree = sum(count for (degree, numbers), count in counts.items() if (degree >= 1) == (numbers == (1, 1)))
    print(f"degree ±1 or more if and only if 1, 1: {agree} of {counts.total()} runs")


if __name__ == "__main__":
    launch(main)

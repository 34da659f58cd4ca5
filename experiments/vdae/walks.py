"""What the random walk of a trained VDAE does: uniform samples from one seed, points between clusters, classes kept.

    python experiments/vdae/walks.py --data=circle --workdir=W
    python experiments/vdae/walks.py --data=mnist --data_dir=DIR --workdir=W --figures=F

Trains configs/vdae.py:DATA into DATA/vdae in the workdir, or resumes it, measures every seed and prints a table in
Markdown. circle and sphere: p-values of tests of uniformity over many chains from a single seed, and how far they lie
from the manifold. gaussian_grid: the share of samples further than four standard deviations from every centre. mnist:
the share of chains whose image has the class of its seed, told by a classifier, against the number of steps.
"""

from pathlib import Path

import jax
from absl import flags
from methods import config_of
from walk_measures import MEASURES, figure_of

from mvae import figures
from mvae.programs import launch
from mvae.runs import RunFolder, build_experiment, log_to_console, run, train

_DATA = flags.DEFINE_enum("data", "circle", list(MEASURES), "Data set.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with the folders of real data.")
_SEEDS = flags.DEFINE_integer("seeds", 5, "Seeds, 0 and up.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", None, "Steps of every stage; left out, those of the config.", lower_bound=1)
_FIGURES = flags.DEFINE_string("figures", None, "Folder for the figure walk_DATA.png; left out, none is drawn.")


def main(argv: list[str]) -> None:
    """Trains what is missing, measures and prints."""
    del argv
    log_to_console()
    data, folder = _DATA.value, Path(_WORKDIR.value).expanduser() / _DATA.value / "vdae"
    config = config_of("vdae", data, seeds=_SEEDS.value, data_dir=_DATA_DIR.value, num_steps=_STEPS.value)
    run(config, folder)
    experiment = build_experiment(config)
    params = train(experiment, RunFolder(folder))
    members = [jax.tree.map(lambda leaf, i=index: leaf[i], params) for index in range(_SEEDS.value)]
    print(MEASURES[data](experiment, members))
    if _FIGURES.value:
        figures.save(figure_of(experiment, members[0], data), Path(_FIGURES.value).expanduser() / f"walk_{data}.png")


if __name__ == "__main__":
    launch(main)

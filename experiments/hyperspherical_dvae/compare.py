r"""Hyperspheres against Gaussian β-VAEs of the same size, on data with known factors, with annealed capacity.

    python experiments/hyperspherical_dvae/compare.py --data=coil20 --data_dir=DIR --workdir=runs/coil20
    python experiments/hyperspherical_dvae/compare.py --data=turntable --workdir=runs/turntable
    python experiments/hyperspherical_dvae/compare.py --data=turntable --dims=10,20 --betas=1,2.5,10 --scores= \
        --size=32 --seeds=2 --workdir=runs/capacity

Each row is a run in a folder of its own; the same command resumes what was interrupted and runs what is missing, rows
that differ in beta alone in one program, and several of them may share the rows of one workdir. `--render` trains
nothing. Printed are, from the run folders alone, means ± standard deviations over seeds, and how
closely the KL followed the capacity C: their largest difference after the first tenth of the training, and the mean one
over the last tenth. `capacity.png` in the workdir shows both over the training.
"""

import itertools
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict
from rows_of_comparison import TITLES, Row, render

from mvae.errors import UsageError
from mvae.evaluation import SCORES
from mvae.programs import launch
from mvae.runs import load_config, log_to_console
from mvae.sweep import Member, finished_members

_DATA = flags.DEFINE_enum("data", "turntable", ["coil20", "turntable"], "Data with known factors.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of COIL-20.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the rows' run folders.", required=True)
_SPACES = flags.DEFINE_list("spaces", ["sphere", "euclidean"], "Latent spaces; euclidean is the Gaussian β-VAE.")
_DIMS = flags.DEFINE_list("dims", ["10"], "Dimensions d; published are 10 and 20.")
_BETAS = flags.DEFINE_list("betas", ["1"], "Weights β of |KL - C|; published are 1, 2.5 and 10.")
_SEEDS = flags.DEFINE_integer("seeds", 5, "Members of each row, trained in one program.", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", 150, "Passes over the training set.", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 64, "Pixels along a side.", lower_bound=8)
_SCORES = flags.DEFINE_list("scores", list(SCORES), f"Of {', '.join(SCORES)}; empty for none.")
_RENDER = flags.DEFINE_bool("render", default=False, help="Print and draw what is there and train nothing.")

CONFIGS = Path(__file__).parents[2] / "configs"


def config_of(row: Row) -> ConfigDict:
    """Returns the whole config of a row."""
    config = load_config(CONFIGS / {"sphere": "dvae_hypersphere.py", "euclidean": "vae.py"}[row.space])
    config.manifold.dim, config.model.beta = row.dim, row.beta
    config.data.name, config.data.dir, config.data.size = _DATA.value, _DATA_DIR.value, _SIZE.value
    config.num_seeds, config.num_epochs = _SEEDS.value, _EPOCHS.value
    config.evaluation.scores = tuple(_SCORES.value)
    return config


def main(argv: list[str]) -> None:
    """Runs what is missing, prints the table and draws the capacity."""
    del argv
    log_to_console()
    if wrong := set(_SPACES.value) - set(TITLES):
        raise UsageError(f"--spaces: no {', '.join(sorted(wrong))}; there are {', '.join(TITLES)}")
    try:
        dims, betas = [int(text) for text in _DIMS.value], [float(text) for text in _BETAS.value]
    except ValueError as error:
        raise UsageError(f"--dims, --betas: {error}") from error
    rows = [Row(*entry) for entry in itertools.product(_SPACES.value, dims, betas)]
    workdir = Path(_WORKDIR.value).expanduser()
    if not _RENDER.value:
        finished_members([Member(row.folder, config_of(row).to_dict(), {}) for row in rows], workdir)
    print(render(rows, workdir))


if __name__ == "__main__":
    launch(main)

"""[perezrey2019, Tables 1 and 2]: the same net on eight latent spaces, on MNIST and on the simple image.

    python experiments/dvae/tables.py --table=2 --workdir=runs/table2
    python experiments/dvae/tables.py --table=1 --workdir=runs/table1 --data_dir=DIR

Each row is a run of its own in a folder of its own; the same command resumes what was interrupted and runs what is
missing, and several of them may share the rows of one workdir. `--render` trains nothing. The table is made from the
run folders alone, in Markdown: means ± standard deviations over seeds, the published row, and the KL that the published
formula gives for the times of our runs.

What the published formula has, beside the exact KL: for both tori it lacks
-(d/2) log 2 pi, for the embedded torus it takes the area 8 pi a c for 4 pi^2 a c, and its coefficient of Sc t is
(d + 4)/24, which is 1/4 in two dimensions only.
"""

from pathlib import Path

from absl import flags
from rows import ROWS, members, render, worst_identity

from mvae.errors import UsageError
from mvae.programs import launch
from mvae.runs import log_to_console
from mvae.sweep import Member, finished_members

_TABLE = flags.DEFINE_enum("table", None, ["1", "2"], "1: MNIST; 2: translations of the simple image.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the rows' run folders.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of MNIST's IDX files; left out, they are downloaded.")
_SEEDS = flags.DEFINE_integer("seeds", 10, "Members of each row, trained in one program.", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", 500, "Passes over the training set.", lower_bound=1)
_SPACES = flags.DEFINE_list("spaces", [], "Rows to run, such as sphere2,so3; left out, all.")
_RENDER = flags.DEFINE_bool("render", default=False, help="Print the table of what is there and train nothing.")


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the table."""
    del argv
    log_to_console()
    workdir = Path(_WORKDIR.value).expanduser()
    if unknown := set(_SPACES.value) - set(ROWS):
        raise UsageError(f"--spaces: no row {', '.join(sorted(unknown))}; rows are {', '.join(ROWS)}")
    if not _RENDER.value:
        rows = members(_TABLE.value, _SEEDS.value, _EPOCHS.value, _DATA_DIR.value)
        asked = [Member(name, config.to_dict(), {}) for name, config in rows if name in (_SPACES.value or ROWS)]
        finished_members(asked, workdir)
    print(render(_TABLE.value, workdir))
    num_pixels = {"1": 784, "2": 4096}[_TABLE.value]
    print(f"\nLargest |ELBO + (D/2) log 2π + (D/2) MSE + KL|: {worst_identity(workdir, num_pixels):.1e} nats")


if __name__ == "__main__":
    launch(main)

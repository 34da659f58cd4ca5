"""The toy task: points of a manifold carried to R^100, and VAEs with and without that manifold [golikov2018, Table 1].

    python experiments/er/table.py --workdir=runs/er
    python experiments/er/table.py --workdir=runs/er --spaces=sphere,so3 --rows=all

The seeds of a row train in one program; its folder is SPACE/ROW in the workdir. The same command resumes what was
interrupted and runs what is missing; `--render` trains nothing, and the tables are made from the folders alone.
"""

from pathlib import Path

from absl import flags
from rows import PUBLISHED, ROWS, SPACES, members, render

from mvae.errors import UsageError
from mvae.programs import launch
from mvae.runs import log_to_console
from mvae.sweep import finished_members

_SPACES = flags.DEFINE_list("spaces", ["circle"], f"Of {', '.join(SPACES)}.")
_ROWS = flags.DEFINE_list("rows", PUBLISHED, f"all, or of {', '.join(ROWS)}; left out, the five that are published.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of each row, 0 and up.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", None, "Steps of every stage; left out, those of the config.", lower_bound=1)
_RENDER = flags.DEFINE_bool("render", default=False, help="Print what is there and train nothing.")


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the tables."""
    del argv
    log_to_console()
    rows = list(ROWS) if _ROWS.value == ["all"] else _ROWS.value
    for name, asked, known in (("spaces", _SPACES.value, SPACES), ("rows", rows, ROWS)):
        if wrong := set(asked) - set(known):
            raise UsageError(f"--{name}: no {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    for space in _SPACES.value:
        folder = Path(_WORKDIR.value).expanduser() / space
        if not _RENDER.value:
            finished_members(members(space, rows, seeds=_SEEDS.value, num_steps=_STEPS.value), folder)
        print(f"{space}:\n\n{render(space, folder)}\n")


if __name__ == "__main__":
    launch(main)

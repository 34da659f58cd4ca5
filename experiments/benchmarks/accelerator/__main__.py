"""Everything that is to be known of an accelerator, by one command, which the same command resumes.

    python -m experiments.benchmarks.accelerator --workdir=W --minutes=9 --data_dir=DIR
    python -m experiments.benchmarks.accelerator --workdir=W --minutes=5 --rehearse
    python -m experiments.benchmarks.accelerator --workdir=W --render

Parts, each a file of JSON in the workdir that is rewritten the moment one of its cells ends:

a  device: rates of products, of copies, of normal draws
b  truth: float32 on the device against float64 on the CPU, under the library's tolerances
c  steps of the ΔVAE, as shares of products; time to the first step, with and without compiled programs on disk
d  Table 1 of the ΔVAE at its published length: eight spaces, ten seeds, 500 epochs
e  walks, densities and divergences per second
f  inferred coefficients, VAELLS, SpectralNet and neighbours, the ER toy table, VDAE

The files are all that is needed to go on, on another machine of the same kind too; run folders and compiled programs
lie under --scratch. What fits into the minutes is measured, counted from the start of the process; a cell that would
not is left for the next call. Killed at any moment, it loses the cell that was running.

By count, Table 1 takes 5.65 GFLOP for a seed and a step and 10 × 46 500 steps for a space: 2.6 PFLOP, 21 for all
eight. A card that does 400 TFLOP/s in TensorFloat-32 takes 105 s at half of that; compilation, evaluation and data come
to it, some 20 s for a space, so that 5 to 8 minutes are to be expected.

Exit codes: 0 all measured; 1 a cell failed; 2 bad input; 3 time ran out: run it again; 130 and 143 stopped by
SIGINT and SIGTERM.
"""

import time

BEGAN = time.monotonic()  # before the imports, which count

import os  # noqa: E402
from pathlib import Path  # noqa: E402

from absl import flags  # noqa: E402

from mvae.programs import launch  # noqa: E402

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the results, a file for each part.", required=True)
_MINUTES = flags.DEFINE_float("minutes", 9.0, "Minutes there are, from the start of the process.", lower_bound=0.0)
_PARTS = flags.DEFINE_list("parts", ["a", "b", "c", "d", "e", "f"], "Which parts, in the order they are wanted.")
_REHEARSE = flags.DEFINE_bool("rehearse", default=False, help="Tiny sizes, to see on any machine that all of it runs.")
_RENDER = flags.DEFINE_bool("render", default=False, help="Write what is there into the pages and measure nothing.")
_SCRATCH = flags.DEFINE_string("scratch", None, "Folder for run folders and compiled programs; left out, W/scratch.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of MNIST's four IDX files; a rehearsal does without.")


def main(argv: list[str]) -> int:
    """Measures what is missing, or renders; returns the exit code."""
    del argv
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # processes of their own measure the first step

    from experiments.benchmarks.accelerator.parts import measure
    from experiments.benchmarks.accelerator.render import render_pages

    workdir = Path(_WORKDIR.value).expanduser()
    if _RENDER.value:
        render_pages(workdir)
        return 0
    scratch = Path(_SCRATCH.value).expanduser() if _SCRATCH.value else workdir / "scratch"
    data_dir = Path(_DATA_DIR.value).expanduser() if _DATA_DIR.value else None
    return measure(
        _PARTS.value, workdir, scratch, BEGAN, 60 * _MINUTES.value, rehearse=_REHEARSE.value, data_dir=data_dir
    )


if __name__ == "__main__":
    launch(main)

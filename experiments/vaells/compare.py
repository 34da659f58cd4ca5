"""VAE, hyperspherical VAE, VAE with VampPrior and VAELLS on a swiss roll and two circles [connor2021, Figs. 2 and 4].

    python experiments/vaells/compare.py --data=swiss_roll --workdir=runs/planar --figures=experiments/vaells/figures
    python experiments/vaells/compare.py --data=concentric_circles --workdir=runs/planar

All have the same networks, likelihood, variance of p(x | z), optimiser, batches and number of steps. Each run, of one
method and one seed, has a folder of its own, DATA/METHOD/seed_N in the workdir; the same command resumes what was
interrupted and runs what is missing. `--render` trains nothing. Table, in Markdown, and figure are made from the run
folders alone.
"""

from pathlib import Path

from absl import flags
from planar_methods import DATA, METHODS, config_of, measure
from planar_rows import draw, render

from mvae import figures
from mvae.errors import UsageError
from mvae.programs import launch
from mvae.runs import log_to_console
from mvae.sweep import Member, finished_members

_DATA = flags.DEFINE_enum("data", "swiss_roll", list(DATA), "Curve of the plane.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_METHODS = flags.DEFINE_list("methods", list(METHODS), f"Of {', '.join(METHODS)}.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds of each method, 0 and up.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", None, "Steps after VAELLS's warm-up; left out, its config's.", lower_bound=1)
_VARIANCE = flags.DEFINE_float("variance", None, "Variance of p(x | z); left out, VAELLS's config's.", lower_bound=1e-9)
_QUICK = flags.DEFINE_bool("quick", default=False, help="The steps of VAELLS's quick config.")
_FIGURES = flags.DEFINE_string("figures", None, "Folder for the figure DATA_methods.png; left out, none is drawn.")
_RENDER = flags.DEFINE_bool("render", default=False, help="Print and draw what is there and train nothing.")


def main(argv: list[str]) -> None:
    """Runs what is missing, prints the table and draws the figure."""
    del argv
    log_to_console()
    if wrong := set(_METHODS.value) - set(METHODS):
        raise UsageError(f"--methods: no {', '.join(sorted(wrong))}; there are {', '.join(METHODS)}")
    data, workdir = _DATA.value, Path(_WORKDIR.value).expanduser() / _DATA.value
    if not _RENDER.value:
        for name in _METHODS.value:
            members = [
                Member(
                    f"seed_{seed}",
                    config_of(name, data, seed, num_steps=_STEPS.value, variance=_VARIANCE.value, quick=_QUICK.value),
                    {},
                )
                for seed in range(_SEEDS.value)
            ]
            for member in finished_members(members, workdir / name, seeds_per_program=1):
                measure(member.config, workdir / name / member.name)
    print(render(data, workdir, _METHODS.value, _SEEDS.value))
    if _FIGURES.value:
        figures.save(draw(data, workdir, _METHODS.value), Path(_FIGURES.value).expanduser() / f"{data}_methods.png")


if __name__ == "__main__":
    launch(main)

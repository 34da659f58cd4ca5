"""WGAN-GP, beta-VAE, hyperspherical VAE and VDAE by how well samples keep the geometry of the data [li2020, Table 1].

    python experiments/vdae/compare.py --workdir=runs/vdae --data=circle,torus --seeds=5
    python experiments/vdae/compare.py --workdir=runs/vdae --data_dir=DIR

DIR has the folders bunny, coil20, frey and mnist with their files. All methods have the same decoder, batches and
optimiser. The seeds of a method train in one program, whose folder is DATA/METHOD in the workdir; the same command
resumes what was interrupted and runs what is missing. Beta of the VAE is the one of
--betas whose samples have the least G-W, of one seed trained for each, all in one program; the hyperspherical VAE takes
the same. `--render` trains nothing: the tables, in Markdown, are made from the folders alone.
"""

from pathlib import Path

from absl import flags
from measures import measure, reference
from methods import DATA, METHODS, config_of
from rows import render

from mvae.errors import UsageError
from mvae.programs import launch
from mvae.runs import log_to_console
from mvae.sweep import Member, finished_members

_DATA = flags.DEFINE_list("data", list(DATA), f"Of {', '.join(DATA)}.")
_METHODS = flags.DEFINE_list("methods", list(METHODS), f"Of {', '.join(METHODS)}.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with the folders of real data.")
_SEEDS = flags.DEFINE_integer("seeds", 5, "Seeds of each method, 0 and up.", lower_bound=1)
_BETAS = flags.DEFINE_list("betas", ["0.001", "0.01", "0.1", "1"], "Weights of the KL that are tried.")
_STEPS = flags.DEFINE_integer("steps", None, "Steps of every stage; left out, those of the config.", lower_bound=1)
_RENDER = flags.DEFINE_bool("render", default=False, help="Print what is there and train nothing.")


def _member(name: str, method: str, data: str, *, seeds: int, beta: float) -> Member:
    config = config_of(method, data, seeds=seeds, data_dir=_DATA_DIR.value, beta=beta, num_steps=_STEPS.value)
    return Member(name, config, {})


def _scores(members: list[Member], folder: Path) -> dict[str, float]:
    """Trains and measures what is missing; returns the mean G-W of each member, those left out that failed."""
    scores = {}
    for member in finished_members(members, folder):
        found = measure(member.config, folder / member.name)["members"]
        scores[member.name] = sum(each["gromov_wasserstein"] for each in found) / len(found)
    return scores


def _best_beta(data: str, folder: Path, betas: list[float]) -> float:
    """Returns the beta whose VAE of one seed has the least G-W."""
    names = {f"vae_beta_{beta:g}": beta for beta in betas}
    scores = _scores([_member(name, "vae", data, seeds=1, beta=beta) for name, beta in names.items()], folder)
    if not scores:
        raise UsageError(f"no VAE on {data} is finished, of those with the --betas")
    return names[min(scores, key=lambda name: scores[name])]


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the tables."""
    del argv
    log_to_console()
    for name, asked, known in (("data", _DATA.value, DATA), ("methods", _METHODS.value, METHODS)):
        if wrong := set(asked) - set(known):
            raise UsageError(f"--{name}: no {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    try:
        betas = [float(beta) for beta in _BETAS.value]
    except ValueError as error:
        raise UsageError(f"--betas: {error}") from error
    workdir = Path(_WORKDIR.value).expanduser()
    if not _RENDER.value:
        for data in _DATA.value:
            for method in _METHODS.value:
                beta = _best_beta(data, workdir / data, betas) if method in ("vae", "svae") else 1.0
                _scores([_member(method, method, data, seeds=_SEEDS.value, beta=beta)], workdir / data)
            reference(config_of("vdae", data, seeds=1, data_dir=_DATA_DIR.value), workdir / data, seeds=_SEEDS.value)
    print(render(workdir, _DATA.value, _METHODS.value))


if __name__ == "__main__":
    launch(main)

r"""Does another version of the source give the same numbers? Runs every config in two checkouts and compares.

    python -m experiments.benchmarks.same_numbers --before=TREE --after=TREE --workdir=W [--data_dir=DIR]

Both run in the environment of this interpreter, one after the other, through `python -m mvae.main`, which is all that
this script knows of them. Each config runs twice: 20 steps with a line of metrics for each, and at its whole length
with one seed. What is there already is not run again. Losses of the first 20 steps should be equal to 1e-6 relatively,
the final numbers to 1e-3, since another fusion's rounding grows in training, and degrees exactly. The table also says
from which logged step on the losses of the whole runs are further apart than 1e-6: rounding grows from step to step,
another computation is apart from the first one.

DIR has the folders mnist, frey, bunny and coil20; without it the configs that need them are left out.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from absl import flags

from mvae.errors import UsageError
from mvae.programs import launch

STEPS = 20
LOSSES, FINAL = 1e-6, 1e-3
FILES = {"mnist": "mnist", "rotated_mnist": "mnist", "frey": "frey", "bunny": "bunny", "coil20": "coil20"}
QUICK = ("dvae_genus_two", "dvae_hypersphere", "dvae_mnist", "dvae_torus", "svae", "vae", "vamp", "wgan")
QUICK += ("vaells_circles", "vaells_mnist", "vaells_rotated_mnist", "vaells_swiss_roll", "vdae", "er")
VDAE = (
    "loop",
    "torus",
    "sphere",
    "two_moons",
    "gaussian_grid",
    "bunny",
    "frey",
    "coil20",
    "coil20_object",
    "turntable",
)
ER = ("sphere", "torus", "so3", "interval", "plane")
CONFIGS = [f"{name}:quick" for name in QUICK] + [f"vdae:{name}" for name in VDAE] + [f"er:{name}" for name in ER]
# At full length, as vdae and er are above: one for each other method.
CONFIGS += ["dvae_torus:", "vaells_swiss_roll:", "vae:", "svae:", "vamp:", "wgan:"]
# Terms that had one name for all methods in versions before 0.2.
RENAMED = ("time", "variance", "spread", "step_variance", "squared_move")
NOT_COMPARED = ("seconds", "train_seconds", "seed")

_BEFORE = flags.DEFINE_string("before", None, "Root of one checkout.", required=True)
_AFTER = flags.DEFINE_string("after", None, "Root of the other.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the runs.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the files of mnist, frey, bunny and coil20.")
_CONFIGS = flags.DEFINE_list("configs", CONFIGS, "Configs with their arguments.")
_WHOLE = flags.DEFINE_bool("whole", default=True, help="Whether each is run at its whole length, too.")


def files_of(name: str) -> str | None:
    """Returns which folder of --data_dir a config needs, None for none."""
    file, _, argument = name.partition(":")
    data = argument.removesuffix("_object") if file == "vdae" else file.removeprefix("dvae_").removeprefix("vaells_")
    return FILES.get(data)


def run(tree: Path, name: str, folder: Path, *, short: bool) -> None:
    """Runs or resumes a config in a checkout."""
    if (folder / "results.json").exists():
        return
    file, _, argument = name.partition(":")
    command = [sys.executable, "-m", "mvae.main", f"--config=configs/{file}.py:{argument}", f"--workdir={folder}"]
    command += ["--config.num_seeds=1"]
    if (needed := files_of(name)) is not None:
        command.append(f"--config.data.dir={_DATA_DIR.value}/{needed}")
    if short:
        command += [f"--config.num_steps={STEPS}", "--config.log_every=1", "--config.evaluation.importance_samples=1"]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} in {tree}: exit code {done.returncode}\n{done.stderr[-2000:]}", flush=True)


def relative(one: Any, other: Any) -> float:
    """Returns |a - b| / max(|a|, |b|) of numbers, the largest of lists, and infinity where they do not compare."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max((relative(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    if one == other:
        return 0.0
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) / max(abs(one), abs(other))
    return float("inf")


def same_names(values: dict[str, Any]) -> dict[str, Any]:
    """Returns numbers with one name for what versions call differently, without those that are null or not compared."""
    return {
        "spread" if name in RENAMED else name: value
        for name, value in values.items()
        if value is not None and name not in NOT_COMPARED
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Returns the relative difference of each number that there was before, infinity for one that is gone."""
    one, other = same_names(before), same_names(after)
    return {name: relative(value, other.get(name)) for name, value in one.items()}


def differences_of_losses(folder: Path, kind: str) -> dict[tuple[str, int], float]:
    """Returns the relative difference of the loss by stage and step, empty where a run has no metrics."""
    paths = [folder / tree / kind / "metrics.jsonl" for tree in ("before", "after")]
    if not all(path.exists() for path in paths):
        return {}
    records = [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]
    return {
        (one["stage"], one["step"]): relative(one["loss"], other["loss"]) for one, other in zip(*records, strict=True)
    }


def compare(name: str, folder: Path) -> list[str]:
    """Returns lines of the table for a config."""
    rows = []
    if losses := differences_of_losses(folder, "short"):
        worst = max(list(losses.values())[:STEPS])
        rows.append(f"| {name} | losses of {STEPS} steps | {worst:.1e} | {'yes' if worst <= LOSSES else '**no**'} |")
    for kind, told in (("short", "losses of first stages and 20 steps"), ("whole", "losses of the whole run")):
        if losses := differences_of_losses(folder, kind):
            apart = next(
                (f"from {stage} {step}" for (stage, step), value in losses.items() if value > LOSSES), "nowhere"
            )
            rows.append(f"| {name} | {told} | {max(losses.values()):.1e}, apart {apart} | – |")
    whole = [folder / tree / "whole" / "results.json" for tree in ("before", "after")]
    if all(path.exists() for path in whole):
        found = differences(*(json.loads(path.read_text())["mean"] for path in whole))
        bad = {each: value for each, value in found.items() if value > (0 if "degree" in each else FINAL)}
        told = ", ".join(f"{each} {value:.1e}" for each, value in sorted(bad.items()))
        told = told or f"{max(found.values(), default=0.0):.1e}"  # a generator without a density has none
        rows.append(f"| {name} | {len(found)} final numbers | {told} | {'**no**' if bad else 'yes'} |")
    return rows or [f"| {name} | not run | – | – |"]


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the table."""
    del argv
    workdir = Path(_WORKDIR.value).expanduser().resolve()
    if wrong := set(_CONFIGS.value) - set(CONFIGS):
        raise UsageError(f"--configs: no {', '.join(sorted(wrong))}; there are {', '.join(CONFIGS)}")
    names = [name for name in _CONFIGS.value if _DATA_DIR.value or files_of(name) is None]
    print("| config | what | largest relative difference | same |\n|---|---|---|---|", flush=True)
    for name in names:
        folder = workdir / name.replace(":", "_")
        for tree, root in (("before", _BEFORE.value), ("after", _AFTER.value)):
            for kind in ("short", "whole") if _WHOLE.value else ("short",):
                run(Path(root).resolve(), name, folder / tree / kind, short=kind == "short")
        print("\n".join(compare(name, folder)), flush=True)


if __name__ == "__main__":
    launch(main)

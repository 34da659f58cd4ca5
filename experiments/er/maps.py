"""How well f carries the cube to each manifold: measures of learned and exact maps, and their figures.

    python experiments/er/maps.py --workdir=runs/er --figures=experiments/er/figures

Of the rows of table.py that are in the workdir, one for each way to learn f; every seed is measured.
"""

import json
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from jax.tree_util import Partial
from jaxtyping import Array, Float
from rows import SPACES

from mvae import figures
from mvae.errors import UsageError
from mvae.evaluation import ReparametrizationQuality, reparametrization_quality
from mvae.manifolds import uniform_map
from mvae.programs import launch
from mvae.runs import RunFolder, build_experiment, log_to_console, train
from mvae.sweep import line

LOGGER = logging.getLogger("mvae.experiments")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders of table.py.", required=True)
_FIGURES = flags.DEFINE_string("figures", None, "Folder for map_SPACE_ROW.png of the first seed; left out, none.")
_SEEDS = flags.DEFINE_integer("seeds", 10, "Seeds of a row that are measured, at most.", lower_bound=1)
_POINTS = flags.DEFINE_integer("points", 1024, "Points of a measurement.", lower_bound=50)

LEARNED = {"learned": "published objective", "learned_pushed": "with the push-forward term"}
COLUMNS = {
    "off_median": "off M, median",
    "off_99": "off M, 99 %",
    "kl": "KL from uniform, nats",
    "total_variation": "total variation",
    "coverage": "coverage",
    "overlap": "overlap",
    "gap": "gap at the cut",
    "hole": "largest hole",
    "torn_share": "torn pairs",
    "p_value": "p, uniform",
}
_KEY = 0x3A9


def measured(folder: Path, apply_of: dict[Any, Any]) -> tuple[list[ReparametrizationQuality], Any]:
    """Measures of the maps of a finished run, one for each seed, and the first map."""
    config = json.loads((folder / "config.json").read_text())["config"]
    experiment = build_experiment(config)
    lifted = experiment.model.capabilities["reparametrization"]
    if lifted is None:
        raise UsageError(f"{folder} has no reparametrisation")
    params = train(experiment, RunFolder(folder))["reparametrization"]
    manifold = experiment.model.manifold
    apply = apply_of.setdefault(manifold, lifted.apply)  # one function for all runs, which then compile once
    maps = [
        Partial(apply, jax.tree.map(lambda leaf, i=index: leaf[i], params))
        for index in range(min(_SEEDS.value, experiment.run.num_seeds))
    ]
    distribution = "normal" if config["model"]["hidden"] == "gaussian" else "uniform"
    found = [
        reparametrization_quality(jax.random.key(_KEY), f, manifold, latent=distribution, num_points=_POINTS.value)
        for f in maps
    ]
    if _FIGURES.value:
        picture = figures.reparametrization(maps[0], manifold, latent=distribution)
        figures.save(picture, Path(_FIGURES.value).expanduser() / f"map_{folder.parent.name}_{folder.name}.png")
    return found, manifold


def _row(title: str, found: list[ReparametrizationQuality]) -> str:
    cells = []
    for name in COLUMNS:
        values = np.array([getattr(each, name) for each in found])
        spread = f" ± {values.std(ddof=1):.1g}" if len(values) > 1 else ""
        middle = np.median(values) if name == "p_value" else values.mean()
        cells.append(f"{middle:.2g}{'' if name == 'p_value' else spread}")
    return line([title, *cells])


def main(argv: list[str]) -> None:
    """Measures what is there and prints a table for each space."""
    del argv
    log_to_console()
    spaces = [
        space for space in SPACES if any((Path(_WORKDIR.value).expanduser() / space / row).exists() for row in LEARNED)
    ]
    if not spaces:
        raise UsageError(f"--workdir={_WORKDIR.value} holds no rows of table.py with a learned map")
    header = line(["f", *COLUMNS.values()]) + "\n|" + " --- |" * (len(COLUMNS) + 1)
    for space in spaces:
        print(f"\n{space}:\n\n{header}")
        manifold = None
        apply_of: dict[Any, Any] = {}
        for row, title in LEARNED.items():
            folder = Path(_WORKDIR.value).expanduser() / space / row
            if (folder / "results.json").exists():
                LOGGER.info("measuring %s", folder)
                found, manifold = measured(folder, apply_of)
                print(_row(title, found))
        if manifold is not None:
            exact = uniform_map(manifold)

            def of_point(z: Float[Array, " d"], exact: Any = exact) -> Float[Array, " m"]:
                return exact(z)

            found = reparametrization_quality(jax.random.key(_KEY), of_point, manifold, num_points=_POINTS.value)
            print(_row("exact", [found]))


if __name__ == "__main__":
    launch(main)

"""When is the topology captured? Shares of runs whose encoder has degree ±1, over N and γ of random images.

    python experiments/dvae/capture.py --recipes=plain,principal_blurred --workdir=runs/capture
    python experiments/dvae/capture.py --recipes=all --frequencies=10 --gammas=0.1,0.3,0.5,0.7 --workdir=runs/capture
    python experiments/dvae/capture.py --frequencies=0 --gammas=1 --pictures=100 --workdir=runs/capture

A cell of the map is a highest frequency N and a discount γ of `mvae.data.pictures.fourier_picture`; N = 0 stands for
the simple image. Every cell has as many runs as `--pictures`, each with its own image, start and noise, the same
for every recipe. The runs of a cell are one program; what a cell gave is one file in the workdir, and a cell that is
there is not run again. `--render` trains nothing. Prints, per recipe, the share of captured runs with its 95 %
interval (Clopper-Pearson), and draws the map of each recipe that has more than one frequency.
"""

import logging
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from capture_cells import Cell, draw, summary, table
from capture_runs import RECIPES, coefficients, coordinates, train_all
from tqdm import tqdm

from mvae import figures
from mvae.errors import UsageError
from mvae.programs import launch

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the cells' files and of the maps.", required=True)
_RECIPES = flags.DEFINE_list("recipes", ["plain"], f"Of {', '.join(RECIPES)}; or all.")
_FREQUENCIES = flags.DEFINE_list("frequencies", ["1", "2", "4", "10"], "N of the cells, 0 for the simple image.")
_GAMMAS = flags.DEFINE_list("gammas", ["0.1", "0.3", "0.5", "0.7", "1"], "γ of the cells.")
_PICTURES = flags.DEFINE_integer("pictures", 12, "Runs of each cell.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Draws images, starts and noise.", lower_bound=0)
_TOGETHER = flags.DEFINE_integer("together", 4, "Runs that are vmapped at a time.", lower_bound=1)
_RENDER = flags.DEFINE_bool("render", default=False, help="Print and draw what is there and train nothing.")


def _numbers(flag: flags.FlagHolder, kind: type) -> list:
    try:
        return [kind(text) for text in flag.value]
    except ValueError as error:
        raise UsageError(f"--{flag.name}: {error}") from error


def _train(cell: Cell, path: Path) -> None:
    """Trains a cell's runs and writes what they gave."""
    key = jax.random.fold_in(jax.random.key(_SEED.value), cell.max_frequency)  # not of γ or recipe: paired comparisons
    keys = jax.vmap(lambda index: jax.random.split(jax.random.fold_in(key, index)))(jnp.arange(cell.pictures))
    targets = jnp.stack([coefficients(each, cell.max_frequency, cell.gamma) for each in keys[:, 0]])
    began, recipe = time.perf_counter(), RECIPES[cell.recipe]
    found = [
        coordinates(recipe, jax.random.fold_in(run, 1), target) for run, target in zip(keys[:, 1], targets, strict=True)
    ]
    learned = jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)
    outcome = jax.block_until_ready(train_all(recipe, keys[:, 1], targets, learned, _TOGETHER.value))
    seconds = time.perf_counter() - began
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **jax.tree.map(np.asarray, outcome._asdict()), seconds=seconds)
    partial.replace(path)


def main(argv: list[str]) -> None:
    """Trains what is missing, prints the tables and draws the maps."""
    del argv
    logging.getLogger("absl").setLevel(logging.WARNING)
    recipes = list(RECIPES) if _RECIPES.value == ["all"] else _RECIPES.value
    if wrong := set(recipes) - set(RECIPES):
        raise UsageError(f"--recipes: no {', '.join(sorted(wrong))}; there are {', '.join(RECIPES)}")
    frequencies, gammas = _numbers(_FREQUENCIES, int), _numbers(_GAMMAS, float)
    if not all(0 <= n <= 10 for n in frequencies) or not all(0 < gamma <= 1 for gamma in gammas):
        raise UsageError("--frequencies must lie in 0 to 10, --gammas in (0, 1]")
    workdir = Path(_WORKDIR.value).expanduser()
    workdir.mkdir(parents=True, exist_ok=True)
    cells = [Cell(r, n, gamma, _PICTURES.value, _SEED.value) for r in recipes for n in frequencies for gamma in gammas]
    if not _RENDER.value:
        missing = [cell for cell in cells if not (workdir / cell.file).exists()]
        for cell in tqdm(missing, unit="cell"):
            _train(cell, workdir / cell.file)
    summaries = [summary(cell, workdir / cell.file) for cell in cells if (workdir / cell.file).exists()]
    for recipe in recipes:
        of_recipe = [each for each in summaries if each.cell.recipe == recipe]
        print(f"\n{recipe}\n{table(of_recipe)}")
        if len({each.cell.max_frequency for each in of_recipe}) > 1:
            figures.save(draw(of_recipe), workdir / f"map_{recipe}.png")


if __name__ == "__main__":
    launch(main)

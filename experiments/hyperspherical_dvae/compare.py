r"""Hyperspheres against Gaussian β-VAEs of the same size, on data with known factors, with annealed capacity.

    python experiments/hyperspherical_dvae/compare.py --data=coil20 --data_dir=DIR --workdir=runs/coil20
    python experiments/hyperspherical_dvae/compare.py --data=turntable --workdir=runs/turntable
    python experiments/hyperspherical_dvae/compare.py --data=turntable --dims=10,20 --betas=1,2.5,10 --scores= \
        --size=32 --seeds=2 --workdir=runs/capacity

Each row is a run in a folder of its own; the same command resumes what was interrupted and runs what is missing.
`--render` trains nothing. Printed are, from the run folders alone, means ± standard deviations over seeds, and how
closely the KL followed the capacity C: the largest difference of the two, averaged over seeds, between the first tenth
of the training and its end. `capacity.png` in the workdir shows both over the training.
"""

import importlib.util
import itertools
import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import app, flags
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from mvae import figures
from mvae.evaluation import SCORES
from mvae.figures.style import COLUMN, new_figure, styled
from mvae.training.metrics import read_records
from mvae.training.run import run
from mvae.training.run_folder import RunFolder

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
TITLES = {"sphere": "ΔVAE, $S^{{{dim}}}$", "euclidean": "β-VAE, $R^{{{dim}}}$"}


class Row(NamedTuple):
    """A latent space, its dimension and the weight of the capacity."""

    space: str
    dim: int
    beta: float

    @property
    def folder(self) -> str:
        """Name of the run folder."""
        return f"{self.space}_{self.dim}_beta_{self.beta:g}"

    @property
    def title(self) -> str:
        """Name in table and figure."""
        return f"{TITLES[self.space].format(dim=self.dim)}, β = {self.beta:g}"


def config_of(row: Row) -> ConfigDict:
    """Returns the whole config of a row."""
    path = CONFIGS / {"sphere": "dvae_hypersphere.py", "euclidean": "vae.py"}[row.space]
    spec = importlib.util.spec_from_file_location("config", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.manifold.dim, config.model.beta = row.dim, row.beta
    config.data.name, config.data.dir, config.data.size = _DATA.value, _DATA_DIR.value, _SIZE.value
    config.num_seeds, config.num_epochs = _SEEDS.value, _EPOCHS.value
    config.evaluation.scores = tuple(_SCORES.value)
    return config


class Course(NamedTuple):
    """KL and capacity over a training, both in nats, the KL of every member."""

    step: np.ndarray
    kl: np.ndarray
    capacity: np.ndarray


def course(folder: Path) -> Course:
    """Reads the course of a run; records are means over the steps since the one before."""
    model = json.loads((folder / "config.json").read_text())["config"]["model"]
    records = read_records(RunFolder(folder).metrics)
    step = np.array([record["step"] for record in records])
    kl = np.array([np.atleast_1d(record["kl"]) for record in records])
    middle = (step + np.concatenate([[0], step[:-1]])) / 2
    risen = np.minimum(middle / (model["capacity_steps"] or step[-1]), 1.0)
    return Course(step, kl, model["min_capacity"] + risen * (model["max_capacity"] - model["min_capacity"]))


def largest_gap(of: Course) -> float:
    """Largest |KL - C| after the first tenth of the training, mean over members, nats."""
    late = of.step > 0.1 * of.step[-1]
    return float(np.abs(of.kl[late] - of.capacity[late, None]).max(axis=0).mean())


@styled
def draw(courses: dict[str, Course]) -> Figure:
    """KL of the first member of each row, and C, over the training."""
    figure = new_figure(COLUMN, 2.4)
    axes = figure.subplots()
    for title, of in courses.items():
        axes.plot(of.step, of.kl[:, 0], linewidth=0.9, label=title)
    of = next(iter(courses.values()))
    axes.plot(of.step, of.capacity, color="black", linewidth=0.9, linestyle="--", label="capacity C")
    axes.set_xlabel("step")
    axes.set_ylabel("KL, nats")
    axes.legend()
    return figure


def render(rows: list[Row], workdir: Path) -> str:
    """Returns the table in Markdown, from the run folders alone."""
    done = {row: workdir / row.folder for row in rows if (workdir / row.folder / "results.json").exists()}
    if not done:
        return "nothing has been run"
    results = {row: json.loads((folder / "results.json").read_text()) for row, folder in done.items()}
    fixed = ["azimuth_correlation", "azimuth_error", "elbo", "kl", "mse"]
    names = sorted({name for each in results.values() for name in each["mean"]} - {*fixed, "log_likelihood", "time"})
    columns = [name for name in fixed if any(name in each["mean"] for each in results.values())] + names
    lines = ["| | " + " | ".join(title.title for title in done) + " |", "|" + "---|" * (len(done) + 1)]
    lines.append("| seeds × epochs | " + " | ".join(_length(done[row], results[row]) for row in done) + " |")
    lines += [f"| {name} | " + " | ".join(_number(results[row], name) for row in done) + " |" for name in columns]
    courses = {row.title: course(folder) for row, folder in done.items()}
    lines.append("| largest abs(KL - C) | " + " | ".join(f"{largest_gap(of):.2f}" for of in courses.values()) + " |")
    figures.save(draw(courses), workdir / "capacity.png")
    return "\n".join(lines)


def _length(folder: Path, results: dict[str, Any]) -> str:
    epochs = json.loads((folder / "config.json").read_text())["config"]["num_epochs"]
    return f"{results['num_seeds']} × {epochs}"


def _number(results: dict[str, Any], name: str) -> str:
    mean, std = results["mean"].get(name), results["std"].get(name)
    if mean is None:
        return "–"
    digits = 2 if abs(mean) >= 10 else 3
    return f"{mean:.{digits}f}" if std is None else f"{mean:.{digits}f} ± {std:.{digits}f}"


def main(argv: list[str]) -> None:
    """Runs what is missing, prints the table and draws the capacity."""
    del argv
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if wrong := set(_SPACES.value) - set(TITLES):
        raise app.UsageError(f"--spaces: no {', '.join(sorted(wrong))}; there are {', '.join(TITLES)}")
    try:
        dims, betas = [int(text) for text in _DIMS.value], [float(text) for text in _BETAS.value]
    except ValueError as error:
        raise app.UsageError(f"--dims, --betas: {error}") from error
    rows = [Row(*entry) for entry in itertools.product(_SPACES.value, dims, betas)]
    workdir = Path(_WORKDIR.value)
    if not _RENDER.value:
        for row in rows:
            logging.info("row %s", row.folder)
            run(config_of(row).to_dict(), workdir / row.folder)
    print(render(rows, workdir))


if __name__ == "__main__":
    app.run(main)

"""Rows of the comparison of hyperspheres with Gaussian β-VAEs, and table and figure made from their run folders."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mvae import figures
from mvae.engine import read_records
from mvae.figures.drawing import COLUMN, new_figure, styled
from mvae.runs import RunFolder

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


def gaps(of: Course) -> tuple[float, float]:
    """Largest |KL - C| after the first tenth of the training, mean |KL - C| of the last tenth; over members, nats."""
    gap = np.abs(of.kl - of.capacity[:, None])
    late, last = of.step > 0.1 * of.step[-1], of.step > 0.9 * of.step[-1]
    return float(gap[late].max(axis=0).mean()), float(gap[last].mean())


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
    names = ("largest abs(KL - C)", "mean abs(KL - C), last tenth")
    for name, values in zip(names, zip(*(gaps(of) for of in courses.values()), strict=True), strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
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

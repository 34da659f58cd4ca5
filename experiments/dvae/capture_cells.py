"""Cells of the map of captured topology: files of runs, shares with their intervals, table and heat map."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from mvae.evaluation import mapping_degree
from mvae.figures.drawing import new_figure, styled
from mvae.manifolds import FlatTorus


class Cell(NamedTuple):
    """Runs of one recipe on images of one kind."""

    recipe: str
    max_frequency: int
    gamma: float
    pictures: int
    seed: int

    @property
    def file(self) -> str:
        """Name of the file of its runs."""
        return f"{self.recipe}_N{self.max_frequency}_gamma{self.gamma:g}_{self.pictures}_seed{self.seed}.npz"


class Summary(NamedTuple):
    """What the runs of a cell gave.

    Attributes:
        cell: The cell.
        start: How many encoders had degree ±1 before training.
        captured: How many have it at the end.
        low: Lower end of the 95 % interval of the share captured (Clopper-Pearson).
        high: Its upper end.
        gap: Mean ELBO of the captured runs less that of the others, nats; NaN if one of them is empty.
        seconds: Time of the cell, compilation included.
    """

    cell: Cell
    start: int
    captured: int
    low: float
    high: float
    gap: float
    seconds: float


def degrees(z: np.ndarray) -> np.ndarray:
    """Degree of each of many encoders, from their encoded grids (runs, n, n, 4)."""
    return np.array([mapping_degree(FlatTorus(2), each).degree for each in z])


def summary(cell: Cell, path: Path) -> Summary:
    """Returns what the runs of a cell gave, from its file."""
    with np.load(path) as runs:
        captured = np.abs(degrees(runs["end"])) == 1
        start = int((np.abs(degrees(runs["start"])) == 1).sum())
        elbo, seconds = runs["elbo"], float(runs["seconds"])
    interval = binomtest(int(captured.sum()), len(captured)).proportion_ci()
    both = captured.any() and not captured.all()
    gap = float(elbo[captured].mean() - elbo[~captured].mean()) if both else float("nan")
    return Summary(cell, start, int(captured.sum()), interval.low, interval.high, gap, seconds)


def table(summaries: list[Summary]) -> str:
    """Returns a Markdown table, one row per cell and one for all of them."""
    lines = ["| N | γ | degree ±1 at the start | at the end | share, 95 % interval | ELBO gained |", "|" + "---|" * 6]
    for each in summaries:
        cell = each.cell
        name = "| simple image |" if cell.max_frequency == 0 else f"| {cell.max_frequency} | {cell.gamma:g}"
        share = f"{each.captured / cell.pictures:.2f} ({each.low:.2f} to {each.high:.2f})"
        gap = "–" if np.isnan(each.gap) else f"{each.gap:.1f}"
        lines.append(f"{name} | {each.start} of {cell.pictures} | {each.captured} | {share} | {gap} |")
    runs, captured = sum(each.cell.pictures for each in summaries), sum(each.captured for each in summaries)
    start, seconds = sum(each.start for each in summaries), sum(each.seconds for each in summaries)
    lines.append(f"| all | | {start} of {runs} | {captured} | {captured / max(runs, 1):.2f} | |")
    return "\n".join(lines) + f"\n{runs} runs in {seconds / 60:.1f} minutes"


@styled
def draw(summaries: list[Summary]) -> Figure:
    """Heat map of the share of captured runs over N and γ, the interval written into each cell."""
    frequencies = sorted({each.cell.max_frequency for each in summaries})
    gammas = sorted({each.cell.gamma for each in summaries})
    share = np.full((len(frequencies), len(gammas)), np.nan)
    figure = new_figure(0.75 * len(gammas) + 1.1, 0.45 * len(frequencies) + 0.6)
    axes = figure.subplots()
    for each in summaries:
        row, column = frequencies.index(each.cell.max_frequency), gammas.index(each.cell.gamma)
        share[row, column] = each.captured / each.cell.pictures
        text = f"{each.captured}/{each.cell.pictures}\n{each.low:.2f}–{each.high:.2f}"
        colour = "white" if share[row, column] < 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    image = axes.imshow(share, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="auto")
    axes.set_xticks(range(len(gammas)), [f"{gamma:g}" for gamma in gammas])
    axes.set_yticks(range(len(frequencies)), [str(n) for n in frequencies])
    axes.set_xlabel("discount γ of higher frequencies")
    axes.set_ylabel("highest frequency N")
    axes.grid(visible=False)
    figure.colorbar(image, label="share of runs with degree ±1")
    return figure

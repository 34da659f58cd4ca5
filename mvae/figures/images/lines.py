"""Examples that are no images: vectors and columns of numbers, each drawn as a line."""

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite

MOST_POINTS = 400  # of a line; of longer ones every second, third, … entry is left
_TILE = (1.3, 0.75)  # inches
_FILLED = 0.86  # share of a tile that its line fills


@style.styled
def reconstructed_lines(originals: Any, decoded: Any, *, columns: int = 5, title: str | None = None) -> Figure:
    """Draws every original as a grey line and its reconstruction over it, all to one scale.

    Args:
        originals: (n, D).
        decoded: Their reconstructions, (n, D).
        columns: How many stand side by side.
        title: Above the figure.

    Raises:
        ValueError: If the shapes differ, or for NaNs.
    """
    originals = finite("originals", originals, ("n", "D"))
    decoded = finite("decoded", decoded, originals.shape)
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    columns = min(columns, len(originals))
    rows = -(-len(originals) // columns)
    limits = _limits(originals, decoded)
    figure = _tiled(rows, columns, [(originals, style.MUTED, 1.4), (decoded, style.ACCENT, 0.8)], limits, title)
    lines = [
        Line2D([], [], color=colour, linewidth=width, label=name)
        for colour, width, name in ((style.MUTED, 1.4, "original"), (style.ACCENT, 0.8, "decoded"))
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=2)
    return figure


@style.styled
def lines_grid(values: Any, *, title: str | None = None) -> Figure:
    """Draws decoded vectors as lines, each in the tile where its point lies in latent space, all to one scale.

    Args:
        values: (rows, cols, D), as decoded from `latent_grid`.
        title: Above the figure.

    Raises:
        ValueError: For another shape, or NaNs.
    """
    values = finite("values", values, ("rows", "cols", "D"))
    rows, columns, _ = values.shape
    flat = values.reshape(rows * columns, -1)
    return _tiled(rows, columns, [(flat, style.ACCENT, 0.6)], _limits(flat), title)


def _limits(*values: np.ndarray) -> tuple[float, float]:
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _tiled(
    rows: int,
    columns: int,
    layers: list[tuple[np.ndarray, str, float]],
    limits: tuple[float, float],
    title: str | None,
) -> Figure:
    """Lines (n, D) in tiles, row by row from the top, in one pair of axes: hundreds of axes would take minutes."""
    across = min(_TILE[0], style.PAGE / columns)
    width = max(columns * across, 2.4)
    figure = style.new_figure(width, rows * across * _TILE[1] / _TILE[0] + (0.45 if title else 0.25), title)
    ax = figure.add_subplot()
    for values, colour, linewidth in layers:
        thinned = values[:, :: -(-values.shape[1] // MOST_POINTS)]
        x = np.linspace(0.5 - _FILLED / 2, 0.5 + _FILLED / 2, thinned.shape[1])
        y = 0.5 + _FILLED * ((thinned - limits[0]) / (limits[1] - limits[0]) - 0.5)
        number = np.arange(len(values))
        lines = np.stack(
            [x + (number % columns)[:, None], y + (rows - 1 - number // columns)[:, None]],
            axis=-1,
        )
        ax.add_collection(LineCollection(list(lines), colors=colour, linewidths=linewidth))
    ax.hlines(np.arange(1, rows), 0, columns, colors=style.FAINT, linewidth=0.4)
    ax.vlines(np.arange(1, columns), 0, rows, colors=style.FAINT, linewidth=0.4)
    ax.set_xlim(0, columns)
    ax.set_ylim(0, rows)
    style.bare(ax)
    return figure

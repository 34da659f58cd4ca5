"""How a density over the uniform one is coloured, and the sides of the square that a map carries to a surface."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

COLOURS = "PuOr_r"
LABEL = "density / uniform"
EDGES = ("#0b6e4f", "#c2185b")
"""Of the sides where the first, the second coordinate is least or greatest."""
DASHES = ((0, (2.5, 1.5)), "-")
"""Of the lower and of the upper side."""
_RANGE = 2.0  # of log2 of the density ratio


def scale() -> Normalize:
    """Of log2 of the ratio, from a quarter to four."""
    return Normalize(-_RANGE, _RANGE)


def colourbar(figure: Figure, axes: list[Axes], **options: Any) -> None:
    """Says beside the axes which ratio has which colour."""
    bar = figure.colorbar(ScalarMappable(scale(), COLOURS), ax=axes, extend="both", **options)
    bar.set_ticks([-2.0, -1.0, 0.0, 1.0, 2.0], labels=["1/4", "1/2", "1", "2", "4"])
    bar.set_label(LABEL)
    bar.outline.set_linewidth(0.6)  # type: ignore[operator]


def draw_cells(ax: Axes, quads: np.ndarray, values: np.ndarray) -> None:
    """Draws quadrilaterals (q, 4, 2) in the order given, each with a rim of its colour that closes the joints."""
    cells = PolyCollection(list(quads), array=values, cmap=COLOURS, norm=scale(), linewidths=0.25, zorder=3)
    cells.set(edgecolor="face", rasterized=True)
    ax.add_collection(cells, autolim=False)


def draw_line(ax: Axes, points: np.ndarray, keep: np.ndarray, look: dict[str, Any]) -> None:
    """Draws the stretches of a curve (p, 2) whose points are to be kept, each in one piece so that dashes show."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(int)))
    pieces = [points[start:stop] for start, stop in zip(ends[::2], ends[1::2], strict=True) if stop - start > 1]
    ax.add_collection(LineCollection(pieces, **look), autolim=False)


def edge_legend(figure: Figure, columns: int) -> None:
    """Says beneath the figure which side of the square is which."""
    entries = [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=1.5, label=f"$z_{k + 1}$ at its {end} end")
        for k, colour in enumerate(EDGES)
        for dashes, end in zip(DASHES, ("lower", "upper"), strict=True)
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=2.2, columnspacing=1.4)

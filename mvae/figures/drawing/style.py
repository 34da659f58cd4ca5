"""Fonts, sizes and inks of every figure, and how a figure becomes a file."""

import contextlib
import os
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK = "0.15"
FAINT = "0.82"
MUTED = "0.5"
ACCENT = "#1f5a96"

COLUMN = 3.3
"""Width of one column of a two-column paper, in inches."""
PAGE = 6.8
"""Width of the whole page, in inches."""

RC: dict[Any, Any] = {
    "font.family": "STIXGeneral",  # comes with matplotlib: the same letters on every machine
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 9.5,
    "figure.dpi": 200,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "axes.labelpad": 2.5,
    "axes.titlepad": 4.0,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.handletextpad": 0.5,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mvae",
}

styled = matplotlib.rc_context(RC)
"""Decorator of the functions that draw: the style holds inside them and nowhere else."""


def new_figure(width: float, height: float, title: str | None = None) -> Figure:
    """Returns an empty figure of that size in inches; it belongs to no window and no global state."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03))
    if title is not None:
        figure.suptitle(title)
    return figure


def bare(ax: Axes) -> None:
    """Takes ticks and frame away."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


@styled
def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes the figure whole or not at all, then empties it.

    The file is written beside its destination under a temporary name and moved over it, so that a reader, or
    a run that is killed, never meets half a figure. Equal figures give equal bytes.

    Args:
        figure: What to write; empty afterwards, so that its memory is free.
        path: Where; the ending (.png, .pdf, .svg) chooses the format, missing folders are made.

    Raises:
        ValueError: If the ending of `path` names no format that can be written.
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise ValueError(f"path must end in one of {', '.join('.' + k for k in sorted(known))}, got {str(path)!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    undated: dict[str, Any] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None},
        "svg": {"Date": None},
    }
    try:
        figure.savefig(temporary, format=kind, metadata=undated.get(kind))
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    figure.clear()

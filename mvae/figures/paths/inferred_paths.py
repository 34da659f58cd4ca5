"""Paths that transport operators take between pairs of codes."""

import string
from typing import Any

from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.paths.operator_orbits import curves
from mvae.figures.spaces.planar import background, draw_curve, scatter, show_square, square_around

START = "#00c8e0"
END = "#e00000"
PATH = "#3c1478"
_PANEL = 2.2  # inches, at most
_CAPTION = 0.2


@style.styled
def inferred_paths(
    codes: Any,
    paths: Any,
    *,
    ends: Any = None,
    label: Any = None,
    parameter: Any = None,
    columns: int = 4,
    periodic: bool = False,
    title: str | None = None,
) -> Figure:
    """Draws paths z_t = expm(t Σ_m c_m Ψ_m) z_0 over the codes, a panel each.

    A cyan circle is where a path starts, a red cross where it ought to end; the path is a dark line. The view is that
    of the codes, the starts and the ends, the same in all panels.

    Args:
        codes: Encoded data, (n, 2), drawn in pale colours.
        paths: (k, T, 2), T ≥ 2, in order of time; they may leave the view, and points other than the first may be
            infinite or NaN.
        ends: The desired ends, (k, 2); None for the last points of the paths, which must be finite then.
        label: Classes or numbers of the codes, (n,).
        parameter: Place of the codes along the curve they come from, (n,), in [0, 1].
        columns: How many panels stand side by side before a new row begins.
        periodic: Whether the parameters 0 and 1 are the same place, and so the same colour.
        title: Above the figure.

    Raises:
        ValueError: For arrays of another shape, codes, starts or ends with NaNs, or both label and parameter.

    Source: [connor2021, Figs. 3c and 3d].
    """
    codes, paths = finite("codes", codes, ("n", 2)), curves("paths", paths)
    starts = finite("paths[:, 0]", paths[:, 0], ("k", 2))
    stops = finite("paths[:, -1]", paths[:, -1], ("k", 2)) if ends is None else finite("ends", ends, starts.shape)
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    beneath = background(len(codes), label, parameter, periodic=periodic)
    columns = min(columns, len(paths))
    rows = -(-len(paths) // columns)
    inches = min((style.PAGE - beneath.width) / columns, _PANEL)
    height = rows * (inches + _CAPTION) + (0.22 if title else 0.0)
    figure = style.new_figure(columns * inches + beneath.width, height, title)
    view = square_around(codes, starts, stops)
    axes = []
    for k, (path, stop) in enumerate(zip(paths, stops, strict=True)):
        ax = figure.add_subplot(rows, columns, k + 1)
        scatter(ax, codes, beneath.colours, inches)
        show_square(ax, view)
        draw_curve(ax, path, view, PATH)
        ax.plot(*path[0], marker="o", markersize=6, color=START, markeredgecolor="white", markeredgewidth=0.8, zorder=6)
        for colour, width, order in (("white", 3.4, 7.0), (END, 1.8, 7.1)):
            ax.plot(*stop, marker="x", markersize=6, color=colour, markeredgewidth=width, zorder=order)
        if len(paths) > 1:
            ax.set_xlabel(f"({string.ascii_lowercase[k % 26]})")
        axes.append(ax)
    beneath.legend(figure, axes, None)
    return figure

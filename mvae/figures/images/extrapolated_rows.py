"""Images decoded along a path, to both sides of the one it starts from."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.mosaic import check_channels, mosaic, shared_range, show

FRAME = "#12b43c"
_TILE, _EDGE, _TOP = 0.5, 0.05, 0.2  # inches
_CAPTION = 0.28  # inches that a column's caption takes


@style.styled
def extrapolated_rows(images: Any, centre: int, times: Any = None, *, title: str | None = None) -> Figure:
    """Draws images decoded from extrapolated paths, a path a row, with a green frame around the starting column.

    Args:
        images: (rows, cols, H, W, C) with C = 1 (grey) or 3 (red, green, blue), in order of the coefficient. All
            share one range: [0, 1] if that holds them, else from their least to their greatest value.
        centre: The column that the paths start from, in [0, cols).
        times: Coefficient of each column, (cols,), written above it; above every other one or fewer, counted from
            the centre, where the columns are narrow.
        title: Above the figure.

    Raises:
        ValueError: If `images` is no grid of images or has NaNs, `centre` is no column, or `times` has another
            shape or NaNs.

    Source: [connor2021, Fig. 6].
    """
    images = finite("images", images, ("rows", "cols", "H", "W", "C"))
    check_channels("images", images)
    rows, cols, height, width, _ = images.shape
    if not 0 <= centre < cols:
        raise ValueError(f"centre must be a column in [0, {cols}), got {centre}")
    tile = min(_TILE, (style.PAGE - 2 * _EDGE) / cols)
    top = (_TOP if times is not None else _EDGE) + (0.22 if title else 0.0)
    across, down = cols * tile, rows * tile * height / width
    inches = (across + 2 * _EDGE, down + top + _EDGE)
    figure = style.new_figure(*inches, title)
    figure.set_layout_engine("none")  # every tile has its place
    ax = figure.add_axes((_EDGE / inches[0], _EDGE / inches[1], across / inches[0], down / inches[1]))
    show(ax, mosaic(images), *shared_range(images))
    style.bare(ax)
    hairlines(ax, rows, cols, height, width)
    green_frame(ax, centre * width - 0.5, -0.5, width, rows * height)
    if times is not None:
        _captions(ax, finite("times", times, (cols,)), centre, width, tile)
    return figure


def hairlines(ax: Axes, rows: int, cols: int, height: int, width: int) -> None:
    """Parts the tiles of a mosaic, height × width pixels each, by thin white lines."""
    ax.vlines(np.arange(1, cols) * width - 0.5, -0.5, rows * height - 0.5, colors="white", linewidth=0.5)
    ax.hlines(np.arange(1, rows) * height - 0.5, -0.5, cols * width - 0.5, colors="white", linewidth=0.5)


def green_frame(ax: Axes, left: float, top: float, width: float, height: float) -> None:
    """Draws a green frame with that upper left corner, in pixels."""
    box = Rectangle((left, top), width, height, fill=False, edgecolor=FRAME, linewidth=1.6, joinstyle="miter")
    box.set_clip_on(False)
    box.set_zorder(5)
    ax.add_patch(box)


def _captions(ax: Axes, times: np.ndarray, centre: int, width: int, tile: float) -> None:
    every = int(np.ceil(_CAPTION / tile))
    kept = [k for k in range(len(times)) if (k - centre) % every == 0]
    ax.xaxis.tick_top()
    texts = [f"{times[k]:.3g}".replace("-", "\N{MINUS SIGN}") for k in kept]
    ax.set_xticks([(k + 0.5) * width - 0.5 for k in kept], texts, fontsize=7.5)
    ax.tick_params(length=0, pad=2.5)

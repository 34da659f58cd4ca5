"""Images decoded from samples of a posterior, around the image they belong to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.mosaic import check_channels, mosaic, shared_range, show
from mvae.figures.images.extrapolated_rows import green_frame, hairlines

# Inches: the longest side of a panel, the space between panels, the margin, the names to the left.
_PANEL, _GAP, _EDGE, _NAMES = 1.6, 0.1, 0.05, 0.24


@style.styled
def samples_around(
    centres: Any, samples: Any, names: Sequence[str] | None = None, *, title: str | None = None
) -> Figure:
    """Draws for each example a mosaic of decoded samples, in its middle the decoded example in a green frame.

    Args:
        centres: The decoded examples, (k, H, W, C) with C = 1 (grey) or 3 (red, green, blue), or of each method its
            own, (methods, k, H, W, C). All images share one range: [0, 1] if that holds them, else from their
            least to their greatest value.
        samples: Images decoded from samples, (k, r, r, H, W, C), or (methods, k, r, r, H, W, C); r is odd and at
            least 3, and the image in the middle is not shown.
        names: Names of the methods, written to the left of their rows; None for no names.
        title: Above the figure.

    Raises:
        ValueError: For arrays of other shapes or with NaNs, an even r, or names of another number.

    Source: [connor2021, Figs. 5 and 7].
    """
    tiles = _tiles(centres, samples)
    methods, examples, side, _, height, width, _ = tiles.shape
    if names is not None and len(names) != methods:
        raise ValueError(f"names must be {methods}, one for each method, got {len(names)}")
    left = _EDGE if names is None else _NAMES
    across = min(_PANEL, (style.PAGE - left - _EDGE - (examples - 1) * _GAP) / examples)
    down = across * height / width
    top = 0.24 if title else _EDGE
    inches = (
        left + examples * (across + _GAP) - _GAP + _EDGE,
        top + methods * (down + _GAP) - _GAP + _EDGE,
    )
    figure = style.new_figure(*inches, title)
    figure.set_layout_engine("none")  # every tile has its place
    limits = shared_range(tiles)
    middle = side // 2
    for i, j in np.ndindex(methods, examples):
        x, y = left + j * (across + _GAP), inches[1] - top - down - i * (down + _GAP)
        ax = figure.add_axes((x / inches[0], y / inches[1], across / inches[0], down / inches[1]))
        show(ax, mosaic(tiles[i, j]), *limits)
        style.bare(ax)
        hairlines(ax, side, side, height, width)
        green_frame(ax, middle * width - 0.5, middle * height - 0.5, width, height)
        if j == 0 and names is not None:
            ax.set_ylabel(str(names[i]))
    return figure


def _tiles(centres: Any, samples: Any) -> np.ndarray:
    """Returns the images of all panels, (methods, k, r, r, H, W, C), centres included."""
    shape = ("methods", "k", "r", "r", "H", "W", "C")
    samples = np.asarray(samples)
    samples = finite("samples", samples, shape if samples.ndim == 7 else shape[1:])
    samples = samples.reshape((-1, *samples.shape[-6:]))
    check_channels("samples", samples)
    methods, examples, side, columns, *picture = samples.shape
    if side != columns or side % 2 == 0 or side < 3:
        raise ValueError(f"samples must be r × r of them with r odd and at least 3, got {side} × {columns}")
    centres = np.asarray(centres)
    own = centres.ndim == 5
    centres = finite("centres", centres, (methods, examples, *picture) if own else (examples, *picture))
    tiles = samples.copy()
    tiles[:, :, side // 2, side // 2] = centres
    return tiles

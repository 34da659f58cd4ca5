"""Originals beside what the model makes of them."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.mosaic import check_channels, mosaic, shared_range, show

# Inches: the side of an image, the row names beside it, the space between bands, the margin.
_TILE, _LEFT, _GAP, _EDGE = 0.6, 0.52, 0.07, 0.04


@style.styled
def reconstructions(originals: Any, decoded: Any, *, columns: int = 10, title: str | None = None) -> Figure:
    """Draws every original with its reconstruction below it, all in one colour range.

    Args:
        originals: (n, H, W, C) with C = 1 (grey) or 3 (red, green, blue).
        decoded: Their reconstructions, of the same shape.
        columns: How many pairs stand side by side before a new band begins.
        title: Above the figure.

    Raises:
        ValueError: If the shapes differ or are no stack of images, or for NaNs.
    """
    originals = finite("originals", originals, ("n", "H", "W", "C"))
    decoded = finite("decoded", decoded, originals.shape)
    check_channels("originals", originals)
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    low, high = shared_range(originals, decoded)
    n, height, width, _ = originals.shape
    columns = min(columns, n)
    bands = -(-n // columns)
    tile = min(_TILE, (style.PAGE - _LEFT - _EDGE) / columns)
    band = 2 * tile * height / width
    top = 0.22 if title else _EDGE
    inches = (_LEFT + columns * tile + _EDGE, top + bands * (band + _GAP) - _GAP + _EDGE)
    figure = style.new_figure(*inches, title)
    figure.set_layout_engine("none")  # every tile has its place: nothing is left to lay out
    for k in range(bands):
        bottom = inches[1] - top - band - k * (band + _GAP)
        place = (_LEFT / inches[0], bottom / inches[1], columns * tile / inches[0], band / inches[1])
        ax = figure.add_axes(place)
        part = slice(k * columns, (k + 1) * columns)
        show(ax, mosaic(np.stack([originals[part], decoded[part]])), low, high)
        style.bare(ax)
        ax.set_xlim(-0.5, columns * width - 0.5)  # the last band may be short: its pairs keep their columns
        ax.set_yticks([(height - 1) / 2, height + (height - 1) / 2], ["original", "decoded"])
        ax.tick_params(length=0)
        ax.vlines(np.arange(1, columns) * width - 0.5, -0.5, 2 * height - 0.5, colors="white", linewidth=1.0)
        ax.hlines(height - 0.5, -0.5, columns * width - 0.5, colors="white", linewidth=1.0)
    return figure

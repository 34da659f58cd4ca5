"""Samples of a prior that starts from anchors."""

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.colours import PALETTE
from mvae.figures.spaces.planar import GREY, background, class_colour, draw_anchors, scatter, show_square, square_around

_PANEL = 2.75  # inches


@style.styled
def prior_samples(points: Any, origin: Any, anchors: Any, *, codes: Any = None, title: str | None = None) -> Figure:
    """Draws samples of the prior in the colour of the anchor each started from; anchors are black crosses.

    Args:
        points: Samples, (n, 2).
        origin: Index of the anchor that each sample started from, (n,), integers in [0, m).
        anchors: Encoded anchors, (m, 2), at most ten.
        codes: Encoded data, (k, 2), to be seen beneath in grey.
        title: Above the figure.

    Raises:
        ValueError: For arrays of another shape or with NaNs, an origin that is no anchor, or more anchors than
            there are colours.

    Source: [connor2021, Fig. 3b].
    """
    points, anchors = finite("points", points, ("n", 2)), finite("anchors", anchors, ("m", 2))
    if len(anchors) > len(PALETTE):
        raise ValueError(f"anchors must be at most the {len(PALETTE)} there are colours for, got {len(anchors)}")
    origin = np.asarray(origin)
    if origin.shape != (len(points),) or not np.issubdtype(origin.dtype, np.integer):
        raise ValueError(
            f"origin must be integers of shape ({len(points)},), got {origin.dtype} of shape {origin.shape}"
        )
    if origin.min() < 0 or origin.max() >= len(anchors):
        raise ValueError(f"origin must lie in [0, {len(anchors)}), got {origin.min()} to {origin.max()}")
    shown = [points, anchors]
    figure = style.new_figure(_PANEL + 0.65, _PANEL + (0.2 if title else 0.0), title)
    ax = figure.add_subplot()
    if codes is not None:
        codes = finite("codes", codes, ("k", 2))
        shown.append(codes)
        scatter(ax, codes, background(len(codes), None, None, periodic=False).colours, _PANEL, zorder=1)
    scatter(ax, points, np.array([to_rgb(c) for c in PALETTE])[origin], _PANEL, zorder=3)
    show_square(ax, square_around(*shown))
    draw_anchors(ax, anchors)
    dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4, "markeredgewidth": 0}
    handles = [Line2D([], [], color=class_colour(k), label=f"anchor {k + 1}", **dots) for k in range(len(anchors))]
    if codes is not None:
        handles.append(Line2D([], [], color=str(GREY), label="codes", **dots))
    figure.legend(handles=handles, loc="outside right center", handlelength=0.8, labelspacing=0.35)
    return figure

"""Orbits of transport operators over the codes."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.colours import PALETTE
from mvae.figures.spaces.planar import (
    background,
    class_colour,
    draw_anchors,
    draw_curve,
    scatter,
    show_square,
    square_around,
)

_PANEL = 2.75  # inches
_BELOW = {"time": 0.45, "operator": 0.25}  # the legend of the orbits
_TIME = "plasma"
_LATEST = 0.9  # of the colour map: its last tenth is too bright on white
COLOUR_BY = ("time", "operator")


@style.styled
def operator_orbits(
    codes: Any,
    orbits: Any,
    *,
    label: Any = None,
    parameter: Any = None,
    anchors: Any = None,
    colour_by: str | None = None,
    periodic: bool = False,
    title: str | None = None,
) -> Figure:
    """Draws orbits z_t = expm(t Ψ_m) z_0 over the codes, in pale colours; a white dot is where an orbit starts.

    The view is that of the codes and anchors. Orbits may leave it, and may end in points that are infinite or NaN.

    Args:
        codes: Encoded data, (n, 2).
        orbits: A curve for each operator, (k, T, 2), T ≥ 2, in order of time.
        label: Classes or numbers of the codes, (n,).
        parameter: Place of the codes along the curve they come from, (n,), in [0, 1].
        anchors: Encoded anchors, (m, 2), black crosses.
        colour_by: What the colour of an orbit says, "time" from start to end or "operator", of at most ten; None
            for the time of a single orbit and the operators of several. Operators have colours that the classes
            of the codes leave, as long as there are any.
        periodic: Whether the parameters 0 and 1 are the same place, and so the same colour.
        title: Above the figure.

    Raises:
        ValueError: For arrays of another shape, codes or anchors with NaNs, both label and parameter, another word
            in `colour_by`, or more than ten operators to colour.

    Source: [connor2021, Fig. 3a].
    """
    codes = finite("codes", codes, ("n", 2))
    orbits = curves("orbits", orbits)
    if anchors is not None:
        anchors = finite("anchors", anchors, ("m", 2))
    if colour_by is None:
        colour_by = "time" if len(orbits) == 1 else "operator"
    if colour_by not in COLOUR_BY:
        raise ValueError(f"colour_by must be one of {', '.join(COLOUR_BY)}, got {colour_by!r}")
    if colour_by == "operator" and len(orbits) > len(PALETTE):
        raise ValueError(f"orbits must be at most the {len(PALETTE)} there are colours for, got {len(orbits)}")
    beneath = background(len(codes), label, parameter, periodic=periodic)
    height = _PANEL + _BELOW[colour_by] + (0.15 if title else 0.0)
    figure = style.new_figure(_PANEL + beneath.width, height, title)
    ax = figure.add_subplot()
    view = square_around(codes) if anchors is None else square_around(codes, anchors)
    scatter(ax, codes, beneath.colours, _PANEL)
    show_square(ax, view)
    tints = _tints(orbits, colour_by, _num_classes(label))
    for orbit, tint in zip(orbits, tints, strict=True):
        draw_curve(ax, orbit, view, tint)
        ax.plot(
            *orbit[0], marker="o", markersize=5, color="white", markeredgecolor=tint[0], markeredgewidth=1.2, zorder=9
        )
    if anchors is not None:
        draw_anchors(ax, anchors)
    beneath.legend(figure, [ax], None)
    _legend(figure, ax, colour_by, tints)
    return figure


def curves(name: str, value: Any) -> np.ndarray:
    """Returns curves in the plane, (k, T, 2), as float64; their points may be infinite or NaN.

    Raises:
        ValueError: Naming `name`, for another shape, no curve, or less than two points.
    """
    array = np.asarray(value).astype(np.float64)
    if array.ndim != 3 or array.shape[-1] != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(f"{name} must have shape (k, T, 2) with a curve and T of at least 2, got {array.shape}")
    return array


def _num_classes(label: Any) -> int:
    found = 0 if label is None else len(np.unique(np.asarray(label)))
    return found if found <= len(PALETTE) else 0


def _tints(orbits: np.ndarray, colour_by: str, taken: int) -> np.ndarray:
    """Colours of the segments of each orbit, (k, T - 1, 4)."""
    num, length = orbits.shape[0], orbits.shape[1] - 1
    if colour_by == "time":
        along = matplotlib.colormaps[_TIME](np.linspace(0.0, _LATEST, length))
        return np.broadcast_to(along, (num, length, 4))
    own = [to_rgba(class_colour(taken + k)) for k in range(num)]
    return np.broadcast_to(np.array(own)[:, None], (num, length, 4))


def _legend(figure: Figure, ax: Axes, colour_by: str, tints: np.ndarray) -> None:
    if colour_by == "operator":
        lines = [
            Line2D([], [], color=tint[0], linewidth=1.6, label=rf"$\Psi_{{{k + 1}}}$") for k, tint in enumerate(tints)
        ]
        figure.legend(handles=lines, loc="outside lower center", ncols=5)
        return
    shades = matplotlib.colormaps[_TIME](np.linspace(0.0, _LATEST, 256))
    mappable = ScalarMappable(Normalize(0.0, 1.0), ListedColormap(shades))
    bar = figure.colorbar(mappable, ax=ax, location="bottom", shrink=0.7, aspect=24, pad=0.03)
    bar.set_ticks([0.0, 1.0], labels=["start", "end"])
    bar.set_label("time along the orbit", labelpad=-8)
    bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]

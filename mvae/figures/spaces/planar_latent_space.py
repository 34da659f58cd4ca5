"""Codes of several methods in the plane, side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.captions import FONT, captions, captions_height
from mvae.figures.drawing.check import finite
from mvae.figures.spaces.planar import scatter, shared_colourings, show_square, square_around

_PANEL = 1.7  # inches, at most


class PlanarPanel(NamedTuple):
    """One method's codes in the plane.

    Attributes:
        name: The panel's caption.
        codes: (n, 2); those on a circle are points of the unit circle.
        label: Classes or numbers, (n,), or None.
        parameter: Place along the curve that the data come from, (n,), in [0, 1], or None.
    """

    name: str
    codes: Any
    label: Any = None
    parameter: Any = None


@style.styled
def planar_latent_space(
    panels: Sequence[PlanarPanel | tuple[Any, ...]],
    *,
    columns: int = 5,
    periodic: bool = False,
    title: str | None = None,
) -> Figure:
    """Draws the codes of several methods, a panel each, in one scheme of colours.

    Every panel has its own scale, equal in both directions: latent spaces are not in units of each other. The same
    label, or the same parameter, has the same colour in all panels, and one legend or colour bar tells them.

    Args:
        panels: `PlanarPanel`s or tuples of the same entries; the truth's first. All have labels, or all parameters,
            or none has either.
        columns: How many panels stand side by side before a new row begins.
        periodic: Whether the parameters 0 and 1 are the same place, as on a circle, and so the same colour.
        title: Above the figure.

    Raises:
        ValueError: If there are no panels, they are not coloured in one way, or for arrays of another shape or
            with NaNs.

    Source: [connor2021, Figs. 2 and 4].
    """
    checked = _checked(panels)
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    colourings = shared_colourings(
        [len(panel.codes) for panel in checked],
        [panel.label for panel in checked],
        [panel.parameter for panel in checked],
        periodic=periodic,
    )
    columns = min(columns, len(checked))
    rows = -(-len(checked) // columns)
    inches = min((style.PAGE - colourings[0].width) / columns, _PANEL)
    width = columns * inches + colourings[0].width
    texts = captions([panel.name for panel in checked], inches)
    height = rows * (inches + captions_height(texts)) + (0.2 if title else 0.0)
    figure = style.new_figure(width, height, title)
    axes = []
    for k, (panel, colouring) in enumerate(zip(checked, colourings, strict=True)):
        ax = figure.add_subplot(rows, columns, k + 1)
        scatter(ax, panel.codes, colouring.colours, inches)
        show_square(ax, square_around(panel.codes))
        ax.set_xlabel(texts[k], fontsize=FONT, linespacing=0.95)
        axes.append(ax)
    colourings[0].legend(figure, axes, None)
    return figure


def _checked(panels: Sequence[PlanarPanel | tuple[Any, ...]]) -> list[PlanarPanel]:
    if len(panels) == 0:
        raise ValueError("panels must not be empty")
    checked = []
    for k, given in enumerate(panels):
        panel = PlanarPanel(*given)
        codes = finite(f"panels[{k}].codes", panel.codes, ("n", 2))
        entries: dict[str, Any] = {"codes": codes}
        for name in ("label", "parameter"):
            value = getattr(panel, name)
            if value is not None:
                entries[name] = np.asarray(value)
                if entries[name].shape != (len(codes),):
                    raise ValueError(f"panels[{k}].{name} must have shape ({len(codes)},), got {entries[name].shape}")
        checked.append(panel._replace(**entries))
    for name in ("label", "parameter"):
        if len({getattr(panel, name) is None for panel in checked}) > 1:
            raise ValueError(f"panels must all have a {name}, or none of them")
    return checked

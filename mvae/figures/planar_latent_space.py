"""Codes of several methods in the plane, side by side."""

import string
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from mvae.figures import style
from mvae.figures.check import finite
from mvae.figures.colouring import Colouring
from mvae.figures.planar import code_colouring, scatter, show_square, square_around

_PANEL = 1.7  # inches, at most
_CAPTION, _LINE, _BETWEEN = 0.22, 0.14, 0.06  # inches: one line of it, each further one, between two captions
_FONT = 8.0  # points


class PlanarPanel(NamedTuple):
    """One method's codes in the plane.

    Attributes:
        name: the panel's caption.
        codes: (n, 2); those on a circle are points of the unit circle.
        label: classes or numbers, (n,), or None.
        parameter: place along the curve that the data come from, (n,), in [0, 1], or None.
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
        columns: how many panels stand side by side before a new row begins.
        periodic: whether the parameters 0 and 1 are the same place, as on a circle, and so the same colour.
        title: above the picture.

    Raises:
        ValueError: if there are no panels, they are not coloured in one way, or for arrays of another shape or
            with NaNs.

    References:
        Connor, Canal, Rozell, "Variational Autoencoder with Learned Latent Structure", Figs. 2 and 4.
    """
    checked = _checked(panels)
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    colourings = _colourings(checked, periodic)
    columns = min(columns, len(checked))
    rows = -(-len(checked) // columns)
    inches = min((style.PAGE - colourings[0].width) / columns, _PANEL)
    width = columns * inches + colourings[0].width
    captions = _captions([panel.name for panel in checked], inches - _BETWEEN)
    lines = max(caption.count("\n") for caption in captions)
    height = rows * (inches + _CAPTION + lines * _LINE) + (0.2 if title else 0.0)
    figure = style.new_figure(width, height, title)
    axes = []
    for k, (panel, colouring) in enumerate(zip(checked, colourings, strict=True)):
        ax = figure.add_subplot(rows, columns, k + 1)
        scatter(ax, panel.codes, colouring.colours, inches)
        show_square(ax, square_around(panel.codes))
        ax.set_xlabel(captions[k], fontsize=_FONT, linespacing=0.95)
        axes.append(ax)
    colourings[0].legend(figure, axes, None)
    return figure


def _captions(names: list[str], inches: float) -> list[str]:
    """Names with letters before them where there are several, in lines at most that wide where words allow it."""
    if len(names) > 1:
        names = [f"({string.ascii_lowercase[k % 26]}) {name}" for k, name in enumerate(names)]
    return [_wrapped(name.split(" "), inches) for name in names]


def _wrapped(words: list[str], inches: float) -> str:
    font = FontProperties(family=style.RC["font.family"], size=_FONT)
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        width, _, _ = text_to_path.get_text_width_height_descent(longer, font, ismath=False)
        if width <= 72 * inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


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


def _colourings(panels: list[PlanarPanel], periodic: bool) -> list[Colouring]:  # noqa: FBT001
    """The colours of each panel; all have the one legend."""
    sizes = [len(panel.codes) for panel in panels]

    def joined(name: str) -> np.ndarray | None:
        values = [getattr(panel, name) for panel in panels]
        return None if values[0] is None else np.concatenate(values)

    together = code_colouring(sum(sizes), joined("label"), joined("parameter"), periodic=periodic)
    parts = np.split(together.colours, np.cumsum(sizes)[:-1])
    return [together._replace(colours=part) for part in parts]

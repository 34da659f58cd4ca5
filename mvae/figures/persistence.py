"""Persistence diagrams: when loops and cavities of a cloud are born, and when they die."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from mvae.figures.drawing import style
from mvae.figures.drawing.colours import PALETTE

_NAMES = {1: "loops ($H_1$)", 2: "cavities ($H_2$)"}
_MARKS = {1: "o", 2: "^"}
_PANEL = 2.9  # inches


@style.styled
def persistence_diagrams(
    diagrams: Mapping[int, Sequence[Float[np.ndarray, "bars 2"]]], band: Sequence[float], *, title: str | None = None
) -> Figure:
    """Draws one panel for each field: death against birth of the classes of degree 1 and 2, both logarithmic.

    A ratio death / birth is a height above the diagonal, so the band of ratios that flat clouds have is a strip along
    it; each degree has its own. Classes in it are drawn hollow.

    Args:
        diagrams: Prime p -> for each degree from 0 on the bars (birth, death) over F_p, in one unit of distance.
        band: For each degree the ratio up to which bars are like those of a flat cloud.
        title: Above the panels.

    Raises:
        ValueError: For no diagram, or for a degree without a band.
    """
    if not diagrams:
        raise ValueError("diagrams must be of one field or more, got none")
    degrees = [degree for degree in _NAMES if any(len(bars) > degree for bars in diagrams.values())]
    if len(band) <= max(degrees, default=0):
        raise ValueError(f"band must have a ratio for each degree up to {max(degrees)}, got {len(band)}")
    figure = style.new_figure(_PANEL * len(diagrams), _PANEL, title)
    panels = figure.subplots(1, len(diagrams), sharex=True, sharey=True, squeeze=False)[0]
    every = [
        bars[degree][bars[degree][:, 0] > 0] for bars in diagrams.values() for degree in degrees if degree < len(bars)
    ]
    shown = np.concatenate([np.zeros((0, 2)), *every])
    limits = (shown.min() / 1.15, shown.max() * 1.15) if len(shown) else (0.1, 1.0)
    for ax, (prime, bars) in zip(panels, diagrams.items(), strict=True):
        _panel(ax, {degree: bars[degree] for degree in degrees if degree < len(bars)}, band, limits)
        ax.set_title(f"over $F_{{{prime}}}$")
        ax.set_xlabel("birth")
    panels[0].set_ylabel("death")
    if degrees:
        panels[-1].legend(loc="lower right")
    return figure


def _panel(ax: Axes, bars: Mapping[int, np.ndarray], band: Sequence[float], limits: tuple[float, float]) -> None:
    diagonal = np.array(limits)
    ax.plot(diagonal, diagonal, color=style.MUTED, linewidth=0.6)
    for degree, each in bars.items():
        colour = PALETTE[degree - 1]
        ax.fill_between(diagonal, diagonal, diagonal * band[degree], color=colour, alpha=0.15, linewidth=0)
        beyond = each[:, 1] > band[degree] * each[:, 0]
        ax.scatter(*each[~beyond].T, s=9, marker=_MARKS[degree], facecolors="none", edgecolors=colour, linewidths=0.5)
        ax.scatter(*each[beyond].T, s=16, marker=_MARKS[degree], color=colour, label=_NAMES[degree])
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())

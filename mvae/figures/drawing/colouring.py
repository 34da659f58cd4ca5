"""What the colours of encoded data mean: classes, a number, an angle, or a translation."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.colours import PALETTE, hue_ring, periodic_colours

CYCLE = "twilight_shifted"  # the same colour at 0 and 2π
PI_TICKS = {0.0: "0", np.pi: r"$\pi$", 2 * np.pi: r"$2\pi$"}


class Colouring(NamedTuple):
    """The colour of every point, and the legend: `width` inches, drawn by `legend(figure, axes, side)`."""

    colours: np.ndarray
    width: float
    legend: Callable[[Figure, list[Axes], SubFigure | None], None]


def colouring_of(n: int, label: Any, translation: Any, angle: Any = None) -> Colouring:
    """Returns the colours of n points: by class, number, translation or angle, or all alike if none is given."""
    given = [
        name for name, value in (("label", label), ("translation", translation), ("angle", angle)) if value is not None
    ]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} {'both' if len(given) == 2 else 'all'} ask for the colours: give one")
    if translation is not None:
        return Colouring(periodic_colours(finite("translation", translation, (n, 2))), 1.15, _legend_square)
    if angle is not None:
        turns = np.mod(finite("angle", angle, (n,)), 2 * np.pi)
        bar = ScalarMappable(Normalize(0.0, 2 * np.pi), cmap=CYCLE)
        return Colouring(bar.to_rgba(turns)[:, :3], 0.65, partial(_legend_bar, bar, "angle", PI_TICKS))
    if label is None:
        return Colouring(np.tile(to_rgb(style.ACCENT), (n, 1)), 0.0, lambda *_: None)
    label = np.asarray(label)
    if label.shape != (n,):
        raise ValueError(f"label must have shape ({n},), one for each point of z, got {label.shape}")
    is_text = label.dtype.kind not in "biufV"  # V: bfloat16
    values = label if is_text else finite("label", label, (n,))
    names, index = np.unique(values, return_inverse=True)
    if len(names) <= len(PALETTE):
        return _classes([str(v) if is_text else f"{v:g}" for v in names], index)
    if is_text:
        raise ValueError(f"label has {len(names)} names, more than the {len(PALETTE)} there are colours for")
    return _scale(values)


def parameter_colouring(parameter: Any, n: int, *, periodic: bool = False) -> Colouring:
    """Returns the colours of n points by where they lie along a curve, and a colour bar from 0 to 1.

    Args:
        parameter: Share of the way along the curve, (n,), in [0, 1].
        n: How many points there are.
        periodic: Whether 0 and 1 are the same place, and so the same colour.

    Raises:
        ValueError: For another shape, NaNs, or values outside [0, 1].
    """
    values = finite("parameter", parameter, (n,))
    if values.min() < 0.0 or values.max() > 1.0:
        raise ValueError(f"parameter must lie in [0, 1], got values from {values.min():g} to {values.max():g}")
    turn = np.linspace(0.0, 2 * np.pi, 257)
    ring = ListedColormap(hue_ring(turn))  # CYCLE is nearly white half way, which would not do for pale codes
    bar = ScalarMappable(Normalize(0.0, 1.0), cmap=ring if periodic else "viridis")
    ticks = {0.0: "0", 0.5: "0.5", 1.0: "1"}
    return Colouring(bar.to_rgba(values)[:, :3], 0.65, partial(_legend_bar, bar, "parameter", ticks))


def _classes(names: list[str], index: np.ndarray) -> Colouring:
    colours = np.array([to_rgb(c) for c in PALETTE])

    def legend(figure: Figure, axes: list[Axes], side: SubFigure | None) -> None:
        del axes, side
        dots = [
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markersize=4,
                markeredgewidth=0,
                color=colours[k],
                label=name,
            )
            for k, name in enumerate(names)
        ]
        figure.legend(handles=dots, loc="outside right center", handlelength=0.8, labelspacing=0.35)

    return Colouring(colours[index], 0.3 + 0.06 * max(map(len, names)), legend)


def _scale(values: np.ndarray) -> Colouring:
    mappable = ScalarMappable(Normalize(values.min(), values.max()), cmap="viridis")
    return Colouring(mappable.to_rgba(values)[:, :3], 0.65, partial(_legend_bar, mappable, "label", None))


def _legend_bar(
    mappable: ScalarMappable,
    name: str,
    ticks: dict[float, str] | None,
    figure: Figure,
    axes: list[Axes],
    side: SubFigure | None,
) -> None:
    del side
    bar = figure.colorbar(mappable, ax=axes, shrink=0.7, aspect=22, pad=0.03)
    bar.set_label(name)
    if ticks:
        bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]


def _legend_square(figure: Figure, axes: list[Axes], side: SubFigure | None) -> None:
    del figure, axes
    assert side is not None
    ax = side.add_subplot()
    angle = (np.arange(128) + 0.5) * (2 * np.pi / 128)
    square = periodic_colours(np.stack(np.meshgrid(angle, angle), axis=-1))
    ax.imshow(square, origin="lower", extent=(0, 2 * np.pi, 0, 2 * np.pi))
    ax.set_xticks(list(PI_TICKS), list(PI_TICKS.values()))
    ax.set_yticks(list(PI_TICKS), list(PI_TICKS.values()))
    ax.set_xlabel("translation $a$")
    ax.set_ylabel("translation $b$")

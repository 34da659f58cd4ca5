"""Point sets side by side: what a panel shows, what all are seen from, and how many points lie outside."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.captions import FONT, captions, captions_height
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.colouring import Colouring
from mvae.figures.spaces.clouds import Cloud, draw_cloud, seen
from mvae.figures.spaces.planar import Square, shared_colourings, show_square, square_around

SEED = "#e0311d"
_DATA = np.full(3, 0.84)
_PANEL = 2.2  # inches, at most
_ABOVE = 0.05  # space above and below what is seen of space, of its width
_GROWN = 0.25  # of the side of the data's square: points farther off do not widen the view


class PointPanel(NamedTuple):
    """A point set and what belongs to it.

    Attributes:
        name: The panel's caption.
        points: (n, 2), or (n, 3) with the third axis upward.
        data: Points to be seen beneath in grey, (k, 2 or 3), or None; then the view is theirs.
        seed: Points to be marked by a red dot, (2 or 3,) or (s, 2 or 3), or None.
        label: Classes or numbers of the points, (n,), or None.
        parameter: Place of the points along a curve, (n,), in [0, 1], or None.
    """

    name: str
    points: Any
    data: Any = None
    seed: Any = None
    label: Any = None
    parameter: Any = None


class View(NamedTuple):
    """What a panel shows: a rectangle of the paper, and the least and greatest height towards the viewer."""

    frame: Square
    span: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Height by width."""
        width, height = self.frame.high - self.frame.low
        return float(height / width)


def checked_panels(panels: Sequence[PointPanel], where: Sequence[str]) -> list[PointPanel]:
    """Returns the panels with their entries as arrays.

    Args:
        panels: At least one.
        where: What messages call each, such as `panels[0]`.

    Raises:
        ValueError: If there are no panels, an entry has another shape or NaNs, or panels are not coloured alike.
    """
    if len(panels) == 0:
        raise ValueError("panels must not be empty")
    for name in ("label", "parameter"):
        if len({getattr(panel, name) is None for panel in panels}) > 1:
            raise ValueError(f"panels must all have a {name}, or none of them")
    return [_checked(panel, place) for panel, place in zip(panels, where, strict=True)]


def _checked(panel: PointPanel, place: str) -> PointPanel:
    dot = f"{place}." if place else ""
    points = in_space(f"{dot}points", panel.points)
    dim = points.shape[1]
    data = None if panel.data is None else finite(f"{dot}data", panel.data, ("k", dim))
    seed = None if panel.seed is None else finite(f"{dot}seed", np.atleast_2d(np.asarray(panel.seed)), ("s", dim))
    told = {}
    for name in ("label", "parameter"):
        value = getattr(panel, name)
        told[name] = value if value is None else np.asarray(value)
        if value is not None and told[name].shape != (len(points),):
            raise ValueError(f"{dot}{name} must have shape ({len(points)},), got {told[name].shape}")
    return panel._replace(points=points, data=data, seed=seed, **told)


def in_space(name: str, points: Any) -> np.ndarray:
    """Returns finite points, (n, 2) or (n, 3), or raises ValueError naming `name`."""
    array = np.asarray(points)
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ValueError(f"{name} must have shape (n, 2) or (n, 3), got {array.shape}")
    return finite(name, array, ("n", array.shape[1]))


def common_view(reference: Sequence[Cloud], shown: Sequence[Cloud]) -> View:
    """Returns the view of reference points, wide enough for what lies within a quarter of its side beyond them.

    It is a square, but for points in space that are wider than high as they are seen: there it is as high as they are.
    """
    own = np.concatenate([cloud.xy for cloud in reference])
    low, high = own.min(axis=0), own.max(axis=0)
    half = (0.5 + _GROWN) * float((high - low).max())
    grown = Square((low + high) / 2 - half, (low + high) / 2 + half)
    near = [cloud.xy[inside(cloud.xy, grown)] for cloud in shown]
    heights = [cloud.height for cloud in reference if cloud.height is not None]
    span = (float(min(h.min() for h in heights)), float(max(h.max() for h in heights))) if heights else (0.0, 1.0)
    square = square_around(own, *near)
    if not heights:
        return View(square, span)
    up = np.concatenate([own, *near])[:, 1]
    side = square.high[0] - square.low[0]
    middle, half = (up.min() + up.max()) / 2, min(0.5 * np.ptp(up) + _ABOVE * side, 0.5 * side)
    frame = Square(np.array([square.low[0], middle - half]), np.array([square.high[0], middle + half]))
    return View(frame, span)


def inside(xy: np.ndarray, frame: Square) -> np.ndarray:
    """Returns which points (n, 2) lie in the rectangle, (n,)."""
    return np.all((xy >= frame.low) & (xy <= frame.high), axis=-1)


def draw_panels(
    panels: Sequence[PointPanel],
    *,
    same_limits: bool,
    reference: Sequence[int] | None,
    centres: np.ndarray | None,
    columns: int,
    lettered: bool,
    periodic: bool,
    azimuth: float,
    elevation: float,
    title: str | None,
) -> Figure:
    """Draws checked panels in rows as even as possible.

    Args:
        panels: From `checked_panels`.
        same_limits: Whether all have one view.
        reference: The panels whose data, or points without data, the one view is made for; None for all.
        centres: Points to be marked by small black crosses in every panel, (m, 2 or 3).
        columns: How many panels stand side by side at most.
        lettered: Whether letters go before the captions.
        periodic: Whether the parameters 0 and 1 are the same place.
        azimuth: Angle of the viewer around the third axis, in radians.
        elevation: Of the viewer above the plane of the first two axes, in radians.
        title: Above the figure.

    Raises:
        ValueError: If `columns` is not positive, or colours cannot be told.
    """
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    colourings = _colourings(panels, periodic=periodic)
    clouds = [seen(panel.points, azimuth, elevation) for panel in panels]
    beneath = [None if panel.data is None else seen(panel.data, azimuth, elevation) for panel in panels]
    views = _views(clouds, beneath, same_limits=same_limits, reference=reference)
    rows = -(-len(panels) // columns)
    columns = -(-len(panels) // rows)
    inches = min((style.PAGE - colourings[0].width) / columns, _PANEL)
    names = [_told(panel.name, cloud, view.frame) for panel, cloud, view in zip(panels, clouds, views, strict=True)]
    texts = captions(names, inches, lettered=lettered)
    height = rows * (inches * max(view.ratio for view in views) + captions_height(texts)) + (0.2 if title else 0.0)
    figure = style.new_figure(columns * inches + colourings[0].width, height, title)
    axes = []
    for k, (panel, view) in enumerate(zip(panels, views, strict=True)):
        ax = figure.add_subplot(rows, columns, k + 1)
        if (data := beneath[k]) is not None:
            _draw_data(ax, data, view, inches)
        visible = inside(clouds[k].xy, view.frame)
        draw_cloud(ax, clouds[k].kept(visible), colourings[k].colours[visible], inches, view.span)
        show_square(ax, view.frame)
        if clouds[k].height is not None:  # a frame would look like the rim of a plane
            style.bare(ax)
        _draw_marks(ax, panel.seed, centres, azimuth, elevation)
        ax.set_xlabel(texts[k], fontsize=FONT, linespacing=0.95)
        axes.append(ax)
    colourings[0].legend(figure, axes, None)
    return figure


def _colourings(panels: Sequence[PointPanel], *, periodic: bool) -> list[Colouring]:
    return shared_colourings(
        [len(panel.points) for panel in panels],
        [panel.label for panel in panels],
        [panel.parameter for panel in panels],
        periodic=periodic,
    )


def _views(
    clouds: Sequence[Cloud], beneath: Sequence[Cloud | None], *, same_limits: bool, reference: Sequence[int] | None
) -> list[View]:
    own = [cloud if data is None else data for cloud, data in zip(clouds, beneath, strict=True)]
    if not same_limits:
        return [common_view([mine], [cloud]) for mine, cloud in zip(own, clouds, strict=True)]
    chosen = own if reference is None else [own[k] for k in reference]
    return [common_view(chosen, clouds)] * len(clouds)


def _told(name: str, cloud: Cloud, frame: Square) -> str:
    """The name, and how many points are not in view, if any."""
    outside = int(np.sum(~inside(cloud.xy, frame)))
    told = f"({outside} of {len(cloud.xy)} outside)".replace(" ", "\N{NO-BREAK SPACE}")
    return f"{name} {told}" if outside else name


def _draw_data(ax: Axes, data: Cloud, view: View, inches: float) -> None:
    visible = data.kept(inside(data.xy, view.frame))
    faint = visible._replace(light=(1.0 + visible.light) / 2)
    draw_cloud(ax, faint, np.tile(_DATA, (len(faint.xy), 1)), inches, view.span, zorder=1)


def _draw_marks(
    ax: Axes, seed: np.ndarray | None, centres: np.ndarray | None, azimuth: float, elevation: float
) -> None:
    if centres is not None:
        places = seen(centres, azimuth, elevation).xy
        for colour, width, order in (("white", 1.6, 8.0), ("black", 0.7, 8.1)):
            ax.scatter(*places.T, marker="+", s=12, c=colour, linewidths=width, zorder=order)
    if seed is not None:
        places = seen(seed, azimuth, elevation).xy
        ax.scatter(*places.T, s=24, c=SEED, edgecolors="white", linewidths=0.8, zorder=9)

"""What figures of a planar latent space share: the view, the codes beneath, curves cut off at the view's border."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from mvae.figures.drawing import style
from mvae.figures.drawing.colouring import Colouring, colouring_of, parameter_colouring
from mvae.figures.drawing.colours import PALETTE

_MARGIN = 0.07  # of the longer side of what is shown
_PALE = 0.6  # how much white muted colours have
GREY = 0.72
"""Of codes beneath something else that have no colours of their own."""
_FARTHEST = 1e6  # sides of the view; what is farther is taken to be that far in the same direction


class Square(NamedTuple):
    """A square of the plane: its lower left corner and its upper right one, (2,) each."""

    low: np.ndarray
    high: np.ndarray


def square_around(*clouds: np.ndarray) -> Square:
    """Returns the smallest square around finite points, (n, 2) each, with a margin; of side 1 around a single one."""
    points = np.concatenate(clouds)
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    half = (0.5 + _MARGIN) * (side if side > 0.0 else 1.0)
    return Square((low + high) / 2 - half, (low + high) / 2 + half)


def show_square(ax: Axes, view: Square) -> None:
    """Makes the axes show that square, equal in both directions, without ticks, in a pale frame."""
    ax.set_xlim(view.low[0], view.high[0])
    ax.set_ylim(view.low[1], view.high[1])
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(style.FAINT)


def code_colouring(n: int, label: Any, parameter: Any, *, periodic: bool, plain: Any = None) -> Colouring:
    """Returns the colours of n codes: by class, by place along a curve, or all `plain` if neither is given.

    Raises:
        ValueError: If both are given, or as `colouring_of` and `parameter_colouring` do.
    """
    if label is not None and parameter is not None:
        raise ValueError("label and parameter both ask for the colours: give one")
    if parameter is not None:
        return parameter_colouring(parameter, n, periodic=periodic)
    colouring = colouring_of(n, label, None)
    if label is None and plain is not None:
        return colouring._replace(colours=np.tile(plain, (n, 1)))
    return colouring


def shared_colourings(
    sizes: Sequence[int], labels: Sequence[Any], parameters: Sequence[Any], *, periodic: bool
) -> list[Colouring]:
    """Returns the colours of several clouds in one scheme: equal values look alike in all, one legend tells them.

    Args:
        sizes: How many points each cloud has.
        labels: The labels of each, (n,), or None for all.
        parameters: The places of each along a curve, (n,), or None for all.
        periodic: Whether the parameters 0 and 1 are the same place.

    Returns:
        The colours of each cloud; the legends are one and the same.
    """
    label, parameter = (None if values[0] is None else np.concatenate(values) for values in (labels, parameters))
    together = code_colouring(sum(sizes), label, parameter, periodic=periodic)
    parts = np.split(together.colours, np.cumsum(sizes)[:-1])
    return [together._replace(colours=part) for part in parts]


def background(n: int, label: Any, parameter: Any, *, periodic: bool) -> Colouring:
    """Returns the colours of codes that lie beneath something else: pale ones, grey if there is nothing to tell."""
    colouring = code_colouring(n, label, parameter, periodic=periodic, plain=np.full(3, GREY))
    if label is None and parameter is None:
        return colouring
    return colouring._replace(colours=_PALE + (1.0 - _PALE) * colouring.colours)


def scatter(ax: Axes, xy: np.ndarray, colours: np.ndarray, inches: float, zorder: float = 2) -> None:
    """Draws points (n, 2) in their colours (n, 3), in a random order, sized for their number and the panel's width."""
    n = len(xy)
    order = np.random.default_rng(0).permutation(n)
    size = max(6.5 * inches / (1.0 + (n / 800.0) ** 0.75), 0.6)
    ax.scatter(*xy[order].T, s=size, c=colours[order], linewidths=0, rasterized=n > 2000, zorder=zorder)


def draw_curve(ax: Axes, curve: np.ndarray, view: Square, colours: Any, zorder: float = 4) -> None:
    """Draws the part of a curve that lies in view, with a white halo.

    Args:
        ax: Where.
        curve: (T, 2); a segment with an end that is NaN or infinite is left out.
        view: What is shown.
        colours: One colour, or one for each of the T - 1 segments, (T - 1, 3 or 4).
        zorder: What it covers.
    """
    segments, index = cut(curve, view)
    tints = colours if isinstance(colours, str) else np.asarray(colours)[index]
    lines = LineCollection(list(segments), colors=tints, linewidths=1.4, capstyle="round", zorder=zorder)
    halo = LineCollection(list(segments), colors="white", linewidths=2.6, capstyle="round", zorder=zorder - 0.1)
    ax.add_collection(halo, autolim=False)
    ax.add_collection(lines, autolim=False)


def cut(curve: np.ndarray, view: Square) -> tuple[np.ndarray, np.ndarray]:
    """Returns the segments of a curve cut off at the border of a square [liang1984].

    Args:
        curve: (T, 2); NaN and infinite points break it.
        view: The square.

    Returns:
        The segments that have a part inside, (s, 2, 2) for start and end, and the place of each among all, (s,).
    """
    whole: np.ndarray = np.all(np.isfinite(curve), axis=-1)
    middle, farthest = (view.low + view.high) / 2, _FARTHEST * float(np.max(view.high - view.low))
    offset = np.where(whole[:, None], curve, 0.0) - middle
    distance = np.max(np.abs(offset), axis=-1, keepdims=True)
    points = middle + offset * np.where(distance > farthest, farthest / np.maximum(distance, farthest), 1.0)
    start, step = points[:-1], np.diff(points, axis=0)
    flat = step == 0.0
    safe = np.where(flat, 1.0, step)
    with np.errstate(over="ignore"):  # of a step next to nothing: infinite, as it should be
        borders = np.stack([(view.low - start) / safe, (view.high - start) / safe])
    enter = np.where(flat, -np.inf, borders.min(axis=0)).max(axis=-1).clip(0.0, 1.0)
    leave = np.where(flat, np.inf, borders.max(axis=0)).min(axis=-1).clip(0.0, 1.0)
    beside = np.any(flat & ((start < view.low) | (start > view.high)), axis=-1)
    index = np.flatnonzero(whole[:-1] & whole[1:] & ~beside & (leave > enter))
    shares = np.stack([enter[index], leave[index]], axis=1)[..., None]
    return start[index, None] + shares * step[index, None], index


def draw_anchors(ax: Axes, anchors: np.ndarray) -> None:
    """Marks anchors (m, 2) by black crosses with a white rim."""
    for colour, width, order in (("white", 3.2, 8.0), ("black", 1.6, 8.1)):
        ax.scatter(*anchors.T, marker="x", s=36, c=colour, linewidths=width, zorder=order)


def class_colour(index: int) -> str:
    """Returns the colour of the index-th class, of ten in turn."""
    return PALETTE[index % len(PALETTE)]

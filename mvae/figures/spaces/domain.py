"""Fundamental domains of flat quotients, with arrows on edges that are one, and the Poincaré disc."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mvae.figures.drawing import style
from mvae.manifolds.quotient.flat import FlatQuotient

_CIRCLES = (1.0, 2.0, 3.0)  # distances from the origin that the disc has circles at, in radii of curvature


def draw_domain(ax: Axes, manifold: FlatQuotient) -> None:
    """Draws the box of a flat quotient of dimension 2.

    Edges that are glued have arrow heads of one kind, single for left and right, double for bottom and top, which say
    how: where they point opposite ways the edge is glued with a flip. A border of the space is a thick line.
    """
    for set_limits, side in zip((ax.set_xlim, ax.set_ylim), manifold.sides, strict=True):
        set_limits(*side)
    ax.set_aspect("equal")
    ax.set_xlabel("along")
    ax.set_ylabel("across")
    for axis, kind in enumerate(manifold.edges):
        for end in (0.0, 1.0):
            _mark(ax, axis, end, kind)


def _mark(ax: Axes, axis: int, end: float, kind: str) -> None:
    """Marks the edge at one end of an axis."""
    gid, options = ("left-right", "bottom-top")[axis], {"transform": ax.transAxes, "clip_on": False, "zorder": 6}
    if kind == "boundary":
        line: Any = ([end, end], [0.0, 1.0]) if axis == 0 else ([0.0, 1.0], [end, end])
        ax.plot(*line, color=style.INK, linewidth=2.0, gid=f"{gid} boundary", **options)
        return
    back = kind == "flipped" and end == 1.0
    marker = {(0, False): "^", (0, True): "v", (1, False): ">", (1, True): "<"}[axis, back]
    middle = 1 - 0.625 if back else 0.625
    places = np.array([middle] if axis == 0 else [middle - 0.015, middle + 0.015])
    across = np.full(len(places), end)
    where = (across, places) if axis == 0 else (places, across)
    style_of_arrow: dict[str, Any] = {"linestyle": "none", "color": style.INK, "markersize": 4.5, "markeredgewidth": 0}
    ax.plot(*where, marker=marker, gid=gid, **style_of_arrow, **options)


def draw_disc(ax: Axes) -> None:
    """Draws the Poincaré disc: its rim, and circles of the distances 1, 2 and 3 radii of curvature from the origin."""
    style.bare(ax)
    around = np.linspace(-np.pi, np.pi, 361)
    ax.plot(np.cos(around), np.sin(around), color=style.INK, linewidth=0.9)
    for distance in _CIRCLES:
        radius = np.tanh(distance / 2)
        ax.plot(radius * np.cos(around), radius * np.sin(around), color=style.FAINT, linewidth=0.5, zorder=0)
    ax.set_aspect("equal")
    ax.set_xlim(-1.05, 1.05)
    ax.set_ylim(-1.05, 1.05)
    ax.set_xlabel("Poincaré disc (circles at 1, 2, 3)")

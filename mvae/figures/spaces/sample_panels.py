"""Samples of several methods, or of several distributions, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.spaces.clouds import AZIMUTH, ELEVATION
from mvae.figures.spaces.point_panels import PointPanel, checked_panels, draw_panels


@style.styled
def sample_panels(
    panels: Mapping[str, Any] | Sequence[PointPanel],
    *,
    same_limits: bool = True,
    limits_of: str | None = None,
    centres: Any = None,
    periodic: bool = False,
    columns: int = 5,
    azimuth: float = AZIMUTH,
    elevation: float = ELEVATION,
    title: str | None = None,
) -> Figure:
    """Draws point sets of the plane or of space, a panel each.

    Points in space are seen from far away and drawn from far to near, paler where far; where they lie on a surface
    they are lit. How many points lie outside a panel, if any, is written below it.

    Args:
        panels: Points by caption, (n, 2) or (n, 3), or `PointPanel`s, which may have data beneath, seeds and colours.
        same_limits: Whether all panels show the same part of space; else each has its own scale.
        limits_of: The panel whose data, or points without data, choose that part; it is widened for points within a
            quarter of its side. None for all panels.
        centres: Places to be marked by small black crosses in every panel, (m, 2 or 3).
        periodic: Whether the parameters 0 and 1 are the same place, and so the same colour.
        columns: How many panels stand side by side at most.
        azimuth: Angle of the viewer around the third axis, counted from the first, in radians.
        elevation: Of the viewer above the plane of the first two axes, in radians.
        title: Above the figure.

    Raises:
        ValueError: If there are no panels, they are not coloured alike, points of a plane and of space are to share
            their limits or centres, `limits_of` is no panel, or for arrays of another shape or with NaNs.

    Source: [li2020, Figs. 4 and 6].
    """
    if isinstance(panels, Mapping):
        given = [PointPanel(name, points) for name, points in panels.items()]
    else:
        given = [PointPanel(*panel) for panel in panels]
    checked = checked_panels(given, [f"panels[{k}]" for k in range(len(given))])
    dims = {panel.points.shape[1] for panel in checked}
    if len(dims) > 1 and (same_limits or centres is not None):
        raise ValueError("panels must all be of the plane or all of space to share limits or centres")
    return draw_panels(
        checked,
        same_limits=same_limits,
        reference=_reference([panel.name for panel in checked], limits_of, same_limits=same_limits),
        centres=None if centres is None else finite("centres", np.asarray(centres), ("m", dims.pop())),
        columns=columns,
        lettered=True,
        periodic=periodic,
        azimuth=azimuth,
        elevation=elevation,
        title=title,
    )


def _reference(names: Sequence[str], limits_of: str | None, *, same_limits: bool) -> list[int] | None:
    if limits_of is None:
        return None
    if not same_limits:
        raise ValueError(f"limits_of asks for the same limits in all panels, got {limits_of!r} without same_limits")
    if limits_of not in names:
        raise ValueError(f"limits_of must be one of the panels {', '.join(map(repr, names))}, got {limits_of!r}")
    return [k for k, name in enumerate(names) if name == limits_of]

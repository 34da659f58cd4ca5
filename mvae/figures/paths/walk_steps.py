"""Where the chains of a random walk are after some numbers of steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.spaces.clouds import AZIMUTH, ELEVATION
from mvae.figures.spaces.point_panels import PointPanel, checked_panels, draw_panels


@style.styled
def walk_steps(
    points: Any,
    *,
    steps: Sequence[int] | Any,
    seed: Any = None,
    data: Any = None,
    label: Any = None,
    parameter: Any = None,
    periodic: bool = False,
    columns: int = 5,
    azimuth: float = AZIMUTH,
    elevation: float = ELEVATION,
    title: str | None = None,
) -> Figure:
    """Draws the points of many chains after given numbers of steps, a panel each, all in one view.

    Points in space are seen from far away and drawn from far to near, paler where far; where they lie on a surface
    they are lit. The view is that of the data, or of all points without data, widened for points within a quarter of
    its side; how many points lie farther off is written below their panel.

    Args:
        points: Where the chains are, (t, n, 2), or (t, n, 3) with the third axis upward.
        steps: How many steps were taken, (t,), increasing integers from 0.
        seed: Where the chains start, (2 or 3,) or (s, 2 or 3): red dots.
        data: Points to be seen beneath in grey, (k, 2 or 3).
        label: Classes or numbers, of the chains (n,) or of the points (t, n).
        parameter: Place along a curve, in [0, 1], of the chains (n,) or of the points (t, n).
        periodic: Whether the parameters 0 and 1 are the same place, as on a circle, and so the same colour.
        columns: How many panels stand side by side at most.
        azimuth: Angle of the viewer around the third axis, counted from the first, in radians.
        elevation: Of the viewer above the plane of the first two axes, in radians.
        title: Above the figure.

    Raises:
        ValueError: For arrays of another shape or with NaNs, steps that do not increase, or both label and parameter.

    Source: [li2020, Figs. 2 and 4].
    """
    points = np.asarray(points)
    if points.ndim != 3 or points.shape[-1] not in (2, 3) or points.size == 0:
        raise ValueError(f"points must have shape (t, n, 2) or (t, n, 3) with no empty axis, got {points.shape}")
    counts = checked_steps(steps, len(points))
    label, parameter = (
        _of_points(name, value, points.shape[:2]) for name, value in (("label", label), ("parameter", parameter))
    )
    panels = [
        PointPanel(
            f"$t={count}$",
            points[k],
            data,
            seed,
            None if label is None else label[k],
            None if parameter is None else parameter[k],
        )
        for k, count in enumerate(counts)
    ]
    return draw_panels(
        checked_panels(panels, [""] * len(panels)),
        same_limits=True,
        reference=None,
        centres=None,
        columns=columns,
        lettered=False,
        periodic=periodic,
        azimuth=azimuth,
        elevation=elevation,
        title=title,
    )


def checked_steps(steps: Any, t: int) -> np.ndarray:
    """Returns numbers of steps, (t,), or raises ValueError unless they are integers that increase from 0 on."""
    counts = np.asarray(steps)
    if counts.shape != (t,) or not np.issubdtype(counts.dtype, np.integer):
        raise ValueError(f"steps must be integers of shape ({t},), got {counts.dtype} of shape {counts.shape}")
    if counts[0] < 0 or np.any(np.diff(counts) <= 0):
        raise ValueError(f"steps must increase and not be negative, got {counts.tolist()}")
    return counts


def _of_points(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    if value is None:
        return None
    value = np.asarray(value)
    if value.shape not in (shape, shape[1:]):
        raise ValueError(f"{name} must have shape {shape[1:]} or {shape}, got {value.shape}")
    return np.broadcast_to(value, shape)

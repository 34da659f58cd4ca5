"""The sphere as a ball seen from far away: what is in front is drawn, what is behind is not."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from mvae.figures.drawing import style

ELEVATION = np.radians(20.0)


def orthographic(x: np.ndarray, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
    """Projects onto the plane of a viewer far away, north up.

    Args:
        x: Points, (..., 3).
        azimuth: Longitude above which the viewer stands, in radians.
        elevation: Latitude above which the viewer stands, in radians.

    Returns:
        Coordinates to the right and upward, (..., 2), and the height towards the viewer, (...): of a ball
        around the origin he sees the points where it is positive.

    >>> xy, height = orthographic(np.array([1.0, 0.0, 0.0]), 0.0, 0.0)
    >>> bool(np.allclose(xy, 0.0)), float(height)
    (True, 1.0)
    """
    view = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    return x @ np.stack([right, np.cross(view, right)], axis=-1), x @ view


def on_sphere(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Returns the points of the unit sphere at these angles in radians, (..., 3)."""
    longitude, latitude = np.broadcast_arrays(longitude, latitude)
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)],
        axis=-1,
    )


def _line(ax: Axes, points: np.ndarray, azimuth: float, elevation: float, color: str, width: float) -> None:
    xy, height = orthographic(points, azimuth, elevation)
    xy = np.where(height[:, None] >= 0.0, xy, np.nan)
    ax.plot(*xy.T, color=color, linewidth=width, zorder=1 if color == style.FAINT else 1.5)


def draw_globe(ax: Axes, azimuth: float, elevation: float) -> None:
    """Draws the ball: its rim, meridians and parallels every 30 degrees, and the meridian ±π darker.

    The dark meridian is where a map in longitude and latitude is cut: the left and right border of the
    decoded grid.
    """
    style.bare(ax)
    ax.set_aspect("equal")
    ax.set_xlim(-1.04, 1.04)
    ax.set_ylim(-1.04, 1.04)
    ax.add_patch(Circle((0, 0), 1.0, facecolor="0.985", edgecolor="none", zorder=0))
    ax.add_patch(Circle((0, 0), 1.0, facecolor="none", edgecolor=style.MUTED, linewidth=0.7, zorder=3))
    along = np.radians(np.linspace(-180, 180, 181))
    for degrees in range(-150, 180, 30):
        meridian = on_sphere(np.radians(degrees), along / 2)
        _line(ax, meridian, azimuth, elevation, style.FAINT, 0.4)
    for degrees in range(-60, 90, 30):
        _line(ax, on_sphere(along, np.radians(degrees)), azimuth, elevation, style.FAINT, 0.4)
    _line(ax, on_sphere(np.array(np.pi), along / 2), azimuth, elevation, style.INK, 0.9)

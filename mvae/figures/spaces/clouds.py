"""Clouds of points in the plane or in space, flat on paper: seen from far away, lit, and paler the farther they lie."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from scipy.spatial import KDTree

from mvae.figures.spaces.globe import orthographic

AZIMUTH, ELEVATION = math.radians(-60.0), math.radians(25.0)
_LIGHT = np.array([-0.4, 0.6, math.sqrt(0.48)])  # right, up, towards the viewer; a unit vector
_SHADE = 0.6  # how much darker a surface is that faces away from the light
_MIST = 0.7  # how much white the farthest points have
_NEIGHBOURS = 14
_FLAT = 0.6  # from this (s₂ - s₁)/s₃ on, points count as those of a surface; it varies about 0.7 where they are random
_DOT = {
    "plane": 6.0,
    "space": 9.0,
}  # points² for each inch of a panel that shows few points; in space, dots hide others
_FEW = 600.0  # points that are still drawn at nearly that size
_LEAST = 0.5  # points²


class Cloud(NamedTuple):
    """Points as they are seen.

    Attributes:
        xy: Where on paper, to the right and upward, (n, 2).
        height: How near to the viewer, (n,); None for points of the plane.
        light: Brightness, (n,), in (0, 1]; 1 where nothing tells how a surface would lie.
    """

    xy: np.ndarray
    height: np.ndarray | None
    light: np.ndarray

    def kept(self, which: np.ndarray) -> "Cloud":
        """Returns the points that a mask marks."""
        return Cloud(self.xy[which], None if self.height is None else self.height[which], self.light[which])


def seen(points: np.ndarray, azimuth: float, elevation: float) -> Cloud:
    """Returns points of the plane as they are, and points in space as seen by a viewer far away.

    Args:
        points: (n, 2) or (n, 3); the third axis points upward.
        azimuth: Angle of the viewer around the third axis, counted from the first, in radians.
        elevation: Of the viewer above the plane of the first two axes, in radians.
    """
    if points.shape[1] == 2:
        return Cloud(points, None, np.ones(len(points)))
    xy, height = orthographic(points, azimuth, elevation)
    return Cloud(xy, height, surface_light(np.concatenate([xy, height[:, None]], axis=1)))


def surface_light(points: np.ndarray) -> np.ndarray:
    """Returns how bright each point is if the points lie on a surface that a lamp on the upper left shines on.

    The normal n is the direction in which the nearest points spread least, turned towards the viewer. With the
    standard deviations s₁ ≤ s₂ ≤ s₃ of that spread, the brightness is 1 - 0.6 w (1 - max(n·l, 0)), where
    w = min((s₂ - s₁)/(0.6 s₃), 1) is 1 on nearly all of a surface whose points are random, and 0 on a line and wherever
    points spread alike in all directions: those are not shaded, nor are sets of 14 points or fewer.

    Args:
        points: To the right, upward, and towards the viewer, (n, 3).

    Returns:
        (n,), in [0.4, 1].
    """
    if len(points) <= _NEIGHBOURS:
        return np.ones(len(points))
    _, index = KDTree(points).query(points, _NEIGHBOURS)
    near = points[index] - points[index].mean(axis=1, keepdims=True)
    variances, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", near, near))
    normal = axes[..., 0] * np.where(axes[:, 2:, 0] < 0.0, -1.0, 1.0)
    least, middle, most = np.sqrt(np.maximum(variances, 0.0)).T
    flat = np.minimum((middle - least) / (_FLAT * np.where(most > 0.0, most, 1.0)), 1.0)
    return 1.0 - _SHADE * flat * (1.0 - np.maximum(normal @ _LIGHT, 0.0))


def draw_cloud(
    ax: Axes,
    cloud: Cloud,
    colours: np.ndarray,
    inches: float,
    span: tuple[float, float],
    *,
    zorder: float = 2,
) -> None:
    """Draws points in their colours: those in space from far to near, paler where far, those of a plane at random.

    Args:
        ax: Where.
        cloud: n points.
        colours: (n, 3).
        inches: The width of the panel; dots are sized for it and for their number.
        span: Least and greatest height of all that is shown, so that panels agree on what is far.
        zorder: What the points cover.
    """
    n = len(cloud.xy)
    if n == 0:
        return
    if cloud.height is None:
        order, near, dot = np.random.default_rng(0).permutation(n), np.ones(n), _DOT["plane"]
    else:
        dot = _DOT["space"]
        order = np.argsort(cloud.height, kind="stable")
        low, high = span
        near = np.clip((cloud.height - low) / (high - low), 0.0, 1.0) if high > low else np.ones(n)
    mist = _MIST * (1.0 - near)[:, None]
    shown = mist + (1.0 - mist) * colours * cloud.light[:, None]
    area = max(dot * inches / (1.0 + (n / _FEW) ** 0.7), _LEAST)
    ax.scatter(*cloud.xy[order].T, s=area, c=shown[order], linewidths=0, rasterized=n > 2000, zorder=zorder)

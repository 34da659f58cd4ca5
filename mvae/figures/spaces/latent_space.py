"""Encoded data, drawn in the latent space they live in."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.colouring import colouring_of
from mvae.figures.spaces import surface
from mvae.figures.spaces.domain import draw_disc, draw_domain
from mvae.figures.spaces.globe import ELEVATION, draw_globe, orthographic
from mvae.manifolds import Euclidean, FlatTorus, Hyperbolic, Manifold, Sphere
from mvae.manifolds.dispatch import open_function
from mvae.manifolds.quotient.flat import FlatQuotient

PI_TICKS = {-np.pi: r"$-\pi$", -np.pi / 2: r"$-\pi/2$", 0.0: "0", np.pi / 2: r"$\pi/2$", np.pi: r"$\pi$"}
_HEIGHT = 2.75
_CAPTION = 0.22
_SURFACE_PIXELS = 660
_OPACITY = 0.8
_COMPASS = 0.08
_OFF_MANIFOLD = 1e-2  # relative; wide enough for half precision, narrow enough to notice unnormalised points


class Cloud(NamedTuple):
    """Points in a random order, so that no class lies on top of another by its place in the file.

    Attributes:
        z: Points of the latent space, (n, ambient_dim).
        colours: Their colours, (n, 3 or 4).
    """

    z: np.ndarray
    colours: np.ndarray

    def scatter(self, ax: Any, where: np.ndarray, keep: np.ndarray | None = None, zorder: float = 2) -> None:
        """Draws the points at `where` (n, 2 or 3) that `keep` marks; sizes follow their number."""
        n = len(self.z)
        keep = np.ones(n, dtype=bool) if keep is None else keep
        size = 24.0 / (1.0 + (n / 800.0) ** 0.75)
        alpha = float(np.clip(1.1 - 0.08 * np.log10(n), 0.7, 0.95))
        ax.scatter(
            *where[keep].T,
            s=size,
            c=self.colours[keep],
            alpha=alpha,
            linewidths=0,
            rasterized=n > 2000,
            zorder=zorder,
        )


class Chart(NamedTuple):
    """How points of a latent space are drawn.

    Attributes:
        width: Of the panels, in inches.
        height: Of the panels, in inches.
        draw: (figure or part of one, cloud) -> the axes that it has added and drawn the cloud on.
    """

    width: float
    height: float
    draw: Callable[[Any, Cloud], list[Axes]]


@open_function("chart", "its points are drawn in ambient space")
def chart(manifold: Manifold) -> Chart:
    """Returns how points of a latent space are drawn, as `latent_space` says.

    A manifold of one's own registers a function that returns its `Chart`, `chart.register(Type)`. What registers none
    is drawn in its ambient space, and a surface that has registered a `mvae.figures.solid` as one.
    """
    return chart.of(manifold)(manifold)


@style.styled
def latent_space(
    manifold: Manifold,
    z: Any,
    *,
    label: Any = None,
    translation: Any = None,
    angle: Any = None,
    title: str | None = None,
) -> Figure:
    """Draws encoded data in their latent space.

    - `FlatTorus(2)`: the square [-π, π]² of its two angles. Arrow heads of one kind mark edges that are one
      and the same. Of a torus of more angles the first two are drawn, and the axes say so.
    - `Sphere(2)`: the ball from two opposite sides; each point is seen from exactly one of them. The dark
      line is the meridian ±π, the left and right border of the decoded grid.
    - `Sphere(1)`, `FlatTorus(1)`: the circle, points spread outward at random so that they do not hide each
      other.
    - `Euclidean(1)`, `(2)`, `(3)`: a strip (spread at random across), a plane, a box.
    - `Interval`: a strip. `Cylinder`, `MobiusBand`, `KleinBottle`: a fundamental domain; arrow heads of one kind mark
      edges that are one, a thick line a border.
    - `Hyperbolic(2)`: the Poincaré disc.
    - `EmbeddedTorus`, and `Implicit` surfaces in space: the surface, shaded, from two opposite sides; points
      that lie behind it shine through, and each point faces one of the two viewers.
    - Any other manifold without a `chart` of its own: its ambient space where that has two or three dimensions, else
      the first two principal components of the ambient coordinates, with their share of the variance on the axes.

    Args:
        manifold: The latent space.
        z: Points on it, (n, ambient_dim).
        label: Classes or numbers, (n,). Up to ten different values are classes with a legend, more are a
            colour bar.
        translation: Two angles in radians, (n, 2): colours are periodic in both, and a square beside the
            figure tells which is which.
        angle: An angle in radians, (n,): colours are periodic, and a colour bar shows one turn.
        title: Above the figure.

    Raises:
        ValueError: For arguments of another shape, with NaNs, off the manifold, or more than one of
            `label`, `translation` and `angle`.

    Source: [perezrey2019, Figs. 1, 3 to 8].
    """
    z = finite("z", z, ("n", manifold.ambient_dim))
    colouring = colouring_of(len(z), label, translation, angle)
    order = np.random.default_rng(0).permutation(len(z))
    cloud = Cloud(z[order], colouring.colours[order])
    width, height, draw = chart(manifold)
    height += 0.2 if title else 0.0
    figure = style.new_figure(width + colouring.width, height, title)
    if translation is None:
        axes = draw(figure, cloud)
        colouring.legend(figure, axes, None)
    else:
        halves: Any = figure.subfigures(1, 2, width_ratios=[width, colouring.width])
        picture, side = halves
        axes = draw(picture, cloud)
        colouring.legend(figure, axes, side)
    return figure


_SQUARE = (_HEIGHT + 0.05, _HEIGHT)


@chart.register(FlatTorus)
def _(manifold: FlatTorus) -> Chart:
    def draw(parent: Any, cloud: Cloud) -> list[Axes]:
        angles = _angles(cloud.z)
        return [_circle(parent, cloud, angles[:, 0]) if manifold.dim == 1 else _square(parent, cloud, angles)]

    return Chart(*_SQUARE, draw)


@chart.register(Sphere)
def _(manifold: Sphere) -> Chart:
    if manifold.dim > 2:
        return _ambient(manifold)

    def draw(parent: Any, cloud: Cloud) -> list[Axes]:
        unit = _unit("z", cloud.z / manifold.radius)
        if manifold.dim == 2:
            return _two_views(parent, cloud, unit)
        return [_circle(parent, cloud, _angles(unit)[:, 0])]

    return Chart(*((2 * _HEIGHT - 0.5, _HEIGHT) if manifold.dim == 2 else _SQUARE), draw)


@chart.register(Euclidean)
def _(manifold: Euclidean) -> Chart:
    return (
        _ambient(manifold)
        if manifold.dim > 1
        else Chart(*_SQUARE, lambda parent, cloud: [_strip(parent, cloud, cloud.z[:, 0], "$z_1$")])
    )


@chart.register(FlatQuotient)
def _(manifold: FlatQuotient) -> Chart:
    def draw(parent: Any, cloud: Cloud) -> list[Axes]:
        z: Any = cloud.z.astype(np.float32)
        x = np.asarray(manifold.coordinates(z))
        if manifold.dim == 1:
            return [_strip(parent, cloud, x[:, 0], "length")]
        ax = parent.add_subplot()
        cloud.scatter(ax, x)
        draw_domain(ax, manifold)
        return [ax]

    return Chart(*_SQUARE, draw)


@chart.register(Hyperbolic)
def _(manifold: Hyperbolic) -> Chart:
    if manifold.dim > 2:
        return _ambient(manifold)

    def draw(parent: Any, cloud: Cloud) -> list[Axes]:
        ax = parent.add_subplot()
        draw_disc(ax)
        z: Any = cloud.z.astype(np.float32)
        cloud.scatter(ax, np.asarray(manifold.poincare_disc(z)))
        return [ax]

    return Chart(*_SQUARE, draw)


@chart.register(Manifold)
def _ambient(manifold: Manifold) -> Chart:
    if surface.is_surface(manifold):
        return _surface_chart(manifold)

    def draw(parent: Any, cloud: Cloud) -> list[Axes]:
        if manifold.ambient_dim == 2:
            return [_plane(parent, cloud, cloud.z, ["$z_1$", "$z_2$"])]
        if manifold.ambient_dim == 3:
            return [_box(parent, cloud)]
        return [_plane(parent, cloud, *_principal_components(cloud.z))]

    return Chart(*_SQUARE, draw)


def _surface_chart(manifold: Manifold) -> Chart:
    ratio = _height_by_width(manifold)
    if _stacked(ratio):
        size = (style.COLUMN, 2 * (style.COLUMN * ratio + _CAPTION))
    else:
        size = (style.PAGE - 1.0, (style.PAGE - 1.0) / 2 * ratio + _CAPTION)
    return Chart(*size, partial(_surface_views, manifold))


def _height_by_width(manifold: Manifold) -> float:
    left, right, bottom, top = surface.frame(manifold, surface.views(manifold)[0])
    return (top - bottom) / (right - left)


def _stacked(height_by_width: float) -> bool:
    """Whether two figures of that shape are one above the other."""
    return height_by_width < 0.75


# --- where the points go ---


def _unit(name: str, x: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(x, axis=-1, keepdims=True)
    off = float(np.abs(norm - 1.0).max())
    if off > _OFF_MANIFOLD:
        raise ValueError(f"{name} must lie on the manifold, but a point is off by {off:.2g} of its radius")
    return x / norm


def _angles(z: np.ndarray) -> np.ndarray:
    pairs = _unit("z", z.reshape(len(z), -1, 2))
    return np.arctan2(pairs[..., 1], pairs[..., 0])


def _spread(n: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(size=n)


def _principal_components(z: np.ndarray) -> tuple[np.ndarray, list[str]]:
    centred = z - z.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=True)
    variance = np.zeros(z.shape[1])
    variance[: len(singular)] = singular**2
    total = max(float(variance.sum()), np.finfo(float).tiny)
    share = [f"{100 * v / total:.0f} % of variance" for v in variance[:2]]
    names = [f"principal component {k + 1} of {z.shape[1]} ({share[k]})" for k in range(2)]
    return centred @ directions[:2].T, names


# --- one panel for each shape of space ---


def _square(parent: Figure | SubFigure, cloud: Cloud, angles: np.ndarray) -> Axes:
    ax = parent.add_subplot()
    cloud.scatter(ax, angles[:, :2])
    ax.set_xlim(-np.pi, np.pi)
    ax.set_ylim(-np.pi, np.pi)
    ax.set_aspect("equal")
    ax.set_xticks(list(PI_TICKS), list(PI_TICKS.values()))
    ax.set_yticks(list(PI_TICKS), list(PI_TICKS.values()))
    of_more = f" of {angles.shape[1]}" if angles.shape[1] > 2 else ""
    ax.set_xlabel(f"angle 1{of_more}")
    ax.set_ylabel(f"angle 2{of_more}")
    arrow: dict[str, Any] = {
        "linestyle": "none", "color": style.INK, "markersize": 4.5, "markeredgewidth": 0,
        "transform": ax.transAxes, "clip_on": False, "zorder": 6,
    }  # fmt: skip
    for edge in (0.0, 1.0):
        ax.plot([edge], [0.625], marker="^", gid="left-right", **arrow)
        ax.plot([0.61, 0.64], [edge, edge], marker=">", gid="bottom-top", **arrow)
    return ax


def _two_views(parent: Figure | SubFigure, cloud: Cloud, unit: np.ndarray) -> list[Axes]:
    panels = []
    for k, (azimuth, elevation, name) in enumerate(
        [(0.0, ELEVATION, "front (longitude 0)"), (np.pi, -ELEVATION, r"back (longitude $\pm\pi$)")]
    ):
        ax = parent.add_subplot(1, 2, k + 1)
        draw_globe(ax, azimuth, elevation)
        xy, height = orthographic(unit, azimuth, elevation)
        cloud.scatter(ax, xy, height >= 0.0 if k == 0 else height > 0.0)
        ax.set_xlabel(name)
        panels.append(ax)
    return panels


def _surface_views(manifold: Manifold, parent: Figure | SubFigure, cloud: Cloud) -> list[Axes]:
    surface.check_on(manifold, "z", cloud.z)
    stacked = _stacked(_height_by_width(manifold))
    panels = []
    for k, view in enumerate(surface.views(manifold)):
        ax = parent.add_subplot(*((2, 1) if stacked else (1, 2)), k + 1)
        style.bare(ax)
        rgba, extent = surface.picture(manifold, view, _SURFACE_PIXELS)
        glass = rgba * np.array([1.0, 1.0, 1.0, _OPACITY])
        seen = surface.seen(manifold, cloud.z, view)
        xy = cloud.z @ view.axes[:2].T
        cloud.scatter(ax, xy, ~seen, zorder=1)
        ax.imshow(glass, extent=extent, interpolation="antialiased", zorder=2)
        cloud.scatter(ax, xy, seen, zorder=3)
        ax.set_xlim(*extent[:2])
        ax.set_ylim(*extent[2:])
        ax.set_aspect("equal")
        ax.set_xlabel(f"{view.name} (pale: far side)")
        _compass(ax, view, rgba, extent)
        panels.append(ax)
    return panels


def _compass(ax: Axes, view: surface.View, rgba: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """Draws the directions of the three coordinates into the lower corner with less of the surface."""
    left, right, bottom, top = extent
    length = _COMPASS * max(right - left, top - bottom)
    tips = length * view.axes[:2].T
    names = 1.5 * tips
    low, high = np.minimum(names.min(0), 0.0) - length / 3, np.maximum(names.max(0), 0.0) + length / 3
    cols, rows = np.round((high - low) / (right - left, top - bottom) * rgba.shape[1::-1]).astype(int)
    corner = rgba[-rows:, :, 3]
    on_the_right = corner[:, -cols:].sum() < corner[:, :cols].sum()
    origin = np.array([right - high[0] if on_the_right else left - low[0], bottom - low[1]])
    style_of_arrow: dict[str, Any] = {
        "arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": style.INK,
        "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0,
    }  # fmt: skip
    for k, (tip, name) in enumerate(zip(tips, names, strict=True)):
        ax.annotate("", tuple(origin + tip), tuple(origin), arrowprops=style_of_arrow, zorder=4)
        x, y = origin + name
        ax.text(x, y, f"$z_{k + 1}$", ha="center", va="center", fontsize=7)


def _circle(parent: Figure | SubFigure, cloud: Cloud, angle: np.ndarray) -> Axes:
    ax = parent.add_subplot()
    style.bare(ax)
    ax.set_aspect("equal")
    around = np.linspace(-np.pi, np.pi, 361)
    ax.plot(np.cos(around), np.sin(around), color=style.MUTED, linewidth=0.7)
    radius = 1.03 + 0.14 * _spread(len(angle))
    cloud.scatter(ax, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1))
    for at, text in ((0.0, "0"), (np.pi / 2, r"$\pi/2$"), (np.pi, r"$\pm\pi$"), (-np.pi / 2, r"$-\pi/2$")):
        x, y = np.cos(at), np.sin(at)
        ax.plot([0.95 * x, x], [0.95 * y, y], color=style.MUTED, linewidth=0.7)
        ax.text(0.83 * x, 0.85 * y, text, ha="center", va="center", fontsize=8)
    ax.set_xlim(-1.22, 1.22)
    ax.set_ylim(-1.22, 1.22)
    ax.set_xlabel("angle (spread outward at random)")
    return ax


def _strip(parent: Figure | SubFigure, cloud: Cloud, x: np.ndarray, name: str) -> Axes:
    ax = parent.add_subplot()
    cloud.scatter(ax, np.stack([x, _spread(len(cloud.z))], axis=-1))
    ax.set_ylim(-0.1, 1.1)
    ax.set_yticks([])
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.set_xlabel(f"{name} (spread upward at random)")
    return ax


def _plane(parent: Figure | SubFigure, cloud: Cloud, xy: np.ndarray, names: list[str]) -> Axes:
    ax = parent.add_subplot()
    cloud.scatter(ax, xy)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    return ax


def _box(parent: Figure | SubFigure, cloud: Cloud) -> Axes:
    ax: Any = parent.add_subplot(projection="3d")
    cloud.scatter(ax, cloud.z)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_box_aspect((1, 1, 1), zoom=0.92)
    for k, axis in enumerate((ax.xaxis, ax.yaxis, ax.zaxis)):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis.line.set_linewidth(0.6)
        axis._axinfo["grid"].update(color=style.FAINT, linewidth=0.4)  # mplot3d has no public way to thin its grid
        axis.set_label_text(f"$z_{k + 1}$")
        axis.labelpad = -6
    ax.tick_params(pad=-3)
    return ax

"""A learned map onto a manifold: where it carries a grid, how evenly, and where it is torn [golikov2018]."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from mvae.evaluation.maps.latent_cube import check_latent, face_quantiles, from_cube
from mvae.evaluation.maps.reparametrization import check_map, log_density_ratio
from mvae.figures.drawing import style
from mvae.figures.spaces import density_ratio, surface
from mvae.figures.spaces.globe import ELEVATION, on_sphere, orthographic
from mvae.manifolds import FlatTorus, Manifold, Sphere

CELLS = 96  # of the coloured mesh, along a side of the square
LINES = 12  # cells of the grid that is drawn, along a side
SECTIONS = 5
_SECTION_CELLS = 64
_CURVE = 721
_SURFACE_PIXELS = 500


class _Mesh(NamedTuple):
    """Quadrilaterals of the image, and the lines drawn on it, as points of the manifold."""

    corners: np.ndarray  # (q, 4, m)
    values: np.ndarray  # (q,)
    lines: list[tuple[np.ndarray, dict[str, Any]]]  # (p, m) each


@style.styled
def reparametrization(
    f: Callable[[Float[Array, " n"]], Float[Array, " m"]],
    manifold: Manifold,
    *,
    latent: str = "uniform",
    title: str | None = None,
) -> Figure:
    """Draws what a map of the cube makes of it.

    Colour is the density of the image of the distribution of Z_hid over the uniform one, white where they agree; it is
    the part of one sheet where several lie on each other. Z_hid = R^n is drawn as the cube of its quantiles from 0.001
    to 0.999.

    - The circle: the curve f(z) itself, whether or not on the circle, with marks at every sixteenth of the segment and
      its two ends, pushed outward by up to a quarter so that overlaps are seen; beside it the density ratio.
    - `Sphere(2)`, `FlatTorus(2)`, surfaces in space, such as `EmbeddedTorus`: the image P f of the square, from two
      opposite sides or in the square of the angles, with the grid lines of twelfths; its four sides, where the map is
      torn, thick, coordinate 0 dashed. What is grey is not reached.
    - Manifolds of dimension 3: five sections of the cube, z₃ constant.

    Args:
        f: Differentiable map of one point, (n,) -> (m,).
        manifold: One of those.
        latent: "uniform" on [0, 1]^n or "normal", N(0, I).
        title: Above the figure.

    Raises:
        NotImplementedError: For another manifold.
        ValueError: For a map between spaces of other dimensions or with values that are not finite.

    Source: [golikov2018, Sec. 2.2].
    """
    check_latent(latent)
    circle = isinstance(manifold, Sphere | FlatTorus) and manifold.dim == 1
    flat = isinstance(manifold, FlatTorus) and manifold.dim == 2
    ball = isinstance(manifold, Sphere) and manifold.dim == 2
    if not (circle or flat or ball or surface.is_surface(manifold) or manifold.dim == 3):
        raise NotImplementedError(
            "manifold must be a circle, Sphere(2), FlatTorus(2), a surface with a mvae.figures.solid or of dimension "
            f"3, got {manifold!r}"
        )
    check_map(f, manifold)
    f = f if isinstance(f, Partial) else Partial(f)
    if circle:
        return _circle(f, manifold, latent, title)
    if manifold.dim == 3:
        return _sections(f, manifold, latent, title)
    mesh = _mesh(f, manifold, latent)
    if flat:
        return _angle_square(mesh, title)
    return _two_sides(mesh, manifold, title)


@functools.partial(jax.jit, static_argnames=("manifold", "latent"))
def _evaluated(
    f: Partial, manifold: Manifold, latent: str, u: Float[Array, "b n"]
) -> tuple[Float[Array, "b m"], Float[Array, " b"]]:
    """Returns f and log2 of the density ratio at quantiles u."""
    z = from_cube(latent, u)
    return jax.vmap(f)(z), log_density_ratio(f, manifold, latent, z) / jnp.log(2.0)


def _values(f: Partial, manifold: Manifold, latent: str, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = face_quantiles(latent)
    flat = jnp.asarray(low + (high - low) * u.reshape(-1, manifold.dim), jnp.float32)
    image, ratio = (np.asarray(value, np.float64) for value in _evaluated(f, manifold, latent, flat))
    if not np.isfinite(image).all() or np.isnan(ratio).any():
        raise ValueError("f must have finite values and derivatives on the cube, its faces included")
    return image.reshape(*u.shape[:-1], -1), ratio.reshape(u.shape[:-1])


def _circle(f: Partial, manifold: Manifold, latent: str, title: str | None) -> Figure:
    u = np.linspace(0.0, 1.0, _CURVE)
    image, ratio = _values(f, manifold, latent, u[:, None])
    radius = getattr(manifold, "radius", 1.0)
    curve = image * (1.0 + 0.25 * u[:, None]) / radius
    figure = style.new_figure(style.PAGE * 0.8, 2.5, title)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.3))
    style.bare(left)
    left.set_aspect("equal")
    around = np.linspace(0, 2 * np.pi, 361)
    left.plot(np.cos(around), np.sin(around), color=style.FAINT, linewidth=0.8)
    segments = np.stack([curve[:-1], curve[1:]], axis=1)
    for width, colours in ((4.2, style.INK), (3.2, None)):
        lines = LineCollection(list(segments), linewidths=width, capstyle="projecting", zorder=2)
        if colours is None:
            lines.set(array=(ratio[:-1] + ratio[1:]) / 2, cmap=density_ratio.COLOURS, norm=density_ratio.scale())
        else:
            lines.set_color(colours)
        left.add_collection(lines)
    marks = np.linspace(0, _CURVE - 1, 17).round().astype(int)[1:-1]
    ticks = np.stack([curve[marks] * 0.96, curve[marks] * 1.04], axis=1)
    left.add_collection(LineCollection(list(ticks), colors=style.INK, linewidths=0.7, zorder=3))
    for end, name in ((0, "0"), (-1, "1")):
        left.plot(*curve[end], "o", markersize=5, color=style.INK, markerfacecolor="w" if end == 0 else style.INK)
        place = curve[end] * (0.82 if end == 0 else 1.12)
        left.text(*place, name, ha="center", va="center")
        left.update_datalim([place])  # so that the limits leave room for it
    left.set_xlabel("$f(z)$, pushed outward along $z$")
    left.margins(0.06)
    right.plot(u, 2.0**ratio, color=style.ACCENT, linewidth=1.4)
    right.axhline(1.0, color=style.MUTED, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    top = float(np.quantile(2.0 ** np.minimum(ratio, 10.0), 0.99))
    right.set_ylim(0.0, max(1.15 * top, 2.0))
    right.set_xlim(0.0, 1.0)
    right.set_xlabel("$z$" if latent == "uniform" else "quantile of $z$")
    right.set_ylabel(density_ratio.LABEL)
    right.spines[["top", "right"]].set_visible(False)
    density_ratio.colourbar(figure, [left], location="left", shrink=0.8, aspect=25)
    return figure


def _mesh(f: Partial, manifold: Manifold, latent: str) -> _Mesh:
    """The image of the square, in cells, and its grid lines, with f projected onto the manifold."""
    nodes = np.linspace(0.0, 1.0, CELLS + 1)
    middles = (nodes[1:] + nodes[:-1]) / 2

    def on(u: np.ndarray) -> np.ndarray:
        image, _ = _values(f, manifold, latent, u)
        return np.asarray(manifold.project(jnp.asarray(image, jnp.float32)), np.float64)

    def square(ticks: np.ndarray) -> np.ndarray:
        return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)

    x = on(square(nodes))
    corners = np.stack([x[:-1, :-1], x[1:, :-1], x[1:, 1:], x[:-1, 1:]], axis=2)
    _, values = _values(f, manifold, latent, square(middles))
    lines = []
    fine = np.linspace(0.0, 1.0, 4 * CELLS + 1)
    for axis, colour in enumerate(density_ratio.EDGES):
        for k in range(LINES + 1):
            u = np.full((len(fine), 2), k / LINES)
            u[:, 1 - axis] = fine
            edge = k in (0, LINES)
            look = (
                {"colors": colour, "linewidths": 1.5, "linestyles": [density_ratio.DASHES[k > 0]], "zorder": 5}
                if edge
                else {"colors": style.INK, "linewidths": 0.35, "alpha": 0.6, "zorder": 4}
            )
            lines.append((on(u), look))
    return _Mesh(corners.reshape(-1, 4, x.shape[-1]), values.reshape(-1), lines)


def _two_sides(mesh: _Mesh, manifold: Manifold, title: str | None) -> Figure:
    ball = isinstance(manifold, Sphere)
    figure = style.new_figure(style.PAGE, 3.6 if ball else 2.9, title)
    axes = list(figure.subplots(1, 2))
    # The mean of the corners lies inside the body, which would hide it.
    centres = np.asarray(manifold.project(jnp.asarray(mesh.corners.mean(axis=1), jnp.float32)), np.float64)
    for ax, view in zip(axes, _ball_views() if ball else surface.views(manifold), strict=True):
        style.bare(ax)
        extent = _draw_ground(ax, manifold, view)
        shown = np.flatnonzero(_seen(manifold, centres, view))
        order = shown[np.argsort(centres[shown] @ view.axes[2])]
        density_ratio.draw_cells(ax, mesh.corners[order] @ view.axes[:2].T, mesh.values[order])
        for points, look in mesh.lines:
            density_ratio.draw_line(ax, points @ view.axes[:2].T, _seen(manifold, points, view), look)
        ax.set_xlim(*extent[:2])
        ax.set_ylim(*extent[2:])
        ax.set_aspect("equal")
        ax.set_xlabel(view.name)
    density_ratio.colourbar(figure, axes, shrink=0.8, aspect=25, pad=0.02)
    density_ratio.edge_legend(figure, 4)
    return figure


def _ball_views() -> tuple[surface.View, surface.View]:
    """The sides that `latent_space` shows of a sphere."""
    views = []
    for name, azimuth, elevation in (("front (longitude 0)", 0.0, ELEVATION), ("back", np.pi, -ELEVATION)):
        plane, height = orthographic(np.eye(3), azimuth, elevation)
        views.append(surface.View(name, np.stack([*plane.T, height])))
    return views[0], views[1]


def _draw_ground(ax: Axes, manifold: Any, view: surface.View) -> tuple[float, float, float, float]:
    """Draws the manifold beneath in grey; returns (left, right, bottom, top)."""
    if isinstance(manifold, Sphere):
        radius = manifold.radius
        rim = radius * on_sphere(np.linspace(0, 2 * np.pi, 361), np.zeros(361))[:, :2]
        ax.fill(*rim.T, facecolor=style.FAINT, edgecolor=style.MUTED, linewidth=0.7, zorder=1)
        return (-1.03 * radius, 1.03 * radius, -1.03 * radius, 1.03 * radius)
    rgba, extent = surface.picture(manifold, view, _SURFACE_PIXELS)
    ax.imshow(rgba, extent=extent, interpolation="antialiased", zorder=1)
    return extent


def _seen(manifold: Manifold, points: np.ndarray, view: surface.View) -> np.ndarray:
    if isinstance(manifold, Sphere):
        return points @ view.axes[2] >= 0.0
    return surface.seen(manifold, points, view)


def _angle_square(mesh: _Mesh, title: str | None) -> Figure:
    """The square of the angles; what lies across its border is drawn on both sides."""

    def angles(x: np.ndarray) -> np.ndarray:
        return np.arctan2(x[..., 1::2], x[..., ::2])

    figure = style.new_figure(style.COLUMN * 1.25, 3.6, title)
    ax = figure.add_subplot()
    ax.set_facecolor(style.FAINT)
    corners = angles(mesh.corners)
    corners = corners[:, :1] + _wrapped(corners - corners[:, :1])
    tiles = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 2)
    for tile in tiles:
        density_ratio.draw_cells(ax, corners + 2 * np.pi * tile, mesh.values)
    for points, look in mesh.lines:
        path = np.unwrap(angles(points), axis=0)
        visited = np.round((path - _wrapped(path)) / (2 * np.pi)).astype(int)
        for tile in np.unique((visited[:, None] + tiles).reshape(-1, 2), axis=0):
            moved = path - 2 * np.pi * tile
            density_ratio.draw_line(ax, moved, np.all(np.abs(moved) < 1.02 * np.pi, axis=-1), look)
    ticks, names = np.linspace(-np.pi, np.pi, 5), [r"$-\pi$", r"$-\pi/2$", "0", r"$\pi/2$", r"$\pi$"]
    ax.set_xlim(-np.pi, np.pi)
    ax.set_ylim(-np.pi, np.pi)
    ax.set_xticks(ticks, names)
    ax.set_yticks(ticks, names)
    ax.set_aspect("equal")
    ax.set_xlabel("angle 1")
    ax.set_ylabel("angle 2")
    density_ratio.colourbar(figure, [ax], shrink=0.8, aspect=25, pad=0.02)
    density_ratio.edge_legend(figure, 2)
    return figure


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _sections(f: Partial, manifold: Manifold, latent: str, title: str | None) -> Figure:
    """The density ratio in planes of the cube on which the third coordinate is constant."""
    middles = (np.arange(_SECTION_CELLS) + 0.5) / _SECTION_CELLS
    levels = (np.arange(SECTIONS) + 0.5) / SECTIONS
    u = np.stack(np.meshgrid(middles, middles, levels, indexing="xy"), axis=-1)
    _, ratio = _values(f, manifold, latent, u)
    figure = style.new_figure(style.PAGE, 1.85, title)
    axes = list(figure.subplots(1, SECTIONS, sharey=True))
    quantile = "" if latent == "uniform" else "quantile of "
    for k, ax in enumerate(axes):
        ax.imshow(
            ratio[:, :, k], origin="lower", extent=(0, 1, 0, 1), cmap=density_ratio.COLOURS, norm=density_ratio.scale()
        )
        ax.set_title(f"{quantile}$z_3={levels[k]:.1f}$")
        ax.set_xticks([0, 1])
        ax.set_yticks([0, 1])
        ax.set_xlabel(f"{quantile}$z_1$", labelpad=-4)
    axes[0].set_ylabel(f"{quantile}$z_2$", labelpad=-2)
    density_ratio.colourbar(figure, axes, shrink=0.9, aspect=18, pad=0.015)
    return figure

"""A regular grid in latent space, and what the decoder makes of it."""

import types
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.mosaic import check_channels, mosaic, shared_range, show
from mvae.figures.spaces.globe import on_sphere
from mvae.figures.spaces.latent_space import PI_TICKS
from mvae.manifolds import Euclidean, FlatTorus, Manifold, Sphere, uniform_map
from mvae.manifolds.dispatch import open_function
from mvae.manifolds.quotient.flat import FlatQuotient

TURN = {text: (angle + np.pi) / (2 * np.pi) for angle, text in PI_TICKS.items()}


class Grid(NamedTuple):
    """A grid that covers a latent space, each point the centre of one of rows × cols cells of equal prior probability.

    Attributes:
        points: (rows, cols) -> points on the manifold, (rows, cols, ambient_dim), row 0 on top.
        names: Of the horizontal and the vertical axis.
        x_ticks: Text -> share of the way to the right.
        y_ticks: Text -> share of the way upward.
    """

    points: Callable[[int, int], np.ndarray]
    names: tuple[str, str] = ("", "")
    x_ticks: Mapping[str, float] = types.MappingProxyType({})
    y_ticks: Mapping[str, float] = types.MappingProxyType({})


@open_function("grid", "samples of the prior are decoded")
def grid(manifold: Manifold) -> Grid | None:
    """Returns the grid that `latent_grid` lays over a latent space; None where there is none.

    A manifold of one's own registers a function that returns its `Grid`, `grid.register(Type)`.
    """
    return grid.of(manifold)(manifold)


def latent_grid(manifold: Manifold, rows: int, cols: int, *, key: Any = None) -> np.ndarray:
    """Returns points to decode, laid out as the figure of them is: row 0 on top, column 0 on the left.

    Each point is the centre of one of rows × cols cells of equal prior probability.

    - `FlatTorus(2)`: angle 1 grows to the right, angle 2 upward, both over [-π, π].
    - `Sphere(2)`: longitude grows to the right over [-π, π]; the sine of the latitude, not the latitude, is
      even from
      -1 to 1 upward, since bands of equal height on a sphere have equal area.
    - `Euclidean(2)`: quantiles of the standard normal, z₁ to the right, z₂ upward.
    - `Cylinder`, `MobiusBand`, `KleinBottle`: the box of their coordinates; `Interval`: from one end to the other, in
      the order in which text is read.
    - `Sphere(1)`, `FlatTorus(1)`: the angle grows once round from -π, in the order in which text is read.
    - Any other manifold without a `grid` of its own: rows × cols samples of the prior drawn with `key`.

    Args:
        manifold: The latent space.
        rows: Number of rows, positive.
        cols: Number of columns, positive.
        key: A JAX key, for the manifolds that have no grid.

    Returns:
        Points on the manifold, (rows, cols, ambient_dim).

    Raises:
        ValueError: For a count that is not positive, or where a key is needed and not given.

    >>> latent_grid(FlatTorus(2), 3, 5).shape
    (3, 5, 4)
    """
    for name, count in (("rows", rows), ("cols", cols)):
        if count < 1:
            raise ValueError(f"{name} must be positive, got {count}")
    if (laid := grid(manifold)) is not None:
        return laid.points(rows, cols)
    if key is None:
        raise ValueError(f"key must be given: {manifold} has no grid, its points are samples of the prior")
    return np.asarray(manifold.uniform(key, (rows, cols)))


@style.styled
def decoded_grid(
    images: Any,
    *,
    manifold: Manifold | None = None,
    title: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
) -> Figure:
    """Draws decoded images side by side, hairlines between them, each where its point lies in latent space.

    Args:
        images: (rows, cols, H, W, C) with C = 1 (grey) or 3 (red, green, blue), as decoded from
            `latent_grid`. All share one range: [0, 1] if that holds them, else from their least to their
            greatest value.
        manifold: The latent space that was gridded; `FlatTorus(2)`, `Sphere(2)` and `Euclidean(2)` give the
            axes names and ticks in their coordinates, a circle a line that says how it was read, others (and None)
            leave them bare.
        title: Above the figure.
        xlabel: Name of the horizontal axis, instead of the one `manifold` gives.
        ylabel: Name of the vertical axis, likewise.

    Raises:
        ValueError: If `images` has another shape or NaNs.
    """
    images = finite("images", images, ("rows", "cols", "H", "W", "C"))
    check_channels("images", images)
    picture = mosaic(images)
    height, width = picture.shape[:2]
    inches = float(np.clip(2.9 * width / height, 1.2, style.PAGE))
    figure = style.new_figure(inches + 0.5, inches * height / width + (0.6 if title else 0.4), title)
    ax = figure.add_subplot()
    show(ax, picture, *shared_range(images))
    hairline: dict[str, Any] = {"colors": "white", "linewidth": 0.4}
    ax.vlines(np.arange(1, images.shape[1]) * images.shape[3] - 0.5, -0.5, height - 0.5, **hairline)
    ax.hlines(np.arange(1, images.shape[0]) * images.shape[2] - 0.5, -0.5, width - 0.5, **hairline)
    laid = None if manifold is None else grid(manifold)
    names, x_ticks, y_ticks = (("", ""), {}, {}) if laid is None else laid[1:]
    ax.set_xticks([share * width - 0.5 for share in x_ticks.values()], list(x_ticks))
    ax.set_yticks([(1.0 - share) * height - 0.5 for share in y_ticks.values()], list(y_ticks))
    ax.set_xlabel(xlabel if xlabel is not None else names[0])
    ax.set_ylabel(ylabel if ylabel is not None else names[1])
    return figure


@grid.register(Manifold)
def _(manifold: Manifold) -> None:
    del manifold


@grid.register(FlatTorus)
def _(manifold: FlatTorus) -> Grid | None:
    if manifold.dim == 1:
        return _circle(1.0)
    return Grid(_on_torus, ("angle 1", "angle 2"), TURN, TURN) if manifold.dim == 2 else None


@grid.register(Sphere)
def _(manifold: Sphere) -> Grid | None:
    if manifold.dim == 1:
        return _circle(manifold.radius)

    def points(rows: int, cols: int) -> np.ndarray:
        across, up = _cells(rows, cols)
        return manifold.radius * on_sphere((2.0 * across - 1.0) * np.pi, np.arcsin(2.0 * up - 1.0))

    lats = {r"$-\pi/2$": -90, r"$-\pi/6$": -30, "0": 0, r"$\pi/6$": 30, r"$\pi/2$": 90}
    heights = {text: (1.0 + np.sin(np.radians(degrees))) / 2 for text, degrees in lats.items()}
    return Grid(points, ("longitude", "latitude (equal-area)"), TURN, heights) if manifold.dim == 2 else None


@grid.register(FlatQuotient)
def _(manifold: FlatQuotient) -> Grid | None:
    def points(rows: int, cols: int) -> np.ndarray:
        across, up = _cells(rows, cols)
        shares: Any = np.stack([across, up][: manifold.dim], axis=-1).astype(np.float32)
        return np.asarray(uniform_map(manifold)(shares))

    if manifold.dim == 1:
        return Grid(lambda rows, cols: points(1, rows * cols).reshape(rows, cols, -1), ("length, as text is read", ""))
    (left, right), (bottom, top) = manifold.sides
    x_ticks, y_ticks = ({f"{low:.3g}": 0.0, f"{high:.3g}": 1.0} for low, high in ((left, right), (bottom, top)))
    return Grid(points, ("along", "across"), x_ticks, y_ticks)


@grid.register(Euclidean)
def _(manifold: Euclidean) -> Grid | None:
    def points(rows: int, cols: int) -> np.ndarray:
        return np.vectorize(NormalDist().inv_cdf)(np.stack(_cells(rows, cols), axis=-1))

    normal = {str(z).replace("-", "−"): NormalDist().cdf(z) for z in (-2, -1, 0, 1, 2)}
    names = ("$z_1$ (normal quantiles)", "$z_2$ (normal quantiles)")
    return Grid(points, names, normal, normal) if manifold.dim == 2 else None


def _cells(rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the way to the right and upward of the centres of cells, (rows, cols) each."""
    across, up = np.meshgrid((np.arange(cols) + 0.5) / cols, 1.0 - (np.arange(rows) + 0.5) / rows)
    return across, up


def _on_torus(rows: int, cols: int) -> np.ndarray:
    a, b = ((2.0 * share - 1.0) * np.pi for share in _cells(rows, cols))
    return np.stack([np.cos(a), np.sin(a), np.cos(b), np.sin(b)], axis=-1)


def _circle(radius: float) -> Grid:
    def points(rows: int, cols: int) -> np.ndarray:
        a = (2.0 * (np.arange(rows * cols) + 0.5) / (rows * cols) - 1.0).reshape(rows, cols) * np.pi
        return radius * np.stack([np.cos(a), np.sin(a)], axis=-1)

    return Grid(points, (r"angle, once round from $-\pi$, line by line", ""))

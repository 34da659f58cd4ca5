"""Images that random walks make from a seed: after each number of steps, and many after the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.mosaic import check_channels, mosaic, shared_range, show
from mvae.figures.images.extrapolated_rows import green_frame, hairlines
from mvae.figures.paths.walk_steps import checked_steps

# Inches: longest side of a tile, margin, space between grids and after the seeds of walks, captions, title.
_TILE, _EDGE, _GAP, _AFTER, _TOP, _TITLE = 0.5, 0.06, 0.1, 0.24, 0.2, 0.22
_CAPTION = 0.24  # inches that a column's caption takes
_GRID = 1.6  # inches, longest side of a grid at most


@style.styled
def seeded_walks(
    seeds: Any,
    paths: Any,
    *,
    steps: Sequence[int] | Any = None,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draws images along random walks, a walk a row: the seed in a green frame, then what came of it.

    Args:
        seeds: The images that the walks start from, (n, H, W, C) with C = 1 (grey) or 3 (red, green, blue). All
            images share one range: [0, 1] if that holds them, else from their least to their greatest value.
        paths: Images after each number of steps, (t, n, H, W, C).
        steps: How many steps were taken, (t,), increasing integers from 0; None for 1, 2, …, t. Written above the
            columns, above fewer of them where they are narrow.
        labels: Names of the rows, to their left; None for none.
        title: Above the figure.

    Raises:
        ValueError: For arrays of other shapes or with NaNs, steps that do not increase, or labels of another number.

    Source: [li2020, Fig. 5]; by the number of steps as in Fig. 2.
    """
    paths = finite("paths", paths, ("t", "n", "H", "W", "C"))
    check_channels("paths", paths)
    seeds = finite("seeds", seeds, paths.shape[1:])
    times, rows, height, width, _ = paths.shape
    counts = checked_steps(np.arange(1, times + 1) if steps is None else steps, times)
    if labels is not None and len(labels) != rows:
        raise ValueError(f"labels must be {rows}, one for each row, got {len(labels)}")
    left = _EDGE if labels is None else _EDGE + 0.08 + 0.065 * max(len(str(label)) for label in labels)
    across = min(_TILE * min(width / height, 1.0), (style.PAGE - left - _AFTER - _EDGE) / (times + 1))
    down = across * height / width
    top = _EDGE + _TOP + (_TITLE if title else 0.0)
    size = (left + (times + 1) * across + _AFTER + _EDGE, top + rows * down + _EDGE)
    figure = style.new_figure(*size, title)
    figure.set_layout_engine("none")  # every tile has its place
    limits = shared_range(seeds, paths)
    parts = ((seeds[:, None], left, ["seed"]), (paths.swapaxes(0, 1), left + across + _AFTER, [str(k) for k in counts]))
    for tiles, x, names in parts:
        place = (x / size[0], _EDGE / size[1], tiles.shape[1] * across / size[0], rows * down / size[1])
        ax = figure.add_axes(place)
        _tiles(ax, tiles, limits)
        _columns(ax, names, width, across)
    first, walk = figure.axes
    for row in range(rows):
        green_frame(first, -0.5, row * height - 0.5, width, height)
    if labels is not None:
        first.set_yticks((np.arange(rows) + 0.5) * height - 0.5, [str(label) for label in labels])
        first.tick_params(axis="y", length=0)
    middle = (-36 * _AFTER, 4.3)  # points, of the space between the seeds and the rest
    walk.annotate("$t=$", (0, 1), middle, "axes fraction", textcoords="offset points", ha="center", fontsize=7.5)
    return figure


@style.styled
def seeded_grids(
    seeds: Any, samples: Any, names: Sequence[str] | None = None, *, columns: int = 4, title: str | None = None
) -> Figure:
    """Draws for each seed a square grid of samples that came of it, the seed on the top left in a green frame.

    Args:
        seeds: (k, H, W, C) with C = 1 (grey) or 3 (red, green, blue). All images share one range: [0, 1] if that
            holds them, else from their least to their greatest value.
        samples: Images that came of each seed, (k, r² - 1, H, W, C), r at least 2, row by row.
        names: Captions of the grids, below them; None for none.
        columns: How many grids stand side by side at most.
        title: Above the figure.

    Raises:
        ValueError: For arrays of other shapes or with NaNs, another number of samples, or names of another number.

    Source: [li2020, Fig. 5].
    """
    grids = _grids(seeds, samples)
    count, _, _, height, width, _ = grids.shape
    if names is not None and len(names) != count:
        raise ValueError(f"names must be {count}, one for each seed, got {len(names)}")
    if columns < 1:
        raise ValueError(f"columns must be positive, got {columns}")
    rows = -(-count // columns)
    columns = -(-count // rows)
    across = min(_GRID, (style.PAGE - 2 * _EDGE - (columns - 1) * _GAP) / columns)
    down, below = across * height / width, _GAP if names is None else _TOP + _EDGE
    top = _EDGE + (_TITLE if title else 0.0)
    size = (
        2 * _EDGE + columns * (across + _GAP) - _GAP,
        top + rows * (down + below) + _EDGE - (0.0 if names else _GAP),
    )
    figure = style.new_figure(*size, title)
    figure.set_layout_engine("none")  # every tile has its place
    limits = shared_range(grids)
    for k in range(count):
        i, j = divmod(k, columns)
        x, y = _EDGE + j * (across + _GAP), size[1] - top - down - i * (down + below)
        ax = figure.add_axes((x / size[0], y / size[1], across / size[0], down / size[1]))
        _tiles(ax, grids[k], limits)
        green_frame(ax, -0.5, -0.5, width, height)
        if names is not None:
            ax.set_xlabel(str(names[k]), fontsize=8)
    return figure


def _tiles(ax: Axes, tiles: np.ndarray, limits: tuple[float, float]) -> None:
    rows, cols, height, width, _ = tiles.shape
    show(ax, mosaic(tiles), *limits)
    style.bare(ax)
    hairlines(ax, rows, cols, height, width)


def _columns(ax: Axes, names: Sequence[str], width: int, inches: float) -> None:
    """Names above the columns, the last one among them, as many as there is room for."""
    every = int(np.ceil(_CAPTION / inches))
    kept = [k for k in range(len(names)) if (len(names) - 1 - k) % every == 0]
    ax.xaxis.tick_top()
    ax.set_xticks([(k + 0.5) * width - 0.5 for k in kept], [names[k] for k in kept], fontsize=7.5)
    ax.tick_params(length=0, pad=2.5)


def _grids(seeds: Any, samples: Any) -> np.ndarray:
    """Returns the images of all grids, (k, r, r, H, W, C), the seeds first."""
    samples = finite("samples", samples, ("k", "r² - 1", "H", "W", "C"))
    check_channels("samples", samples)
    count, number, *picture = samples.shape
    side = round((number + 1) ** 0.5)
    if side**2 != number + 1:
        raise ValueError(f"samples must be r² - 1 for each seed, such as 8, 15 or 24, got {number}")
    seeds = finite("seeds", seeds, (count, *picture))
    return np.concatenate([seeds[:, None], samples], axis=1).reshape(count, side, side, *picture)

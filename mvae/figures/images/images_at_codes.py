"""Images in the plane, each at its code."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae.figures.drawing import style
from mvae.figures.drawing.captions import FONT, captions, captions_height
from mvae.figures.drawing.check import finite
from mvae.figures.drawing.mosaic import check_channels, shared_range, show
from mvae.figures.spaces.planar import GREY, Square, scatter, show_square, square_around

_PANEL = 3.3  # inches, at most
_CODES = np.full(3, GREY)


@style.styled
def images_at_codes(
    codes: Any,
    images: Any,
    names: Sequence[str] | None = None,
    *,
    max_images: int = 100,
    size: float = 0.13,
    overlap: float = 0.35,
    columns: int = 4,
    title: str | None = None,
) -> Figure:
    """Draws images as thumbnails centred at their codes, over all codes as grey dots, a panel for each method.

    The images shown are spread as widely as their codes allow: each is the one farthest from those before it, until
    there are `max_images` or the next would hide too much. Each panel has its own scale, equal in both directions.

    Args:
        codes: Where the images belong, (n, 2), or of each method, (methods, n, 2). Codes of more dimensions are to
            be projected first.
        images: (n, H, W, C) with C = 1 (grey) or 3 (red, green, blue), or (methods, n, H, W, C). All share one
            range: [0, 1] if that holds them, else from their least to their greatest value.
        names: Names of the methods, the panels' captions; None for no captions.
        max_images: How many are shown in a panel at most.
        size: Longest side of a thumbnail, as a share of the panel's, in (0, 1].
        overlap: The share of their sides by which thumbnails may overlap in both directions at once, in [0, 1).
        columns: How many panels stand side by side at most.
        title: Above the figure.

    Raises:
        ValueError: For arrays of other shapes or with NaNs, names of another number, or options out of range.

    Source: [li2020, Fig. 3].
    """
    codes, images = _arrays(codes, images)
    if names is not None and len(names) != len(codes):
        raise ValueError(f"names must be {len(codes)}, one for each method, got {len(names)}")
    for name, value in (("max_images", max_images), ("columns", columns)):
        if value < 1:
            raise ValueError(f"{name} must be positive, got {value}")
    if not 0.0 < size <= 1.0:
        raise ValueError(f"size must lie in (0, 1], got {size}")
    if not 0.0 <= overlap < 1.0:
        raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
    rows = -(-len(codes) // columns)
    columns = -(-len(codes) // rows)
    inches = min(style.PAGE / columns, _PANEL)
    texts = captions(
        [""] * len(codes) if names is None else [str(name) for name in names], inches, lettered=bool(names)
    )
    below = 0.0 if names is None else captions_height(texts)
    figure = style.new_figure(columns * inches, rows * (inches + below) + (0.2 if title else 0.0), title)
    limits = shared_range(images)
    for k in range(len(codes)):
        ax = figure.add_subplot(rows, columns, k + 1)
        sides, view = _layout(codes[k], images.shape[2:4], size)
        scatter(ax, codes[k], np.tile(_CODES, (len(codes[k]), 1)), inches, zorder=1)
        for j in spread(codes[k] / sides, max_images, 1.0 - overlap):
            _thumbnail(ax, images[k, j], codes[k, j], sides, limits)
        show_square(ax, view)
        ax.set_xlabel(texts[k], fontsize=FONT, linespacing=0.95)
    return figure


def spread(codes: np.ndarray, most: int, apart: float) -> list[int]:
    """Returns places in a list of points, chosen one after another, each farthest from those chosen before.

    The distance is the greater of the two coordinates', as of squares that meet. The first point is the one farthest
    from the middle, the earliest among equals.

    Args:
        codes: (n, 2).
        most: How many are chosen at most.
        apart: The distance that all keep from each other, positive.

    >>> spread(np.array([[0.0, 0.0], [0.1, 0.0], [1.0, 0.0], [3.0, 0.0]]), 3, 0.5)
    [0, 3, 2]
    """
    middle = (codes.min(axis=0) + codes.max(axis=0)) / 2
    chosen = [int(np.argmax(np.max(np.abs(codes - middle), axis=1)))]
    distance = np.max(np.abs(codes - codes[chosen[0]]), axis=1)
    while len(chosen) < most:
        farthest = int(np.argmax(distance))
        if distance[farthest] < apart:
            break
        chosen.append(farthest)
        distance = np.minimum(distance, np.max(np.abs(codes - codes[farthest]), axis=1))
    return chosen


def _layout(codes: np.ndarray, shape: tuple[int, ...], size: float) -> tuple[np.ndarray, Square]:
    """Width and height of a thumbnail in units of the codes, (2,), and a view that holds those at the border."""
    square = square_around(codes)
    height, width = shape
    share = size * np.array([width, height]) / max(width, height)
    # The view grows by a thumbnail's longer side, so that its side s holds s = side + size·s.
    side = float(square.high[0] - square.low[0]) / (1.0 - min(size, 0.5))
    middle = (square.low + square.high) / 2
    return share * side, Square(middle - side / 2, middle + side / 2)


def _thumbnail(ax: Axes, image: np.ndarray, at: np.ndarray, sides: np.ndarray, limits: tuple[float, float]) -> None:
    artist = show(ax, image, *limits)
    (left, bottom), (right, top) = at - sides / 2, at + sides / 2
    artist.set_extent((left, right, bottom, top))
    artist.set_zorder(3)
    # A hairline around each parts dark ones that overlap.
    ax.plot(
        [left, right, right, left, left], [bottom, bottom, top, top, bottom], color="white", linewidth=0.4, zorder=3
    )


def _arrays(codes: Any, images: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes (methods, n, 2) and images (methods, n, H, W, C)."""
    codes, images = np.asarray(codes), np.asarray(images)
    several = codes.ndim == 3
    codes = finite("codes", codes, ("methods", "n", 2) if several else ("n", 2))
    wanted = (*codes.shape[:-1], "H", "W", "C")
    images = finite("images", images, wanted)
    check_channels("images", images)
    return (codes, images) if several else (codes[None], images[None])

"""Many images as one."""

import functools
import logging
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

LOGGER = logging.getLogger(__name__)


def mosaic(images: Any) -> np.ndarray:
    """Lays images side by side without gaps.

    Args:
        images: (rows, cols, H, W, C); image (i, j) goes to row i from the top, column j from the left.

    Returns:
        (rows·H, cols·W, C).

    >>> mosaic(np.arange(4).reshape(2, 2, 1, 1, 1))[..., 0]
    array([[0, 1],
           [2, 3]])
    """
    images = np.asarray(images)
    rows, cols, height, width, channels = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, cols * width, channels)


def check_channels(name: str, images: np.ndarray) -> None:
    """Raises ValueError unless the last axis has one channel (grey) or three (red, green, blue)."""
    if images.shape[-1] not in (1, 3):
        raise ValueError(f"{name} must have 1 or 3 channels on the last axis, got shape {images.shape}")


def show(ax: Axes, picture: np.ndarray, low: float, high: float) -> AxesImage:
    """Shows an image (H, W, 1 or 3) in pixel coordinates, `low` black and `high` white, per channel.

    The artist keeps the pixels: `get_array()` is the image, scaled to [0, 1] when it is in colour.
    """
    if picture.shape[-1] == 1:
        return ax.imshow(picture[..., 0], cmap="gray", vmin=low, vmax=high)
    return ax.imshow(np.clip((picture - low) / (high - low), 0.0, 1.0))


def shared_range(*arrays: np.ndarray) -> tuple[float, float]:
    """Returns what black and white stand for: 0 and 1 where those hold all values, else the extremes."""
    low = min(float(array.min()) for array in arrays)
    high = max(float(array.max()) for array in arrays)
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


MOST_PIXELS = 256  # along a side of an image among many


def shown_images(*images: Any) -> tuple[np.ndarray, ...]:
    """Returns images as they can be drawn: with 1 or 3 channels, and not larger than what is seen among many.

    Two channels are laid side by side, of four and more the first three are red, green and blue; both are said in the
    log, once. Of sides longer than 256 every second, third, … pixel is left.

    Args:
        images: Arrays (..., H, W, C), all treated alike.

    >>> shown_images(np.zeros((7, 4, 5, 2)))[0].shape
    (7, 4, 10, 1)
    """
    return tuple(_shown(np.asarray(array)) for array in images)


def _shown(images: np.ndarray) -> np.ndarray:
    height, width, channels = images.shape[-3:]
    down, across = -(-height // MOST_PIXELS), -(-width // MOST_PIXELS)
    images = images[..., ::down, ::across, :]
    if channels in (1, 3):
        return images
    _say_channels(channels)
    if channels == 2:
        return np.concatenate([images[..., :1], images[..., 1:]], axis=-2)
    return images[..., :3]


@functools.cache
def _say_channels(channels: int) -> None:
    shown = "both, side by side" if channels == 2 else "the first three as red, green and blue"
    LOGGER.info("images of %d channels: figures show %s", channels, shown)

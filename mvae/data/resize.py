"""Smaller images by averaging over areas."""

import numpy as np

_AT_A_TIME = 512  # images that are floating-point numbers at once; bounds the memory


def area_average(images: np.ndarray, size: int) -> np.ndarray:
    """Returns square images with `size` pixels along a side, each the mean over the area that it covers.

    A pixel that lies across the border of two new ones counts in both, by the share of its area.

    Args:
        images: Bytes, uint8 `(N, H, H, C)`.
        size: Pixels along a side of the result, from 1 to H.

    Returns:
        Bytes `(N, size, size, C)`, the means rounded to the nearest byte.

    Raises:
        ValueError: If the images are no square images of bytes, or `size` is out of range.

    >>> area_average(np.array([[0, 10], [20, 30]], np.uint8).reshape(1, 2, 2, 1), 1).item()
    15
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != images.shape[2]:
        raise ValueError(f"images must be uint8 (N, H, H, C), got {images.dtype} {images.shape}")
    num, side, _, channels = images.shape
    if not 1 <= size <= side:
        raise ValueError(f"size must lie in [1, {side}], got {size}")
    if size == side:
        return images
    weights = _weights(side, size)
    result = np.empty((num, size, size, channels), np.uint8)
    for start in range(0, num, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        # One product of large matrices per axis: thousands of small ones keep the threads of BLAS busy waiting.
        across = np.tensordot(images[part].astype(np.float32), weights, axes=(2, 1))  # (n, H, C, size)
        means = np.tensordot(across, weights, axes=(1, 1))  # (n, C, size, size), columns before rows
        result[part] = np.rint(means).transpose(0, 3, 2, 1)
    return result


def _weights(side: int, size: int) -> np.ndarray:
    """Share of old pixel j in new pixel i along one axis, `(size, side)`; the rows sum to 1."""
    edges = np.arange(size + 1) * (side / size)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.maximum(overlap, 0.0) * (size / side)).astype(np.float32)

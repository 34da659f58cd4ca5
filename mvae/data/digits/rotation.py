"""Images rotated around their centre, on the device."""

import math
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_QUARTER = math.pi / 2


@jax.jit
def rotate(images: Float[Array, "*b h w c"], angles: Float[Array, "*#b"]) -> Float[Array, "*b h w c"]:
    """Rotates images counter-clockwise as they are displayed, rows downwards and columns to the right.

    The pixel at (row, column) becomes the bilinear interpolation of the image at
    centre + (cos α · y + sin α · x, cos α · x - sin α · y), where (y, x) = (row, column) - centre and
    centre = ((H - 1)/2, (W - 1)/2). The image is continued by zeros. Whole quarter turns, of which 0 is one, are
    exact if the angle is the rounding of k π/2 with |k| ≤ 2: on a square, `rotate(image, π/2)` is `jnp.rot90(image)`.

    Differentiable in the images; in the angles except where a new pixel falls on a row or column of old ones, and
    there the derivative is finite, but has no meaning.

    Args:
        images: Images `(..., H, W, C)`.
        angles: α in radians, `(...)`; its leading axes and those of the images broadcast.

    Returns:
        The rotated images, in the dtype of `images`.

    Raises:
        ValueError: If the images have fewer than three axes, one of the two is not of floating-point numbers, or their
            leading axes do not broadcast.
    """
    if images.ndim < 3 or not all(jnp.issubdtype(array.dtype, jnp.floating) for array in (images, angles)):
        raise ValueError(
            "images must be floats of shape (..., H, W, C) and angles floats, got "
            f"{images.dtype} {images.shape} and {angles.dtype} {angles.shape}"
        )
    picture_shape = images.shape[-3:]
    leading = jnp.broadcast_shapes(images.shape[:-3], angles.shape)
    images = jnp.broadcast_to(images, leading + picture_shape).reshape(-1, *picture_shape)
    angles = jnp.broadcast_to(angles.astype(images.dtype), leading).reshape(-1)
    return _rotate(images, angles).reshape(leading + picture_shape)


def _rotate(images: Float[Array, "n h w c"], angles: Float[Array, " n"]) -> Float[Array, "n h w c"]:
    n, height, width, channels = images.shape
    cos, sin = (part[:, None, None] for part in _cos_sin(angles))
    y = (jnp.arange(height, dtype=images.dtype) - (height - 1) / 2)[:, None]
    x = (jnp.arange(width, dtype=images.dtype) - (width - 1) / 2)[None, :]
    rows, row_weights = _neighbours(cos * y + sin * x, height)
    columns, column_weights = _neighbours(cos * x - sin * y, width)
    bordered = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(n, -1, channels)

    def pixel(row: Int[Array, "n h w"], column: Int[Array, "n h w"]) -> Float[Array, "n h w c"]:
        place = (row * (width + 2) + column).reshape(n, -1, 1)
        return jnp.take_along_axis(bordered, place, axis=1, mode="promise_in_bounds").reshape(images.shape)

    def weighted(values: Iterable[Array], weights: tuple[Array, Array]) -> Float[Array, "n h w c"]:
        first, second = values
        return weights[0][..., None] * first + weights[1][..., None] * second

    lines = [weighted((pixel(row, column) for column in columns), column_weights) for row in rows]
    return weighted(lines, row_weights)


def _neighbours(offset: Float[Array, "n h w"], size: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Returns the even and the odd pixel next to positions, of `size` + 2 pixels with the border, and their weights.

    The usual pair, floor and floor + 1 with the fraction as weight, fails in compiled code: indices and weights are
    computed in different loops, a position of 12 may be a rounding error less than 12 in one of them, and the weights
    are then those of the wrong pixels. The nearest even and the nearest odd pixel change where they weigh nothing,
    and the weights are continuous.
    """
    position = jnp.clip(offset + (size + 1) / 2, 0, size + 1)  # beyond the border all is zero, as on it
    half = jnp.floor(position / 2)
    even = 2 * jnp.round(position / 2).astype(jnp.int32)
    odd = 2 * half.astype(jnp.int32) + 1
    weight = jnp.abs(1 - (position - 2 * half))
    return (jnp.minimum(even, size + 1), jnp.minimum(odd, size + 1)), (weight, 1 - weight)


def _cos_sin(angles: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Returns cosine and sine that are exactly 0, 1 or -1 at quarter turns, where cos(π/2) itself is not 0."""
    turns = jnp.round(jax.lax.stop_gradient(angles) / _QUARTER)
    rest = angles - turns * jnp.asarray(_QUARTER, angles.dtype)
    cos, sin = jnp.cos(rest), jnp.sin(rest)
    quarter = turns.astype(jnp.int32) % 4
    is_odd = quarter % 2 == 1
    cos, sin = jnp.where(is_odd, -sin, cos), jnp.where(is_odd, cos, sin)
    return jnp.where(quarter >= 2, -cos, cos), jnp.where(quarter >= 2, -sin, sin)

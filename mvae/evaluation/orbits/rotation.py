"""Angles by which images are turned, and how far a path of images turns."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from mvae.data.digits.rotation import rotate
from mvae.errors import check_count
from mvae.evaluation.progress import with_progress

NUM_ANGLES = 360
_IMAGES_AT_ONCE = 8  # each with all its rotations; bounds the memory
_IMAGES_TOGETHER = 512  # of one program, which a signal has to wait for
_CONSTANT = 1e-5  # standard deviation by largest value


class RotationEstimate(NamedTuple):
    """Angles by which references are turned to match images.

    Attributes:
        angle: In radians, counter-clockwise as the image is displayed (row 0 on top), (n,), in [-π, π).
        correlation: Of the image with the turned reference, the largest of the grid's angles, (n,), in [-1, 1].
    """

    angle: Float[np.ndarray, " n"]
    correlation: Float[np.ndarray, " n"]


def rotation_angles(
    images: ArrayLike, references: ArrayLike, *, num_angles: int = NUM_ANGLES, mask: ArrayLike | None = None
) -> RotationEstimate:
    """Returns the angle by which each reference must be turned to match its image best.

        angle = argmax_θ ρ(image, R_θ reference),

    ρ the correlation of the values of the pixels within a mask and R_θ the rotation about the centre of the
    image, bilinear, with 0 from beyond the border. θ runs over a grid of `num_angles` angles; a parabola through the
    largest value and its two neighbours then gives the angle between them. A correlation does not change with
    brightness and contrast, which a decoder may lose.

    Limits: A reference that looks the same after part of a turn has that many best angles, of which one is returned.
    An image or a reference that is constant within the mask has correlation 0 and no angle that means anything.

    Args:
        images: (n, H, W, 1).
        references: (n, H, W, 1), or (1, H, W, 1) for all images.
        num_angles: Angles of the grid, at least 4.
        mask: The pixels that count, (H, W), true or false; None for the disc that touches the nearest
            border, which is the one that no rotation takes values out of.

    Raises:
        ValueError: For another shape, values that are not finite, too few angles, or a mask without two elements.

    >>> half = np.zeros((1, 9, 9, 1)); half[:, 4, 4:] = 1.0
    >>> up = np.zeros((1, 9, 9, 1)); up[:, :5, 4] = 1.0
    >>> np.degrees(rotation_angles(up, half).angle).round().tolist()
    [90.0]
    """
    image, reference = _checked("images", images), _checked("references", references)
    if reference.shape[1:] != image.shape[1:] or len(reference) not in (1, len(image)):
        raise ValueError(f"references must have the shape of images, {image.shape}, or be one, got {reference.shape}")
    num_angles = check_count("num_angles", num_angles, 4)
    inside = _mask(mask, *image.shape[1:3])
    reference = np.broadcast_to(reference, image.shape)
    starts = range(0, len(image), _IMAGES_TOGETHER)
    found = [
        _best_angles(
            image[k : k + _IMAGES_TOGETHER, ..., 0],
            reference[k : k + _IMAGES_TOGETHER, ..., 0],
            inside,
            num_angles,
        )
        for k in with_progress(starts, "rotation angles", f"{_IMAGES_TOGETHER} images")
    ]
    angle, correlation = (np.concatenate(parts).astype(np.float64) for parts in zip(*found, strict=True))
    return RotationEstimate(angle, correlation)


def unwrap_rotation(angles: ArrayLike) -> Float[np.ndarray, " t"]:
    """Returns angles along a path without jumps: each differs from the one before by less than half a turn.

    Args:
        angles: In radians, (T,), in the order of the path, of which no two neighbours are half a turn or more apart.

    Returns:
        The same angles up to whole turns, the first one unchanged, (T,).

    Raises:
        ValueError: For another shape or values that are not finite.

    >>> unwrap_rotation([3.0, -3.0]).round(3).tolist()
    [3.0, 3.283]
    """
    path = np.asarray(angles, np.float64)
    if path.ndim != 1 or path.size == 0 or not np.isfinite(path).all():
        raise ValueError(f"angles must be finite, of shape (T,), not empty, got shape {path.shape}")
    return np.unwrap(path)


def rotation_range(angles: ArrayLike, kept: ArrayLike, centre: int) -> float:
    """Returns how far a path of images turns, in degrees, before they stop being what they were.

    That is the largest less the smallest unwrapped angle over the longest stretch of the path around `centre` on
    which `kept` is true throughout; more than 360 where the path goes round more than once.

    Args:
        angles: Of the images along the path, in radians, (T,).
        kept: Whether each image still shows its class, (T,), true or false.
        centre: Index of the image that the path starts from, in [0, T).

    Returns:
        The range; 0 where the image at `centre` itself is not kept.

    Raises:
        ValueError: For other shapes, angles that are not finite, or a centre out of range.

    >>> round(rotation_range(np.radians([0, 50, 100, 150, 200]), [False, True, True, True, False], 2))
    100
    """
    path = unwrap_rotation(angles)
    good = np.asarray(kept)
    if good.shape != path.shape or good.dtype != bool:
        raise ValueError(f"kept must be true or false, of shape {path.shape}, got {good.dtype} of shape {good.shape}")
    if not 0 <= centre < len(path):
        raise ValueError(f"centre must be in [0, {len(path)}), got {centre}")
    if not good[centre]:
        return 0.0
    lost = np.flatnonzero(~good)
    first = int(lost[lost < centre].max(initial=-1)) + 1
    last = int(lost[lost > centre].min(initial=len(path)))
    return float(np.degrees(np.ptp(path[first:last])))


def _checked(name: str, x: ArrayLike) -> Float[np.ndarray, "n h w 1"]:
    images = np.asarray(x, np.float32)
    if images.ndim != 4 or images.shape[-1] != 1 or images.size == 0:
        raise ValueError(f"{name} must have shape (n, H, W, 1), not empty, got {images.shape}")
    if not np.isfinite(images).all():
        raise ValueError(f"{name} must be finite")
    return images


def _mask(mask: ArrayLike | None, height: int, width: int) -> np.ndarray:
    if mask is None:
        y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
        inside = np.hypot(y[:, None], x) <= (min(height, width) - 1) / 2
    else:
        inside = np.asarray(mask)
    if inside.shape != (height, width) or inside.dtype != bool or inside.sum() < 2:
        raise ValueError(f"mask must be true or false, of shape {(height, width)}, and true twice or more")
    return inside


@functools.partial(jax.jit, static_argnums=3)
def _best_angles(
    images: Float[Array, "n h w"], references: Float[Array, "n h w"], inside: Array, num_angles: int
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    grid = 2 * jnp.pi * jnp.arange(num_angles) / num_angles
    weight = inside.reshape(-1)

    def correlations(pair: tuple[Array, Array]) -> Array:
        image, reference = pair
        turned = rotate(reference[None, :, :, None], grid).reshape(num_angles, -1)
        return jnp.matmul(_masked(turned, weight), _masked(image.reshape(-1), weight), precision="highest")

    rho = jax.lax.map(correlations, (images, references), batch_size=_IMAGES_AT_ONCE)
    best = jnp.argmax(rho, axis=-1)
    before, at, after = (
        jnp.take_along_axis(rho, ((best + k) % num_angles)[:, None], axis=-1)[:, 0] for k in (-1, 0, 1)
    )
    bend = before - 2 * at + after
    shift = jnp.where(bend < 0, (before - after) / (2 * jnp.where(bend < 0, bend, 1.0)), 0.0).clip(-0.5, 0.5)
    angle = 2 * jnp.pi * (best + shift) / num_angles
    return (angle + jnp.pi) % (2 * jnp.pi) - jnp.pi, at.clip(-1.0, 1.0)


def _masked(values: Float[Array, "... p"], weight: Array) -> Float[Array, "... p"]:
    """Mean 0 and length 1 over the elements of the mask, 0 elsewhere; all 0 where it is constant but for rounding."""
    count = weight.sum()
    mean = jnp.sum(values, axis=-1, keepdims=True, where=weight) / count
    centred = jnp.where(weight, values - mean, 0.0)
    length = jnp.linalg.norm(centred, axis=-1, keepdims=True)
    varies = length > _CONSTANT * jnp.sqrt(count) * jnp.max(jnp.abs(values), axis=-1, keepdims=True)
    return jnp.where(varies, centred / jnp.where(varies, length, 1.0), 0.0)

"""Colours that carry meaning: ten for classes, a torus of them for translations."""

import numpy as np

PALETTE = (
    "#288cf4",
    "#ea8028",
    "#0ec8a2",
    "#81030d",
    "#6835b0",
    "#d9d105",
    "#c6509e",
    "#004b5c",
    "#e7b2ff",
    "#7f6600",
)
"""Ten colours for classes.

Found by a random search for the largest smallest distance between two of them in Oklab, of moderate chroma
and lightness, for normal sight (0.20) and as red-green colour-blind readers see them (0.13).
"""

# Rows: the coefficients of 1, cos a, sin a, cos b, sin b, cos a cos b, cos a sin b, sin a cos b, sin a sin b;
# columns: Oklab's L, a, b. Found by gradient ascent on the smallest ratio of a distance of colours to the
# distance of their angles (0.038 per radian), within the gamut of sRGB and lightness 0.30 to 0.91. Started
# from a ring around the grey axis, which it still is: the first angle is hue, the second turns from light
# and pale to dark and vivid.
_TORUS_IN_OKLAB = np.array(
    [
        [0.620, 0.068, -0.032],
        [-0.066, 0.086, 0.054],
        [0.091, 0.009, 0.087],
        [-0.005, -0.006, 0.005],
        [0.032, 0.042, -0.034],
        [-0.028, 0.045, 0.030],
        [0.001, 0.007, 0.008],
        [0.048, -0.001, 0.042],
        [0.007, -0.002, 0.005],
    ]
)

# Oklab [ottosson2020], by its definition: Lab -> cube roots of cone responses; cone responses -> linear
# sRGB.
_LAB_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def _oklab_to_srgb(lab: np.ndarray) -> np.ndarray:
    linear = np.clip((lab @ _LAB_TO_CONES.T) ** 3 @ _CONES_TO_RGB.T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def periodic_colours(angles: np.ndarray) -> np.ndarray:
    """Gives each pair of angles a colour of its own: a smooth embedding of the torus in colour space.

    There is no seam at 0 = 2π in either direction, and colours differ (in Oklab, where about 0.02 is just
    visible) by at least 0.038 and at most 0.19 per radian between the angles they stand for.

    Args:
        angles: (..., 2), in radians.

    Returns:
        SRGB colours in [0, 1], (..., 3).

    >>> colours = periodic_colours(np.array([[0.0, 1.0], [2 * np.pi, 1.0 - 2 * np.pi]]))
    >>> bool(np.allclose(colours[0], colours[1]))
    True
    """
    a, b = np.moveaxis(np.asarray(angles, dtype=np.float64), -1, 0)
    wave_a = np.stack([np.ones_like(a), np.cos(a), np.sin(a)], axis=-1)
    wave_b = np.stack([np.cos(b), np.sin(b)], axis=-1)
    products = (wave_a[..., 1:, None] * wave_b[..., None, :]).reshape(*a.shape, 4)
    return _oklab_to_srgb(np.concatenate([wave_a, wave_b, products], axis=-1) @ _TORUS_IN_OKLAB)


def hue_ring(angle: np.ndarray) -> np.ndarray:
    """Gives each angle a hue, vivid and neither pale nor dark, so that it is seen on white even when muted.

    The curve in Oklab is L = 0.66 + 0.1 cos(angle - 1.9), a = 0.15 cos angle, b = 0.15 sin angle: yellow, which has
    to be light to look like it, lies where L is greatest.

    Args:
        angle: (...,), in radians.

    Returns:
        SRGB colours in [0, 1], (..., 3).

    >>> bool(np.allclose(hue_ring(np.array(0.0)), hue_ring(np.array(2 * np.pi))))
    True
    """
    angle = np.asarray(angle, dtype=np.float64)
    light = 0.66 + 0.1 * np.cos(angle - 1.9)
    return _oklab_to_srgb(np.stack([light, 0.15 * np.cos(angle), 0.15 * np.sin(angle)], axis=-1))

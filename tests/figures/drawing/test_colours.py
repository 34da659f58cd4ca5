import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mvae.figures.drawing.colours import PALETTE, periodic_colours

RGB_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
CONES_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(srgb):
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ RGB_TO_CONES.T) @ CONES_TO_LAB.T


def pairwise(x):
    i, j = np.triu_indices(len(x), 1)
    return np.linalg.norm(x[i] - x[j], axis=-1), i, j


def grid(n):
    angle = 2 * np.pi * (np.arange(n) + 0.3) / n
    return np.stack(np.meshgrid(angle, angle), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("turns", [(1, 0), (0, 1), (-2, 3)])
def test_whole_turns_do_not_change_a_colour(turns):
    angles = grid(9)
    turned = angles + 2 * np.pi * np.array(turns)
    np.testing.assert_allclose(periodic_colours(turned), periodic_colours(angles), atol=1e-12)


def test_colours_are_colours_and_readable_on_white():
    colours = periodic_colours(grid(40))
    assert colours.shape == (1600, 3)
    assert 0.0 <= colours.min() <= colours.max() <= 1.0
    lightness = oklab(colours)[:, 0]
    assert 0.3 < lightness.min() < lightness.max() < 0.9


def test_distance_of_colours_follows_distance_on_the_torus():
    angles = grid(24)
    seen, i, j = pairwise(oklab(periodic_colours(angles)))
    gap = np.angle(np.exp(1j * (angles[i] - angles[j])))
    ratio = seen / np.linalg.norm(gap, axis=-1)
    assert ratio.min() > 0.037  # distinct translations look different: no folds, no seams
    assert ratio.max() < 0.20  # and near ones alike, across the boundaries too


def test_quarter_turns_are_told_apart_at_a_glance():
    angles = np.stack(np.meshgrid(*[np.arange(4) * np.pi / 2] * 2), axis=-1).reshape(-1, 2)
    assert pairwise(oklab(periodic_colours(angles)))[0].min() > 0.06


def test_shape_broadcasts():
    assert periodic_colours(np.zeros((2, 5, 2))).shape == (2, 5, 3)
    assert periodic_colours(np.zeros(2)).shape == (3,)


def test_palette_is_ten_distinct_colours():
    assert len(PALETTE) == 10
    assert pairwise(oklab(np.array([to_rgb(c) for c in PALETTE])))[0].min() > 0.19

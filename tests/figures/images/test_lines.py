"""Vectors as lines: one scale, every line in its tile, long ones thinned."""

import numpy as np
import pytest

from mvae.figures import lines_grid, reconstructed_lines, shown_images

RNG = np.random.default_rng(0)


def segments(figure):
    return [np.array(collection.get_segments()) for collection in figure.axes[0].collections]


@pytest.mark.parametrize("size", [4, 20, 5000])
def test_lines_lie_in_their_tiles_to_one_scale(size):
    values = RNG.normal(size=(3, 4, size))
    values[1, 2] = np.linspace(-10, 10, size)  # the extremes of all
    lines = segments(lines_grid(values))[0]
    assert lines.shape == (12, len(values[0, 0, :: -(-size // 400)]), 2)
    assert lines.shape[1] <= 400
    tiles = np.floor(lines).astype(int)
    np.testing.assert_array_equal(tiles[:, 0, 0], np.tile(np.arange(4), 3))
    np.testing.assert_array_equal(tiles[:, 0, 1], np.repeat([2, 1, 0], 4))  # the first row on top
    np.testing.assert_array_equal(tiles, np.broadcast_to(tiles[:, :1], tiles.shape))
    heights = lines[..., 1] - tiles[..., 1]
    shown = values.reshape(12, size)[:, :: -(-size // 400)]
    slope, offset = np.polyfit(shown.ravel(), heights.ravel(), 1)
    np.testing.assert_allclose(slope * shown + offset, heights, atol=1e-9)
    assert slope > 0


def test_a_reconstruction_lies_over_its_original():
    originals, decoded = RNG.normal(size=(2, 7, 30))
    grey, blue = segments(reconstructed_lines(originals, decoded))[:2]
    same_scale = np.polyfit(originals.ravel(), (grey[..., 1] % 1).ravel(), 1)
    np.testing.assert_allclose(np.polyval(same_scale, decoded), blue[..., 1] % 1, atol=1e-9)
    np.testing.assert_array_equal(grey[..., 0], blue[..., 0])


def test_constant_lines_have_a_scale():
    assert np.isfinite(segments(lines_grid(np.zeros((1, 1, 5))))[0]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lines_grid(np.zeros((2, 3))), "values must have shape"),
        (lambda: lines_grid(np.full((1, 1, 3), np.nan)), "finite"),
        (lambda: reconstructed_lines(np.zeros((2, 3)), np.zeros((2, 4))), "decoded must have shape"),
        (lambda: reconstructed_lines(np.zeros((2, 3)), np.zeros((2, 3)), columns=0), "columns must be positive"),
    ],
)
def test_bad_arrays(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_channels_are_shown_side_by_side_or_the_first_three():
    images = RNG.random((5, 6, 7, 5))
    for channels in (1, 3):
        np.testing.assert_array_equal(shown_images(images[..., :channels])[0], images[..., :channels])
    (both,) = shown_images(images[..., :2])
    np.testing.assert_array_equal(both[..., :7, :], images[..., :1])
    np.testing.assert_array_equal(both[..., 7:, :], images[..., 1:2])
    for channels in (4, 5):
        np.testing.assert_array_equal(shown_images(images[..., :channels])[0], images[..., :3])


def test_large_images_are_thinned():
    assert shown_images(np.zeros((1000, 300, 1)))[0].shape == (250, 150, 1)

import numpy as np
import pytest

from mvae.data.resize import area_average


def directly(image, size):
    """Mean over each new pixel's area, on a grid that resolves both resolutions."""
    fine = np.kron(image.astype(np.float64), np.ones((size, size)))
    side = image.shape[0]
    return fine.reshape(size, side, size, side).mean(axis=(1, 3))


@pytest.mark.parametrize("side", [4, 6, 9])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_is_the_mean_over_areas(side, size):
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 2), np.uint8)
    found = area_average(images, size)
    assert found.shape == (3, size, size, 2)
    assert found.dtype == np.uint8
    for n in range(3):
        for channel in range(2):
            expected = directly(images[n, ..., channel], size)
            np.testing.assert_allclose(found[n, ..., channel], expected, atol=0.5 + 1e-3)  # rounding


def test_keeps_constants_and_more_pictures_than_are_averaged_at_once():
    values = np.arange(1200) % 256
    images = np.broadcast_to(values[:, None, None, None], (1200, 5, 5, 1)).astype(np.uint8)
    np.testing.assert_array_equal(area_average(images, 3), np.broadcast_to(images[:, :1, :1], (1200, 3, 3, 1)))


@pytest.mark.parametrize(
    ("images", "size", "message"),
    [
        (np.zeros((2, 4, 4, 1), np.uint8), 5, r"size must lie in \[1, 4\], got 5"),
        (np.zeros((2, 4, 4, 1), np.uint8), 0, "size must lie in"),
        (np.zeros((2, 4, 3, 1), np.uint8), 2, r"images must be uint8 \(N, H, H, C\), got uint8 \(2, 4, 3, 1\)"),
        (np.zeros((2, 4, 4, 1)), 2, "images must be uint8 .* got float64"),
    ],
)
def test_wrong_input_is_refused(images, size, message):
    with pytest.raises(ValueError, match=message):
        area_average(images, size)

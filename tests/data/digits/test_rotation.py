"""Rotation of images against numpy at quarter turns and scipy elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from mvae.data import rotate

IMAGES = jax.random.uniform(jax.random.key(0), (3, 9, 12, 2))
SQUARE = jax.random.uniform(jax.random.key(1), (2, 8, 8, 1))


def interpolated(image, angle):
    """The definition, with scipy's interpolation: the source of a pixel lies an angle back, clockwise."""
    height, width = image.shape
    row, column = np.mgrid[:height, :width]
    right, up = column - (width - 1) / 2, (height - 1) / 2 - row
    source = (right + 1j * up) * np.exp(-1j * angle)
    positions = [(height - 1) / 2 - source.imag, (width - 1) / 2 + source.real]
    return ndimage.map_coordinates(np.asarray(image, np.float64), positions, order=1, mode="grid-constant")


@pytest.mark.parametrize("quarters", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("side", [7, 8])
def test_quarter_turns_are_exact_and_counter_clockwise(quarters, side):
    image = jax.random.uniform(jax.random.key(2), (side, side, 1))
    turned = rotate(image, jnp.float32(quarters * np.pi / 2))
    np.testing.assert_array_equal(turned, np.rot90(image, quarters))


def test_upper_right_goes_to_upper_left():
    image = jnp.zeros((5, 5, 1)).at[0, 4].set(1.0)
    assert rotate(image, jnp.float32(np.pi / 2))[0, 0, 0] == 1


@pytest.mark.parametrize("angle", [0.3, -0.8, 1.2, 2.5, -2.9, 3.1, 7.0])
def test_other_angles_are_those_of_scipy(angle):
    found = rotate(IMAGES, jnp.float32(angle))
    for image, turned in zip(IMAGES, found, strict=True):
        for channel in range(2):
            np.testing.assert_allclose(turned[..., channel], interpolated(image[..., channel], angle), atol=5e-6)


def test_blob_agrees_with_scipys_own_rotation():
    row, column = np.mgrid[:21, :21]
    image = np.exp(-((row - 7) ** 2 + (column - 12) ** 2) / 8)
    expected = ndimage.rotate(image, 33.0, reshape=False, order=1, mode="grid-constant")
    found = rotate(jnp.asarray(image[..., None], jnp.float32), jnp.float32(np.radians(33.0)))
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-5)


def test_leading_axes_broadcast():
    angles = jnp.array([[0.1, 1.0, 2.0, -3.0]] * 2)
    found = rotate(SQUARE[:, None], angles)
    assert found.shape == (2, 4, 8, 8, 1)
    for b in range(2):
        for k in range(4):
            np.testing.assert_allclose(found[b, k], rotate(SQUARE[b], angles[b, k]), atol=1e-6)
    mapped = jax.vmap(jax.vmap(rotate, in_axes=(None, 0)))(SQUARE, angles)
    np.testing.assert_allclose(mapped, found, atol=1e-6)


def test_derivatives():
    with jax.enable_x64(True):
        image, weights = (np.asarray(IMAGES[i], np.float64) for i in (0, 1))

        def energy(image, angle):
            return jnp.sum(weights * rotate(image, angle) ** 2)

        by_image, by_angle = jax.grad(energy, (0, 1))(jnp.asarray(image), jnp.asarray(0.77))
        assert by_image.dtype == by_angle.dtype == jnp.float64

        def exact(image, angle):
            turned = np.stack([interpolated(image[..., channel], angle) for channel in range(2)], axis=-1)
            return np.sum(weights * turned**2)

        step = 1e-6
        np.testing.assert_allclose(by_angle, (exact(image, 0.77 + step) - exact(image, 0.77 - step)) / 2e-6, rtol=1e-6)
        direction = np.cos(np.arange(image.size)).reshape(image.shape)
        slope = (exact(image + step * direction, 0.77) - exact(image - step * direction, 0.77)) / 2e-6
        np.testing.assert_allclose(np.sum(np.asarray(by_image) * direction), slope, rtol=1e-6)


def test_derivatives_are_finite_at_quarter_turns():
    derivatives = jax.jit(jax.grad(lambda image, angle: jnp.sum(rotate(image, angle) ** 2), (0, 1)))
    for angle in (0.0, np.pi / 2, np.pi, np.pi / 4):
        assert all(np.all(np.isfinite(gradient)) for gradient in derivatives(SQUARE, jnp.float32(angle)))


@pytest.mark.parametrize(
    ("images", "angles"), [(jnp.zeros((4, 4)), 0.0), (jnp.zeros((4, 4, 1), jnp.uint8), 0.0), (SQUARE, 1)]
)
def test_wrong_arguments_are_refused(images, angles):
    with pytest.raises(ValueError, match=r"images must be floats of shape \(\.\.\., H, W, C\) and angles floats, got "):
        rotate(images, jnp.asarray(angles))

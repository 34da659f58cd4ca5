import sys

import numpy as np
import pytest
from scipy.ndimage import rotate

from mvae.evaluation import rotation_angles, rotation_range, unwrap_rotation

SIDE = 28


def blob(angle, contrast=1.0):
    """An asymmetric image, turned counter-clockwise by an angle, from its formula."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    right, up = np.cos(angle) * x - np.sin(angle) * y, -np.sin(angle) * x - np.cos(angle) * y
    parts = [(4.0, 0.0, 9.0, 1.0), (7.0, 3.0, 4.0, 0.7), (-3.0, 5.0, 6.0, 0.5)]
    picture = sum(w * np.exp(-((right - a) ** 2 + (up - b) ** 2) / s) for a, b, s, w in parts)
    return contrast * np.asarray(picture)[..., None]


def difference(a, b):
    return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi)


REFERENCE = blob(0.0)
TRUE = np.radians([0.0, 17.3, 133.7, 179.6, -120.4])
CONTRAST = [1.0, 0.3, 5.0, 1.0, 0.1]
BY_SCIPY = [30.0, -70.0]  # degrees
# All in one shape, for one compilation.
IMAGES = np.stack(
    [blob(a, c) + 0.2 for a, c in zip(TRUE, CONTRAST, strict=True)]
    + [rotate(REFERENCE, degrees, reshape=False, order=1) for degrees in BY_SCIPY]
    + [np.full_like(REFERENCE, 0.3)]
)


@pytest.fixture(scope="module")
def estimate():
    return rotation_angles(IMAGES, REFERENCE[None])


def test_known_angles_are_found_within_half_a_degree_at_any_contrast(estimate):
    assert np.degrees(difference(estimate.angle[:5], TRUE)).max() < 0.5
    assert (estimate.correlation[:7] > 0.99).all()
    assert estimate.angle.min() >= -np.pi
    assert estimate.angle.max() < np.pi


def test_agrees_with_the_rotation_of_scipy(estimate):
    np.testing.assert_allclose(np.degrees(estimate.angle[5:7]), BY_SCIPY, atol=0.5)


def test_parts_of_the_images_give_the_angles_of_all(estimate, monkeypatch):
    monkeypatch.setattr(sys.modules[rotation_angles.__module__], "_IMAGES_TOGETHER", 4)
    parts = rotation_angles(IMAGES, np.broadcast_to(REFERENCE, IMAGES.shape))
    np.testing.assert_allclose(parts.angle[:7], estimate.angle[:7], atol=1e-4)
    np.testing.assert_allclose(parts.correlation, estimate.correlation, atol=1e-5)


def test_a_constant_image_has_no_correlation(estimate):
    assert estimate.correlation[7] == 0.0


def test_a_coarse_grid_is_refined():
    coarse = rotation_angles(IMAGES, REFERENCE[None], num_angles=36)
    assert np.degrees(difference(coarse.angle[:5], TRUE)).max() < 1.0


def test_only_the_mask_counts():
    noisy, mask = IMAGES.copy(), np.ones((SIDE, SIDE), bool)
    noisy[:, :, :3], mask[:, :3] = 9.0, False
    turned = rotation_angles(noisy, np.broadcast_to(REFERENCE, IMAGES.shape), mask=mask)
    assert np.degrees(difference(turned.angle[:3], TRUE[:3])).max() < 0.5


def test_a_path_is_unwrapped_and_measured_where_its_class_is_kept():
    true = np.radians(np.arange(-400, 401, 50))
    wrapped = (true + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(unwrap_rotation(wrapped) - wrapped[0], true - true[0], atol=1e-9)
    kept = np.ones(17, bool)
    assert rotation_range(wrapped, kept, 8) == pytest.approx(800)
    kept[[2, 12]] = False
    assert rotation_range(wrapped, kept, 8) == pytest.approx(400)
    assert rotation_range(wrapped, kept, 3) == pytest.approx(400)
    assert rotation_range(wrapped, kept, 0) == pytest.approx(50)
    assert rotation_range(wrapped, kept, 2) == 0.0


GOOD = np.zeros((2, 5, 5, 1))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: rotation_angles(GOOD[..., 0], GOOD), "images"),
        (lambda: rotation_angles(GOOD * np.nan, GOOD), "images"),
        (lambda: rotation_angles(GOOD, GOOD[:, :4]), "references"),
        (lambda: rotation_angles(np.zeros((3, 5, 5, 1)), GOOD), "references"),
        (lambda: rotation_angles(GOOD, GOOD, num_angles=3), "num_angles"),
        (lambda: rotation_angles(GOOD, GOOD, mask=np.zeros((5, 5), bool)), "mask"),
        (lambda: rotation_angles(GOOD, GOOD, mask=np.ones((4, 5), bool)), "mask"),
        (lambda: unwrap_rotation([[0.0]]), "angles"),
        (lambda: unwrap_rotation([np.nan]), "angles"),
        (lambda: rotation_range([0.0, 1.0], [True], 0), "kept"),
        (lambda: rotation_range([0.0, 1.0], [1, 1], 0), "kept"),
        (lambda: rotation_range([0.0, 1.0], [True, True], 2), "centre"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        call()

import numpy as np
import pytest

from mvae.figures import images_at_codes, save
from mvae.figures.images.images_at_codes import spread

RNG = np.random.default_rng(12)
CODES, IMAGES = RNG.normal(size=(50, 2)), RNG.uniform(size=(50, 6, 4, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_centred_at_its_code(channels, tmp_path):
    images = np.repeat(IMAGES, channels, axis=-1)
    figure = images_at_codes(CODES, images)
    (ax,) = figure.axes
    assert ax.get_aspect() == 1.0
    assert 5 < len(ax.images) < 50
    for image in ax.images:
        left, right, bottom, top = image.get_extent()
        k = np.argmin(np.linalg.norm(CODES - [(left + right) / 2, (bottom + top) / 2], axis=1))
        np.testing.assert_allclose(CODES[k], [(left + right) / 2, (bottom + top) / 2])
        np.testing.assert_allclose(np.asarray(image.get_array()).reshape(6, 4, channels), images[k])
        np.testing.assert_allclose((right - left) / (top - bottom), 4 / 6)
        np.testing.assert_allclose((top - bottom) / np.ptp(ax.get_ylim()), 0.13)
        assert ax.get_xlim()[0] < left < right < ax.get_xlim()[1]
        assert ax.get_ylim()[0] < bottom < top < ax.get_ylim()[1]
    assert len(ax.collections[0].get_offsets()) == 50
    save(figure, tmp_path / "x.png")


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_thumbnails_overlap_no_more_than_allowed(overlap):
    figure = images_at_codes(CODES, IMAGES, overlap=overlap, max_images=50)
    extents = np.array([image.get_extent() for image in figure.axes[0].images])
    width, height = extents[0, 1] - extents[0, 0], extents[0, 3] - extents[0, 2]
    apart = np.abs(extents[:, None, [0, 2]] - extents[None, :, [0, 2]]) / [width, height]
    worst = np.max(apart, axis=-1) + np.eye(len(extents))
    assert worst.min() >= 1 - overlap - 1e-9


def test_images_are_spread_over_the_codes_as_far_as_they_go():
    chosen = spread(CODES, 50, 0.5)
    distance = np.abs(CODES[:, None] - CODES[chosen][None]).max(axis=-1).min(axis=1)
    assert distance.max() < 0.5  # no further image would have had room
    assert spread(CODES, 7, 1e-9) == spread(CODES, 50, 1e-9)[:7]
    assert sorted(spread(CODES, 100, 1e-9)) == list(range(50))
    assert spread(np.zeros((4, 2)), 4, 0.5) == [0]


def test_methods_have_panels_with_their_names():
    figure = images_at_codes(np.stack([CODES, 5 * CODES]), np.stack([IMAGES, 1 - IMAGES]), ["VDAE", "VAE"])
    assert [ax.get_xlabel() for ax in figure.axes] == ["(a) VDAE", "(b) VAE"]
    first, second = (np.ptp(ax.get_xlim()) for ax in figure.axes)
    np.testing.assert_allclose(second, 5 * first)
    assert {image.get_clim() for ax in figure.axes for image in ax.images} == {(0.0, 1.0)}


def test_a_single_image_needs_no_second():
    (image,) = images_at_codes(CODES[:1], IMAGES[:1], size=1.0).axes[0].images
    assert np.all(np.isfinite(image.get_extent()))


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: images_at_codes(np.zeros((50, 3)), IMAGES), "codes"),
        (lambda: images_at_codes(CODES * np.nan, IMAGES), "codes"),
        (lambda: images_at_codes(CODES, IMAGES[:4]), "images"),
        (lambda: images_at_codes(CODES, IMAGES[..., 0]), "images"),
        (lambda: images_at_codes(CODES, np.repeat(IMAGES, 2, axis=-1)), "images"),
        (lambda: images_at_codes(CODES, IMAGES, ["a", "b"]), "names"),
        (lambda: images_at_codes(CODES, IMAGES, max_images=0), "max_images"),
        (lambda: images_at_codes(CODES, IMAGES, columns=0), "columns"),
        (lambda: images_at_codes(CODES, IMAGES, size=0.0), "size"),
        (lambda: images_at_codes(CODES, IMAGES, overlap=1.0), "overlap"),
    ],
)
def test_bad_arguments_are_named(draw, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        draw()

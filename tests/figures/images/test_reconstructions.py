import numpy as np
import pytest

from mvae.figures import reconstructions

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("n", "bands"), [(1, 1), (4, 1), (5, 2), (9, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_original_stands_above_its_reconstruction(n, bands, channels):
    originals, decoded = RNG.uniform(size=(2, n, 6, 5, channels))
    figure = reconstructions(originals, decoded, columns=4)
    figure.canvas.draw()  # pyright: ignore
    assert len(figure.axes) == bands
    for k in range(n):
        band, j = divmod(k, 4)
        ax = figure.axes[band]
        pixels = np.asarray(ax.images[0].get_array()).reshape(12, -1, channels)[:, 5 * j : 5 * j + 5]
        np.testing.assert_allclose(pixels[:6], originals[k])
        np.testing.assert_allclose(pixels[6:], decoded[k])
        assert [t.get_text() for t in ax.get_yticklabels()] == ["original", "decoded"]


def test_all_share_one_range_and_one_scale():
    originals, decoded = RNG.uniform(-1, 1, (2, 9, 6, 6, 1))
    decoded *= 1.5
    figure = reconstructions(originals, decoded, columns=4)
    figure.canvas.draw()  # pyright: ignore
    assert {ax.images[0].get_clim() for ax in figure.axes} == {(decoded.min(), decoded.max())}
    assert {ax.get_xlim() for ax in figure.axes} == {(-0.5, 23.5)}
    assert len({(round(ax.get_position().width, 9), round(ax.get_position().x0, 9)) for ax in figure.axes}) == 1


def test_row_names_lie_inside_the_figure():
    images = RNG.uniform(size=(26, 28, 28, 1))
    figure = reconstructions(images, images)
    figure.canvas.draw()  # pyright: ignore
    for ax in figure.axes:
        for name in ax.get_yticklabels():
            assert name.get_window_extent().x0 >= 0


GOOD = np.zeros((3, 4, 4, 1))


@pytest.mark.parametrize(
    ("originals", "decoded", "extra", "name"),
    [
        (GOOD[0], GOOD[0], {}, "originals"),
        (GOOD[:0], GOOD[:0], {}, "originals"),
        (GOOD * np.nan, GOOD, {}, "originals"),
        (GOOD, GOOD[:2], {}, "decoded"),
        (GOOD, np.full_like(GOOD, np.inf), {}, "decoded"),
        (np.zeros((3, 4, 4, 2)), np.zeros((3, 4, 4, 2)), {}, "originals"),
        (GOOD, GOOD, {"columns": 0}, "columns"),
    ],
)
def test_bad_arguments_are_named(originals, decoded, extra, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        reconstructions(originals, decoded, **extra)

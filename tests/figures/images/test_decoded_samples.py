import numpy as np
import pytest

from mvae.figures import extrapolated_rows, samples_around, save

RNG = np.random.default_rng(6)
ROWS = RNG.uniform(size=(2, 5, 6, 4, 1))


def frames(ax):
    return [patch.get_bbox().bounds for patch in ax.patches]


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_have_a_frame_around_the_starting_column_and_captions(channels, tmp_path):
    images = np.repeat(ROWS, channels, axis=-1)
    figure = extrapolated_rows(images, 2, np.linspace(-1, 1, 5))
    (ax,) = figure.axes
    pixels = np.asarray(ax.images[0].get_array()).reshape(12, 20, channels)
    np.testing.assert_allclose(pixels[6:, 4:8], images[1, 1])
    assert frames(ax) == [(7.5, -0.5, 4.0, 12.0)]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["−1", "−0.5", "0", "0.5", "1"]
    save(figure, tmp_path / "x.png")


def test_captions_are_left_out_evenly_where_columns_are_narrow():
    figure = extrapolated_rows(np.zeros((1, 41, 2, 2, 1)), 20, np.arange(-20, 21))
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_xticklabels()] == [str(k).replace("-", "−") for k in range(-20, 21, 2)]
    assert figure.get_size_inches()[0] <= 6.8


@pytest.mark.parametrize("own", [False, True])
def test_samples_surround_the_example_in_its_frame(own, tmp_path):
    samples = RNG.uniform(size=(3, 2, 5, 5, 4, 4, 1))
    centres = RNG.uniform(size=(3, 2, 4, 4, 1)) if own else RNG.uniform(size=(2, 4, 4, 1))
    figure = samples_around(centres, samples, ["a", "b", "c"], title="t")
    assert len(figure.axes) == 6
    for k, ax in enumerate(figure.axes):
        i, j = divmod(k, 2)
        pixels = np.asarray(ax.images[0].get_array())
        np.testing.assert_allclose(pixels[8:12, 8:12], (centres[i, j] if own else centres[j])[..., 0])
        np.testing.assert_allclose(pixels[:4, 4:8], samples[i, j, 0, 1, ..., 0])
        assert frames(ax) == [(7.5, 7.5, 4.0, 4.0)]
        assert ax.get_ylabel() == ("" if j else "abc"[i])
    save(figure, tmp_path / "x.png")


def test_one_method_needs_no_axis_for_it():
    assert len(samples_around(np.zeros((2, 4, 4, 1)), np.zeros((2, 3, 3, 4, 4, 1))).axes) == 2


CENTRES, SAMPLES = np.zeros((2, 4, 4, 1)), np.zeros((2, 3, 3, 4, 4, 1))


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: extrapolated_rows(ROWS[0], 1), "images"),
        (lambda: extrapolated_rows(ROWS * np.nan, 1), "images"),
        (lambda: extrapolated_rows(ROWS, 5), "centre"),
        (lambda: extrapolated_rows(ROWS, 1, np.zeros(4)), "times"),
        (lambda: samples_around(CENTRES[:1], SAMPLES), "centres"),
        (lambda: samples_around(CENTRES, SAMPLES[:, :2, :2]), "samples"),
        (lambda: samples_around(CENTRES, SAMPLES[:, :2]), "samples"),
        (lambda: samples_around(CENTRES, SAMPLES[0]), "samples"),
        (lambda: samples_around(CENTRES, SAMPLES, ["a", "b"]), "names"),
    ],
)
def test_bad_arguments_are_named(draw, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        draw()

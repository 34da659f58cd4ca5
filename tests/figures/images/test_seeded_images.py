import itertools

import numpy as np
import pytest

from mvae.figures import save, seeded_grids, seeded_walks

RNG = np.random.default_rng(13)
SEEDS, PATHS, SAMPLES = (
    RNG.uniform(size=(3, 6, 4, 1)),
    RNG.uniform(size=(5, 3, 6, 4, 1)),
    RNG.uniform(size=(3, 8, 6, 4, 1)),
)


def frames(ax):
    return [patch.get_bbox().bounds for patch in ax.patches]


def pixels(ax):
    return np.asarray(ax.images[0].get_array())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_walk_is_a_row_with_its_seed_in_a_frame(channels, tmp_path):
    seeds, paths = np.repeat(SEEDS, channels, axis=-1), np.repeat(PATHS, channels, axis=-1)
    figure = seeded_walks(seeds, paths, steps=[1, 2, 4, 8, 16], labels=["a", "b", "c"], title="t")
    first, walk = figure.axes
    np.testing.assert_allclose(pixels(first).reshape(18, 4, channels)[6:12], seeds[1])
    np.testing.assert_allclose(pixels(walk).reshape(18, 20, channels)[12:, 4:8], paths[1, 2])
    assert frames(first) == [(-0.5, 6.0 * row - 0.5, 4.0, 6.0) for row in range(3)]
    assert frames(walk) == []
    assert [t.get_text() for t in first.get_xticklabels() + walk.get_xticklabels()] == [
        "seed",
        "1",
        "2",
        "4",
        "8",
        "16",
    ]
    assert [t.get_text() for t in first.get_yticklabels()] == ["a", "b", "c"]
    save(figure, tmp_path / "x.png")


def test_captions_lie_inside_the_figure_and_apart():
    figure = seeded_walks(np.zeros((2, 4, 4, 1)), np.zeros((20, 2, 4, 4, 1)), labels=["a long name", "b"])
    figure.canvas.draw()  # pyright: ignore
    assert figure.get_size_inches()[0] <= 6.8 + 1e-9
    first, walk = figure.axes
    assert all(t.get_window_extent().x0 >= 0 for t in first.get_yticklabels())
    texts = [*first.get_xticklabels(), *walk.texts, *walk.get_xticklabels()]
    boxes = [t.get_window_extent() for t in texts]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert texts[-1].get_text() == "20"


def test_tiles_of_both_parts_have_one_size():
    figure = seeded_walks(SEEDS, PATHS)
    seed, walk = (ax.get_position() for ax in figure.axes)
    np.testing.assert_allclose(5 * seed.width, walk.width)
    np.testing.assert_allclose(seed.height, walk.height)
    width, height = figure.get_size_inches()
    np.testing.assert_allclose(seed.width * width / 4, seed.height * height / 18)


@pytest.mark.parametrize("names", [None, ["a", "b", "c"]])
def test_a_grid_begins_with_its_seed_in_a_frame(names, tmp_path):
    figure = seeded_grids(SEEDS, SAMPLES, names, columns=2)
    assert len(figure.axes) == 3
    for k, ax in enumerate(figure.axes):
        np.testing.assert_allclose(pixels(ax)[:6, :4], SEEDS[k, ..., 0])
        np.testing.assert_allclose(pixels(ax)[:6, 4:8], SAMPLES[k, 0, ..., 0])
        np.testing.assert_allclose(pixels(ax)[12:, 8:], SAMPLES[k, 7, ..., 0])
        assert frames(ax) == [(-0.5, -0.5, 4.0, 6.0)]
        assert ax.get_xlabel() == ("" if names is None else names[k])
    save(figure, tmp_path / "x.png")


def test_all_pictures_share_one_range():
    figure = seeded_grids(SEEDS - 1.0, 3 * SAMPLES)
    assert {ax.images[0].get_clim() for ax in figure.axes} == {(SEEDS.min() - 1, 3 * SAMPLES.max())}


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: seeded_walks(SEEDS[:2], PATHS), "seeds"),
        (lambda: seeded_walks(SEEDS, PATHS[0]), "paths"),
        (lambda: seeded_walks(SEEDS, PATHS * np.inf), "paths"),
        (lambda: seeded_walks(SEEDS, np.repeat(PATHS, 2, axis=-1)), "paths"),
        (lambda: seeded_walks(SEEDS, PATHS, steps=[1, 2, 3]), "steps"),
        (lambda: seeded_walks(SEEDS, PATHS, steps=[5, 4, 3, 2, 1]), "steps"),
        (lambda: seeded_walks(SEEDS, PATHS, labels=["a"]), "labels"),
        (lambda: seeded_grids(SEEDS[:2], SAMPLES), "seeds"),
        (lambda: seeded_grids(SEEDS, SAMPLES[:, :7]), "samples"),
        (lambda: seeded_grids(SEEDS, SAMPLES[0]), "samples"),
        (lambda: seeded_grids(SEEDS, SAMPLES, ["a"]), "names"),
        (lambda: seeded_grids(SEEDS, SAMPLES, columns=0), "columns"),
    ],
)
def test_bad_arguments_are_named(draw, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        draw()

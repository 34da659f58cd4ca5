import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mvae.figures import PALETTE, PointPanel, sample_panels, save, walk_steps
from mvae.figures.spaces.globe import orthographic
from mvae.figures.spaces.point_panels import SEED

RNG = np.random.default_rng(11)
PLANE, SPACE = RNG.uniform(-1, 1, (3, 60, 2)), RNG.uniform(-1, 1, (3, 60, 3))


def sets(ax):
    """Offsets of what an axes shows, by their order."""
    return [np.asarray(c.get_offsets()) for c in sorted(ax.collections, key=lambda c: c.get_zorder())]


def same_points(a, b):
    np.testing.assert_allclose(np.sort(a, axis=0), np.sort(b, axis=0), atol=1e-12)


@pytest.mark.parametrize("points", [PLANE, SPACE])
def test_a_walk_has_a_panel_for_each_number_of_steps(points, tmp_path):
    figure = walk_steps(points, steps=[0, 5, 20], seed=points[0, 0], data=points[1], azimuth=0.4, elevation=0.2)
    assert [ax.get_xlabel() for ax in figure.axes] == ["$t=0$", "$t=5$", "$t=20$"]
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes}) == 1

    def placed(x):
        return x if x.shape[-1] == 2 else orthographic(x, 0.4, 0.2)[0]

    for k, ax in enumerate(figure.axes):
        assert ax.get_aspect() == 1.0
        beneath, chains, seed = sets(ax)
        same_points(beneath, placed(points[1]))
        same_points(chains, placed(points[k]))
        np.testing.assert_allclose(seed, [placed(points[0, 0])])
        np.testing.assert_allclose(ax.collections[-1].get_facecolors()[0, :3], to_rgb(SEED))
    save(figure, tmp_path / "x.png")


def test_points_far_from_the_data_are_counted_not_shown():
    points = PLANE.copy()
    points[1, :3] = [[50.0, 0.0], [0.0, -1e6], [2.0, 2.0]]
    points[1, 3] = [1.2, 0.0]
    figure = walk_steps(points, steps=[1, 2, 3], data=PLANE[0])
    assert figure.axes[1].get_xlabel().replace("\xa0", " ").replace("\n", " ") == "$t=2$ (3 of 60 outside)"
    assert figure.axes[0].get_xlabel() == "$t=1$"
    assert 1.2 < figure.axes[0].get_xlim()[1] < 1.6
    assert len(sets(figure.axes[1])[1]) == 57


def test_without_data_all_points_are_shown():
    points = PLANE.copy()
    points[2, 0] = [50.0, 0.0]
    figure = walk_steps(points, steps=[1, 2, 3])
    assert figure.axes[0].get_xlim()[1] > 50


@pytest.mark.parametrize("shape", [(60,), (3, 60)])
def test_chains_have_the_colours_of_their_labels(shape):
    label = RNG.integers(0, 3, shape)
    figure = walk_steps(PLANE, steps=[1, 2, 3], label=label)
    for ax, points, own in zip(figure.axes, PLANE, np.broadcast_to(label, (3, 60)), strict=True):
        (cloud,) = ax.collections
        for place, tint in zip(np.asarray(cloud.get_offsets()), cloud.get_facecolors(), strict=True):
            index = own[np.argmin(np.linalg.norm(points - place, axis=-1))]
            np.testing.assert_allclose(tint[:3], to_rgb(PALETTE[index]))


def test_places_along_a_curve_have_a_colour_bar(tmp_path):
    figure = walk_steps(SPACE, steps=[1, 2, 3], parameter=RNG.uniform(size=(3, 60)), periodic=True, title="walk")
    assert [ax.get_ylabel() for ax in figure.axes] == ["", "", "", "parameter"]
    save(figure, tmp_path / "x.pdf")


@pytest.mark.parametrize(("number", "columns", "grid"), [(6, 5, (2, 3)), (5, 5, (1, 5)), (7, 3, (3, 3))])
def test_rows_are_as_even_as_possible(number, columns, grid):
    figure = walk_steps(np.zeros((number, 4, 2)), steps=range(number), columns=columns)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == grid
    assert figure.get_size_inches()[0] <= 6.8 + 1e-9


def test_a_cloud_that_is_flat_as_seen_has_a_low_panel():
    flat, full = (
        walk_steps(points, steps=[1, 2, 3], elevation=0.1).get_size_inches()[1]
        for points in (SPACE * [1.0, 1.0, 0.05], SPACE)
    )
    assert flat < 0.7 * full


def test_samples_share_the_limits_of_one_panel(tmp_path):
    far = np.concatenate([PLANE[1], [[30.0, 0.0]]])
    figure = sample_panels({"data": PLANE[0], "VAE": far}, limits_of="data", centres=np.zeros((1, 2)))
    assert [ax.get_xlabel() for ax in figure.axes] == ["(a) data", "(b) VAE (1\xa0of\xa061\xa0outside)"]
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes}) == 1
    for ax in figure.axes:
        np.testing.assert_array_equal(sets(ax)[-1], [[0.0, 0.0]])
    assert figure.axes[0].get_xlim()[1] < 2
    assert sample_panels({"data": PLANE[0], "VAE": far}).axes[0].get_xlim()[1] > 30
    save(figure, tmp_path / "x.png")


def test_panels_of_the_plane_and_of_space_have_their_own_limits(tmp_path):
    panels = [
        PointPanel("loop", SPACE[0], data=10 * SPACE[1], seed=SPACE[0, :2]),
        PointPanel("circle", PLANE[0]),
    ]
    figure = sample_panels(panels, same_limits=False)
    first, second = (np.ptp(ax.get_xlim()) for ax in figure.axes)
    assert first > 5 * second
    assert [len(ax.collections) for ax in figure.axes] == [3, 1]
    save(figure, tmp_path / "x.png")


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: walk_steps(PLANE[0], steps=[1]), "points"),
        (lambda: walk_steps(PLANE[..., :1], steps=[1, 2, 3]), "points"),
        (lambda: walk_steps(PLANE * np.nan, steps=[1, 2, 3]), "points"),
        (lambda: walk_steps(PLANE[:, :0], steps=[1, 2, 3]), "points"),
        (lambda: walk_steps(PLANE[:0], steps=np.zeros(0, int)), "points"),
        (lambda: walk_steps(PLANE, steps=[1, 2]), "steps"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 2]), "steps"),
        (lambda: walk_steps(PLANE, steps=[-1, 2, 3]), "steps"),
        (lambda: walk_steps(PLANE, steps=[0.5, 1, 2]), "steps"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 3], seed=np.zeros(3)), "seed"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 3], data=SPACE[0]), "data"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 3], label=np.zeros(3)), "label"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 3], parameter=np.full(60, 2.0)), "parameter"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 3], parameter=np.ones(60), label=np.ones(60)), "label and parameter"),
        (lambda: walk_steps(PLANE, steps=[1, 2, 3], columns=0), "columns"),
        (lambda: sample_panels({}), "panels"),
        (lambda: sample_panels({"a": PLANE}), r"panels\[0\].points"),
        (lambda: sample_panels({"a": PLANE[0], "b": SPACE[0]}), "panels"),
        (lambda: sample_panels([PointPanel("a", PLANE[0], label=np.zeros(60)), PointPanel("b", PLANE[0])]), "panels"),
        (lambda: sample_panels([PointPanel("a", PLANE[0], label=np.zeros(6))]), r"panels\[0\].label"),
        (lambda: sample_panels({"a": PLANE[0]}, limits_of="b"), "limits_of"),
        (lambda: sample_panels({"a": PLANE[0]}, limits_of="a", same_limits=False), "limits_of"),
        (lambda: sample_panels({"a": PLANE[0]}, centres=np.zeros((2, 3))), "centres"),
    ],
)
def test_bad_arguments_are_named(draw, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        draw()

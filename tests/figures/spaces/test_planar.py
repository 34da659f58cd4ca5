import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mvae.figures import PALETTE, inferred_paths, operator_orbits, planar_latent_space, prior_samples, save
from mvae.figures.spaces.planar import Square, cut, square_around

RNG = np.random.default_rng(3)
CODES = RNG.normal(size=(40, 2))
CIRCLE = np.stack([np.cos(np.linspace(0, 6, 50)), np.sin(np.linspace(0, 6, 50))], axis=-1)
UNIT = Square(np.zeros(2), np.ones(2))


def drawn_lines(ax):
    return [np.asarray(path.vertices) for c in ax.collections for path in c.get_paths() if "Line" in type(c).__name__]


def test_a_curve_is_cut_at_the_border_of_the_view():
    curve = np.array([[-1.0, 0.5], [0.5, 0.5], [0.5, 3.0], [0.5, 4.0], [np.nan, 0.0], [0.2, 0.2], [np.inf, 0.2]])
    segments, index = cut(curve, UNIT)
    np.testing.assert_allclose(segments, [[[0.0, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 1.0]]])
    np.testing.assert_array_equal(index, [0, 1])


@pytest.mark.parametrize("far", [1e6, 1e200, 1.7e308])
def test_a_curve_leaves_the_view_in_its_direction_however_far_it_goes(far):
    segments, _ = cut(np.array([[0.5, 0.5], [far, 0.5], [-far, 0.5]]), UNIT)
    np.testing.assert_allclose(segments, [[[0.5, 0.5], [1.0, 0.5]], [[1.0, 0.5], [0.0, 0.5]]], atol=1e-8)


def test_a_curve_passes_beside_the_view_or_diagonally_through_it():
    assert len(cut(np.array([[-1.0, 2.0], [2.0, 2.0], [5.0, -4.0]]), UNIT)[1]) == 0
    segments, _ = cut(np.array([[-1.0, -1.0], [2.0, 2.0]]), UNIT)
    np.testing.assert_allclose(segments, [UNIT])


def test_the_view_is_a_square_around_all_points():
    low, high = square_around(np.array([[0.0, 0.0]]), np.array([[4.0, 1.0]]))
    np.testing.assert_allclose(high - low, (high - low)[0])
    np.testing.assert_allclose((low + high) / 2, [2.0, 0.5])
    np.testing.assert_allclose(np.subtract(*reversed(square_around(np.ones((3, 2))))), [1.14, 1.14])


@pytest.mark.parametrize("kind", ["label", "parameter", None])
def test_panels_share_their_colours(kind, tmp_path):
    value = {"label": np.arange(40) % 10, "parameter": np.arange(40) / 40, None: None}[kind]
    extra = {} if kind is None else {kind: value}
    panels = [(f"method {k}", CODES * (k + 1), extra.get("label"), extra.get("parameter")) for k in range(3)]
    figure = planar_latent_space(panels, columns=2, title="all")
    first, second = figure.axes[:2]
    tints = [ax.collections[0].get_facecolors()[:, :3] for ax in (first, second)]
    np.testing.assert_allclose(tints[0], tints[1])
    assert len({tuple(t) for t in tints[0]}) == {"label": 10, "parameter": 40, None: 1}[kind]
    assert first.get_xlabel() == "(a) method 0"
    assert first.get_aspect() == 1.0
    assert len(first.get_xticks()) == 0
    assert len(figure.axes) == (4 if kind == "parameter" else 3)
    save(figure, tmp_path / "x.png")


def test_a_class_keeps_its_colour_where_another_panel_lacks_it():
    figure = planar_latent_space([("both", CODES, np.arange(40) % 2), ("one", CODES[:5], np.ones(5, int))])
    np.testing.assert_allclose(figure.axes[1].collections[0].get_facecolors()[:, :3], [to_rgb(PALETTE[1])] * 5)


def test_long_captions_break_between_words():
    figure = planar_latent_space([("a method with quite a long name", CODES)] * 5)
    assert figure.axes[0].get_xlabel().count("\n") == 1


def test_orbits_are_drawn_over_pale_codes_in_colours_of_their_own(tmp_path):
    orbits = np.stack([CIRCLE, np.exp(np.linspace(0, 700, 50))[:, None] * CIRCLE, 1.5 * CIRCLE])
    orbits[2, 20], orbits[1, -1] = np.nan, np.inf
    figure = operator_orbits(CODES, orbits, label=np.arange(40) % 2, anchors=CODES[:3])
    ax = figure.axes[0]
    colours = {tuple(c[:3]) for k in ax.collections if "Line" in type(k).__name__ for c in k.get_colors()}
    assert {to_rgb(c) for c in PALETTE[2:5]} <= colours
    assert not {to_rgb(c) for c in PALETTE[:2]} & {tuple(c[:3]) for c in ax.collections[0].get_facecolors()}
    lines = np.concatenate(drawn_lines(ax))
    assert np.isfinite(lines).all()
    assert lines.max() < 10
    assert ax.get_xlim()[1] < 10
    save(figure, tmp_path / "x.pdf")


def test_a_single_orbit_tells_the_time():
    figure = operator_orbits(CODES, CIRCLE[None], parameter=np.arange(40) / 40, periodic=True)
    line = figure.axes[0].collections[2]
    assert len({tuple(c) for c in line.get_colors()}) > 40
    assert sorted(ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes) == ["", "parameter", "time along the orbit"]


def test_prior_samples_have_the_colour_of_their_anchor(tmp_path):
    points, origin = RNG.normal(size=(30, 2)), RNG.integers(0, 10, 30)
    figure = prior_samples(points, origin, CODES[:10], codes=CODES)
    cloud = figure.axes[0].collections[1]
    for place, tint in zip(np.asarray(cloud.get_offsets()), cloud.get_facecolors(), strict=True):
        anchor = origin[np.argmin(np.linalg.norm(points - place, axis=-1))]
        np.testing.assert_allclose(tint[:3], to_rgb(PALETTE[anchor]))
    save(figure, tmp_path / "x.png")


def test_every_path_has_a_panel_with_its_start_and_end(tmp_path):
    paths = np.stack([CIRCLE, -CIRCLE, 2 * CIRCLE])
    paths[2, -1] = np.inf
    ends = RNG.normal(size=(3, 2))
    figure = inferred_paths(CODES, paths, ends=ends, label=np.arange(40) % 3, columns=2)
    assert len(figure.axes) == 3
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes}) == 1
    for ax, path, end in zip(figure.axes, paths, ends, strict=True):
        marks = [np.ravel(line.get_xydata()) for line in ax.lines]
        np.testing.assert_allclose(marks, [path[0], end, end])
    save(figure, tmp_path / "x.png")


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: planar_latent_space([]), "panels"),
        (lambda: planar_latent_space([("a", CODES[:, :1])]), r"panels\[0\].codes"),
        (lambda: planar_latent_space([("a", CODES, np.zeros(3))]), r"panels\[0\].label"),
        (lambda: planar_latent_space([("a", CODES, np.zeros(40)), ("b", CODES)]), "panels"),
        (lambda: planar_latent_space([("a", CODES, np.zeros(40), np.zeros(40))]), "label and parameter"),
        (lambda: planar_latent_space([("a", CODES, None, np.full(40, 1.5))]), "parameter"),
        (lambda: planar_latent_space([("a", CODES)], columns=0), "columns"),
        (lambda: operator_orbits(CODES * np.nan, CIRCLE[None]), "codes"),
        (lambda: operator_orbits(CODES, CIRCLE), "orbits"),
        (lambda: operator_orbits(CODES, CIRCLE[None, :1]), "orbits"),
        (lambda: operator_orbits(CODES, np.tile(CIRCLE, (11, 1, 1))), "orbits"),
        (lambda: operator_orbits(CODES, CIRCLE[None], anchors=CODES[0]), "anchors"),
        (lambda: operator_orbits(CODES, CIRCLE[None], colour_by="speed"), "colour_by"),
        (lambda: prior_samples(CODES, np.zeros(40), CODES[:2]), "origin"),
        (lambda: prior_samples(CODES, np.full(40, 2), CODES[:2]), "origin"),
        (lambda: prior_samples(CODES, np.zeros(40, int), CODES[:11]), "anchors"),
        (lambda: inferred_paths(CODES, CIRCLE), "paths"),
        (lambda: inferred_paths(CODES, CIRCLE[None] * np.nan, ends=CODES[:1]), r"paths\[:, 0\]"),
        (lambda: inferred_paths(CODES, CIRCLE[None], ends=CODES[:2]), "ends"),
    ],
)
def test_bad_arguments_are_named(draw, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        draw()

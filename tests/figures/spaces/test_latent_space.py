import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from mpl_toolkits.mplot3d import Axes3D

from mvae.figures import PALETTE, latent_space, periodic_colours
from mvae.figures.spaces.globe import ELEVATION, orthographic
from mvae.manifolds import Euclidean, FlatTorus, Sphere

RNG = np.random.default_rng(7)


def sphere_points(n, dim=2):
    x = RNG.normal(size=(n, dim + 1))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def torus_points(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(angles), -1)


def cloud(ax):
    (points,) = (c for c in ax.collections if len(c.get_offsets()) > 0)
    return np.asarray(points.get_offsets()), points.get_facecolors()


def test_torus_shows_each_angle_pair_in_its_colour():
    angles = RNG.uniform(-np.pi, np.pi, (50, 2))
    translation = RNG.uniform(0, 2 * np.pi, (50, 2))
    figure = latent_space(FlatTorus(2), torus_points(angles), translation=translation)
    xy, colours = cloud(figure.axes[0])
    for place, tint in zip(angles, periodic_colours(translation), strict=True):
        k = np.argmin(np.linalg.norm(xy - place, axis=-1))
        np.testing.assert_allclose(xy[k], place, atol=1e-12)
        np.testing.assert_allclose(colours[k, :3], tint)


def test_torus_is_a_square_with_edges_marked_as_one():
    ax = latent_space(FlatTorus(2), torus_points(np.zeros((3, 2)))).axes[0]
    assert ax.get_xlim() == ax.get_ylim() == (-np.pi, np.pi)
    assert ax.get_aspect() == 1.0
    assert [t.get_text() for t in ax.get_xticklabels()] == [r"$-\pi$", r"$-\pi/2$", "0", r"$\pi/2$", r"$\pi$"]
    for gid, along in (("left-right", 1), ("bottom-top", 0)):
        marks = [line for line in ax.lines if line.get_gid() == gid]
        low, high = (np.array(line.get_xydata()).T for line in marks)
        assert {line.get_marker() for line in marks} == {"^" if along else ">"}
        np.testing.assert_allclose(low[along], high[along])
        assert set(low[1 - along]) == {0.0}
        assert set(high[1 - along]) == {1.0}


def test_legend_square_agrees_with_its_ticks():
    figure = latent_space(FlatTorus(2), torus_points(np.zeros((3, 2))), translation=np.zeros((3, 2)))
    _, square = figure.axes
    assert square.get_xlabel() == "translation $a$"
    assert square.get_ylabel() == "translation $b$"
    assert square.get_xlim() == square.get_ylim() == (0.0, 2 * np.pi)
    (image,) = square.images
    assert image.origin == "lower"
    pixels = np.asarray(image.get_array())
    n = len(pixels)
    a, b = (5 + 0.5) * 2 * np.pi / n, (40 + 0.5) * 2 * np.pi / n
    np.testing.assert_allclose(pixels[40, 5], periodic_colours(np.array([a, b])))


@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_sphere_shows_each_point_once_and_only_from_its_near_side(radius):
    z = sphere_points(300)
    front, back = latent_space(Sphere(2, radius), radius * z).axes
    seen = []
    for ax, azimuth, elevation in ((front, 0.0, ELEVATION), (back, np.pi, -ELEVATION)):
        xy, _ = cloud(ax)
        basis = np.stack([np.append(*orthographic(e, azimuth, elevation)) for e in np.eye(3)])
        near = np.sqrt(np.maximum(1.0 - (xy**2).sum(-1), 0.0))
        seen.append(np.column_stack([xy, near]) @ basis.T)
    seen = np.concatenate(seen)
    assert len(seen) == len(z)
    nearest = np.linalg.norm(seen[:, None] - z, axis=-1)
    assert nearest.min(axis=0).max() < 1e-6


def test_sphere_hides_the_far_side():
    east = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    figure = latent_space(Sphere(2), east, label=[0, 1])
    for ax, colour in zip(figure.axes, PALETTE, strict=False):
        (tint,) = cloud(ax)[1]
        np.testing.assert_allclose(tint[:3], to_rgb(colour))


def test_projection_is_a_view_from_outside_with_north_up():
    east_of_centre, north = np.array([0.9, 0.1, 0.0]), np.array([0.0, 0.0, 1.0])
    assert orthographic(east_of_centre, 0.0, 0.0)[0][0] > 0
    assert orthographic(north, 1.0, 0.4)[0][1] > 0
    xy, height = orthographic(sphere_points(20), 0.7, -0.3)
    np.testing.assert_allclose((xy**2).sum(-1) + height**2, 1.0)


def test_globe_lines_stay_on_the_near_side():
    for ax in latent_space(Sphere(2), sphere_points(1)).axes:
        for line in ax.lines:
            xy = np.asarray(line.get_xydata())
            assert np.nanmax(np.linalg.norm(xy, axis=-1), initial=0.0) <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("manifold", "panels", "three"),
    [
        (FlatTorus(1), 1, False),
        (FlatTorus(2), 1, False),
        (FlatTorus(3), 1, False),
        (Sphere(1), 1, False),
        (Sphere(2), 2, False),
        (Sphere(4), 1, False),
        (Euclidean(1), 1, False),
        (Euclidean(2), 1, False),
        (Euclidean(3), 1, True),
        (Euclidean(7), 1, False),
    ],
)
@pytest.mark.parametrize("n", [1, 30])
def test_every_manifold_has_its_panels_and_renders(manifold, panels, three, n):
    if isinstance(manifold, FlatTorus):
        z = torus_points(RNG.uniform(-4, 4, (n, manifold.dim)))
    else:
        z = sphere_points(n, manifold.dim) if isinstance(manifold, Sphere) else RNG.normal(size=(n, manifold.dim))
    figure = latent_space(manifold, jnp.asarray(z), title="title")
    figure.canvas.draw()  # pyright: ignore
    assert len(figure.axes) == panels
    assert isinstance(figure.axes[0], Axes3D) is three
    assert figure.get_suptitle() == "title"
    assert len(latent_space(manifold, z, translation=np.zeros((n, 2))).axes) == panels + 1


def test_circle_keeps_angles():
    angle = RNG.uniform(-np.pi, np.pi, 40)
    for manifold in (FlatTorus(1), Sphere(1)):
        xy, _ = cloud(latent_space(manifold, torus_points(angle[:, None])).axes[0])
        np.testing.assert_allclose(np.sort(np.arctan2(xy[:, 1], xy[:, 0])), np.sort(angle), atol=1e-9)


def test_other_spaces_are_shown_by_principal_components_that_say_so():
    z = RNG.normal(size=(200, 5)) * np.array([0.1, 5.0, 0.2, 2.0, 0.1])
    ax = latent_space(Euclidean(5), z).axes[0]
    assert ax.get_xlabel().startswith("principal component 1 of 5 (")
    assert ax.get_ylabel().startswith("principal component 2 of 5 (")
    xy, _ = cloud(ax)
    spread = np.linalg.svd(z - z.mean(0), compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(xy, axis=0), spread)
    assert "of 3" in latent_space(FlatTorus(3), torus_points(np.zeros((4, 3)))).axes[0].get_xlabel()


def test_colours_of_an_angle_are_periodic_with_a_bar_of_one_turn():
    z = RNG.normal(size=(40, 2))
    angle = np.arange(40) * 2 * np.pi / 40
    figure = latent_space(Euclidean(2), z, angle=angle)
    panel, bar = figure.axes
    assert bar.get_ylabel() == "angle"
    assert [t.get_text() for t in bar.get_yticklabels()] == ["0", r"$\pi$", r"$2\pi$"]
    xy, colours = cloud(panel)
    shifted = cloud(latent_space(Euclidean(2), z, angle=angle - 2 * np.pi).axes[0])
    np.testing.assert_allclose(shifted[1], colours, atol=0.02)
    ordered = np.stack([colours[np.argmin(np.sum((xy - place) ** 2, axis=1)), :3] for place in z])
    steps = np.linalg.norm(ordered - np.roll(ordered, 1, axis=0), axis=1)
    assert steps[0] < 2 * np.median(steps)  # no seam at 2π


def test_ten_classes_get_a_legend_eleven_values_a_colour_bar():
    z = RNG.normal(size=(44, 2))
    ten = latent_space(Euclidean(2), z, label=np.arange(44) % 10)
    (legend,) = ten.legends
    assert [t.get_text() for t in legend.get_texts()] == list("0123456789")
    assert len(ten.axes) == 1
    eleven = latent_space(Euclidean(2), z, label=np.arange(44) % 11)
    assert not eleven.legends
    assert len(eleven.axes) == 2
    named = latent_space(Euclidean(2), z, label=np.array(["cat", "dog"])[np.arange(44) % 2])
    assert [t.get_text() for t in named.legends[0].get_texts()] == ["cat", "dog"]


def test_points_of_classes_keep_their_colours():
    z = RNG.normal(size=(60, 2))
    label = RNG.integers(3, 6, 60)
    xy, colours = cloud(latent_space(Euclidean(2), z, label=label).axes[0])
    for place, tint in zip(xy, colours, strict=True):
        k = np.argmin(np.linalg.norm(z - place, axis=-1))
        np.testing.assert_allclose(tint[:3], to_rgb(PALETTE[label[k] - 3]))


def test_more_points_are_smaller():
    def size(n):
        return latent_space(Euclidean(2), np.zeros((n, 2))).axes[0].collections[0].get_sizes()[0]

    assert size(1) > size(100) > size(10_000) > 0.5


def test_global_style_is_left_alone():
    before = dict(matplotlib.rcParams)
    latent_space(Sphere(2), sphere_points(5))
    assert dict(matplotlib.rcParams) == before


GOOD = torus_points(np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("z", "extra", "name"),
    [
        (np.zeros((0, 4)), {}, "z"),
        (GOOD[:, :3], {}, "z"),
        (GOOD[0], {}, "z"),
        (GOOD * np.nan, {}, "z"),
        (GOOD * 1.1, {}, "z"),
        (GOOD, {"label": [1, 2, 3]}, "label"),
        (GOOD, {"label": [1, 2, 3, np.nan]}, "label"),
        (GOOD, {"translation": np.zeros((4, 3))}, "translation"),
        (GOOD, {"translation": np.full((4, 2), np.inf)}, "translation"),
        (GOOD, {"translation": np.zeros((4, 2)), "label": [0, 0, 1, 1]}, "label and translation"),
        (GOOD, {"angle": np.zeros((4, 1))}, "angle"),
        (GOOD, {"angle": np.full(4, np.nan)}, "angle"),
        (GOOD, {"angle": np.zeros(4), "translation": np.zeros((4, 2))}, "translation and angle both ask"),
        (
            GOOD,
            {"angle": np.zeros(4), "translation": np.zeros((4, 2)), "label": np.zeros(4)},
            "label and translation and angle all ask",
        ),
    ],
)
def test_bad_arguments_are_named(z, extra, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        latent_space(FlatTorus(2), z, **extra)


def test_too_many_names_are_refused():
    with pytest.raises(ValueError, match=r"^label "):
        latent_space(Euclidean(2), np.zeros((11, 2)), label=np.array(list("abcdefghijk")))

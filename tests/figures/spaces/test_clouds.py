import numpy as np
import pytest
from matplotlib.figure import Figure

from mvae.figures.drawing.captions import captions
from mvae.figures.spaces.clouds import _LIGHT, draw_cloud, seen, surface_light
from mvae.figures.spaces.globe import orthographic

RNG = np.random.default_rng(8)


def test_captions_break_at_spaces_alone():
    assert captions(["one two", "three\N{NO-BREAK SPACE}four"], 0.3, lettered=False) == ["one\ntwo", "three\xa0four"]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_sphere_is_lit_by_its_normals(scale):
    x = RNG.normal(size=(20000, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    light = surface_light(scale * x)
    assert np.all((light >= 0.4 - 1e-12) & (light <= 1 + 1e-12))
    facing = x * np.where(x[:, 2:] < 0, -1, 1)
    clear = np.abs(x[:, 2]) > 0.2  # where it is plain which side of the surface faces the viewer
    error = np.abs(light - (1 - 0.6 * (1 - np.maximum(facing @ _LIGHT, 0))))[clear]
    assert np.median(error) < 0.01
    assert np.quantile(error, 0.9) < 0.05


def test_lines_and_equal_points_are_not_shaded():
    t = np.linspace(0, 1, 500)[:, None]
    np.testing.assert_allclose(surface_light(t * [1.0, 2.0, 3.0]), 1.0, atol=1e-6)
    np.testing.assert_array_equal(surface_light(np.ones((30, 3))), 1.0)
    np.testing.assert_array_equal(surface_light(RNG.normal(size=(5, 3))), 1.0)


def test_near_points_cover_far_ones_and_far_ones_are_paler():
    points = RNG.normal(size=(50, 3))
    cloud = seen(points, 0.3, 0.7)
    xy, height = orthographic(points, 0.3, 0.7)
    ax = Figure().add_subplot()
    draw_cloud(ax, cloud._replace(light=np.ones(50)), np.zeros((50, 3)), 2.0, (height.min(), height.max()))
    order = np.argsort(height)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), xy[order])
    grey = np.asarray(ax.collections[0].get_facecolors())[:, 0]
    np.testing.assert_allclose(grey, 0.7 * (1 - (height[order] - height.min()) / np.ptp(height)), atol=1e-12)


def test_points_of_the_plane_keep_their_place_and_colour():
    points, colours = RNG.normal(size=(40, 2)), RNG.uniform(size=(40, 3))
    ax = Figure().add_subplot()
    draw_cloud(ax, seen(points, 1.0, 1.0), colours, 2.0, (0.0, 0.0))
    drawn = np.hstack([ax.collections[0].get_offsets(), np.asarray(ax.collections[0].get_facecolors())[:, :3]])
    given = np.hstack([points, colours])
    np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0])], given[np.argsort(given[:, 0])])


def test_nothing_is_drawn_of_no_points():
    ax = Figure().add_subplot()
    draw_cloud(ax, seen(np.zeros((0, 2)), 0.0, 0.0), np.zeros((0, 3)), 2.0, (0.0, 1.0))
    assert len(ax.collections) == 0

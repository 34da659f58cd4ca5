"""Surfaces are drawn where they are, and points are hidden where the surface lies before them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.figures import latent_space
from mvae.figures.spaces import surface
from mvae.manifolds import EmbeddedTorus, Euclidean, Implicit, Sphere
from mvae.manifolds.implicit.surfaces import SURFACES

RADII = np.array([1.0, 2.0, 0.5])  # the second side is the longest, the third the shortest


def ellipsoid(x):
    return jnp.sum((x / jnp.asarray(RADII, x.dtype)) ** 2) - 1


ELLIPSOID = Implicit(ellipsoid, dim=2, ambient_dim=3)
INSIDE_OUT = Implicit(lambda x: -ellipsoid(x), dim=2, ambient_dim=3)
TORUS = EmbeddedTorus(3.0, 0.6)


def on_ellipsoid(n):
    x = np.random.default_rng(5).normal(size=(n, 3))
    return RADII * x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("manifold", [ELLIPSOID, TORUS])
def test_views_are_opposite_and_upright(manifold):
    front, back = surface.views(manifold)
    for view in (front, back):
        np.testing.assert_allclose(view.axes @ view.axes.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(view.axes), 1.0)
        assert view.axes[1, 2] > 0.5  # the shortest side points upward
    np.testing.assert_allclose(front.axes[2], -back.axes[2], atol=1e-12)


def test_longest_side_lies_to_the_right():
    front, _ = surface.views(ELLIPSOID)
    assert np.argmax(np.abs(front.axes[0])) == 1


@pytest.mark.parametrize("manifold", [ELLIPSOID, INSIDE_OUT])
def test_convex_surface_hides_what_faces_away(manifold):
    z = on_ellipsoid(400)
    normal = z / RADII**2
    for view in surface.views(manifold):
        facing = normal @ view.axes[2] / np.linalg.norm(normal, axis=-1)
        seen = surface.seen(manifold, z, view)
        clear = np.abs(facing) > 0.1  # at the rim it is a matter of rounding
        np.testing.assert_array_equal(seen[clear], facing[clear] > 0)


def test_torus_hides_behind_itself_and_shows_every_point_once_or_more():
    inner_low = np.array([[2.4 * np.cos(surface.AZIMUTH), 2.4 * np.sin(surface.AZIMUTH), 0.0]])
    from_above = surface.views(TORUS)[0]
    level = from_above._replace(axes=surface._axes(surface.AZIMUTH, 0.0))
    assert not surface.seen(TORUS, -inner_low, level)  # faces the viewer, behind the near side of the tube
    assert surface.seen(TORUS, -inner_low, from_above)  # seen through the hole
    z = np.asarray(TORUS.uniform(jax.random.key(0), (2000,)))
    seen = [surface.seen(TORUS, z, view) for view in surface.views(TORUS)]
    assert np.all(seen[0] | seen[1])


def test_picture_of_the_ellipsoid_is_its_shadow():
    for view in surface.views(ELLIPSOID):
        rgba, (left, right, bottom, top) = surface.picture(ELLIPSOID, view, 120)
        shape = view.axes[:2] * RADII  # the shadow is the ellipse |shape^-1 x| <= 1, of half-widths its rows' lengths
        half = np.linalg.norm(shape, axis=1)
        assert np.all(np.array([right, top]) >= half)
        np.testing.assert_allclose([right, top, -left, -bottom], [*half, *half], rtol=0.1)
        cell = (right - left) * (top - bottom) / rgba[..., 3].size
        np.testing.assert_allclose(
            rgba[..., 3].sum() * cell, np.pi * np.sqrt(np.linalg.det(shape @ shape.T)), rtol=0.01
        )
        assert rgba.min() >= 0
        assert rgba.max() <= 1
        assert np.ptp(rgba[..., 0][rgba[..., 3] == 1]) > 0.2


def test_picture_of_the_torus_has_a_hole():
    rgba, _ = surface.picture(TORUS, surface.views(TORUS)[0], 80)
    alpha = rgba[..., 3]
    assert alpha[len(alpha) // 2, 40] == 0
    assert alpha[len(alpha) // 2].max() == 1


@pytest.mark.slow
@pytest.mark.parametrize("manifold", [ELLIPSOID, TORUS])
def test_latent_space_shows_each_point_in_both_panels(manifold):
    z = on_ellipsoid(200) if manifold is ELLIPSOID else np.asarray(manifold.uniform(jax.random.key(1), (200,)))
    figure = latent_space(manifold, z, label=np.arange(200) % 3, title="title")
    figure.canvas.draw()  # pyright: ignore
    assert len(figure.axes) == 2
    for ax, view in zip(figure.axes, surface.views(manifold), strict=True):
        (glass,) = ax.images
        behind, before = (c for c in ax.collections if len(c.get_offsets()) > 0)
        assert behind.get_zorder() < glass.get_zorder() < before.get_zorder()
        drawn = np.concatenate([np.asarray(behind.get_offsets()), np.asarray(before.get_offsets())])
        expected = z @ view.axes[:2].T
        np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(expected, axis=0), atol=1e-6)
        assert ax.get_xlim()[0] <= expected[:, 0].min()
        assert ax.get_xlim()[1] >= expected[:, 0].max()
        assert view.name in ax.get_xlabel()
    assert len(figure.legends[0].get_texts()) == 3


def test_points_off_the_surface_are_refused():
    with pytest.raises(ValueError, match=r"z must lie on the manifold, but .* distance 0\.9"):
        latent_space(TORUS, 1.5 * np.array([[3.0, 0.0, 0.0]]))


def test_what_is_a_surface():
    assert surface.is_surface(TORUS)
    assert surface.is_surface(SURFACES["genus_two"])
    assert not surface.is_surface(Sphere(2))
    assert not surface.is_surface(Euclidean(3))
    assert not surface.is_surface(Implicit(lambda x: x[0] ** 2 + x[1] ** 2 - 1, dim=1, ambient_dim=2))


@pytest.mark.slow
def test_genus_two_shows_every_point_once_or_more():
    genus_two = SURFACES["genus_two"]
    z = np.asarray(genus_two.uniform(jax.random.key(0), (2000,)))
    seen = [surface.seen(genus_two, z, view) for view in surface.views(genus_two)]
    assert np.all(seen[0] | seen[1])

"""Fundamental domains and the disc: each code once, where it lies, and edges marked as they are glued."""

import jax
import numpy as np
import pytest

from mvae.figures import decoded_grid, latent_grid, latent_space
from mvae.manifolds import Cylinder, Hyperbolic, Interval, KleinBottle, MobiusBand


def offsets(ax):
    (points,) = (c for c in ax.collections if len(c.get_offsets()) > 0)
    return np.asarray(points.get_offsets())


@pytest.mark.parametrize("space", [Cylinder(5.0, 2.0), MobiusBand(4.0, 1.5), KleinBottle()], ids=repr)
def test_codes_lie_in_the_box_of_their_coordinates(space):
    z = space.uniform(jax.random.key(0), (30,))
    (ax,) = latent_space(space, z).axes
    (left, right), (bottom, top) = space.sides
    assert ax.get_xlim() == pytest.approx((left, right))
    assert ax.get_ylim() == pytest.approx((bottom, top))
    expected = np.asarray(space.coordinates(z))
    found = offsets(ax)
    assert np.abs(found[:, None] - expected).max(axis=-1).min(axis=0).max() < 1e-6


def marks(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def test_edges_are_marked_as_they_are_glued():
    (ax,) = latent_space(KleinBottle(), KleinBottle().uniform(jax.random.key(0), (3,))).axes
    assert [line.get_marker() for line in marks(ax, "left-right")] == ["^", "v"]
    assert [line.get_marker() for line in marks(ax, "bottom-top")] == [">", ">"]
    low, high = (line.get_ydata()[0] for line in marks(ax, "left-right"))
    assert low + high == pytest.approx(1)  # a flip takes one to the other
    (ax,) = latent_space(MobiusBand(), MobiusBand().uniform(jax.random.key(0), (3,))).axes
    assert [line.get_marker() for line in marks(ax, "left-right")] == ["^", "v"]
    assert len(marks(ax, "bottom-top boundary")) == 2
    (ax,) = latent_space(Cylinder(), Cylinder().uniform(jax.random.key(0), (3,))).axes
    assert [line.get_marker() for line in marks(ax, "left-right")] == ["^", "^"]


def test_interval_is_a_strip_and_hyperbolic_plane_a_disc():
    space = Interval(2.0)
    z = space.uniform(jax.random.key(0), (20,))
    (ax,) = latent_space(space, z).axes
    np.testing.assert_allclose(np.sort(offsets(ax)[:, 0]), np.sort(np.asarray(space.coordinates(z))[:, 0]), atol=1e-6)
    plane = Hyperbolic(2, curvature=-0.25)
    z = plane.from_tangent(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, -8.0]], np.float32))
    (ax,) = latent_space(plane, z).axes
    expected = np.array([[0, 0], [np.tanh(0.5), 0], [0, -np.tanh(2.0)]])
    assert np.abs(offsets(ax)[:, None] - expected).max(axis=-1).min(axis=0).max() < 1e-5
    assert len(latent_space(Hyperbolic(3), Hyperbolic(3).uniform(jax.random.key(0), (5,))).axes) == 1


@pytest.mark.parametrize("space", [Interval(2.0), Cylinder(), MobiusBand(), KleinBottle()], ids=repr)
def test_grid_covers_the_domain(space):
    z = latent_grid(space, 3, 4)
    assert z.shape == (3, 4, space.ambient_dim)
    x = np.asarray(space.coordinates(z))
    if space.dim == 1:
        np.testing.assert_allclose(x.ravel(), 2.0 * (np.arange(12) + 0.5) / 12, atol=1e-5)
    else:
        assert np.all(np.diff(x[..., 0], axis=1) > 0)
        assert np.all(np.diff(x[..., 1], axis=0) < 0)
    decoded_grid(np.zeros((3, 4, 2, 2, 1)), manifold=space)

"""The image of the square lies where the map puts it, in the colour of its density, with its sides on its border."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from matplotlib.collections import LineCollection, PolyCollection

from mvae.figures import reparametrization
from mvae.manifolds import SO3, EmbeddedTorus, FlatTorus, ProjectiveSpace, Sphere


def circle(z):
    angle = 2 * jnp.pi * (0.5 * z[0] + 0.4 * z[0] ** 2)
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)])


def flat(z):
    return FlatTorus(2).from_angles(jnp.pi * z - 1)


def sphere(z):
    height, angle = 1.8 * z[1] - 0.9, 5.8 * z[0] - 2.9
    radius = jnp.sqrt(1 - height**2)
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle), height])


def torus(z):
    return EmbeddedTorus().from_angles(6 * z)


def rotation(z):
    inner, outer, a, b = jnp.cos(1.5 * z[0]), jnp.sin(1.5 * z[0]), jnp.pi * z[1], 2 * jnp.pi * z[2]
    q = jnp.stack([inner * jnp.cos(a), inner * jnp.sin(a), outer * jnp.cos(b), outer * jnp.sin(b)])
    return SO3().from_quaternion(q)


def test_circle_has_its_density_and_its_ends():
    figure = reparametrization(circle, Sphere(1), title="circle")
    left, right = figure.axes[:2]
    u, ratio = right.lines[0].get_data()
    np.testing.assert_allclose(ratio, 1 / (0.5 + 0.8 * np.asarray(u)), rtol=1e-4)
    ends = [line.get_xydata()[0] for line in left.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(ends, [[1, 0], 1.25 * np.asarray(circle(np.ones(1)))], atol=1e-5)
    figure.canvas.draw()  # pyright: ignore


@pytest.mark.slow
def test_square_of_a_flat_torus():
    ax = reparametrization(Partial(flat), FlatTorus(2)).axes[0]
    tiles = [c for c in ax.collections if isinstance(c, PolyCollection)]
    assert len(tiles) == 9
    middle = tiles[4]
    corners = np.array([path.vertices[:4] for path in middle.get_paths()])
    np.testing.assert_allclose([corners.min(), corners.max()], [-1, np.pi - 1], atol=1e-5)
    np.testing.assert_allclose(middle.get_array(), 2, atol=1e-4)  # a quarter of the torus: four times the density
    thick = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_linewidth()[0] > 1]
    drawn = np.concatenate([segment for c in thick for segment in c.get_segments()])
    at_side = np.min(np.abs(drawn[:, :, None] - np.array([-1, np.pi - 1])), axis=(1, 2))
    np.testing.assert_allclose(at_side, 0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("f", "manifold"), [(sphere, Sphere(2)), (torus, EmbeddedTorus())])
def test_two_sides_show_each_cell_once_or_more(f, manifold):
    figure = reparametrization(Partial(f), manifold, title="title")
    figure.canvas.draw()  # pyright: ignore
    shown = 0
    for ax in figure.axes[:2]:
        (cells,) = (c for c in ax.collections if isinstance(c, PolyCollection))
        shown += len(cells.get_paths())
        vertices = np.concatenate([path.vertices for path in cells.get_paths()])
        assert ax.get_xlim()[0] < vertices[:, 0].min()
        assert ax.get_ylim()[1] > vertices[:, 1].max()
    assert shown >= 96**2


@pytest.mark.slow
def test_sections_of_rotations():
    figure = reparametrization(Partial(rotation), SO3(), latent="uniform")
    figure.canvas.draw()  # pyright: ignore
    image = figure.axes[2].images[0].get_array()
    z = (np.arange(64) + 0.5) / 64
    expected = -np.log2(1.5 * np.sin(3 * z))  # over the uniform distribution in sin^2
    np.testing.assert_allclose(image, np.broadcast_to(expected, (64, 64)), atol=1e-3)


@pytest.mark.slow
def test_normal_distribution_is_drawn_by_quantiles():
    def f(z):
        return flat(0.5 * (1 + jnp.tanh(z)))

    figure = reparametrization(Partial(f), FlatTorus(2), latent="normal")
    figure.canvas.draw()  # pyright: ignore


@pytest.mark.parametrize(
    ("options", "name"),
    [({"manifold": ProjectiveSpace(2)}, "manifold"), ({"f": lambda z: z}, "f"), ({"latent": "n"}, "latent")],
)
def test_bad_arguments_are_named(options, name):
    arguments = {"f": circle, "manifold": Sphere(1)} | options
    with pytest.raises((ValueError, NotImplementedError), match=f"^{name} "):
        reparametrization(arguments.pop("f"), arguments.pop("manifold"), **arguments)


def test_maps_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match=r"^f must have finite values"):
        reparametrization(lambda z: circle(z) * jnp.nan, Sphere(1))

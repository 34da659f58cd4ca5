import jax
import numpy as np
import pytest

from mvae.figures import decoded_grid, latent_grid, mosaic
from mvae.manifolds import Euclidean, FlatTorus, Sphere

RNG = np.random.default_rng(3)


def coordinates(manifold, z):
    """Returns the two coordinates that the axes of the image show."""
    if isinstance(manifold, FlatTorus):
        return np.arctan2(z[..., 1], z[..., 0]), np.arctan2(z[..., 3], z[..., 2])
    if isinstance(manifold, Sphere):
        z = z / manifold.radius
        return np.arctan2(z[..., 1], z[..., 0]), np.arcsin(z[..., 2])
    return z[..., 0], z[..., 1]


def tick_values(labels):
    def value(text):
        text = text.replace("−", "-").replace("$", "").replace(r"\pi", str(np.pi))
        over = text.split("/")
        return float(over[0]) / (float(over[1]) if len(over) > 1 else 1.0)

    return np.array([value(label.get_text()) for label in labels])


@pytest.mark.parametrize("manifold", [FlatTorus(2), Sphere(2), Sphere(2, 2.5), Euclidean(2)])
def test_grid_lies_on_the_manifold_in_the_order_of_the_picture(manifold):
    z = latent_grid(manifold, 5, 8)
    assert z.shape == (5, 8, manifold.ambient_dim)
    assert np.all(manifold.contains(z.astype(np.float32), 1e-5))
    right, up = coordinates(manifold, z)
    assert np.all(np.diff(right, axis=1) > 0)
    assert np.all(np.diff(up, axis=0) < 0)


def test_torus_grid_leaves_no_gap():
    z = latent_grid(FlatTorus(2), 6, 10)
    a, b = coordinates(FlatTorus(2), z)
    point = RNG.uniform(-np.pi, np.pi, (500, 2))
    off = np.abs(np.angle(np.exp(1j * (point[:, None] - np.stack([a.ravel(), b.ravel()], -1)))))
    assert np.all(np.any((off[..., 0] <= np.pi / 10 + 1e-9) & (off[..., 1] <= np.pi / 6 + 1e-9), axis=1))


def test_sphere_grid_is_even_in_area():
    rows = 6
    z = latent_grid(Sphere(2), rows, 9).reshape(-1, 3)
    np.testing.assert_allclose(z.mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose((z[:, 2] ** 2).mean(), (1 - rows**-2) / 3)  # of the centres of equal bands


def test_plane_grid_is_even_in_prior_probability():
    z = latent_grid(Euclidean(2), 4, 4)
    np.testing.assert_allclose(z[0, :, 0], [-1.1503494, -0.3186394, 0.3186394, 1.1503494], atol=1e-6)


@pytest.mark.parametrize("manifold", [Sphere(1), Sphere(1, 2.5), FlatTorus(1)])
def test_circle_grid_goes_once_round_line_by_line(manifold):
    z = latent_grid(manifold, 3, 5)
    assert z.shape == (3, 5, 2)
    assert np.all(manifold.contains(z.astype(np.float32), 1e-5))
    angle = np.arctan2(z[..., 1], z[..., 0]).ravel()
    np.testing.assert_allclose(np.diff(angle), 2 * np.pi / 15)
    np.testing.assert_allclose(angle[7], 0.0, atol=1e-12)
    (ax,) = decoded_grid(np.zeros((3, 5, 4, 4, 1)), manifold=manifold).axes
    assert "line by line" in ax.get_xlabel()


@pytest.mark.parametrize("manifold", [FlatTorus(3), Sphere(3), Euclidean(5)])
def test_other_manifolds_give_samples_of_the_prior(manifold):
    z = latent_grid(manifold, 3, 4, key=jax.random.key(0))
    assert z.shape == (3, 4, manifold.ambient_dim)
    assert np.all(manifold.contains(z, 1e-5))
    assert len(np.unique(z.reshape(12, -1), axis=0)) == 12
    with pytest.raises(ValueError, match=r"^key "):
        latent_grid(manifold, 3, 4)


def test_one_cell_is_the_centre():
    np.testing.assert_allclose(latent_grid(FlatTorus(2), 1, 1)[0, 0], [1, 0, 1, 0], atol=1e-12)


@pytest.mark.parametrize(("rows", "cols", "name"), [(0, 3, "rows"), (3, -1, "cols")])
def test_counts_must_be_positive(rows, cols, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        latent_grid(FlatTorus(2), rows, cols)


@pytest.mark.parametrize("channels", [1, 3])
def test_mosaic_puts_each_image_in_its_place(channels):
    images = RNG.uniform(size=(3, 4, 5, 7, channels))
    picture = mosaic(images)
    assert picture.shape == (15, 28, channels)
    for i in range(3):
        for j in range(4):
            np.testing.assert_array_equal(picture[5 * i : 5 * i + 5, 7 * j : 7 * j + 7], images[i, j])


@pytest.mark.parametrize("channels", [1, 3])
def test_figure_shows_the_mosaic_from_the_top(channels):
    images = RNG.uniform(size=(3, 4, 5, 7, channels))
    figure = decoded_grid(images, title="t", xlabel="x", ylabel="y")
    (ax,) = figure.axes
    (image,) = ax.images
    assert image.origin == "upper"
    np.testing.assert_allclose(np.asarray(image.get_array()), mosaic(images).squeeze())
    assert image.get_extent() == [-0.5, 27.5, 14.5, -0.5] or image.get_extent() == (-0.5, 27.5, 14.5, -0.5)
    assert (ax.get_xlabel(), ax.get_ylabel(), figure.get_suptitle()) == ("x", "y", "t")
    assert len(ax.get_xticks()) == 0
    figure.canvas.draw()  # pyright: ignore


@pytest.mark.parametrize("manifold", [FlatTorus(2), Sphere(2), Euclidean(2)])
def test_ticks_tell_where_the_grid_points_are(manifold):
    rows, cols, size = 40, 40, 3
    right, up = coordinates(manifold, latent_grid(manifold, rows, cols))
    (ax,) = decoded_grid(np.zeros((rows, cols, size, size, 1)), manifold=manifold).axes
    for ticks, labels, values, count in (
        (ax.get_xticks(), ax.get_xticklabels(), right[0], cols),
        (ax.get_yticks(), ax.get_yticklabels(), up[:, 0], rows),
    ):
        edge = (np.asarray(ticks) + 0.5) / size - 0.5  # in cells, from the first centre
        want = tick_values(labels)
        inside = (edge >= 0) & (edge <= count - 1)
        assert inside.sum() >= 3
        np.testing.assert_allclose(np.interp(edge[inside], np.arange(count), values), want[inside], atol=0.06)


def test_grey_range_is_shared():
    (ax,) = decoded_grid(RNG.uniform(0.2, 0.4, (2, 2, 3, 3, 1))).axes
    assert ax.images[0].get_clim() == (0.0, 1.0)
    signed = RNG.uniform(-1, 1, (2, 2, 3, 3, 1))
    (ax,) = decoded_grid(signed).axes
    assert ax.images[0].get_clim() == (signed.min(), signed.max())


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 2, 3, 3)),
        np.zeros((2, 0, 3, 3, 1)),
        np.zeros((2, 2, 3, 3, 2)),
        np.full((1, 1, 2, 2, 1), np.nan),
    ],
)
def test_bad_images_are_refused(images):
    with pytest.raises(ValueError, match=r"^images "):
        decoded_grid(images)

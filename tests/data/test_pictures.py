import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load
from mvae.data.pictures import (
    Picture,
    fourier_picture,
    random_translations,
    simple_picture,
    translate,
    translation_grid,
)

PICTURES = {
    "simple": lambda size: simple_picture(size),
    "fourier": lambda size: fourier_picture(jax.random.key(1), 3, 0.7, size),
}


@pytest.fixture(params=sorted(PICTURES))
def make_picture(request):
    return PICTURES[request.param]


def grid64(size):
    return np.meshgrid(*2 * [-np.pi + 2 * np.pi * np.arange(size) / size], indexing="ij")


@pytest.mark.parametrize("size", [2, 5, 16, 64])
def test_simple_picture_is_its_formula(size):
    theta, phi = grid64(size)
    translations = np.array([[0.0, 0.0], [0.3, 5.1], [6.0, 2.0]])
    expected = np.stack([(np.cos(theta - a) + np.cos(phi - b)) / 2 for a, b in translations])
    found = translate(simple_picture(size), jnp.asarray(translations, jnp.float32))
    np.testing.assert_allclose(found[..., 0], expected, atol=2e-6)


def direct_sum(key, N, gamma, size, translations):
    """The formula of the paper term by term in float64; only the amplitudes are shared with the library."""
    a = np.asarray(jax.random.normal(key, (2 * N + 1, 2 * N + 1), jnp.complex64), np.complex128)
    theta, phi = grid64(size)

    def pic(theta, phi):
        total = np.zeros(theta.shape)
        for k in range(-N, N + 1):
            for l in range(-N, N + 1):  # noqa: E741
                weight = gamma ** (abs(k) + abs(l) - 1)
                total += (weight * a[k + N, l + N] * np.exp(1j * (k * theta + l * phi))).real
        return total

    scale = np.abs(pic(theta, phi)).max()
    return np.stack([pic(theta - u, phi - v) / scale for u, v in translations])


@pytest.mark.parametrize(("N", "gamma", "size"), [(1, 1.0, 7), (3, 0.5, 64), (10, 0.9, 24), (3, 0.8, 5)])
def test_fourier_picture_is_the_sum_of_the_paper(N, gamma, size):
    key = jax.random.key(N)
    translations = np.array([[0.0, 0.0], [1.234, 0.1], [6.2, 3.9]])
    found = translate(fourier_picture(key, N, gamma, size), jnp.asarray(translations, jnp.float32))
    np.testing.assert_allclose(found[..., 0], direct_sum(key, N, gamma, size, translations), atol=3e-6 * N)


def test_float64_is_as_precise_as_its_coefficients():
    picture = simple_picture(16)
    with jax.enable_x64(True):
        found = translate(picture, jnp.array([[0.3, 5.1]]))
        assert found.dtype == jnp.float64
    theta, phi = grid64(16)
    np.testing.assert_allclose(found[0, ..., 0], (np.cos(theta - 0.3) + np.cos(phi - 5.1)) / 2, atol=1e-15)


@pytest.mark.parametrize("size", [2, 9, 64])
def test_largest_value_of_the_untranslated_picture_is_one(make_picture, size):
    image = translate(make_picture(size), jnp.zeros((1, 2)))
    np.testing.assert_allclose(jnp.abs(image).max(), 1.0, atol=1e-6)


@pytest.mark.parametrize("size", [5, 64])
def test_translation_by_whole_pixels_is_a_roll(make_picture, size):
    picture = make_picture(size)
    image = translate(picture, jnp.zeros((1, 2)))[0, ..., 0]
    shifts = [(0, 0), (1, 0), (0, 1), (3, 2), (size - 1, 4)]
    found = translate(picture, 2 * jnp.pi * jnp.array(shifts, jnp.float32) / size)
    for moved, shift in zip(found[..., 0], shifts, strict=True):
        np.testing.assert_allclose(moved, jnp.roll(image, shift, axis=(0, 1)), atol=1e-5)


def test_translations_compose_and_have_period_two_pi(make_picture):
    picture = make_picture(8)
    translations = random_translations(jax.random.key(0), 5)
    images = translate(picture, translations)
    np.testing.assert_allclose(translate(picture, translations - 2 * jnp.pi), images, atol=1e-5)
    shift = jnp.array([2 * jnp.pi / 8 * 3, 0.0])
    np.testing.assert_allclose(translate(picture, translations + shift), jnp.roll(images, 3, axis=1), atol=1e-5)


def test_simple_picture_embeds_the_flat_torus_isometrically():
    u = random_translations(jax.random.key(1), 40)
    v = random_translations(jax.random.key(2), 40)
    picture = simple_picture(16)
    found = jnp.mean((translate(picture, u) - translate(picture, v)) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(found, jnp.sum(1 - jnp.cos(u - v), axis=1) / 4, atol=1e-6)
    near = jnp.mean((translate(picture, u) - translate(picture, u + 0.01)) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(near, 2 * 0.01**2 / 8, rtol=2e-3)


def test_jit_and_vmap_give_the_same_pictures(make_picture):
    picture = make_picture(8)
    translations = random_translations(jax.random.key(0), 6)
    images = translate(picture, translations)
    np.testing.assert_allclose(jax.jit(translate)(picture, translations), images, atol=1e-6)
    one_by_one = jax.vmap(lambda translation: translate(picture, translation[None])[0])(translations)
    np.testing.assert_allclose(one_by_one, images, atol=1e-6)


def test_pictures_of_many_keys_at_once():
    keys = jax.random.split(jax.random.key(0), 3)
    pictures = jax.vmap(lambda key: fourier_picture(key, 3, 0.7, 8))(keys)
    images = jax.vmap(lambda picture: translate(picture, jnp.zeros((1, 2))))(pictures)
    for key, image in zip(keys, images, strict=True):
        expected = translate(fourier_picture(key, 3, 0.7, 8), jnp.zeros((1, 2)))
        np.testing.assert_allclose(image, expected, atol=1e-6)


def test_derivatives_in_the_translation(make_picture):
    picture = make_picture(8)
    translations = random_translations(jax.random.key(3), 2)

    def energy(translations):
        return jnp.sum(translate(picture, translations) ** 3)

    gradient = jax.grad(energy)(translations)
    assert jnp.all(jnp.isfinite(gradient))
    forward = jax.jacfwd(energy)(translations)
    np.testing.assert_allclose(gradient, forward, rtol=1e-4, atol=1e-4)
    with jax.enable_x64(True):
        exact = jnp.asarray(np.asarray(translations), jnp.float64)
        steps = 1e-5 * jnp.eye(4, dtype=jnp.float64).reshape(4, 2, 2)
        difference = jnp.stack([energy(exact + step) - energy(exact - step) for step in steps]) / 2e-5
    np.testing.assert_allclose(gradient.reshape(4), difference, rtol=1e-4, atol=1e-4)


def test_nothing_is_promoted_implicitly(make_picture):
    with jax.numpy_dtype_promotion("strict"):
        images = translate(make_picture(8), random_translations(jax.random.key(0), 2))
    assert images.dtype == jnp.float32


@pytest.mark.parametrize("translations", [jnp.zeros(2), jnp.zeros((3, 3)), jnp.zeros((3, 2), jnp.int32)])
def test_wrong_translations_are_refused(translations):
    with pytest.raises(ValueError, match=r"translations must be floats of shape \(B, 2\), got "):
        translate(simple_picture(4), translations)


def test_discount_damps_high_frequencies():
    def share(gamma):
        c = fourier_picture(jax.random.key(4), 3, gamma, 16).coefficients
        low = jnp.array([0, 1, 4])  # 1, cos θ, sin θ
        return 1 - jnp.sum(c[low][:, low] ** 2) / jnp.sum(c**2)

    assert share(0.1) < 0.05 < 0.5 < share(1.0)


def test_grid_of_translations():
    grid = translation_grid(4)
    assert grid.shape == (16, 2)
    assert grid.dtype == jnp.float32
    np.testing.assert_allclose(grid[7], [np.pi / 2, 3 * np.pi / 2], rtol=1e-6)  # 7 = 1·4 + 3
    np.testing.assert_allclose(grid.min(axis=0), 0)
    np.testing.assert_allclose(grid.max(axis=0), 3 * np.pi / 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["simple_picture", "fourier_picture"])
def test_translations_are_uniform(name):
    dataset = load(name, size=4, num_test=4000)
    assert dataset.num_train == 102 * 128
    for rows in (dataset.train, dataset.test):
        u = np.asarray(rows["translation"], np.float64)
        assert u.min() >= 0
        assert u.max() < 2 * np.pi
        # Harmonics of a uniform distribution have mean zero; |mean|·sqrt(n) exceeds 5 with probability e^-25.
        for k in [(1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)]:
            assert abs(np.exp(1j * u @ np.array(k)).mean()) * np.sqrt(len(u)) < 5
    train = {tuple(row) for row in np.asarray(dataset.train["translation"])}
    assert not train & {tuple(row) for row in np.asarray(dataset.test["translation"])}


@pytest.mark.parametrize("name", ["simple_picture", "fourier_picture"])
def test_the_seed_decides_everything(name):
    def content(seed):
        dataset = load(name, size=8, num_train=6, num_test=3, seed=seed)
        return jax.tree.leaves((dataset.render(dataset.train), dataset.render(dataset.test)))

    assert all(jnp.array_equal(x, y) for x, y in zip(content(5), content(5), strict=True))
    assert not any(jnp.array_equal(x, y) for x, y in zip(content(5), content(6), strict=True))


def test_picture_does_not_depend_on_how_many_translations():
    few, many = (load("fourier_picture", size=8, num_train=n, num_test=n) for n in (2, 20))
    at_zero = {"translation": jnp.zeros((1, 2))}
    assert jnp.array_equal(few.render(at_zero)["x"], many.render(at_zero)["x"])


def test_only_translations_are_kept():
    dataset = load("fourier_picture", num_train=10)
    assert dataset.train.keys() == {"translation"}
    assert dataset.event_shape == (64, 64, 1)


def test_size_is_static():
    leaves, treedef = jax.tree.flatten(simple_picture(8))
    assert len(leaves) == 1
    assert isinstance(jax.tree.unflatten(treedef, leaves), Picture)
    assert treedef != jax.tree.structure(simple_picture(9))

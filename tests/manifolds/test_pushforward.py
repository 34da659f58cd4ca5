"""Volume elements and densities against closed forms, and integrals of densities over the manifold itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import beta as beta_function
from scipy.special import digamma
from scipy.stats import norm

from mvae.manifolds import SO3, EmbeddedTorus, log_volume_element, metric_tensor, pushforward_log_density

RNG = np.random.default_rng(0)
MAJOR, MINOR = 3.0, 0.6


def spherical(a):
    """Colatitude and longitude."""
    return jnp.stack([jnp.sin(a[0]) * jnp.cos(a[1]), jnp.sin(a[0]) * jnp.sin(a[1]), jnp.cos(a[0])])


def equal_area(z):
    height, turn = 2 * z[0] - 1, 2 * jnp.pi * z[1]
    radius = jnp.sqrt(1 - height**2)
    return jnp.stack([radius * jnp.cos(turn), radius * jnp.sin(turn), height])


def tube(a):
    return EmbeddedTorus(MAJOR, MINOR).from_angles(a)


def rotation(z):
    """SO(3) by quaternions from the cube, uniform to uniform [shoemake1992], half of the fourth circle."""
    inner, outer = jnp.sqrt(z[0]), jnp.sqrt(1 - z[0])
    a, b = jnp.pi * z[1], 2 * jnp.pi * z[2]
    q = jnp.stack([inner * jnp.cos(a), inner * jnp.sin(a), outer * jnp.cos(b), outer * jnp.sin(b)])
    return SO3().from_quaternion(q)


def cube(n, shape=(40,)):
    return RNG.uniform(0.02, 0.98, size=(*shape, n))


CASES = {
    "sphere, angles": (spherical, 2, lambda z: np.sin(z[..., 0])),
    "sphere, equal area": (equal_area, 2, lambda z: np.full(z.shape[:-1], 4 * np.pi)),
    "torus": (tube, 2, lambda z: MINOR * (MAJOR + MINOR * np.cos(z[..., 0]))),
    "rotations": (rotation, 3, lambda z: np.full(z.shape[:-1], 16 * np.sqrt(2) * np.pi**2)),
}


@pytest.mark.parametrize("case", [*list(CASES)[:3], pytest.param(list(CASES)[3], marks=pytest.mark.slow)])
def test_volume_elements_in_closed_form(case, dtype):
    f, n, expected = CASES[case]
    z = cube(n, (5, 8))
    # Near an end of the axis of the torus the maps stretch by up to 25, which multiplies the rounding.
    rtol = 200 * float(jnp.finfo(dtype).eps)
    found, tensor = jax.jit(lambda z: (log_volume_element(f, z), metric_tensor(f, z)))(jnp.asarray(z, dtype))
    assert found.shape == (5, 8)
    assert found.dtype == dtype
    np.testing.assert_allclose(np.exp(found), expected(z), rtol=rtol)
    assert tensor.shape == (5, 8, n, n)
    np.testing.assert_allclose(np.sqrt(np.linalg.det(np.asarray(tensor, np.float64))), expected(z), rtol=10 * rtol)


def test_metric_of_the_sphere_in_angles(dtype):
    a = cube(2)
    expected = np.zeros((40, 2, 2))
    expected[:, 0, 0], expected[:, 1, 1] = 1, np.sin(a[:, 0]) ** 2
    found = jax.jit(lambda a: metric_tensor(spherical, a))(jnp.asarray(a, dtype))
    np.testing.assert_allclose(found, expected, atol=20 * float(jnp.finfo(dtype).eps))


def test_nearly_dependent_columns_keep_their_digits(dtype):
    """A condition of 1 / sqrt(eps), where det G is nothing but rounding: sin of the angle between the columns."""
    gap = float(jnp.finfo(dtype).eps) ** 0.5

    def f(z):
        return jnp.stack([z[0] + z[1], gap * z[1], z[0] + z[1]])

    found = jax.jit(lambda z: log_volume_element(f, z))(jnp.zeros(2, dtype))
    np.testing.assert_allclose(found, np.log(np.sqrt(2) * gap), rtol=1e-6)


@pytest.mark.parametrize("above", [True, False])
def test_both_sides_of_the_threshold(above, dtype):
    part = 4 * 2 * float(jnp.finfo(dtype).eps) * (2 if above else 0.5)

    def f(z, part):
        return jnp.stack([z[0] + z[1], part * z[1]])

    slope = jax.value_and_grad(lambda p: log_volume_element(lambda z: f(z, p), jnp.zeros(2, dtype)))
    value, derivative = jax.jit(slope)(jnp.asarray(part, dtype))
    assert bool(jnp.isfinite(value)) is above
    np.testing.assert_allclose(derivative, 1 / part if above else 0, rtol=1e-5)


DEFICIENT = (
    lambda z, w: w * jnp.stack([z[0] + 3 * z[1], jnp.sin(z[0] + 3 * z[1]), jnp.cos(z[0] + 3 * z[1])]),
    lambda z, w: w * jnp.stack([z[0], 0 * z[1], z[0] ** 2]),
    lambda z, w: 0 * w * jnp.stack([z[0], z[1], z[0]]),
    lambda z, w: w * jnp.stack([z[0] ** 3, z[1], z[1]]),
)


def test_rank_deficient_points(dtype):
    def loss(f, w, z):
        return jnp.sum(log_volume_element(lambda y: f(y, w), z))

    def of_all(w, z):
        return [jax.value_and_grad(lambda w, z, f=f: loss(f, w, z), argnums=(0, 1))(w, z) for f in DEFICIENT]

    for value, gradients in jax.jit(of_all)(jnp.asarray(1.3, dtype), jnp.asarray([[0.0, 0.7]], dtype)):
        assert value == -jnp.inf
        assert all(np.all(np.asarray(g) == 0) for g in gradients)


def test_density_is_infinite_where_the_volume_vanishes():
    assert pushforward_log_density(lambda z: jnp.stack([z[0], z[0]]) ** 2, lambda z: 0 * z[0], jnp.zeros(1)) == jnp.inf


def test_what_is_not_a_number_stays_so():
    assert jnp.isnan(log_volume_element(lambda z: jnp.sqrt(z - 2), jnp.ones(1)))


def test_gradients_with_respect_to_parameters(dtype):
    """det of a linear map: d log|det(W'W)|^(1/2) / dW = W (W'W)^-1, once for each of six points."""
    weights = RNG.normal(size=(4, 2))
    z = jnp.asarray(RNG.normal(size=(2, 3, 2)), dtype)

    def loss(w):
        return jnp.sum(log_volume_element(lambda y: w @ y, z))

    expected = weights @ np.linalg.inv(weights.T @ weights) * 6
    np.testing.assert_allclose(
        jax.jit(jax.grad(loss))(jnp.asarray(weights, dtype)),
        expected,
        rtol=1e3 * float(jnp.finfo(dtype).eps),
        atol=1e-5,
    )


@pytest.mark.slow
def test_gradients_of_a_network_are_forward_reverse_and_differences():
    with jax.enable_x64(True):
        w = jnp.asarray(RNG.normal(size=(5, 3)))
        out = jnp.asarray(RNG.normal(size=(4, 5)))
        z = jnp.asarray(RNG.normal(size=(6, 3)))

        def loss(w):
            return jnp.sum(log_volume_element(lambda y: out @ jnp.tanh(w @ y), z))

        direction, step = jnp.asarray(RNG.normal(size=w.shape)), 1e-5
        around = jax.jit(jax.vmap(loss))(jnp.stack([w + step * direction, w - step * direction]))
        slope = (around[0] - around[1]) / (2 * step)
        forward = jax.jit(lambda w, v: jax.jvp(loss, (w,), (v,))[1])(w, direction)
        np.testing.assert_allclose(np.sum(jax.jit(jax.grad(loss))(w) * np.asarray(direction)), forward, rtol=1e-10)
        np.testing.assert_allclose(forward, slope, rtol=1e-6)


def bent(z):
    """Tube of MAJOR and MINOR from the square, its angles x + 0.3 sin x and y + 0.4 cos x - 0.2 sin y."""
    x, y = 2 * jnp.pi * z[0], 2 * jnp.pi * z[1]
    return tube(jnp.stack([x + 0.3 * jnp.sin(x), y + 0.4 * jnp.cos(x) - 0.2 * jnp.sin(y)]))


@pytest.mark.slow
def test_density_integrates_to_one_over_the_torus():
    """Quadrature on M at a grid of angles (exact to rounding for periodic functions), with preimages by bisection."""

    def solved(function, value):
        low, high = np.full_like(value, -1.0), np.full_like(value, 2 * np.pi + 1)
        for _ in range(60):
            middle = (low + high) / 2
            below = function(middle) < value
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    minor, major = np.meshgrid(*[2 * np.pi * np.arange(64) / 64] * 2, indexing="ij")
    x = solved(lambda a: a + 0.3 * np.sin(a), minor)
    y = solved(lambda a: a - 0.2 * np.sin(a), (major - 0.4 * np.cos(x)) % (2 * np.pi))
    with jax.enable_x64(True):
        z = jnp.asarray(np.stack([x, y], axis=-1) / (2 * np.pi))
        image, log_density = jax.jit(
            lambda z: (jax.vmap(jax.vmap(bent))(z), pushforward_log_density(bent, lambda z: 0 * z[0], z))
        )(z)
        np.testing.assert_allclose(image, tube(jnp.stack([minor, major], -1)), atol=1e-12)
    area = MINOR * (MAJOR + MINOR * np.cos(minor))
    assert np.mean(np.exp(log_density) * area) * (2 * np.pi) ** 2 == pytest.approx(1, abs=1e-10)


def test_density_of_a_normal_distribution_on_a_paraboloid(dtype):
    """z -> (z, |z|^2): the volume element is sqrt(1 + 4 |z|^2), and the density at x = (z, |z|^2) known."""
    z = RNG.normal(size=(50, 2))

    def f(y):
        return jnp.append(y, jnp.sum(y**2))

    def log_prior(y):
        return jnp.sum(jax.scipy.stats.norm.logpdf(y))

    found = jax.jit(lambda z: pushforward_log_density(f, log_prior, z))(jnp.asarray(z, dtype))
    expected = norm.logpdf(z).sum(-1) - 0.5 * np.log1p(4 * np.sum(z**2, axis=-1))
    np.testing.assert_allclose(found, expected, atol=100 * float(jnp.finfo(dtype).eps))


def test_divergence_on_the_manifold_is_that_before_it():
    """The KL of [golikov2018, App. 5.3] for Beta distributions against the uniform one, on the sphere by `equal_area`.

    On the sphere the density of a Beta distribution is not taken from the library: at height h it is that of (1 + h)/2
    and of the longitude over a turn, divided by the constant area 4 pi, since the map preserves area.
    """
    a, b = np.array([2.0, 3.5]), np.array([1.5, 2.5])
    exact = np.sum(
        (a - 1) * digamma(a) + (b - 1) * digamma(b) - (a + b - 2) * digamma(a + b) - np.log(beta_function(a, b))
    )
    with jax.enable_x64(True):
        z = jnp.asarray(RNG.beta(a, b, size=(20_000, 2)))

        def log_q(y):
            return jnp.sum(jax.scipy.stats.beta.logpdf(y, a, b))

        both = jax.jit(lambda z: [pushforward_log_density(equal_area, p, z) for p in (log_q, lambda y: 0 * y[0])])
        log_q_m, log_p_m = map(np.asarray, both(z))
    np.testing.assert_allclose(log_p_m, -np.log(4 * np.pi), atol=1e-9)
    ratios = log_q_m + np.log(4 * np.pi)
    error = ratios.std(ddof=1) / np.sqrt(len(ratios))
    assert abs(ratios.mean() - exact) < 4 * error
    assert error < 0.02


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: metric_tensor(lambda z: z, jnp.arange(3)), "z"),
        (lambda: metric_tensor(lambda z: z, jnp.ones(())), "z"),
        (lambda: log_volume_element(lambda z: z[:1], jnp.ones(2)), "f"),
        (lambda: log_volume_element(lambda z: z[None], jnp.ones(2)), "f"),
        (lambda: log_volume_element(lambda z: (z, z), jnp.ones(2)), "f"),
        (lambda: pushforward_log_density(lambda z: z, lambda z: z, jnp.ones(2)), "log_prior"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        call()

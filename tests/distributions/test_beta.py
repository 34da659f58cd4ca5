"""The Beta distribution against mpmath and scipy: density, KL, samples and their pathwise derivatives."""

import functools
import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats
from scipy.special import polygamma

from mvae.distributions.beta import beta_kl_to_uniform, beta_log_prob, sample_beta
from mvae.distributions.beta_pathwise import pathwise_derivatives

PARAMETERS = (0.01, 0.1, 0.5, 1.0, 1.5, 7.9, 8.1, 100.0, 1e4)
PAIRS = np.array(list(itertools.product(PARAMETERS, PARAMETERS)))
DRAWS = 20_000
BOTH = pytest.mark.parametrize("x64", [False, pytest.param(True, marks=pytest.mark.slow)])


def exact(function):
    """Evaluates in 100 digits, at the very numbers that the arrays hold."""

    @functools.wraps(function)
    def evaluated(*arrays):
        rows = zip(*(np.asarray(array, np.float64).tolist() for array in arrays), strict=True)
        with mpmath.workdps(100):
            return np.array([float(function(*(mpmath.mpf(number) for number in row))) for row in rows])

    return evaluated


@exact
def exact_kl(a, b):
    c = a + b
    log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(c)
    return (a - 1) * mpmath.digamma(a) + (b - 1) * mpmath.digamma(b) - (c - 2) * mpmath.digamma(c) - log_beta


@exact
def exact_kl_slope(a, b):
    return (a - 1) * mpmath.psi(1, a) - (a + b - 2) * mpmath.psi(1, a + b)


@exact
def exact_log_prob(a, b, z):
    log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
    return (a - 1) * mpmath.log(z) + (b - 1) * mpmath.log1p(-z) - log_beta


@exact
def exact_derivative(a, b, y):
    """dy/da = -(∂F/∂a) / p in y = log(z / (1 - z)), by central differences of the incomplete beta function."""
    z, rest, step = 1 / (1 + mpmath.exp(-y)), 1 / (1 + mpmath.exp(y)), a * mpmath.mpf(10) ** -30

    def distribution(a):
        if y < 0:
            return mpmath.betainc(a, b, 0, z, regularized=True)
        return 1 - mpmath.betainc(b, a, 0, rest, regularized=True)

    return -(distribution(a + step) - distribution(a - step)) / (2 * step) * mpmath.beta(a, b) / (z**a * rest**b)


@BOTH
def test_kl_and_its_gradient(x64):
    rtol = 2e-14 if x64 else 6e-7
    with jax.enable_x64(x64):
        a, b = jnp.asarray(PAIRS, float).T
        value_and_grad = jax.value_and_grad(lambda a, b: beta_kl_to_uniform(a[None], b[None]), argnums=(0, 1))
        value, slopes = jax.jit(jax.vmap(value_and_grad))(a, b)
    kl = exact_kl(a, b)
    assert np.all(np.abs(np.asarray(value, np.float64) - kl) < rtol * np.maximum(1, kl))
    for found, expected in ((slopes[0], exact_kl_slope(a, b)), (slopes[1], exact_kl_slope(b, a))):
        np.testing.assert_allclose(found, expected, rtol=10 * rtol, atol=rtol)


def test_kl_is_quadratic_at_the_uniform_distribution():
    """Half of Fisher's information, ψ'(1) - ψ'(2) = 1 for a alone and -ψ'(2) for the pair."""
    kl = jax.jit(beta_kl_to_uniform)
    for x64, size, rtol in ((True, 1e-4, 1e-3), (False, 0.03, 0.1)):
        with jax.enable_x64(x64):
            offsets = size * np.array([[1.0, 0], [0, -1], [1, 1], [1, -1]])
            found = kl(*jnp.asarray(1 + offsets, float).T[..., None])
        information = np.array([[polygamma(1, 1) - polygamma(1, 2), -polygamma(1, 2)]])
        information = np.concatenate([information, information[:, ::-1]])
        expected = np.einsum("ni,ij,nj->n", offsets, information, offsets) / 2
        np.testing.assert_allclose(found, expected, rtol=rtol)
    near = 1 + np.linspace(-1e-4, 1e-4, 41, dtype=np.float32)
    values = kl(*np.stack(np.meshgrid(near, near))[..., None])
    assert kl(np.ones(1, np.float32), np.ones(1, np.float32)) == pytest.approx(0, abs=4e-7)
    assert np.abs(values).max() < 1e-6


@BOTH
def test_log_density_from_the_mode_to_the_ends(x64):
    with jax.enable_x64(x64):
        limits = jnp.finfo(jnp.ones(()).dtype)
        least, greatest = float(limits.tiny), 1 - float(limits.epsneg)
        a, b = PAIRS.T
        spread = np.sqrt(a * b / (a + b) ** 2 / (a + b + 1))
        places = [a / (a + b) + k * spread for k in (-3, -1, 0, 1, 3)] + [0 * a + z for z in (least, 0.4, greatest)]
        a, b, z = (jnp.asarray(array, float) for array in np.broadcast_arrays(a, b, np.stack(places)))
        z = jnp.clip(z, least, greatest)
        log_prob = jax.jit(lambda a, b, z: beta_log_prob(a[..., None], b[..., None], z[..., None]))
        found = np.asarray(log_prob(a, b, z), np.float64)
        gradients = jax.jit(jax.grad(lambda *x: jnp.sum(log_prob(*x)), argnums=(0, 1)))(a, b, z)
    expected = np.stack([exact_log_prob(*row) for row in zip(a, b, z, strict=True)])
    eps = float(jnp.finfo(z.dtype).eps)
    assert np.isfinite(found).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    # The mean is a rounded number: at k standard deviations from it that is worth k eps √(a + b).
    size = np.abs(expected) + np.abs(np.log(z)) + np.sqrt(a + b) + 1
    assert np.all(np.abs(found - expected) < (60 if x64 else 20) * eps * size)


def test_log_density_is_that_of_scipy_over_a_product():
    a, b, z = np.array([[0.5, 3.0, 40.0]]), np.array([[2.0], [9.0]]) + np.zeros(3), np.array([0.2, 0.6, 0.9])
    found = jax.jit(beta_log_prob)(a, b, z)
    assert found.shape == (2,)
    np.testing.assert_allclose(found, stats.beta(a, b).logpdf(z).sum(axis=1), rtol=2e-6)
    np.testing.assert_allclose(jax.jit(beta_kl_to_uniform)(a, b), -stats.beta(a, b).entropy().sum(axis=1), rtol=2e-6)


def spread_of_draws():
    """Parameters, and places y in the bulk and both tails of their distribution."""
    rng = np.random.default_rng(0)
    pairs = np.array(list(itertools.product((0.01, 0.3, 1.0, 3.0, 100.0, 1e4), repeat=2)))
    log_gammas = np.log(rng.gamma(pairs + 1)) + np.where(pairs < 50, np.log(rng.uniform(size=pairs.shape)) / pairs, 0)
    y = log_gammas[:, 0] - log_gammas[:, 1]
    to_left, to_right = (
        3 / np.minimum(pairs, np.sqrt(pairs)).T
    )  # a tail of e^(a y) on the left, of e^(-b y) on the right
    y = np.choose(np.arange(len(y)) % 3, [y - to_left, y, y + to_right])
    return (*pairs.T, np.clip(y, -80, 80))


@BOTH
def test_derivatives_of_draws_are_those_of_the_distribution_function(x64):
    with jax.enable_x64(x64):
        a, b, y = (jnp.asarray(array, float) for array in spread_of_draws())
        by_a, by_b = jax.jit(pathwise_derivatives)(y, a, b)
    kept = slice(None) if x64 else slice(None, None, 4)
    rtol = 1e-9 if x64 else 3e-5
    np.testing.assert_allclose(by_a[kept], exact_derivative(a[kept], b[kept], y[kept]), rtol=rtol)
    np.testing.assert_allclose(-by_b[kept], exact_derivative(b[kept], a[kept], -y[kept]), rtol=rtol)


@pytest.mark.slow
@BOTH
def test_distribution_of_samples_and_gradients_of_means(x64):
    """Distribution by Kolmogorov-Smirnov; E log z, E z and E z² have their exact derivatives in a and b."""
    with jax.enable_x64(x64):
        pairs = jnp.asarray([[0.3, 0.5], [1.0, 1.0], [4.0, 0.7], [30.0, 2.0], [900.0, 1200.0]], float)

        def draws(pairs):
            return sample_beta(jax.random.key(1), pairs[:, 0], pairs[:, 1], (DRAWS,))

        def derivatives(direction):
            return jax.jvp(draws, (pairs,), (jnp.broadcast_to(direction, pairs.shape),))

        z, by_a, by_b = (
            np.asarray(array, np.float64)
            for array in jax.jit(lambda: (*derivatives(jnp.eye(2)[0]), derivatives(jnp.eye(2)[1])[1]))()
        )
    assert z.shape == (DRAWS, len(pairs))
    for (a, b), column, *slopes in zip(np.asarray(pairs), z.T, by_a.T, by_b.T, strict=True):
        assert stats.kstest(column, stats.beta(a, b).cdf).pvalue > 1e-6
        c = a + b
        mean, second = a / c, a * (a + 1) / (c * (c + 1))
        exact_slopes = {
            "mean": (b / c**2, -a / c**2),
            "second": (
                second * (1 / a + 1 / (a + 1) - 1 / c - 1 / (c + 1)),
                -second * (1 / c + 1 / (c + 1)),
            ),
            "log": (polygamma(1, a) - polygamma(1, c), -polygamma(1, c)),
        }
        outer = {"mean": np.ones_like(column), "second": 2 * column, "log": 1 / column}
        assert abs(column.mean() - mean) < 5 * column.std() / np.sqrt(DRAWS)
        for name, expected in exact_slopes.items():
            for slope, value in zip(slopes, expected, strict=True):
                each = outer[name] * slope
                assert abs(each.mean() - value) < 5 * each.std() / np.sqrt(DRAWS) + 1e-5 * abs(value)


@pytest.mark.slow
@pytest.mark.parametrize("x64", [False, True])
def test_samples_of_extreme_distributions_stay_inside_with_finite_gradients(x64):
    with jax.enable_x64(x64):
        a, b = jnp.asarray(PAIRS, float).T

        def total(a, b):
            z = sample_beta(jax.random.key(2), a, b, (200,))
            return jnp.sum(beta_log_prob(a[:, None], b[:, None], z[..., None])), z

        (value, z), gradients = jax.jit(jax.value_and_grad(total, argnums=(0, 1), has_aux=True))(a, b)
    assert z.dtype == a.dtype
    z = np.asarray(z)
    assert z.min() >= np.finfo(z.dtype).tiny
    assert z.max() < 1
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.slow
def test_seeds_under_vmap_draw_as_alone_and_apart():
    keys = jax.random.split(jax.random.key(3), 3)
    a, b = jnp.asarray([[0.5, 3.0]] * 3), jnp.asarray([[2.0, 0.1]] * 3)
    together = jax.vmap(sample_beta)(keys, a, b)
    np.testing.assert_allclose(together[1], sample_beta(keys[1], a[1], b[1]), rtol=1e-5)
    assert len(np.unique(np.asarray(together))) == together.size
    assert sample_beta(keys[0], a[0], jnp.float32(2.0), (5, 4)).shape == (5, 4, 2)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0, 0.0])
def test_draw_with_a_parameter_that_is_no_positive_number_is_nan_and_ends(wrong):
    """A rejection that waited for it would never end, and hide that training has diverged."""
    draws = np.asarray(sample_beta(jax.random.key(0), jnp.array([2.0, wrong, 0.5]), jnp.array([3.0, 3.0, 0.5])))
    assert np.isnan(draws).tolist() == [False, True, False]
    other = np.asarray(sample_beta(jax.random.key(0), jnp.array([2.0, 1.0, 0.5]), jnp.array([3.0, 3.0, 0.5])))
    np.testing.assert_array_equal(draws[[0, 2]], other[[0, 2]])


def test_dtypes_of_16_bits():
    a = jnp.array([2.0, 3.0], jnp.bfloat16)
    assert float(beta_kl_to_uniform(a, a)) == pytest.approx(
        float(beta_kl_to_uniform(*2 * [a.astype(jnp.float32)])), rel=0.01
    )
    with pytest.raises(ValueError, match=r"^a and b must be float32 or float64, got bfloat16"):
        sample_beta(jax.random.key(0), a, a)

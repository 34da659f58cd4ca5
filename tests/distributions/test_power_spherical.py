"""The power spherical distribution against quadrature over the angle to its centre."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln, polygamma

from mvae.distributions.power_spherical import power_spherical_kl, power_spherical_log_prob, sample_power_spherical
from mvae.manifolds import Sphere

CONCENTRATIONS = (0.1, 1.0, 30.0, 1000.0)
DRAWS = 20_000
SLOW = pytest.mark.slow  # each sampler takes a second or two to compile


def centre(n, dtype=np.float64):
    mu = np.random.default_rng(n).normal(size=n)
    return (mu / np.linalg.norm(mu)).astype(dtype)


def angles(n, kappa):
    """Angles, and weights times the area of the sphere at each angle."""
    end = min(math.pi, 16 * math.sqrt(2 / (kappa + 0.5)) + 8 * math.sqrt(2 * n / (kappa + 1)))
    nodes, weights = np.polynomial.legendre.leggauss(300)
    left = ((1 - nodes) / 2) ** 4  # clustered at the end, where a small power of the cosine vanishes
    theta, weights = (1 - left) * end, weights * 2 * end * ((1 - nodes) / 2) ** 3
    log_area = math.log(2) + (n - 1) / 2 * math.log(math.pi) - gammaln((n - 1) / 2)  # of S^(n-2)
    return theta, weights * np.exp(log_area) * np.sin(theta) ** (n - 2)


def at_angles(mu, theta):
    """Points at angles from mu, along one great circle."""
    other = np.eye(len(mu))[np.argmin(np.abs(mu))]
    other = other - mu * (mu @ other)
    return np.cos(theta)[:, None] * mu + np.sin(theta)[:, None] * other / np.linalg.norm(other)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_density_integrates_to_one_and_kl_is_its_integral(n):
    mu = centre(n)
    density = jax.jit(power_spherical_log_prob)
    divergence = jax.jit(power_spherical_kl, static_argnums=1)
    for kappa in CONCENTRATIONS:
        theta, weights = angles(n, kappa)
        z = at_angles(mu, theta)
        for x64, atol in ((True, 1e-9), (False, 2e-5)):
            with jax.enable_x64(x64):
                k = jnp.asarray(kappa, float)
                log_p = np.asarray(density(jnp.asarray(mu), k, jnp.asarray(z)), np.float64)
                kl = divergence(k, n - 1)
            total = weights @ np.exp(log_p)
            expected = weights @ (np.exp(log_p) * (log_p + Sphere(n - 1).log_volume))
            assert total == pytest.approx(1, abs=atol)
            assert kl == pytest.approx(expected, abs=10 * atol)


@pytest.mark.parametrize("n", [2, 11])
def test_kl_of_small_and_large_concentrations(n):
    kl = jax.jit(lambda kappa: power_spherical_kl(kappa, n - 1))
    kappas = np.array([0.0, 1e-4, 1e-2, 1e4])
    with jax.enable_x64(True):
        exact = np.asarray(kl(jnp.asarray(kappas)))
        slope = jax.jit(jax.grad(lambda kappa: power_spherical_kl(kappa, n - 1)))(jnp.asarray(1e-3))
    # Of order κ²: half of it times the variance of log((1 + μ·z) / 2) under the uniform distribution.
    variance = polygamma(1, (n - 1) / 2) - polygamma(1, n - 1)
    np.testing.assert_allclose(exact[:3], variance * kappas[:3] ** 2 / 2, rtol=0.03, atol=1e-13)
    assert slope == pytest.approx(variance * 1e-3, rel=0.01)
    np.testing.assert_allclose(kl(jnp.asarray(kappas, jnp.float32)), exact, rtol=1e-6, atol=5e-6)


@pytest.mark.parametrize(("n", "x64"), [pytest.param(2, False, marks=SLOW), (3, True), (20, False)])
def test_moments_of_samples(n, x64):
    """(1 + μ·z) / 2 is Beta(a, b), and what is left of z is symmetric about μ."""
    b = (n - 1) / 2
    kappas = np.array([0.1, 30.0, 1e4])
    mus = centre(n) * np.array([[1], [-1], [1]])
    with jax.enable_x64(x64):
        location = jnp.asarray(np.broadcast_to(mus, (DRAWS, 3, n)), float)
        concentration = jnp.asarray(np.broadcast_to(kappas, (DRAWS, 3)), float)
        z = jax.jit(sample_power_spherical)(jax.random.key(n), location, concentration)
        assert z.dtype == location.dtype
    z = np.asarray(z, np.float64)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1, atol=1e-6)
    for mu, kappa, draws in zip(mus, kappas, z.swapaxes(0, 1), strict=True):
        rest = np.sum((draws - mu) ** 2, axis=-1) / 4  # 1 - t, which keeps its digits at large concentrations
        a = b + kappa
        mean, variance = b / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))
        fourth = np.mean((rest - rest.mean()) ** 4)
        assert abs(rest.mean() - mean) < 5 * math.sqrt(variance / DRAWS)
        assert abs(rest.var() - variance) < 5 * math.sqrt((fourth - variance**2) / DRAWS)
        tangent = draws - (draws @ mu)[:, None] * mu
        scale = math.sqrt(np.mean(np.sum(tangent**2, axis=-1)) / (n - 1))
        covariance = tangent.T @ tangent / DRAWS / scale**2
        assert np.abs(tangent.mean(axis=0)).max() < 5 * scale / math.sqrt(DRAWS)
        assert np.abs(covariance - np.eye(n) + np.outer(mu, mu)).max() < 0.06


@pytest.mark.parametrize("n", [pytest.param(3, marks=SLOW), 11])
def test_pathwise_gradient_is_that_of_the_mean_and_finite_at_the_poles(n):
    """d/dκ and d/dα of E[exp(μ0·z)], μ at the angle α from μ0, from draws and from quadrature."""
    mu0 = centre(n)
    other = at_angles(mu0, np.array([math.pi / 2]))[0]
    kappa, angle = 4.0, 0.7
    theta, weights = angles(n, kappa)
    nodes, node_weights = np.polynomial.legendre.leggauss(80)
    phi = (nodes + 1) * math.pi / 2
    density = node_weights * np.sin(phi) ** (n - 3)
    log_prob = jax.jit(power_spherical_log_prob)

    def mean(kappa, angle):
        """E of exp(cos θ cos α) over θ, times the mean of exp(sin θ sin α cos φ) around μ."""
        around = np.exp(np.outer(np.sin(theta) * math.sin(angle), np.cos(phi))) @ density / density.sum()
        log_p = log_prob(jnp.asarray(mu0), jnp.asarray(kappa), jnp.asarray(at_angles(mu0, theta)))
        return weights @ (np.exp(log_p) * np.exp(np.cos(theta) * math.cos(angle)) * around)

    step = 1e-4
    with jax.enable_x64(True):
        by_kappa = (mean(kappa + step, angle) - mean(kappa - step, angle)) / (2 * step)
        by_angle = (mean(kappa, angle + step) - mean(kappa, angle - step)) / (2 * step)

    def total(mu, kappa):
        return jnp.sum(jnp.exp(sample_power_spherical(jax.random.key(n), mu, kappa) @ mu0.astype(np.float32)))

    gradient = jax.jit(jax.grad(total, argnums=(0, 1)))
    mu = np.broadcast_to(math.cos(angle) * mu0 + math.sin(angle) * other, (DRAWS, n)).astype(np.float32)
    of_mu, of_kappa = gradient(mu, np.full(DRAWS, kappa, np.float32))
    of_angle = np.asarray(of_mu) @ (math.cos(angle) * other - math.sin(angle) * mu0)
    for each, exact in ((np.asarray(of_kappa), by_kappa), (of_angle, by_angle)):
        error = np.std(each) / math.sqrt(DRAWS)
        assert error < 0.02 * abs(exact)
        assert abs(np.mean(each) - exact) < 4 * error

    poles = np.zeros((DRAWS, n), np.float32)
    poles[:, 0] = np.where(np.arange(DRAWS) % 2, 1, -1)
    of_mu, of_kappa = gradient(poles, np.geomspace(1e-3, 1e4, DRAWS).astype(np.float32))
    assert np.isfinite(of_mu).all()
    assert np.isfinite(of_kappa).all()
    assert np.abs(of_mu).max() < 2 * math.e * math.sqrt(2)


def test_derivative_in_the_concentration_up_to_1e14():
    """Of 1 - T = 2 / (1 + e^y), y the logarithm of the ratio of the variates: against the distribution function."""

    def away(kappa):
        mu = jnp.eye(3, dtype=kappa.dtype)[0]
        z = sample_power_spherical(jax.random.key(3), mu, kappa)
        return 2 * jnp.log(jnp.linalg.norm(z[1:]))  # log(1 - T²), which keeps its digits near μ

    value_and_slope = jax.jit(jax.value_and_grad(away))
    for kappa in (1e2, 1e6, 1e10, 1e14):
        with jax.enable_x64(True):
            value, slope = value_and_slope(jnp.asarray(kappa))
        # On S² the share v = (1 - T)/2 has the distribution function 1 - (1 - v)^(κ + 1).
        v = float(jnp.exp(value)) / 4
        v = 2 * v / (1 + math.sqrt(max(0.0, 1 - 4 * v)))
        dv = (1 - v) * math.log1p(-v) / (kappa + 1)
        assert float(slope) == pytest.approx(dv * (1 - 2 * v) / (v * (1 - v)), rel=1e-3), kappa
        assert np.isfinite(value_and_slope(jnp.asarray(kappa, jnp.float32))[1])
    program = str(jax.make_jaxpr(jax.grad(away))(jnp.array(1.0)))
    assert "random_gamma_grad" not in program  # a series of as many terms as κ is large


@pytest.mark.parametrize("x64", [False, True])
def test_density_and_its_derivatives_are_finite_at_the_centre_and_opposite(x64):
    with jax.enable_x64(x64):
        mu = jnp.asarray(np.array([[1.0, 0, 0], [-1.0, 0, 0]] * 2), float)
        z = mu * jnp.asarray(np.array([[1.0], [1.0], [-1.0], [-1.0]]), float)
        kappa = jnp.asarray(np.array([0.0, 1e4, 0.0, 1e4]), float)
        value_and_grad = jax.value_and_grad(lambda *x: jnp.sum(power_spherical_log_prob(*x)), argnums=(0, 1, 2))
        value, gradients = jax.jit(value_and_grad)(mu, kappa, z)
    assert np.isfinite(value)
    assert all(np.isfinite(each).all() for each in gradients)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="location must have a last axis of at least 2"):
        sample_power_spherical(jax.random.key(0), jnp.ones((4, 1)), jnp.ones(4))
    with pytest.raises(ValueError, match="same leading axes"):
        sample_power_spherical(jax.random.key(0), jnp.ones((4, 3)), jnp.ones(3))
    with pytest.raises(ValueError, match="dim"):
        power_spherical_kl(jnp.ones(()), 0)


@pytest.mark.parametrize("half", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_arrays_of_16_bits_are_computed_with_in_float32(half):
    def functions(mu, kappa):
        z = sample_power_spherical(jax.random.key(0), mu, kappa)
        return z, power_spherical_log_prob(mu, kappa, -mu[::-1]), power_spherical_kl(kappa, 2)

    mu, kappa = jnp.eye(3), jnp.array([0.5, 4.0, 64.0])
    for found, expected in zip(functions(mu.astype(half), kappa.astype(half)), functions(mu, kappa), strict=True):
        assert found.dtype == half
        np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=0.02, atol=0.02)

"""The integral over coefficients against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from scipy.integrate import quad

from mvae.methods.vaells.transport_density import TransportDistribution
from mvae.methods.vaells.transport_marginal import log_marginal_density

SPIRAL = np.array([[[0.1, -1.0], [1.0, 0.1]]])
DISTRIBUTION = TransportDistribution(noise_scale=0.1, laplace_scale=0.5, l1_weight=None)
MU = np.array([1.0, 0.5])


def quadrature(z: np.ndarray) -> float:
    def integrand(c: float) -> float:
        residual = z - scipy.linalg.expm(c * SPIRAL[0]) @ MU
        noise = np.exp(-0.5 * residual @ residual / DISTRIBUTION.noise_scale**2) / (
            2 * np.pi * DISTRIBUTION.noise_scale**2
        )
        return noise * np.exp(-abs(c) / DISTRIBUTION.laplace_scale) / (2 * DISTRIBUTION.laplace_scale)

    return sum(quad(integrand, a, b, limit=200)[0] for a, b in ((-8, -2), (-2, 0), (0, 2), (2, 8)))


@pytest.mark.slow
def test_one_operator_against_quadrature():
    c = np.array([[0.0], [0.7], [-1.1]])
    z = np.stack([scipy.linalg.expm(x[0] * SPIRAL[0]) @ MU for x in c]) + np.array([0.05, -0.1])
    found = log_marginal_density(
        jax.random.key(0),
        DISTRIBUTION,
        jnp.float32(SPIRAL),
        jnp.float32(MU),
        jnp.float32(z),
        jnp.float32(c),
        num_draws=20_000,
    )
    np.testing.assert_allclose(found, np.log([quadrature(each) for each in z]), atol=0.03)


@pytest.mark.slow
def test_operators_that_do_nothing_leave_a_normal_density():
    z = jnp.array([[1.05, 0.4]])
    zeros = jnp.zeros((3, 2, 2))
    found = log_marginal_density(
        jax.random.key(0), DISTRIBUTION, zeros, jnp.float32(MU), z, jnp.zeros((1, 3)), num_draws=4000
    )
    residual = np.asarray(z[0]) - MU
    expected = -0.5 * residual @ residual / 0.01 - np.log(2 * np.pi * 0.01)
    # 4000 draws of weights that differ by a factor of two at most, the integrand being q(c) itself.
    np.testing.assert_allclose(found, [expected], atol=0.06)


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="num_draws"):
        log_marginal_density(
            jax.random.key(0), DISTRIBUTION, jnp.zeros((1, 2, 2)), jnp.zeros(2), jnp.zeros(2), jnp.zeros(1), num_draws=0
        )

"""Ratios of gamma functions against scipy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma, gammaln, loggamma

from mvae.distributions.gamma_ratio import log_gamma_ratio

pytestmark = pytest.mark.usefixtures("optimized")

X = np.array([0.5, 0.6, 1.0, 2.5, 7.9, 8.1, 30.0, 1e3])


@pytest.mark.parametrize("num_halves", [0, 1, 7, 20])
def test_values_and_derivatives(num_halves):
    both = jax.jit(lambda x: jax.jvp(lambda x: log_gamma_ratio(x, num_halves), (x,), (jnp.ones_like(x),)))
    expected = loggamma(X + num_halves / 2) - loggamma(X)
    slope = digamma(X + num_halves / 2) - digamma(X)
    for x64, rtol in ((True, 2e-12), (False, 1e-6)):
        with jax.enable_x64(x64):
            value, found = both(jnp.asarray(X))
        np.testing.assert_allclose(value, expected, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(found, slope, rtol=10 * rtol, atol=rtol)


def test_large_arguments_in_float32():
    """There lgamma itself is off by 5e-3."""
    x = np.float32(1e4)
    expected = gammaln(1e4 + 9.5) - gammaln(1e4)  # about 87
    np.testing.assert_allclose(jax.jit(log_gamma_ratio, static_argnums=1)(x, 19), expected, atol=3e-5)


def test_negative_steps_are_refused():
    with pytest.raises(ValueError, match="num_halves"):
        log_gamma_ratio(jnp.ones(()), -1)

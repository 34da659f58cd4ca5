"""Binet's function and its derivatives against mpmath, both sides of where the series starts."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from mvae.distributions.binet import binet

X = (0.01, 0.5, 1.0, 3.0, 7.99, 8.0, 8.01, 30.0, 1e4)


def expected(x, order):
    with mpmath.workdps(40):
        x = mpmath.mpf(x)
        if order == 0:
            return float(mpmath.loggamma(x) - (x - 0.5) * mpmath.log(x) + x - mpmath.log(2 * mpmath.pi) / 2)
        if order == 1:
            return float(mpmath.digamma(x) - mpmath.log(x) + 1 / (2 * x))
        return float(mpmath.psi(1, x) - 1 / x - 1 / (2 * x**2))


@pytest.mark.parametrize("x64", [False, True])
def test_values_and_derivatives(x64):
    with jax.enable_x64(x64):
        x = jnp.asarray(X, float)
        slope = jax.grad(lambda x: binet(x))
        found = jax.jit(lambda x: (binet(x), jax.vmap(slope)(x), jax.vmap(jax.grad(slope))(x)))(x)
    eps = float(jnp.finfo(x.dtype).eps)
    for order, values in enumerate(found):
        exact = np.array([expected(float(each), order) for each in x])
        atol = 10 * eps / np.asarray(x, np.float64) ** order  # each step of the recurrence rounds a number near 1
        assert np.all(np.abs(np.asarray(values, np.float64) - exact) < atol + (10 * eps + 2e-12) * np.abs(exact))

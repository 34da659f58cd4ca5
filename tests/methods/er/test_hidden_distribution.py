"""Posteriors on Z_hid from outputs of an encoder, those far out among them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.methods.er.hidden_distribution import GREATEST, LEAST, beta_hidden

LOCATIONS = (-200.0, -20.0, 0.0, 20.0, 200.0)
LOG_SCALES = (-200.0, 0.0, 79.0, 81.0, 90.0, 1e4)


@pytest.mark.slow
def test_beta_posterior_of_any_outputs_is_held_with_finite_derivatives():
    """exp overflows float32 at 88.7: the derivative of what is held was infinity times 0."""
    distribution = beta_hidden(1)

    def loss(location, log_scale):
        q = distribution.posterior(location, log_scale)
        value = (
            jnp.sum(distribution.kl(q))
            + jnp.sum(distribution.sample(jax.random.key(0), q))
            + jnp.sum(distribution.mean(q))
        )
        return value, q

    pairs = np.array(list(itertools.product(LOCATIONS, LOG_SCALES)), np.float32)
    of_all = jax.jit(jax.vmap(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)))
    (values, q), slopes = of_all(pairs[:, :1], pairs[:, 1:])
    assert np.isfinite(values).all()
    for shape, slope in zip(q, slopes, strict=True):
        assert np.all((shape >= np.float32(LEAST)) & (shape <= GREATEST))
        assert np.isfinite(slope).all(), pairs[~np.isfinite(slope[:, 0])]


def test_parameters_within_the_bounds_are_kappa_times_the_mean():
    a, b = beta_hidden(2).posterior(jnp.array([0.7, -30.0]), jnp.array([3.0, 40.0]))
    kappa, odds = np.exp([3.0, 40.0]), np.exp([0.7, -30.0])
    np.testing.assert_allclose(a, np.minimum(kappa * odds / (1 + odds), GREATEST), rtol=4e-6)
    np.testing.assert_allclose(b, np.minimum(kappa / (1 + odds), GREATEST), rtol=4e-6)

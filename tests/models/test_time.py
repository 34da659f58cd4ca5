"""The floor of the diffusion time."""

import jax
import jax.numpy as jnp
import numpy as np

from mvae.models.time import TimeConfig, time_floor

CONFIG = TimeConfig(initial=1e-3, floor_start=0.5, floor_end=1e-4, hold_steps=10, anneal_steps=20)


def floor(step, config=CONFIG):
    return float(jax.jit(lambda s: time_floor(config, s))(jnp.int32(step)))


def test_holds_falls_log_linearly_and_is_dropped():
    np.testing.assert_allclose([floor(0), floor(10)], 0.5, rtol=1e-6)
    np.testing.assert_allclose(floor(20), np.sqrt(0.5 * 1e-4), rtol=1e-5)
    np.testing.assert_allclose(floor(29), 0.5 * (2e-4) ** (19 / 20), rtol=1e-5)
    assert floor(30) == 0.0
    assert floor(10**6) == 0.0
    assert float(time_floor(CONFIG, None)) == 0.0


def test_no_floor_and_sudden_fall():
    assert floor(0, TimeConfig(1e-3, 0.0, 1e-4, 10, 20)) == 0.0
    sudden = TimeConfig(1e-3, 0.5, 1e-4, 10, 0)
    np.testing.assert_allclose(floor(9, sudden), 0.5, rtol=1e-6)
    assert floor(10, sudden) == 0.0

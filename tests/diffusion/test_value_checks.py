"""Wrong times and points off the manifold are refused, under `check_values` in compiled functions too."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import kl_to_uniform, log_heat_kernel, random_walk, sample
from mvae.manifolds import EmbeddedTorus, FlatTorus, Sphere, check_values
from tests.precisions import DOUBLE_IS_SLOW

FUNCTIONS = {
    "random_walk": lambda manifold, t, z, w: random_walk(jax.random.key(0), manifold, z, t, num_steps=2),
    "sample": lambda manifold, t, z, w: sample(jax.random.key(0), manifold, z, t),
    "kl_to_uniform": lambda manifold, t, z, w: kl_to_uniform(manifold, t, z),
    "log_heat_kernel": lambda manifold, t, z, w: log_heat_kernel(manifold, t, z, w),
}


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_values_are_refused(name, dtype):
    manifold = FlatTorus(1)
    z, w = (manifold.uniform(jax.random.key(seed), (3,)).astype(dtype) for seed in (0, 1))
    function = functools.partial(FUNCTIONS[name], manifold)
    compiled = jax.jit(function)
    t, bad = jnp.array([0.1, 0.2, 0.3], dtype), jnp.array([0.1, -0.25, 0.3], dtype)
    expected = compiled(t, z, w)
    assert compiled(bad, z, w).shape == expected.shape  # traced without checks, and kept
    np.testing.assert_array_equal(check_values(compiled)(t, z, w), expected)
    with pytest.raises(ValueError, match=r"t must be positive, got -0\.25"):
        check_values(compiled)(bad, z, w)
    with pytest.raises(ValueError, match="t must be positive"):
        function(bad, z, w)
    for form in (function, check_values(compiled)):
        with pytest.raises(ValueError, match="z must lie on the manifold"):
            form(t, 1.5 * z, w)
        if name == "log_heat_kernel":
            with pytest.raises(ValueError, match="w must lie on the manifold"):
                form(t, z, 1.5 * w)


def test_a_training_step_is_checked():
    """Vectorised over examples, differentiated, compiled, in a loop: the error names what is wrong at the bottom."""

    def loss(log_t, z):
        t = log_t + 1  # a sign away from right
        w = random_walk(jax.random.key(0), Sphere(2), z, t, num_steps=2)
        return kl_to_uniform(Sphere(2), t, z) + w[0]

    @jax.jit
    def train(log_t, z):
        def step(log_t, _):
            slope = jax.grad(lambda log_t: jnp.mean(jax.vmap(loss, (None, 0))(log_t, z)))(log_t)
            return log_t - 0.01 * jnp.sign(slope), None

        return jax.lax.scan(step, log_t, None, length=3)[0]

    z = Sphere(2).uniform(jax.random.key(0), (4,))
    assert jnp.isfinite(check_values(train)(0.5, z))
    with pytest.raises(ValueError, match="t must be positive, got -2"):
        check_values(train)(-3.0, z)


def test_starts_off_the_embedded_torus_are_refused():
    torus = EmbeddedTorus()
    z = torus.uniform(jax.random.key(0))
    for start, end, name in ((1.2 * z, z, "z"), (z, 1.2 * z, "w")):
        with pytest.raises(ValueError, match=f"{name} must lie on the manifold"):
            log_heat_kernel(torus, 0.1, start, end)

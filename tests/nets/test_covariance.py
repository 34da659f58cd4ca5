import jax
import jax.numpy as jnp
import numpy as np

from mvae.nets import CovarianceNet


def test_factors_are_lower_triangular_with_positive_diagonal_and_begin_at_the_identity():
    net = CovarianceNet((16,), 4)
    z = jax.random.normal(jax.random.key(0), (5, 4))
    params = net.init(jax.random.key(1), z)
    np.testing.assert_array_equal(net.apply(params, z), np.broadcast_to(np.eye(4), (5, 4, 4)))
    moved = jax.tree.map(lambda leaf: leaf + jax.random.normal(jax.random.key(2), leaf.shape), params)
    factors = net.apply(moved, z)
    assert bool(jnp.all(jnp.triu(factors, 1) == 0))
    assert bool(jnp.all(jnp.diagonal(factors, axis1=1, axis2=2) > 0))
    assert float(jnp.max(jnp.abs(jnp.tril(factors, -1)))) > 0.1  # not diagonal

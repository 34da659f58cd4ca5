import math

import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import Euclidean


def test_volume_is_infinite_and_curvature_zero():
    assert Euclidean(2).volume == math.inf
    assert Euclidean(2).log_volume == math.inf
    np.testing.assert_array_equal(Euclidean(2).scalar_curvature(jnp.ones((3, 2))), [0, 0, 0])


def test_to_tangent_broadcasts():
    assert Euclidean(2).to_tangent(jnp.zeros((3, 1, 2)), jnp.ones((4, 2))).shape == (3, 4, 2)


def test_contains_finite_points_only():
    np.testing.assert_array_equal(Euclidean(1).contains(jnp.array([[1.0], [jnp.inf], [jnp.nan]])), [1, 0, 0])


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="dim must be an integer of at least 1, got 0"):
        Euclidean(0)
    with pytest.raises(ValueError, match="x must have a last axis of size 2"):
        Euclidean(2).project(jnp.zeros(3))

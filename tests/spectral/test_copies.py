"""Which rows repeat others, against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.spectral import distinct_points
from mvae.spectral.copies import first_copies

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dim", [1, 3, 200])
def test_first_copies_are_those_of_numpy(dtype, dim):
    x = RNG.integers(0, 3, size=(200, dim)).astype(dtype) / 7
    x = x[RNG.integers(0, 60, size=200)]
    _, place = np.unique(x, axis=0, return_inverse=True)
    expected = np.array([np.flatnonzero(place.reshape(-1) == p)[0] for p in place.reshape(-1)])
    with jax.enable_x64(dtype == np.float64):
        found = first_copies(jnp.asarray(x))
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(jax.jit(first_copies)(jnp.asarray(x)), expected)
        distinct = distinct_points(jnp.asarray(x))
    np.testing.assert_array_equal(x[distinct.rows][distinct.place], x)
    assert distinct.counts.sum() == 200


def test_entries_that_change_places_and_neighbouring_numbers_are_not_the_same():
    x = np.array([[1.0, 2.0], [2.0, 1.0], [0.0, 3.0], [np.nextafter(np.float32(1), 2), 2.0], [-1.0, -2.0]], np.float32)
    np.testing.assert_array_equal(first_copies(jnp.asarray(x)), np.arange(5))
    permutations = jnp.asarray(np.stack([RNG.permutation(9) for _ in range(3000)]), jnp.float32)
    assert len(np.unique(first_copies(permutations))) == len(np.unique(permutations, axis=0))

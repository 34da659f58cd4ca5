"""Derivatives through the optimum against a closed form and finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.transport import implicit_coefficients, infer_coefficients
from tests.transport import conjugate_gradient

KEY = jax.random.key(0)


@pytest.mark.slow
def test_angle_of_a_rotation(dtype):
    """c = a - arcsin(λ): one for one with the angle a of z1, with the slope -1/sqrt(1 - λ²) in λ."""
    turn = jnp.asarray([[[0.0, -1.0], [1.0, 0.0]]], dtype)
    z0, weight = jnp.asarray([1.0, 0.0], dtype), jnp.asarray(0.1, dtype)

    def coefficient(angle, weight):
        z1 = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        inferred = infer_coefficients(KEY, turn, z0, z1, l1_weight=weight, tolerance=1e-6).coefficients
        return implicit_coefficients(turn, inferred, z0, z1, l1_weight=weight).coefficients[0]

    angle = jnp.asarray(1.2, dtype)
    value, slopes = jax.value_and_grad(coefficient, argnums=(0, 1))(angle, weight)
    np.testing.assert_allclose(value, 1.2 - np.arcsin(0.1), atol=1e-5)
    np.testing.assert_allclose(slopes, [1, -1 / np.sqrt(0.99)], atol=1e-4)


@pytest.mark.slow
def test_against_finite_differences():
    """In Ψ, z0 and z1 at once, forward and reverse, residual not small, some coefficients zero."""
    with jax.enable_x64():
        arrays = tuple(jnp.asarray(x) for x in conjugate_gradient.random_problems(7, 6, 3, 4))
        solve = functools.partial(
            infer_coefficients, l1_weight=0.05, tolerance=1e-10, num_restarts=1, max_iterations=400
        )
        first = solve(KEY, *arrays, bounds=[(0.0, 1.0)])
        assert (first.coefficients == 0).any()
        rng = np.random.default_rng(0)
        directions = tuple(jnp.asarray(rng.normal(size=x.shape)) for x in arrays)

        @jax.jit
        def implicit(operators, z0, z1):
            return implicit_coefficients(operators, first.coefficients, z0, z1, l1_weight=0.05)

        found, tangents = jax.jvp(implicit, arrays, directions)
        np.testing.assert_array_equal(found.coefficients, first.coefficients)
        moved = [
            solve(KEY, *(x + s * 1e-4 * v for x, v in zip(arrays, directions, strict=True)), bounds=[(0.0, 1.0)])
            for s in (-1, 1)
        ]
        slopes = (moved[1].coefficients - moved[0].coefficients) / 2e-4
        good = np.asarray(found.regular & first.converged & moved[0].converged & moved[1].converged)
        assert good.sum() >= 4
        np.testing.assert_allclose(tangents.coefficients[good], slopes[good], rtol=1e-4, atol=1e-4)
        weight = jnp.asarray(rng.normal(size=slopes.shape))
        pulled = jax.grad(lambda *x: jnp.sum(weight * implicit(*x).coefficients), argnums=(0, 1, 2))(*arrays)
        reverse = sum(jnp.sum(x * v) for x, v in zip(pulled, directions, strict=True))
        np.testing.assert_allclose(reverse, jnp.sum(weight * tangents.coefficients), rtol=1e-9)


def test_a_flat_minimum_is_reported():
    """Two equal operators: their coefficients are not determined, so they stay constant."""
    turn = jnp.asarray([[0.0, -1.0], [1.0, 0.0]])
    z0, z1 = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])

    def both(z1):
        operators = jnp.stack([turn, turn])
        return implicit_coefficients(operators, jnp.array([0.7, 0.7]), z0, z1, l1_weight=0.1)

    found, tangents = jax.jvp(both, (z1,), (z1,))
    assert not found.regular
    np.testing.assert_array_equal(tangents.coefficients, 0)


def test_bad_input():
    with pytest.raises(ValueError, match="coefficients must have a last axis of size 1"):
        implicit_coefficients(jnp.ones((1, 2, 2)), jnp.ones(2), jnp.ones(2), jnp.ones(2), l1_weight=0.1)

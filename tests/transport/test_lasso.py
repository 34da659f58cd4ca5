"""The quadratic subproblem against all sign patterns tried one by one."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from mvae.transport.batch_last import cholesky_solve
from mvae.transport.lasso import lasso_descent, subgradient

RNG = np.random.default_rng(0)


def value(hessian, gradient, start, weight, x):
    return (x - start) @ hessian @ (x - start) / 2 + gradient @ (x - start) + weight * np.abs(x).sum()


def by_enumeration(hessian, gradient, start, weight):
    """Least value over the stationary points of every sign pattern, each with its signs right."""
    best = np.inf
    linear = gradient - hessian @ start
    for signs in itertools.product([-1, 0, 1], repeat=len(start)):
        signs = np.array(signs)
        on = signs != 0
        x = np.zeros(len(start))
        x[on] = np.linalg.solve(hessian[np.ix_(on, on)], -(linear + weight * signs)[on])
        if np.all(x[on] * signs[on] >= 0):
            best = min(best, value(hessian, gradient, start, weight, x))
    return best


def test_minimum_is_that_of_the_best_pattern(dtype):
    size, count, weight = 4, 40, 0.7
    roots = RNG.normal(size=(count, size, size + 1))
    hessian, gradient, start = roots @ np.swapaxes(roots, 1, 2), *RNG.normal(size=(2, count, size))
    start[::2] = 0
    last = [jnp.asarray(np.moveaxis(x, 0, -1), dtype) for x in (hessian, gradient, start)]
    found = np.asarray(jax.jit(lasso_descent, static_argnums=(3, 4))(*last, weight, 20), float).T
    assert (found == 0).sum() > 20
    for problem, x in zip(zip(hessian, gradient, start, strict=True), found, strict=True):
        best = by_enumeration(*problem, weight)
        assert value(*problem, weight, x) <= best + 1e3 * np.finfo(dtype).eps * abs(best)
    slope = last[1] + jnp.einsum("ijb,jb->ib", last[0], jnp.asarray(found.T, dtype) - last[2])
    rest = subgradient(slope, jnp.asarray(found.T, dtype), weight)
    np.testing.assert_allclose(rest, 0, atol=2000 * np.finfo(dtype).eps)


def test_no_step_raises_the_function():
    size, weight = 4, 0.7
    roots = RNG.normal(size=(30, size, 2))
    hessian, gradient, start = roots @ np.swapaxes(roots, 1, 2) + 1e-3 * np.eye(size), *RNG.normal(size=(2, 30, size))
    last = [jnp.asarray(np.moveaxis(x, 0, -1), jnp.float32) for x in (hessian, gradient, start)]
    lower = jax.jit(lasso_descent, static_argnums=3)
    before = np.full(30, np.inf)
    for steps in range(8):
        found = np.asarray(lower(*last, weight, steps), float).T
        after = [value(*p, weight, x) for p, x in zip(zip(hessian, gradient, start, strict=True), found, strict=True)]
        assert np.all(after <= before + 1e-4 * np.abs(after))
        before = np.array(after)


def test_cholesky_solve(dtype):
    roots = RNG.normal(size=(6, 5, 5))
    matrices, rhs = roots @ np.swapaxes(roots, 1, 2) + np.eye(5), RNG.normal(size=(6, 5))
    matrices[-1] = -np.eye(5)
    found = cholesky_solve(jnp.asarray(np.moveaxis(matrices, 0, -1), dtype), jnp.asarray(rhs.T, dtype))
    expected = np.linalg.solve(matrices[:-1], rhs[:-1, :, None])[..., 0].T
    np.testing.assert_allclose(found[:, :-1], expected, atol=500 * np.finfo(dtype).eps)
    assert np.isnan(found[:, -1]).all()

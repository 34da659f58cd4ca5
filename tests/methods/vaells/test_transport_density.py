"""Samples of a transported point against closed forms, its density against scipy, derivatives against differences."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import laplace, norm

from mvae.methods.vaells.transport_density import Explained, TransportDistribution, draw, log_densities
from mvae.transport import infer_coefficients

KEY = jax.random.key(0)
DISTRIBUTION = TransportDistribution(noise_scale=0.2, laplace_scale=0.5, l1_weight=None)
RNG = np.random.default_rng(0)
LOCATION, Z = RNG.normal(size=(2, 5, 3))
OPERATORS = {
    "generic": RNG.normal(size=(3, 3, 3)),
    # All eigenvalues equal: a multiple of the identity, zero, and a nilpotent one.
    "degenerate": np.stack([0.5 * np.eye(3), np.zeros((3, 3)), np.diag([1.0, -2.0], k=1)]),
}
solve = functools.partial(
    infer_coefficients, KEY, num_restarts=1, bounds=((0.1, 0.1),), max_iterations=500, tolerance=1e-10
)


@functools.partial(jax.jit, static_argnums=(0, 1))
def tangent(distribution, gradient, coefficients, arrays, tangents):
    """The density, and its derivative along tangents of operators, location and z."""
    return jax.jvp(lambda *x: log_density(distribution, *x, coefficients, gradient=gradient), arrays, tangents)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    with jax.enable_x64(request.param == "float64"):
        yield jnp.dtype(request.param)


def log_density(distribution, operators, location, z, coefficients, **options):
    """Of one group."""
    return log_densities(operators, [Explained(distribution, location, z, coefficients)], **options)[0]


def test_moments_of_a_random_rotation():
    """E exp(i w c) = 1/(1 + b²w²), so that μ shrinks by that factor, and its second moments follow from 2w."""
    count, w, b, noise = 20_000, 1.7, 0.6, 0.3
    turn = jnp.asarray([[[0.0, -w], [w, 0.0]]])
    distribution = TransportDistribution(noise_scale=noise, laplace_scale=b, l1_weight=None)
    z, c, _ = draw(KEY, distribution, turn, jnp.asarray([[2.0, 0.0], [0.0, 1.0]]), (count,))
    assert z.shape == (count, 2, 2)
    assert c.shape == (count, 2, 1)
    once, twice = 1 / (1 + (b * w) ** 2), 1 / (1 + (2 * b * w) ** 2)
    along, across = (1 + twice) / 2, (1 - twice) / 2
    z = np.asarray(z, float)
    products = z[..., :, None] * z[..., None, :]
    eye = noise**2 * np.eye(2)
    expected = [4 * np.diag([along, across]) + eye, np.diag([across, along]) + eye]
    root = np.sqrt(count)
    assert (np.abs(z.mean(axis=0) - np.diag([2 * once, once])) < 4 * z.std(axis=0) / root).all()
    assert (np.abs(products.mean(axis=0) - expected) < 4 * products.std(axis=0) / root).all()
    assert np.abs(np.abs(c).mean() - b) < 4 * b / np.sqrt(2 * count)  # |c| is exponential of scale b


def test_noise_is_what_transport_leaves():
    distribution = TransportDistribution(noise_scale=0.3, laplace_scale=0.5, l1_weight=None)
    z, c, _ = draw(
        KEY, distribution, jnp.asarray(OPERATORS["degenerate"], jnp.float32), jnp.asarray(LOCATION, jnp.float32)
    )
    moved = [expm(np.tensordot(row, OPERATORS["degenerate"], 1)) @ mu for row, mu in zip(c, LOCATION, strict=True)]
    other = draw(KEY, distribution, jnp.zeros((3, 3, 3)), jnp.zeros((5, 3))).z  # the same noise alone
    np.testing.assert_allclose(z - np.asarray(moved), other, atol=1e-5)


@pytest.mark.parametrize("name", OPERATORS)
def test_log_density_against_scipy(name, dtype):
    operators = OPERATORS[name]
    c = np.random.default_rng(1).laplace(scale=0.5, size=(5, 3))
    c[2, 1] = 0
    moved = np.stack([expm(np.tensordot(row, operators, 1)) @ mu for row, mu in zip(c, LOCATION, strict=True)])
    expected = norm.logpdf(Z, moved, 0.2).sum(axis=-1) + laplace.logpdf(c, scale=0.5).sum(axis=-1)
    arrays = [jnp.asarray(x, dtype) for x in (operators, LOCATION, Z, c)]
    tolerance = 3e-5 if dtype == jnp.float32 else 1e-12
    found = log_density(DISTRIBUTION, *arrays)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.slow  # test_vaells.py has it for one shape
def test_inferred_coefficients_are_at_least_as_likely_as_those_of_the_draw():
    """Given those as a start; the objective is -γ² times the log density, up to the constant."""
    operators, location = (jnp.asarray(x, jnp.float32) for x in (OPERATORS["generic"], LOCATION))
    z, c, _ = draw(KEY, DISTRIBUTION, operators, location, (8,))
    solution = infer_coefficients(KEY, operators, location, z, l1_weight=DISTRIBUTION.weight, num_restarts=1, initial=c)
    best = log_density(DISTRIBUTION, operators, location, z, solution.coefficients)
    drawn = log_density(DISTRIBUTION, operators, location, z, c)
    assert solution.coefficients.shape == c.shape
    assert (best >= drawn - 1e-3).all()
    assert np.mean(best - drawn) > 0.5
    constant = best + solution.objective / DISTRIBUTION.noise_scale**2
    np.testing.assert_allclose(constant, 3 * (norm.logpdf(0, 0, 0.2) + laplace.logpdf(0, scale=0.5)), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("l1_weight", [None, pytest.param(0.02, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPERATORS)
def test_derivatives_of_the_largest_density(name, l1_weight):
    """In Ψ, μ and z, against differences of the maximum, found anew: "implicit" always, "fixed" where λ = γ²/b."""
    distribution = dataclasses.replace(DISTRIBUTION, l1_weight=l1_weight)
    with jax.enable_x64():
        arrays = [jnp.asarray(x) for x in (OPERATORS[name], LOCATION, Z)]
        weight = distribution.weight
        first = solve(*arrays, l1_weight=weight, initial=jnp.zeros(3))
        assert (first.stationarity < 1e-7).all()  # rounding of the objective leaves some above the tolerance
        assert (first.coefficients == 0).any()
        rng = np.random.default_rng(2)
        slopes = {}
        for index in range(3):
            direction = jnp.asarray(rng.normal(size=arrays[index].shape))
            values = []
            for step in (-1e-4, 1e-4):
                moved = [x + step * direction if i == index else x for i, x in enumerate(arrays)]
                c = solve(*moved, l1_weight=weight, initial=first.coefficients).coefficients
                values.append(log_density(distribution, *moved, c))
            slopes[index] = (values[1] - values[0]) / 2e-4, direction
        for gradient in ("fixed", "implicit"):
            for index, (slope, direction) in slopes.items():
                tangents = [direction if i == index else jnp.zeros_like(x) for i, x in enumerate(arrays)]
                value, found = tangent(distribution, gradient, first.coefficients, arrays, tangents)
                np.testing.assert_allclose(value, log_density(distribution, *arrays, first.coefficients), rtol=1e-12)
                if gradient == "implicit" or l1_weight is None:
                    np.testing.assert_allclose(found, slope, rtol=1e-4, atol=1e-3)
                else:
                    assert np.max(np.abs(found - slope)) > 0.1


def test_single_precision_has_the_derivatives_of_double():
    c = np.array([[0.3, -0.2, 0.1]] * 5)
    c[1, 1] = 0
    found = []
    for dtype in (jnp.float32, jnp.float64):
        with jax.enable_x64(dtype == jnp.float64):
            arrays = [jnp.asarray(x, dtype) for x in (OPERATORS["degenerate"], LOCATION, Z)]
            tangents = [jnp.ones_like(x) for x in arrays]
            found.append(tangent(DISTRIBUTION, "fixed", jnp.asarray(c, dtype), arrays, tangents)[1])
    assert found[0].dtype == jnp.float32
    np.testing.assert_allclose(*found, rtol=1e-4)

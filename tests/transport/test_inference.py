"""Inferred coefficients against closed forms, optimality conditions and scipy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.transport import Pairs, infer_coefficients, infer_jointly, transport
from tests.precisions import DOUBLE_IS_SLOW
from tests.transport import conjugate_gradient

KEY = jax.random.key(0)
TURN = np.array([[[0.0, -1.0], [1.0, 0.0]]])


@DOUBLE_IS_SLOW
def test_angle_of_a_rotation(dtype):
    """With |z0| = |z1| = 1 at angle a, c minimises 1 - cos(a - c) + λ|c|: sin(a - c) = λ sign(c), or c = 0."""
    angles, weight = np.array([-1.5, -0.4, 0.05, 0.3, 2.0]), 0.1
    z1 = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    operators, z0, z1 = (jnp.asarray(x, dtype) for x in (TURN, np.array([1.0, 0.0]), z1))
    found = infer_coefficients(KEY, operators, z0, z1, l1_weight=weight, tolerance=1e-5)
    expected = np.where(np.abs(np.sin(angles)) < weight, 0, angles - np.sign(angles) * np.arcsin(weight))
    assert found.coefficients.dtype == dtype
    np.testing.assert_allclose(found.coefficients[:, 0], expected, atol=2e-5)
    assert found.coefficients[2, 0] == 0
    values = 1 - np.cos(angles - expected) + weight * np.abs(expected)
    np.testing.assert_allclose(found.objective, values, atol=1e-6)
    np.testing.assert_allclose(found.residual, z1 - transport(operators, found.coefficients, z0), atol=2e-6)
    assert found.converged.all()
    assert (found.num_iterations > 0).all()


@pytest.mark.parametrize("weight", [1e-6, 1e-2])
@pytest.mark.parametrize(
    ("dim", "size"), [(2, 4), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((6, 8), (10, 8)))]
)
def test_objective_against_conjugate_gradient(dim, size, weight):
    """From the same intervals; the mean is not above the reference's, and hardly any problem is."""
    count = 12
    operators, z0, z1 = conjugate_gradient.random_problems(1, count, dim, size)
    starts = np.random.default_rng(2).uniform(0, 2.5, (count, 2, size)) * [[-1], [1]]
    reference = np.array(
        [conjugate_gradient.solve(s, operators, a, b, weight) for s, a, b in zip(starts, z0, z1, strict=True)]
    )
    arrays = [jnp.asarray(x, jnp.float32) for x in (operators, z0, z1)]
    found = infer_coefficients(KEY, *arrays, l1_weight=weight)
    assert np.mean(found.objective) <= np.mean(reference)
    assert np.mean(found.objective <= 1.01 * reference) >= 0.9
    assert np.mean(found.converged) >= 0.9
    values = [
        conjugate_gradient.objective(*p, weight)[0]
        for p in zip(np.asarray(found.coefficients, float), [operators] * count, z0, z1, strict=True)
    ]
    np.testing.assert_allclose(found.objective, values, rtol=1e-3, atol=1e-10)


@pytest.mark.slow
def test_optimality_where_converged(dtype):
    """The subgradient condition, from scipy's gradient; coefficients that are not needed are exactly zero."""
    weight, tolerance = 1e-2, 1e-4
    operators, z0, z1 = conjugate_gradient.random_problems(3, 30, 3, 4)
    arrays = [jnp.asarray(x, dtype) for x in (operators, z0, z1)]
    found = infer_coefficients(KEY, *arrays, l1_weight=weight, tolerance=tolerance)
    assert found.converged.mean() > 0.9
    zeros = 0
    for c, start, end, good in zip(np.asarray(found.coefficients, float), z0, z1, found.converged, strict=True):
        if not good:
            continue
        slope = conjugate_gradient.objective(c, operators, start, end, weight)[1] - weight * np.sign(c)
        excess = np.where(c == 0, np.maximum(np.abs(slope) - weight, 0), np.abs(slope + weight * np.sign(c)))
        assert excess.max() < 100 * tolerance * weight
        zeros += (c == 0).sum()
    assert zeros > 20


@pytest.mark.slow
def test_batch_equals_one_by_one():
    """Samples against anchors by broadcasting; from given starts, whoever else is solved beside them."""
    operators, z0, z1 = (jnp.asarray(x, jnp.float32) for x in conjugate_gradient.random_problems(4, 6, 2, 2))
    solve = functools.partial(
        infer_coefficients, KEY, operators, l1_weight=1e-2, tolerance=1e-5, bounds=((-0.5, -0.5),)
    )
    together = solve(z0[:3], z1[:, None])
    assert together.coefficients.shape == (6, 3, 2)
    assert together.residual.shape == (6, 3, 2)
    assert together.objective.shape == together.converged.shape == together.num_iterations.shape == (6, 3)
    single = [[solve(z0[i], z1[j]) for i in range(3)] for j in range(2)]
    compiled = jax.jit(solve)(z0[:3], z1[:, None])
    # Along a flat direction float32 tells coefficients apart to some 1e-4 of their size.
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-3)
    close(together.coefficients[:2], [[found.coefficients for found in row] for row in single])
    close(compiled.coefficients, together.coefficients)
    np.testing.assert_allclose(compiled.objective, together.objective, rtol=1e-4, atol=1e-6)


def test_restarts_reach_both_basins():
    """Half a turn either way leads to the same point; a restart sees its own side alone."""
    operators, z0 = jnp.asarray(TURN, jnp.float32), jnp.array([1.0, 0.0])
    z1 = jnp.array([jnp.cos(2.0), jnp.sin(2.0)])
    solve = functools.partial(infer_coefficients, KEY, operators, z0, z1, l1_weight=1e-3)
    near = solve(num_restarts=1, bounds=[(1.5, 2.5)])
    far = solve(num_restarts=1, bounds=[(-4.5, -4.0)])
    both = solve(num_restarts=2, bounds=[(-4.5, -4.0), (1.5, 2.5)])
    np.testing.assert_allclose([near.coefficients[0], far.coefficients[0]], [2.0, 2.0 - 2 * np.pi], atol=2e-3)
    assert near.objective < far.objective
    np.testing.assert_allclose(both.coefficients, near.coefficients, atol=1e-5)


def test_a_given_start_at_the_solution_is_kept():
    """Beside a random start in a worse basin; it broadcasts to the problems."""
    operators, z0 = jnp.asarray(TURN, jnp.float32), jnp.array([1.0, 0.0])
    z1 = jnp.stack([jnp.cos(jnp.array([2.0, 1.9])), jnp.sin(jnp.array([2.0, 1.9]))], axis=-1)
    solve = functools.partial(
        infer_coefficients, KEY, operators, z0, z1, l1_weight=0.1, num_restarts=1, bounds=[(-4.5, -4.0)]
    )
    expected = np.array([2.0, 1.9])[:, None] - np.arcsin(0.1)
    far = solve()
    assert (far.coefficients < -3).all()
    found = solve(initial=jnp.asarray(expected, jnp.float32))
    np.testing.assert_allclose(found.coefficients, expected, atol=1e-3)
    assert (found.objective < far.objective).all()
    assert found.converged.all()
    np.testing.assert_allclose(solve(initial=jnp.array([1.9])).coefficients, expected, atol=1e-2)


def test_far_starts_and_bad_numbers():
    """Starts beyond the largest generator are drawn in; a NaN is reported and stays with its problem."""
    operators = jnp.asarray([[[1.0, 0.0], [0.0, -1.0]]])
    z0 = jnp.asarray([[1.0, 1.0], [1.0, jnp.nan]])
    z1 = jnp.asarray([[2.0, 0.5], [1.0, 1.0]])
    found = infer_coefficients(KEY, operators, z0, z1, l1_weight=0.0, bounds=[(1e3, 2e3)], max_iterations=200)
    np.testing.assert_allclose(found.coefficients[0], np.log(2), atol=1e-4)
    assert found.converged.tolist() == [True, False]
    assert np.isinf(found.objective[1])


@pytest.mark.slow
def test_too_few_iterations_are_reported():
    operators, z0, z1 = (jnp.asarray(x, jnp.float32) for x in conjugate_gradient.random_problems(5, 8, 2, 2))
    found = infer_coefficients(KEY, operators, z0, z1, l1_weight=1e-2, max_iterations=1)
    assert not found.converged.all()
    assert (found.num_iterations == 1).all()
    assert np.all(found.converged == (found.stationarity <= 1e-3))


@pytest.mark.slow
def test_result_is_constant():
    operators, z0, z1 = (jnp.asarray(x, jnp.float32) for x in conjugate_gradient.random_problems(6, 3, 2, 2))

    def total(operators, z1):
        return infer_coefficients(KEY, operators, z0, z1, l1_weight=1e-2).coefficients.sum()

    slopes = jax.grad(total, argnums=(0, 1))(operators, z1)
    assert all((slope == 0).all() for slope in slopes)
    assert infer_coefficients(KEY, operators, z0[:0], z1[:0], l1_weight=1e-2).coefficients.shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operators": jnp.ones((2, 2))}, "operators must have shape"),
        ({"z0": jnp.ones(3)}, "z0 must have a last axis of size 2"),
        ({"z1": jnp.ones((4, 2), jnp.int32)}, "z1 must have a floating dtype"),
        ({"z0": jnp.ones((3, 2)), "z1": jnp.ones((4, 2))}, "broadcast"),
        ({"l1_weight": -1.0}, "l1_weight must be at least 0, got -1.0"),
        ({"num_restarts": 0}, "num_restarts must be an integer of at least 1, got 0"),
        ({"max_iterations": 1.5}, "max_iterations must be an integer"),
        ({"tolerance": 0.0}, "tolerance must be above 0"),
        ({"bounds": [(1.0, 0.0)]}, "bounds must be intervals"),
        ({"bounds": [1.0]}, "bounds must be pairs"),
        ({"initial": jnp.ones(2)}, "initial must have a last axis of size 1"),
        ({"initial": jnp.ones(1, jnp.int32)}, "initial must have a floating dtype"),
        ({"initial": jnp.ones((3, 1))}, r"initial must broadcast to the problems \(\), got shape \(3, 1\)"),
        ({"initial": jnp.ones((3, 1)), "z0": jnp.ones((4, 2))}, "initial"),
    ],
)
def test_bad_input(change, message):
    arguments = {"operators": jnp.ones((1, 2, 2)), "z0": jnp.ones(2), "z1": jnp.ones(2), "l1_weight": 0.1} | change
    with pytest.raises(ValueError, match=message):
        infer_coefficients(KEY, **arguments)


def test_nothing_is_nan_on_purpose_on_the_way():
    """Under jax_debug_nans; generators beyond the largest norm are NaN within the iteration."""
    operators = 30 * jnp.array([[[0.0, -1.0], [1.0, 0.0]]])
    with jax.debug_nans(True):
        found = infer_coefficients(jax.random.key(0), operators, jnp.eye(2), jnp.eye(2)[::-1], l1_weight=1e-3)
    assert jnp.all(jnp.isfinite(found.coefficients))


def test_groups_are_inferred_as_each_alone():
    """Of several shapes, weights and starts; an empty one among them."""
    operators, z0, z1 = (jnp.asarray(x, jnp.float32) for x in conjugate_gradient.random_problems(4, 6, 2, 2))
    keys = jax.random.split(KEY, 3)
    groups = (
        Pairs(keys[0], z0, z1, 1e-2, jnp.zeros(2)),
        Pairs(keys[1], z0[:3], z1[:2, None], 1e-1),
        Pairs(keys[2], z0[:0], z1[:0], 1e-3),
    )
    found = infer_jointly(operators, groups, tolerance=1e-5)
    for pairs, together in zip(groups, found, strict=True):
        key, start, end, weight, initial = pairs
        alone = infer_coefficients(key, operators, start, end, l1_weight=weight, initial=initial, tolerance=1e-5)
        for name, value in together._asdict().items():
            assert value.shape == getattr(alone, name).shape
        np.testing.assert_allclose(together.objective, alone.objective, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(together.coefficients, alone.coefficients, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="at least one group"):
        infer_jointly(operators, ())
    with pytest.raises(ValueError, match="l1_weight"):
        infer_jointly(operators, (groups[0], groups[1]._replace(l1_weight=-1.0)))

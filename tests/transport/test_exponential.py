"""The exponential's action against scipy, mpmath and closed forms."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from mvae.manifolds import check_values
from mvae.transport import expm_action
from mvae.transport.exponential import MAX_NORM
from tests.precisions import DOUBLE_IS_SLOW

RNG = np.random.default_rng(0)
NORMS = np.array([0.0, 1e-6, 0.3, 1.0, 1.001, 5.0, 20.0, 60.0])


def random_problems(dim):
    matrices = RNG.normal(size=(len(NORMS), dim, dim))
    matrices *= (NORMS / np.abs(matrices).sum(axis=1).max(axis=-1))[:, None, None]
    return matrices, RNG.normal(size=(len(NORMS), dim))


def exact(matrix, z):
    with mpmath.workdps(60):
        return np.array((mpmath.expm(mpmath.matrix(matrix.tolist())) * mpmath.matrix(z.tolist())).tolist(), float)[:, 0]


@pytest.mark.parametrize("dim", [2, 10])
def test_against_mpmath(dtype, dim):
    """The error grows in proportion to the norm, from rounding alone at norms up to 1."""
    matrices, z = (x.astype(dtype) for x in random_problems(dim))
    found = np.asarray(expm_action(jnp.asarray(matrices), jnp.asarray(z)), np.float64)
    assert found.shape == (len(NORMS), dim)
    for norm, matrix, start, end in zip(NORMS, matrices, z, found, strict=True):
        truth = exact(matrix.astype(float), start.astype(float))
        error = np.linalg.norm(end - truth) / np.linalg.norm(truth)
        assert error <= 8 * max(norm, 1) * np.finfo(dtype).eps, norm


def test_rotations(dtype):
    angles = jnp.asarray([1e-4, 1.0, np.pi, 30.0, 200.0], dtype)
    turn = jnp.asarray([[0.0, -1.0], [1.0, 0.0]], dtype)
    found = expm_action(angles[:, None, None] * turn, jnp.asarray([1.0, 0.0], dtype))
    expected = np.stack([np.cos(np.asarray(angles, float)), np.sin(np.asarray(angles, float))], axis=-1)
    np.testing.assert_array_less(
        np.abs(found - expected).max(axis=-1), 4 * np.finfo(dtype).eps * (1 + np.asarray(angles))
    )


def test_nilpotent(dtype):
    """The series ends: exp(N) e_4 = Σ N^k e_4 / k!, and derivatives at this defective matrix are finite."""
    shift = jnp.asarray(30 * np.eye(4, k=1), dtype)
    last = jnp.asarray([0, 0, 0, 1], dtype)
    expected = [30**3 / 6, 30**2 / 2, 30, 1]
    np.testing.assert_allclose(expm_action(shift, last), expected, rtol=20 * np.finfo(dtype).eps)
    _, slope = jax.jvp(expm_action, (shift, last), (shift, last))
    np.testing.assert_allclose(slope, np.array(expected) * [4, 3, 2, 1], rtol=40 * np.finfo(dtype).eps)


def test_decay_keeps_its_digits(dtype):
    found = expm_action(jnp.asarray([[-60.0]], dtype), jnp.asarray([1.0], dtype))
    np.testing.assert_allclose(found, np.exp(-60.0), rtol=100 * np.finfo(dtype).eps)


def special_matrices():
    generic = RNG.normal(size=(4, 4))
    jordan = 0.5 * np.eye(4) + np.eye(4, k=1)
    return np.stack([np.zeros((4, 4)), 2 * np.eye(4), jordan, np.eye(4, k=2), generic, 3 * generic])


@DOUBLE_IS_SLOW
def test_derivatives_against_frechet(dtype):
    """Forward and reverse at A = 0, at repeated eigenvalues, at defective and at other matrices."""
    matrices = special_matrices()
    z, direction, change, weight = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4, 4)), *RNG.normal(size=(2, 6, 4))
    expected = []
    for matrix, start, tangent, move in zip(matrices, z, direction, change, strict=True):
        exponential, frechet = scipy.linalg.expm_frechet(matrix, tangent)
        expected.append(frechet @ start + exponential @ move)
    arrays = [jnp.asarray(x, dtype) for x in (matrices, z, direction, change, weight)]
    _, forward = jax.jvp(expm_action, tuple(arrays[:2]), tuple(arrays[2:4]))
    scale = np.abs(expected).max(axis=-1, keepdims=True)
    np.testing.assert_allclose(forward / scale, expected / scale, atol=60 * np.finfo(dtype).eps)
    _, pull = jax.vjp(expm_action, *arrays[:2])
    in_matrix, in_point = pull(arrays[4])
    reverse = np.sum(in_matrix * arrays[2], axis=(-2, -1)) + np.sum(in_point * arrays[3], axis=-1)
    other = np.sum(np.asarray(forward) * arrays[4], axis=-1)
    np.testing.assert_allclose(reverse / scale[:, 0], other / scale[:, 0], atol=100 * np.finfo(dtype).eps)


def test_second_derivatives(dtype):
    """d²/dt² exp(t A) z = A² exp(t A) z, forward over reverse, at a norm that needs squaring."""
    matrix = jnp.asarray(special_matrices()[-1], dtype)
    z = jnp.asarray(RNG.normal(size=4), dtype)
    weight = jnp.asarray(RNG.normal(size=4), dtype)

    def value(t):
        return weight @ expm_action(t * matrix, z)

    one = jnp.ones((), dtype)
    found = jax.jvp(jax.grad(value), (one,), (one,))[1]
    expected = np.asarray(weight, float) @ (np.linalg.matrix_power(np.asarray(matrix, float), 2) @ exact(matrix, z))
    np.testing.assert_allclose(found, expected, rtol=300 * np.finfo(dtype).eps)


def test_broadcasting_and_vmap():
    matrices = jnp.asarray(RNG.normal(size=(3, 1, 2, 2)), jnp.float32)
    z = jnp.asarray(RNG.normal(size=(4, 2)), jnp.float32)
    found = expm_action(matrices, z)
    assert found.shape == (3, 4, 2)
    mapped = jax.jit(jax.vmap(expm_action, in_axes=(0, None)))(matrices, z)
    np.testing.assert_allclose(mapped, found, rtol=1e-5)
    assert expm_action(matrices[:0], z).shape == (0, 4, 2)


def test_too_large_a_norm():
    """An error where the value is known, NaN in compiled code, which check_values turns into the error."""
    z = jnp.ones(2)
    allowed = jnp.asarray([[0.0, -MAX_NORM], [MAX_NORM, 0.0]])
    assert np.isfinite(expm_action(allowed, z)).all()
    with pytest.raises(ValueError, match="matrix must have a 1-norm of at most 1024, got 1025"):
        expm_action(allowed + jnp.eye(2), z)
    compiled = jax.jit(expm_action)
    assert np.isnan(compiled(allowed + jnp.eye(2), z)).all()
    with pytest.raises(ValueError, match="matrix must have a 1-norm of at most 1024, got 1025"):
        check_values(compiled)(allowed + jnp.eye(2), z)
    with pytest.raises(ValueError, match="1-norm"):
        expm_action(jnp.full((2, 2), jnp.nan), z)


@pytest.mark.parametrize(
    ("matrix", "z", "message"),
    [
        (jnp.ones((2, 3)), jnp.ones(3), "matrix must be square"),
        (jnp.ones(3), jnp.ones(3), "matrix must have at least 2 axes"),
        (jnp.ones((2, 2), jnp.int32), jnp.ones(2), "matrix must have a floating dtype"),
        (jnp.ones((2, 2)), jnp.ones(3), "z must have a last axis of size 2"),
        (jnp.ones((5, 2, 2)), jnp.ones((4, 2)), "leading axes must broadcast"),
    ],
)
def test_bad_input(matrix, z, message):
    with pytest.raises(ValueError, match=message):
        expm_action(matrix, z)

"""Transport and paths against scipy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from mvae.transport import expm_action, implicit_coefficients, infer_coefficients, path, transport

RNG = np.random.default_rng(0)


def test_transport_against_scipy(dtype):
    operators, coefficients, z = RNG.normal(size=(3, 4, 4)), RNG.normal(size=(5, 1, 3)), RNG.normal(size=(2, 4))
    found = transport(*(jnp.asarray(x, dtype) for x in (operators, coefficients, z)))
    assert found.shape == (5, 2, 4)
    expected = [[scipy.linalg.expm(np.tensordot(c[0], operators, 1)) @ start for start in z] for c in coefficients]
    np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)


def test_path_is_the_orbit(dtype):
    """A rotation at unit speed, backwards too; its ends are the point and its transport."""
    turn = jnp.asarray([[[0.0, -1.0], [1.0, 0.0]]], dtype)
    times = jnp.asarray([0.0, 0.5, 1.0, -2.0], dtype)
    z = jnp.asarray([[1.0, 0.0], [2.0, 0.0]], dtype)
    found = path(turn, jnp.asarray([3.0], dtype), z, times)
    assert found.shape == (2, 4, 2)
    angles = 3 * np.asarray(times)
    expected = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    atol = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, [expected, 2 * expected], atol=atol)
    np.testing.assert_array_equal(found[:, 0], z)
    np.testing.assert_allclose(found[:, 2], transport(turn, jnp.asarray([3.0], dtype), z), atol=atol)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operators": jnp.ones((2, 2))}, "operators must have shape"),
        ({"operators": jnp.ones((1, 3, 2))}, "operators must be square"),
        ({"coefficients": jnp.ones(2)}, "coefficients must have a last axis of size 1"),
        ({"z": jnp.ones(3)}, "z must have a last axis of size 2"),
        ({"coefficients": jnp.ones((3, 1)), "z": jnp.ones((4, 2))}, "broadcast"),
        ({"times": jnp.ones((2, 2))}, "times must have shape"),
        ({"times": jnp.arange(3)}, "times must have a floating dtype"),
        ({"coefficients": jnp.array([1e5])}, "1-norm"),
    ],
)
def test_bad_input(change, message):
    arguments = {"operators": jnp.ones((1, 2, 2)), "coefficients": jnp.ones(1), "z": jnp.ones(2), "times": jnp.ones(3)}
    with pytest.raises(ValueError, match=message):
        path(**(arguments | change))


@pytest.mark.parametrize("half", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_arrays_of_16_bits_are_computed_with_in_float32(half):
    key = jax.random.key(0)
    operators = jnp.array([[[0.0, -1.0], [1.0, 0.0]], [[0.5, 0.0], [0.0, -0.5]]])
    z, c = jnp.array([[1.0, 0.5], [-0.25, 2.0]]), jnp.array([[0.5, 0.25], [-1.0, 0.5]])

    def functions(operators, c, z):
        found = infer_coefficients(key, operators, z, z[::-1], l1_weight=1e-3)
        return {
            "transport": transport(operators, c, z),
            "path": path(operators, c, z, jnp.linspace(0, 1, 3, dtype=z.dtype)),
            "implicit": implicit_coefficients(operators, c, z, z, l1_weight=0.1).coefficients,
            "objective": found.objective,
            "coefficients": found.coefficients,
        }

    expected = jax.jit(functions)(operators, c, z)
    for name, found in jax.jit(functions)(*(x.astype(half) for x in (operators, c, z))).items():
        assert found.dtype == half, name
        rounding = 4 * float(jnp.finfo(half).eps)
        np.testing.assert_allclose(np.asarray(found, np.float64), expected[name], rtol=rounding, atol=rounding)


def test_eight_bits_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^matrix must have one of the dtypes .*, got float8_e4m3fn"):
        expm_action(jnp.eye(2, dtype=jnp.float8_e4m3fn), jnp.ones(2))

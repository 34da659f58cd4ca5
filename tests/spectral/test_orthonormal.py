"""Orthonormal columns against numpy's QR, with their derivatives and what happens to dependent ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.spectral import diffusion_map, orthonormalize

RNG = np.random.default_rng(3)
DTYPES = [(np.float32, 5e-6), (np.float64, 1e-14)]


def columns(n=200, size=5):
    return RNG.normal(size=(n, size)) @ RNG.normal(size=(size, size)) + 1


def by_qr(y, weights):
    """Q and R⁻¹ with a positive diagonal of R, in the inner product of the weights."""
    root = np.sqrt(weights / weights.sum())[:, None]
    _, r = np.linalg.qr(root * y)
    inverse = np.linalg.inv(r) * np.sign(np.diag(r))
    return y @ inverse, inverse


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("unit", [1.0, 1e-18, 1e17])
def test_against_qr(dtype, atol, weighted, unit):
    y = (unit * columns()).astype(dtype)
    weights = RNG.uniform(0, 3, size=200).astype(dtype) if weighted else np.ones(200, dtype)
    with jax.enable_x64(dtype == np.float64):
        found = orthonormalize(jnp.asarray(y), weights=jnp.asarray(weights) if weighted else None)
        assert found.values.dtype == found.transform.dtype == dtype
        values, transform = np.asarray(found.values, np.float64), np.asarray(found.transform, np.float64)
    share = (weights / weights.sum(dtype=np.float64))[:, None]
    np.testing.assert_allclose(values.T @ (share * values), np.eye(5), atol=atol)
    expected_values, expected_transform = by_qr(y.astype(np.float64), weights.astype(np.float64))
    np.testing.assert_allclose(values, expected_values, atol=300 * atol)
    np.testing.assert_allclose(unit * transform, unit * expected_transform, atol=300 * atol)
    np.testing.assert_allclose(y.astype(np.float64) @ transform, values, atol=300 * atol)
    np.testing.assert_array_equal(np.tril(transform, -1), 0)
    assert (int(found.rank), bool(found.fallback)) == (5, False)


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
@pytest.mark.parametrize("nearness", [10.0, 1e-1])
def test_both_sides_of_the_fallback(dtype, atol, nearness):
    """The last column is independent by a multiple of the threshold; orthonormal to rounding on both sides."""
    y = columns()
    step = nearness * np.sqrt(1000 * np.finfo(dtype).eps)
    y[:, 4] = y[:, 0] + step * np.linalg.norm(y[:, 0]) / np.sqrt(200) * RNG.normal(size=200)
    with jax.enable_x64(dtype == np.float64):
        found = orthonormalize(jnp.asarray(y, dtype))
        values = np.asarray(found.values, np.float64)
    assert bool(found.fallback) == (nearness < 1)
    np.testing.assert_allclose(values.T @ values / 200, np.eye(5), atol=atol if nearness > 1 else 3 * atol)


@pytest.mark.parametrize(("dtype", "atol"), [DTYPES[0], pytest.param(*DTYPES[1], marks=pytest.mark.slow)])
def test_dependent_columns_are_named(dtype, atol):
    y = columns()
    y[:, 2] = y[:, 0] - 3 * y[:, 1]
    y = np.concatenate([y, np.zeros((200, 1))], axis=1)
    with jax.enable_x64(dtype == np.float64):
        y = jnp.asarray(y, dtype)
        with pytest.raises(ValueError, match=r"got rank 4: columns \[2, 5\] depend"):
            orthonormalize(y)
        found = jax.jit(orthonormalize)(y)
        gradient = jax.jit(jax.grad(lambda y: jnp.sum(orthonormalize(y).values ** 3)))(y)
        values = np.asarray(found.values, np.float64)
    assert (int(found.rank), bool(found.fallback)) == (4, True)
    np.testing.assert_allclose(values.T @ values / 200, np.diag([1, 1, 0, 1, 1, 0]), atol=3 * atol)
    assert np.isfinite(gradient).all()


@pytest.mark.slow
def test_derivatives():
    """Forward, reverse and finite differences on both ways, and side by side under vmap."""
    near = columns(12, 3)
    near[:, 2] = near[:, 0] + 1e-7 * RNG.normal(size=12)
    with jax.enable_x64():
        batch = jnp.asarray(np.stack([columns(12, 3), near]))
        direction, target = jnp.asarray(RNG.normal(size=(2, 12, 3))), jnp.asarray(RNG.normal(size=(12, 3)))
        direction = direction * jnp.asarray([1.0, 1e-7])[:, None, None]

        def loss(y):
            found = orthonormalize(y)
            return jnp.sum(target * found.values)

        def along(y, v):
            return jax.jvp(loss, (y,), (v,))[1]

        forward = np.asarray(jax.jit(jax.vmap(along))(batch, direction))
        reverse = np.asarray(jnp.sum(jax.jit(jax.vmap(jax.grad(loss)))(batch) * direction, axis=(1, 2)))
        slope, loss = jax.jit(jax.grad(loss)), jax.jit(loss)
        alone = np.asarray([jnp.sum(slope(y) * v) for y, v in zip(batch, direction, strict=True)])
        step = 1e-5
        difference = [
            float(loss(y + step * v) - loss(y - step * v)) / (2 * step) for y, v in zip(batch, direction, strict=True)
        ]
        assert jax.jit(jax.vmap(orthonormalize))(batch).fallback.tolist() == [False, True]
    np.testing.assert_allclose(forward, reverse, rtol=1e-5)
    np.testing.assert_allclose(alone, reverse, rtol=1e-5)
    np.testing.assert_allclose(difference, forward, rtol=1e-4)


@pytest.mark.slow
def test_modes_are_orthonormal_already():
    x = jnp.asarray(RNG.normal(size=(100, 2)), jnp.float32)
    modes = diffusion_map(x, 3)
    found = orthonormalize(modes.eigenvectors, weights=modes.stationary)
    np.testing.assert_allclose(found.transform, np.eye(3), atol=2e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": jnp.ones(3)}, "y must be floats"),
        ({"y": jnp.ones((2, 3))}, "as many rows as columns"),
        ({"y": jnp.full((5, 2), jnp.nan)}, "y must be finite"),
        ({"weights": jnp.ones(4)}, "weights must have the shape"),
        ({"weights": -jnp.ones(5)}, "weights must be not negative"),
        ({"weights": jnp.zeros(5)}, "weights must be not negative and not all 0"),
        ({"weights": jnp.full(5, jnp.nan)}, "weights must be finite"),
    ],
)
def test_bad_input(change, message):
    arguments = {"y": jnp.asarray(RNG.normal(size=(5, 2)), jnp.float32)} | change
    with pytest.raises(ValueError, match=message):
        orthonormalize(**arguments)

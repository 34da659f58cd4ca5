"""Covariances of neighbourhoods against numpy, point by point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.spectral import local_covariance

RNG = np.random.default_rng(4)


def oracle(z, points, *, num_neighbors=None, radius=None, centered=True):
    found = []
    for point in points:
        apart = np.linalg.norm(z - point, axis=1)
        chosen = z[apart <= radius] if num_neighbors is None else z[np.argsort(apart)[:num_neighbors]]
        if centered:
            found.append(np.cov(chosen.T, bias=True).reshape(z.shape[1], -1))
        else:
            found.append((chosen - point).T @ (chosen - point) / len(chosen))
    return np.stack(found)


@pytest.mark.parametrize(
    ("dtype", "atol"), [(np.float32, 2e-6), pytest.param(np.float64, 1e-14, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("choice", [{"num_neighbors": 7}, {"radius": 1.2}])
@pytest.mark.parametrize("own", [True, False])
def test_against_numpy(dtype, atol, centered, choice, own):
    z = RNG.normal(size=(150, 3)) + 2
    points = z if own else 0.5 * RNG.normal(size=(20, 3)) + 2
    with jax.enable_x64(dtype == np.float64):
        given = None if own else jnp.asarray(points, dtype)
        if own and "radius" in choice and centered:
            choice = {"radius": 3.0}  # no ball of one point
        found = local_covariance(jnp.asarray(z, dtype), points=given, centered=centered, **choice)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, oracle(z, points, centered=centered, **choice), atol=10 * atol)


def test_far_from_the_origin():
    """Small neighbourhoods far away keep their digits: the covariance is of deviations."""
    z = (1e3 + 1e-2 * RNG.normal(size=(100, 2))).astype(np.float32)
    found = local_covariance(jnp.asarray(z), radius=0.0312345)
    np.testing.assert_allclose(
        found, oracle(z.astype(np.float64), z.astype(np.float64), radius=0.0312345), rtol=1e-3, atol=1e-9
    )
    assert (np.linalg.eigvalsh(np.asarray(found, np.float64)) > -1e-10).all()


@pytest.mark.slow
def test_uniform_disc():
    """In the plane, a ball of radius δ has the covariance δ²/4 · I: the mean over all balls inside, within 5 sigma."""
    z = jnp.asarray(RNG.uniform(-1, 1, size=(4000, 2)), jnp.float32)
    inner = z[jnp.max(jnp.abs(z), axis=1) < 0.7]
    found = np.asarray(local_covariance(z, radius=0.3, points=inner)).mean(axis=0)
    # Balls overlap; about 1.96 / (π 0.09) = 7 of them are apart, each with about 280 points.
    sigma = 0.3**2 / 4 * np.sqrt(1 / 3 / (7 * 280))
    np.testing.assert_allclose(found, 0.3**2 / 4 * np.eye(2), atol=5 * sigma)


@pytest.mark.slow
@pytest.mark.parametrize("choice", [{"num_neighbors": 5}, {"radius": 1.5}])
def test_compiles_and_has_derivatives(choice):
    with jax.enable_x64():
        z = jnp.asarray(RNG.normal(size=(30, 2)))
        points, direction = z[:6] + 0.1, jnp.asarray(RNG.normal(size=(30, 2)))

        def total(z):
            return jnp.sum(jnp.sin(local_covariance(z, points=points, **choice)))

        slope = float(jnp.sum(jax.jit(jax.grad(total))(z) * direction))
        step = 1e-6
        difference = float(total(z + step * direction) - total(z - step * direction)) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


def test_balls_with_too_few_points_are_named():
    z = jnp.asarray([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
    with pytest.raises(ValueError, match="radius 2 leaves 1 of 3 balls with fewer than 2 points"):
        local_covariance(z, radius=2.0)
    with pytest.raises(ValueError, match="1 of 1 balls with fewer than 1"):
        local_covariance(z, radius=2.0, points=jnp.asarray([[5.0, 0.0]]), centered=False)
    compiled = jax.jit(lambda z: local_covariance(z, radius=2.0, points=jnp.asarray([[9.0, 0.0], [5.0, 0.0]])))(z)
    np.testing.assert_array_equal(compiled, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": jnp.ones(3)}, "z must be floats"),
        ({"z": jnp.full((20, 2), jnp.nan)}, "z must be finite"),
        ({"points": jnp.ones((4, 3))}, "points must have the 2 columns"),
        ({"radius": 1.0}, "give one of"),
        ({"num_neighbors": None}, "give one of"),
        ({"num_neighbors": 1}, "num_neighbors must be 2 or more"),
        ({"num_neighbors": 21}, "num_neighbors must lie in"),
        ({"num_neighbors": None, "radius": 0.0}, "radius must be positive"),
    ],
)
def test_bad_input(change, message):
    arguments = {"z": jnp.asarray(RNG.normal(size=(20, 2)), jnp.float32), "num_neighbors": 3} | change
    with pytest.raises(ValueError, match=message):
        local_covariance(**arguments)

"""Points off the manifold are refused: where values are known, and under `check_values` where they are not."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import (
    SO3,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Implicit,
    Manifold,
    Product,
    ProjectiveSpace,
    Sphere,
    check_values,
)
from tests.precisions import DOUBLE_IS_SLOW


def ellipsoid(x):
    return x[0] ** 2 + x[1] ** 2 + x[2] ** 2 / 4 - 1


SIMPLE = [Sphere(2, radius=2.5), FlatTorus(2), ProjectiveSpace(2), SO3(), Product((Sphere(2), Euclidean(1)))]
EVERY = [*SIMPLE, EmbeddedTorus(), Implicit(ellipsoid, dim=2, ambient_dim=3)]
COSTLY = [pytest.param(manifold, marks=pytest.mark.slow) for manifold in EVERY[-2:]]  # to compile


def name(manifold):
    return "Implicit" if isinstance(manifold, Implicit) else repr(manifold)


def ends(manifold, dtype):
    """Points, others, and those with the second one off the manifold."""
    z, w = (manifold.uniform(jax.random.key(seed), (4,)).astype(dtype) for seed in (0, 1))
    return z, w, w.at[1].multiply(1.3)


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("manifold", [*EVERY[:-1], COSTLY[-1]], ids=name)
def test_points_off_the_manifold_are_refused(manifold, dtype):
    z, w, off = ends(manifold, dtype)
    for method in (manifold.log, manifold.distance):
        with pytest.raises(ValueError, match=r"z must lie on the manifold, got a point at distance .*project it first"):
            method(off, w)
        with pytest.raises(ValueError, match="w must lie on the manifold"):
            method(z, off)
        with pytest.raises(ValueError, match="w must lie on the manifold"):
            method(np.array(z), np.array(off))


@pytest.mark.parametrize("manifold", [*EVERY[:-1], COSTLY[-1]], ids=name)
def test_rounding_and_numbers_that_are_not_finite_pass(manifold, dtype):
    _, w, off = ends(manifold, dtype)
    manifold.check_on("w", w * (1 + 1e-5))
    manifold.check_on("w", w.at[0, 0].set(jnp.nan))
    manifold.check_on("w", w[:0])
    with pytest.raises(ValueError, match="w must lie on the manifold"):
        manifold.check_on("w", off.at[0, 0].set(jnp.nan))


@pytest.mark.parametrize("manifold", SIMPLE, ids=name)
def test_not_a_number_stays_so(manifold):
    z, w, _ = ends(manifold, jnp.float32)
    distance = manifold.distance(z, w.at[0].set(jnp.nan))
    np.testing.assert_array_equal(jnp.isnan(distance), [True, False, False, False])


def test_message_says_how_far():
    z = jnp.array([0.0, 0.0, 1.0])
    expected = "w must lie on the manifold, got a point at distance 0.25 from Sphere(dim=2, radius=1.0)"
    with pytest.raises(ValueError, match=re.escape(expected)):
        Sphere(2).log(z, 1.25 * z)
    with pytest.raises(ValueError, match=re.escape(expected)):
        check_values(jax.jit(Sphere(2).log))(z, 1.25 * z)
    with pytest.raises(ValueError, match=r"at distance 0\.25 from ProjectiveSpace"):
        ProjectiveSpace(2).log(z, -1.25 * z)
    with pytest.raises(ValueError, match=r"at distance 2 from SO3\(\)"):  # a reflection
        SO3().log(jnp.eye(3).ravel(), -jnp.eye(3).ravel())


def test_coarse_dtypes_round_more():
    z = Sphere(2).uniform(jax.random.key(0), (100,)).astype(jnp.bfloat16)
    Sphere(2).check_on("z", z)


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("manifold", [*SIMPLE, *COSTLY], ids=name)
def test_compiled_functions_are_checked_on_request(manifold, dtype):
    z, w, off = ends(manifold, dtype)
    compiled = jax.jit(manifold.distance)
    expected = compiled(z, w)
    assert compiled(z, off).shape == (4,)  # traced without checks, and kept
    np.testing.assert_array_equal(check_values(compiled)(z, w), expected)
    with pytest.raises(ValueError, match="w must lie on the manifold"):
        check_values(compiled)(z, off)
    assert compiled(z, off).shape == (4,)


@pytest.mark.parametrize("manifold", [*EVERY[:-1], COSTLY[-1]], ids=name)
def test_each_kind_of_point_is_checked_when_traced(manifold):
    _, w, off = ends(manifold, jnp.float32)

    @check_values
    @jax.jit
    def checked(x):
        manifold.check_on("x", x)
        return x

    np.testing.assert_array_equal(checked(w), w)
    with pytest.raises(ValueError, match="x must lie on the manifold"):
        checked(off)
    np.testing.assert_array_equal(checked(w), w)  # an error does not outlive its call


@pytest.mark.slow
def test_checks_pass_through_transformations():
    manifold = Sphere(2)
    z, w, off = ends(manifold, jnp.float32)

    def total(z, w):
        return jnp.sum(jax.vmap(manifold.distance)(z, w))

    def scanned(z, w):
        return jax.lax.scan(lambda carry, pair: (carry + manifold.distance(*pair), None), 0 * z[0, 0], (z, w))[0]

    def looped(z, w):  # as often as the data say, each at its own pace
        def lengthen(z, w):
            return jax.lax.while_loop(lambda s: s < 3, lambda s: s + manifold.distance(z, w) + 0.1, 0 * z[0])

        return jax.vmap(lengthen)(z, w)

    for function in (total, jax.grad(jax.jit(total), 1), jax.jit(jax.hessian(total)), scanned, jax.jit(looped)):
        assert jnp.all(jnp.isfinite(check_values(function)(z, w)))
        with pytest.raises(ValueError, match="w must lie on the manifold"):
            check_values(function)(z, off)


def test_of_several_failures_the_first_is_raised():
    z = 1.5 * Sphere(2).uniform(jax.random.key(0), (3,))
    for _ in range(3):
        with pytest.raises(ValueError, match="z must lie on the manifold"):
            check_values(jax.jit(Sphere(2).log))(z, 2 * z)


def test_one_inside_another_leaves_it_to_the_outer():
    z, _, off = ends(Sphere(2), jnp.float32)
    both = check_values(jax.jit(check_values(Sphere(2).distance)))
    with pytest.raises(ValueError, match="w must lie on the manifold"):
        both(z, off)


def test_it_must_be_outermost():
    z, w, _ = ends(Sphere(2), jnp.float32)
    known, checked = np.array(z), check_values(Sphere(2).distance)
    for transformed in (jax.jit(checked), jax.vmap(checked), jax.jit(lambda z, w: checked(known, known))):
        with pytest.raises(ValueError, match="must be the outermost transformation"):
            transformed(z, w)


def test_constants_of_a_traced_function_are_checked_without_asking():
    z, _, off = ends(Sphere(2), jnp.float32)
    with pytest.raises(ValueError, match="w must lie on the manifold"):
        jax.jit(lambda z: Sphere(2).distance(z, off))(z)


def test_a_manifold_of_ones_own_is_checked_by_its_projection():
    class Line(Sphere):
        """Measures its distance in the way that the base class does."""

        def _off(self, x):
            return Manifold._off(self, x)

    z = jnp.array([0.0, 0.0, 1.5])
    with pytest.raises(ValueError, match=r"z must lie on the manifold, got a point at distance 0\.5"):
        Line(2).distance(z, z)

"""From an encoder's output to points: embeddings that keep points, continuous maps, finite derivatives."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import (
    SO3,
    Cylinder,
    Hyperbolic,
    Interval,
    KleinBottle,
    LensSpace,
    MobiusBand,
    Product,
    ProjectiveSpace,
    Quotient,
    RotationQuotient,
    Sphere,
    symmetry_group,
)
from mvae.manifolds.quotient.space import orbit
from mvae.models import pose_location
from mvae.models.location import AS_THEY_ARE, identity, leading_eigenvector, location, reading, target
from mvae.models.principal_start import fit_principal_head
from tests.precisions import DOUBLE_IS_SLOW

SYMMETRIES = [("dihedral", 2), ("dihedral", 5), ("cyclic", 3), ("tetrahedral",), ("octahedral",), ("icosahedral",)]
EMBEDDED = [
    ProjectiveSpace(2),
    ProjectiveSpace(5),
    KleinBottle(),
    MobiusBand(4.0, 1.5),
    Interval(2.0),
    Cylinder(5.0, 2.0),
    Hyperbolic(3, curvature=-0.5),
    Product((Sphere(2), KleinBottle())),
    RotationQuotient("dihedral", 2),
    *(pytest.param(RotationQuotient(*each), marks=pytest.mark.slow) for each in SYMMETRIES[1:]),
]


@pytest.fixture(params=EMBEDDED, ids=repr)
def space(request):
    return request.param


@DOUBLE_IS_SLOW
def test_retraction_keeps_points(space, dtype):
    where = location(space)
    embed = jax.jit(where.embed)
    z = space.uniform(jax.random.key(0), (40,)).astype(dtype)
    y = embed(z)
    assert y.shape == (40, where.size)
    again = jax.jit(where.retract)(y)
    assert jnp.all(space.contains(again, 1e-5))
    np.testing.assert_allclose(space.distance(again, z), 0, atol=2e-3 if dtype == jnp.float32 else 1e-7)
    np.testing.assert_allclose(embed(again), y, atol=1e-5 if dtype == jnp.float32 else 1e-12)


def test_embedding_is_of_the_point(space):
    group = symmetry_group(space)
    if group is not None:
        z = space.uniform(jax.random.key(0), (40,))
        y = location(space).embed(orbit(group, z))
        np.testing.assert_allclose(y, jnp.broadcast_to(y[:1], y.shape), atol=1e-5)


def test_retraction_is_continuous_around_the_embedded_space(space):
    """Also where representatives jump: nearby outputs are nearby points."""
    where = location(space)
    y = where.embed(space.uniform(jax.random.key(0), (2000,)))
    moved = y + 1e-3 * jax.random.normal(jax.random.key(1), y.shape)
    retract = jax.jit(where.retract)
    assert jnp.max(jax.jit(space.distance)(retract(y), retract(moved))) < 0.05


@DOUBLE_IS_SLOW
def test_derivatives_are_finite(space, dtype):
    where = location(space)
    y = jax.random.normal(jax.random.key(0), (20, where.size), dtype)
    y = jnp.concatenate([y, jnp.zeros((1, where.size), dtype), jnp.eye(where.size, dtype=dtype)])

    def slopes(y):  # forward and reverse, which a search for the nearest point should be compiled for once
        z, forward = jax.linearize(where.retract, y)
        (backward,) = jax.vmap(jax.linear_transpose(forward, y))(jnp.eye(len(z), dtype=dtype))
        return jax.vmap(forward, out_axes=1)(jnp.eye(where.size, dtype=dtype)), backward

    forward, backward = jax.jit(jax.vmap(slopes))(y)
    assert np.all(np.isfinite(forward))
    np.testing.assert_allclose(forward, backward, rtol=1e-3, atol=1e-3 * np.abs(forward).max())


def test_leading_eigenvector_has_its_derivative():
    with jax.enable_x64(True):
        a = jax.random.normal(jax.random.key(0), (4, 4), jnp.float64)
        a, change = a + a.T, jnp.ones((4, 4)) + jnp.diag(jnp.arange(4.0))

        def line(step):
            v = leading_eigenvector(a + step * change)
            return v[:, None] * v

        _, slope = jax.jvp(line, (0.0,), (1.0,))
        np.testing.assert_allclose(slope, (line(1e-6) - line(-1e-6)) / 2e-6, atol=1e-7)
        np.testing.assert_allclose(jax.jacrev(line)(0.0), slope, atol=1e-12)


def test_a_network_into_matrices_winds_once():
    """Lines turned by half a turn come back as they were: the map that no continuous lift to the circle is."""
    space = ProjectiveSpace(1)
    angle = jnp.linspace(0, math.pi, 200)
    y = jnp.stack([jnp.cos(2 * angle), jnp.sqrt(2.0) * jnp.sin(2 * angle), -jnp.cos(2 * angle)], axis=-1)
    z = location(space).retract(y)
    steps = space.distance(z[1:], z[:-1])
    np.testing.assert_allclose(steps, angle[1], atol=1e-4)
    np.testing.assert_allclose(jnp.sum(steps), math.pi, atol=1e-3)


def test_others_are_projected():
    for space in (Sphere(2), LensSpace(5, 2)):
        where = location(space)
        assert where.embed is identity
        assert where.size == space.ambient_dim
        assert target(space, where) is space


@pytest.mark.parametrize("space", [ProjectiveSpace(2), pytest.param(KleinBottle(), marks=pytest.mark.slow)], ids=repr)
def test_principal_start_lays_codes_around_the_embedded_space(space):
    where = location(space)
    features = where.embed(space.uniform(jax.random.key(0), (300,))) @ jax.random.normal(
        jax.random.key(1), (where.size, 12)
    )
    kernel, bias = fit_principal_head(jax.random.key(2), target(space, where), features)
    assert kernel.shape == (12, where.size)
    assert bias.shape == (where.size,)
    z = where.retract(features @ kernel + bias)
    assert jnp.all(space.contains(z))


HYPERBOLIC = Hyperbolic(2, curvature=-0.25)
HALF_TURN = np.diag([1.0, -1.0, -1.0])


def hyperbolic_cone():
    """Made in tests alone: it draws from the prior, whose table both processes would make to collect the tests."""
    return Quotient(HYPERBOLIC, HALF_TURN)


@pytest.mark.parametrize("make", [lambda: HYPERBOLIC, lambda: Product((Sphere(2), HYPERBOLIC)), hyperbolic_cone])
def test_decoders_read_numbers_that_do_not_grow_exponentially(make):
    space = make()
    z = space.uniform(jax.random.key(0), (50,))
    read = jax.jit(reading(space).read)(z)
    assert read.shape == z.shape
    if isinstance(space, Product):
        np.testing.assert_array_equal(read[:, :3], z[:, :3])
        read, z = read[:, 3:], z[:, 3:]
    origin = HYPERBOLIC.from_tangent(jnp.zeros(2))
    np.testing.assert_allclose(read[:, 0], HYPERBOLIC.distance(origin, z), rtol=1e-5)
    np.testing.assert_allclose(HYPERBOLIC.from_tangent(read[:, 1:]), z, rtol=1e-5, atol=1e-5)


def test_readings_on_hyperbolic_space_are_smooth_and_finite():
    read = reading(HYPERBOLIC).read
    assert np.all(np.isfinite(jax.jacfwd(read)(HYPERBOLIC.from_tangent(jnp.zeros(2)))))
    np.testing.assert_allclose(read(HYPERBOLIC.from_tangent(jnp.array([60.0, 0.0]))), [60, 60, 0], rtol=1e-5)
    space = hyperbolic_cone()
    z = space.uniform(jax.random.key(1), (20,))
    np.testing.assert_allclose(
        reading(space).read(orbit(space.group, z)), orbit(space.group, reading(space).read(z)), rtol=1e-5, atol=1e-6
    )


def test_poses_are_read_by_what_their_symmetry_leaves():
    space = RotationQuotient("octahedral")
    z = space.uniform(jax.random.key(0), (10,))
    read = jax.jit(reading(space).read)
    images = orbit(space.group, z)
    np.testing.assert_allclose(read(images), jnp.broadcast_to(read(z), (24, 10, 9)), atol=1e-5)
    assert reading(space).invariant
    for other in (KleinBottle(), RotationQuotient("cyclic", 12), Product((space, KleinBottle()))):
        assert reading(other) is AS_THEY_ARE


@pytest.mark.parametrize(("key", "size"), [(("octahedral",), 9), (("tetrahedral",), 7), (("icosahedral",), 13)])
def test_poses_lie_in_harmonics_with_one_variance(key, size):
    """Of degree 4, 3 and 6, the first that the symmetry leaves anything of."""
    space = RotationQuotient(*key)
    z = space.uniform(jax.random.key(0), (20_000,))
    y = np.asarray(location(space).embed(z))
    assert y.shape[1] == size
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=5 / math.sqrt(size * len(y)))
    np.testing.assert_allclose(np.cov(y.T), np.eye(size) / size, atol=7 / (size * math.sqrt(len(y))))


@pytest.mark.parametrize("key", [("cyclic", 3), *(pytest.param(each, marks=pytest.mark.slow) for each in SYMMETRIES)])
def test_the_expansion_at_a_pose_has_the_derivatives_of_the_tensors(key):
    """cyclic:3 has two bodies, one of degree 1."""
    key = (key[0], key[1] if len(key) > 1 else None)
    z = SO3().uniform(jax.random.key(0))
    y = jax.random.normal(jax.random.key(1), pose_location._tensors(key, z).shape)

    def height(turn):
        return y @ pose_location._tensors(key, pose_location._turned(z, turn))

    found = jax.jit(lambda: pose_location._expansion(key, y, z))()
    slopes = jax.jit(lambda turn: (jax.grad(height)(turn), jax.hessian(height)(turn)))(jnp.zeros(3))
    for here, expected in zip(found, slopes, strict=True):
        np.testing.assert_allclose(here, expected, atol=1e-5 * np.abs(expected).max())

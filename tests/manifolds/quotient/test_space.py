"""Identities of quotients: what is said of a point does not hang on its representative, and boundaries reflect."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import (
    SO3,
    Cylinder,
    FlatTorus,
    Interval,
    KleinBottle,
    LensSpace,
    MobiusBand,
    Product,
    ProjectiveSpace,
    Quotient,
    RotationQuotient,
    Sphere,
    generated_by,
    rotation_group,
    symmetry_group,
    uniform_map,
)
from mvae.manifolds.quotient.groups import block_diagonal, turn
from tests.precisions import DOUBLE_IS_SLOW

FLAT = [Interval(2.0), Cylinder(5.0, 2.0), MobiusBand(4.0, 1.5), KleinBottle()]
SPHERICAL = [LensSpace(5, 2), RotationQuotient("dihedral", 3), RotationQuotient("octahedral")]
SPACES = [*FLAT, *SPHERICAL, Quotient(Sphere(2), np.diag([1.0, 1.0, -1.0]))]


@pytest.fixture(params=SPACES, ids=repr)
def space(request):
    return request.param


def points(space, dtype, num=20):
    z, w = space.uniform(jax.random.key(0), (2, num)).astype(dtype)
    moved = np.random.default_rng(0).integers(space.group.order, size=num)
    return z, w, space.orbit(w)[moved, jnp.arange(num)]


def tolerance(dtype):
    return 40 * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("symmetry", "order", "size"),
    [
        ("cyclic", 1, 1),
        ("cyclic", 7, 7),
        ("dihedral", 2, 4),
        ("dihedral", 5, 10),
        ("tetrahedral", None, 12),
        ("octahedral", None, 24),
        ("icosahedral", None, 60),
    ],
)
def test_rotation_groups_are_groups(symmetry, order, size):
    matrices = rotation_group(symmetry, order).array
    assert len(matrices) == size
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    products = np.einsum("aij,bjk->abik", matrices, matrices)
    away = np.abs(products[:, :, None] - matrices).max(axis=(-2, -1)).min(axis=-1)
    assert away.max() < 1e-12


def test_generators_are_refused():
    with pytest.raises(ValueError, match="orthogonal"):
        generated_by(np.diag([1.0, 2.0]))
    with pytest.raises(ValueError, match="finite group of at most 1000"):
        generated_by(turn(1.0))
    with pytest.raises(ValueError, match="act on the 3 ambient coordinates"):
        Quotient(Sphere(2), turn(math.pi))
    with pytest.raises(ValueError, match="to itself"):
        Quotient(FlatTorus(2), np.eye(4)[[0, 2, 1, 3]])
    with pytest.raises(ValueError, match="q prime to it"):
        LensSpace(4, 2)
    with pytest.raises(ValueError, match="height must be positive"):
        Cylinder(height=-1.0)
    with pytest.raises(ValueError, match="order must be an integer"):
        RotationQuotient("cyclic")


@DOUBLE_IS_SLOW
def test_representatives_of_one_point_are_alike(space, dtype):
    z, w, other = points(space, dtype)
    distance = space.distance(z, w)
    np.testing.assert_allclose(space.distance(z, other), distance, atol=100 * tolerance(dtype))
    np.testing.assert_allclose(space.distance(w, z), distance, atol=100 * tolerance(dtype))
    # A distance of next to nothing is rounding's, of the points: of the order of the root of it on rotations.
    np.testing.assert_allclose(space.distance(w, other), 0, atol=100 * tolerance(dtype))
    assert jnp.all(distance <= space.cover.distance(z, w) + tolerance(dtype))


@DOUBLE_IS_SLOW
def test_exp_of_log_reaches_the_point(space, dtype):
    z, w, _ = points(space, dtype)
    v = space.log(z, w)
    np.testing.assert_allclose(jnp.linalg.norm(v, axis=-1), space.distance(z, w), atol=tolerance(dtype))
    np.testing.assert_allclose(space.to_tangent(z, v), v, atol=tolerance(dtype))
    end = space.exp(z, v)
    nearest = space.nearest_representative(z, w)
    np.testing.assert_allclose(end, nearest, atol=3 * tolerance(dtype))


@DOUBLE_IS_SLOW
def test_derivatives_are_finite_at_fixed_points_too(space, dtype):
    z, w, _ = points(space, dtype, 4)
    if isinstance(space, Interval):
        fixed = space.from_coordinates(jnp.array([[0.0], [2.0], [0.0], [2.0]], dtype))
        z, w = jnp.concatenate([z, fixed]), jnp.concatenate([w, fixed])
    z, w = jnp.concatenate([z, z]), jnp.concatenate([w, z])
    slopes = jax.jit(jax.vmap(lambda *ends: (jax.jacrev(space.distance, (0, 1))(*ends), jax.jacfwd(space.log)(*ends))))
    assert all(np.all(np.isfinite(slope)) for slope in jax.tree.leaves(slopes(z, w)))


def test_volume_is_that_of_the_cover_over_the_order(space):
    assert math.isclose(space.volume * space.group.order, space.cover.volume, rel_tol=1e-12)
    assert math.isclose(math.exp(space.log_volume), space.volume, rel_tol=1e-12)
    if space in FLAT:
        assert math.isclose(space.volume, math.prod(high - low for low, high in space.sides), rel_tol=1e-12)


@pytest.mark.parametrize("space", FLAT, ids=repr)
@DOUBLE_IS_SLOW
def test_coordinates_are_of_the_point_and_in_the_domain(space, dtype):
    z, _, _ = points(space, dtype)
    x = space.coordinates(space.orbit(z))
    low, high = np.array(space.sides).T
    assert np.all((x >= low - 1e-5) & (x <= high + 1e-5))
    np.testing.assert_allclose(x, jnp.broadcast_to(x[:1], x.shape), atol=20 * tolerance(dtype))
    np.testing.assert_allclose(space.distance(space.from_coordinates(x[0]), z), 0, atol=20 * tolerance(dtype))


def test_interval_distance_is_that_of_numbers(dtype):
    space, x = Interval(2.0), jnp.array([[0.0], [0.3], [1.1], [2.0]], dtype)
    z = space.from_coordinates(x)
    np.testing.assert_allclose(space.distance(z[:, None], z), jnp.abs(x - x[:, 0]), atol=tolerance(dtype))


def test_klein_distance_is_the_least_over_lattice_images(dtype):
    """Images in the plane under (x, y) -> (x + pi, -y) and y -> y + 2 pi."""
    a, b = (np.random.default_rng(k).uniform(-3, 3, (30, 2)) for k in (0, 1))
    images = [
        np.stack([b[:, 0] + k * math.pi, (-1) ** k * b[:, 1] + 2 * math.pi * m], axis=1)
        for k, m in itertools.product(range(-4, 5), range(-2, 3))
    ]
    expected = np.min([np.linalg.norm(a - image, axis=1) for image in images], axis=0)
    torus = FlatTorus(2)
    z, w = (torus.from_angles(jnp.asarray(x, dtype)) for x in (a, b))
    np.testing.assert_allclose(KleinBottle().distance(z, w), expected, atol=tolerance(dtype))


def test_projective_space_and_rotations_are_special_cases(dtype):
    general, special = Quotient(Sphere(2), -np.eye(3)), ProjectiveSpace(2)
    z, w, _ = points(general, dtype)
    one, other = (jax.jit(lambda z, w, m=m: (m.distance(z, w), m.log(z, w)))(z, w) for m in (general, special))
    np.testing.assert_allclose(one[0], other[0], atol=tolerance(dtype))
    np.testing.assert_allclose(one[1], other[1], atol=tolerance(dtype))
    lens = LensSpace(2, 1)
    assert symmetry_group(lens) == symmetry_group(ProjectiveSpace(3))
    trivial = RotationQuotient("cyclic", 1)
    z, w, _ = points(trivial, dtype)
    one, other = (jax.jit(m.distance)(z, w) for m in (trivial, SO3()))
    np.testing.assert_allclose(one, other, atol=tolerance(dtype))


def test_products_have_the_group_of_their_factors():
    group = symmetry_group(Product((ProjectiveSpace(1), Sphere(1), KleinBottle())))
    assert (group.order, group.size) == (4, 8)
    assert symmetry_group(Product((Sphere(1), Sphere(2)))) is None
    glide = block_diagonal(np.eye(4), KleinBottle().group.array[1])
    assert np.abs(group.array - glide).max(axis=(1, 2)).min() < 1e-12


@pytest.mark.parametrize(
    "space", [*FLAT, LensSpace(5, 2), RotationQuotient("cyclic", 3), RotationQuotient("dihedral", 4)], ids=repr
)
def test_uniform_map_covers_once(space):
    """The volume element is the volume, and far pairs of the cube are no pairs of representatives."""
    with jax.enable_x64(True):
        f = jax.jit(uniform_map(space))
        u = jax.random.uniform(jax.random.key(0), (400, space.dim), jnp.float64, 0.02, 0.98)
        columns = jax.jit(jax.vmap(jax.jacfwd(f)))(u[:20])
        volume = jnp.sqrt(jnp.linalg.det(jnp.swapaxes(columns, 1, 2) @ columns))
        np.testing.assert_allclose(volume, space.volume, rtol=1e-9)
        z = f(u)
        apart = jax.jit(space.distance)(z[:, None], z[None]) + 10 * np.eye(len(z))
        far = np.linalg.norm(u[:, None] - u[None], axis=-1) > 0.3
        # Points that are glued are near, too; that few pairs are is what one sheet has, and two have not.
        near = np.sum(np.where(far, apart < 0.01, False))
        assert near <= 4
        np.testing.assert_allclose(jnp.mean(z, axis=0).shape, (space.ambient_dim,))

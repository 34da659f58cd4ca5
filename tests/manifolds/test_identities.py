"""One suite of identities for every manifold: both precisions, far and near, both sides of every threshold."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere
from mvae.manifolds.safe_math import taylor_threshold
from tests.precisions import DOUBLE_IS_SLOW

CHEAP = [Euclidean(2), Sphere(2, radius=2.5), FlatTorus(2)]
MANIFOLDS = [*CHEAP, Sphere(1), ProjectiveSpace(2), SO3(), Sphere(20)]
COSTLY = [ProjectiveSpace(2), SO3(), Product((Sphere(2), Euclidean(1)))]  # to compile; they have files of their own
CURVED = [manifold for manifold in MANIFOLDS if not isinstance(manifold, Euclidean)]


def scale_of(manifold):
    """Length of the angle 1: of the sphere, of the covering sphere, of the first factor."""
    match manifold:
        case SO3():
            return 2 * math.sqrt(2)
        case Product(factors=(first, *_)):
            return scale_of(first)
        case _:
            return getattr(manifold, "radius", 1.0)


def cut_of(manifold):
    """Angle at which the cut locus is."""
    return math.pi / 2 if isinstance(manifold, ProjectiveSpace | SO3) else math.pi


def lengths(manifold, dtype):
    """Angles: far, near, at and on both sides of each Taylor threshold, and next to the cut locus."""
    cut = cut_of(manifold)
    threshold = taylor_threshold(jnp.zeros((), dtype))
    in_square, in_sine = math.sqrt(threshold), 2 * math.asin(math.sqrt(threshold))
    eps = float(jnp.finfo(dtype).eps)
    sides = [angle * factor for angle in (in_square, in_sine) for factor in (0.99, 1.01)]
    return [0.0, 1e-30, eps, 1e-4, *sides, 0.5, 1.5, 0.8 * cut, cut - 1e-3, cut - 20 * eps]


def all_manifolds(*, fast):
    """Every manifold as a parameter of a test; those not in `fast` only with the slow tests."""
    every = dict.fromkeys([*MANIFOLDS, *COSTLY])
    return [m if m in fast else pytest.param(m, marks=pytest.mark.slow) for m in every]


@pytest.fixture(params=all_manifolds(fast=[m for m in MANIFOLDS if m not in COSTLY]), ids=repr)
def manifold(request):
    return request.param


def pairs(manifold, dtype):
    """Points, unit tangent vectors at them (on a single circle or factor of a product) and geodesic lengths."""
    angles = jnp.array(lengths(manifold, dtype), dtype)
    key_z, key_v = jax.random.split(jax.random.key(1))
    z = manifold.uniform(key_z, angles.shape).astype(dtype)
    noise = jax.random.normal(key_v, z.shape, dtype)
    if isinstance(manifold, FlatTorus | Product):
        single = 2 if isinstance(manifold, FlatTorus) else manifold.factors[0].ambient_dim
        noise = noise.at[..., single:].set(0)
    v = manifold.to_tangent(z, noise)
    v = v / jnp.linalg.norm(v, axis=-1, keepdims=True)
    v = manifold.to_tangent(z, v)
    return z, v, angles * scale_of(manifold)


def tolerance(dtype):
    return 20 * float(jnp.finfo(dtype).eps)


def representative(manifold, z, w):
    """Coordinates of w that are comparable with those of z."""
    return manifold.nearest_representative(z, w) if isinstance(manifold, ProjectiveSpace) else w


@DOUBLE_IS_SLOW
def test_project_is_idempotent_and_lands_on_the_manifold(manifold, dtype):
    x = 3 * jax.random.normal(jax.random.key(0), (50, manifold.ambient_dim), dtype)
    z = manifold.project(x)
    assert z.dtype == dtype
    assert jnp.all(manifold.contains(z, tolerance(dtype) * scale_of(manifold)))
    np.testing.assert_allclose(manifold.project(z), z, atol=tolerance(dtype))


@DOUBLE_IS_SLOW
def test_project_is_the_nearest_point(manifold, dtype):
    x = jax.random.normal(jax.random.key(0), (20, manifold.ambient_dim), dtype)
    offset = x - manifold.project(x)
    others = manifold.uniform(jax.random.key(1), (500, 1)).astype(dtype)
    least = jnp.min(jnp.linalg.norm(x - others, axis=-1), axis=0)
    assert jnp.all(jnp.linalg.norm(offset, axis=-1) <= least + tolerance(dtype))


@DOUBLE_IS_SLOW
def test_tangent_vectors_leave_the_manifold_to_second_order_only(manifold, dtype):
    z, v, _ = pairs(manifold, dtype)
    step = 1e-2
    apart = manifold.project(z + step * v) - (z + step * v)
    assert jnp.max(jnp.linalg.norm(apart, axis=-1)) < step**2
    np.testing.assert_allclose(manifold.to_tangent(z, v), v, atol=tolerance(dtype))


@pytest.mark.parametrize("manifold", CURVED, ids=repr)
def test_normal_component_is_removed(manifold, dtype):
    z, _, _ = pairs(manifold, dtype)
    np.testing.assert_allclose(manifold.to_tangent(z, z), 0, atol=scale_of(manifold) * tolerance(dtype))


def test_exp_of_log_is_the_identity(manifold, dtype):
    z, v, length = pairs(manifold, dtype)
    w = manifold.exp(z, length[:, None] * v)
    assert jnp.all(manifold.contains(w, tolerance(dtype) * scale_of(manifold)))
    again = representative(manifold, w, manifold.exp(z, manifold.log(z, w)))
    np.testing.assert_allclose(again, w, atol=scale_of(manifold) * tolerance(dtype))


def test_log_of_exp_is_the_identity(manifold, dtype):
    z, v, length = pairs(manifold, dtype)
    inside = np.array(length) < 0.95 * cut_of(manifold) * scale_of(
        manifold
    )  # by the cut locus the direction is lost to rounding
    log = manifold.log(z, manifold.exp(z, length[:, None] * v))
    expected = length[:, None] * v
    np.testing.assert_allclose(log[inside], expected[inside], atol=scale_of(manifold) * tolerance(dtype))


def test_distance_is_length_of_log_and_of_the_geodesic(manifold, dtype):
    z, v, length = pairs(manifold, dtype)
    w = manifold.exp(z, length[:, None] * v)
    distance = manifold.distance(z, w)
    scale = scale_of(manifold)
    np.testing.assert_allclose(distance, length, atol=scale * tolerance(dtype))
    np.testing.assert_allclose(distance, manifold.distance(w, z), atol=scale * tolerance(dtype))
    np.testing.assert_allclose(distance, jnp.linalg.norm(manifold.log(z, w), axis=-1), atol=scale * tolerance(dtype))


def angles_in_extended_precision(manifold, z, w):
    a, b = np.array(z, np.longdouble), np.array(w, np.longdouble)
    if isinstance(manifold, SO3):
        turn = np.einsum("bji,bjk->bik", a.reshape(-1, 3, 3), b.reshape(-1, 3, 3))
        sine = np.linalg.norm((turn - np.swapaxes(turn, 1, 2)).reshape(-1, 9), axis=-1) / np.sqrt(np.longdouble(8))
        return np.arctan2(sine, (np.trace(turn, axis1=1, axis2=2) - 1) / 2) / 2
    a, b = (x.reshape(len(x), -1, 2) if isinstance(manifold, FlatTorus) else x[:, None] for x in (a, b))
    chord, antichord = np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)
    if isinstance(manifold, ProjectiveSpace):
        chord, antichord = np.minimum(chord, antichord), np.maximum(chord, antichord)
    return np.linalg.norm(2 * np.arctan2(chord, antichord), axis=-1)


@pytest.mark.parametrize("manifold", CURVED, ids=repr)
def test_distance_is_accurate_relative_to_its_size(manifold, dtype):
    """Against the angle of the very points that were given, computed in extended precision."""
    z, v, length = pairs(manifold, dtype)
    w = manifold.exp(z, length[:, None] * v)
    distance = np.array(manifold.distance(z, w), np.longdouble)
    expected = scale_of(manifold) * angles_in_extended_precision(manifold, z, w)
    # Points that are equal to rounding may differ along the normal: a torus leaves that out, a chord does not.
    resolved = expected > 50 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(distance[resolved], expected[resolved], rtol=tolerance(dtype))
    if isinstance(manifold, Sphere):
        np.testing.assert_allclose(distance, expected, rtol=tolerance(dtype), atol=1e-37)


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("manifold", [m for m in CURVED if isinstance(m, Sphere | FlatTorus)], ids=repr)
def test_antipode(manifold, dtype):
    z = manifold.uniform(jax.random.key(3), (10,)).astype(dtype)
    half_turn = math.pi * scale_of(manifold) * (math.sqrt(manifold.dim) if isinstance(manifold, FlatTorus) else 1)
    np.testing.assert_allclose(manifold.distance(z, -z), half_turn, rtol=tolerance(dtype))
    log = manifold.log(z, -z)
    np.testing.assert_allclose(jnp.linalg.norm(log, axis=-1), half_turn, rtol=tolerance(dtype))
    np.testing.assert_allclose(manifold.to_tangent(z, log), log, atol=tolerance(dtype) * half_turn)
    np.testing.assert_allclose(manifold.exp(z, log), -z, atol=tolerance(dtype) * half_turn)


def members(manifold):
    """The differentiable members as functions of two ambient arguments, extended off the manifold by `project`."""

    def all_of(x, y):
        z, w = manifold.project(x), manifold.project(y)
        tangent = manifold.to_tangent(z, y)
        return {
            "project": z,
            "to_tangent": tangent,
            "exp": manifold.exp(z, tangent),
            "log": manifold.log(z, w),
            "distance": manifold.distance(z, w),
        }

    return all_of


def degenerate_places(manifold, dtype):
    """The diagonal, the antipode, the cut locus, the origin and its neighbourhood."""
    z = manifold.uniform(jax.random.key(4), (4,)).astype(dtype)
    _, v, _ = pairs(manifold, dtype)
    cut = manifold.exp(z, cut_of(manifold) * scale_of(manifold) * manifold.to_tangent(z, v[:4]))
    zero, tiny = jnp.zeros_like(z), jnp.full_like(z, 1e-38)
    places = ((z, z), (z, -z), (z, cut), (z, zero), (zero, z), (zero, zero), (tiny, zero), (tiny, 1e15 * tiny))
    return (jnp.concatenate(side) for side in zip(*places, strict=True))


@DOUBLE_IS_SLOW
@pytest.mark.parametrize("manifold", all_manifolds(fast=CHEAP), ids=repr)
def test_derivatives_forward_reverse_and_by_differences(manifold, dtype):
    z, v, length = pairs(manifold, dtype)
    w = manifold.exp(z, length[:, None] * v)
    first, second = (jnp.concatenate(x) for x in zip((z, w), degenerate_places(manifold, dtype), strict=True))
    function = members(manifold)
    batched = jax.jit(jax.vmap(function))
    value = batched(first, second)
    forward = jax.jit(jax.vmap(jax.jacfwd(function, (0, 1))))(first, second)
    reverse = jax.jit(jax.vmap(jax.jacrev(function, (0, 1))))(first, second)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((value, forward, reverse)))

    # At the ends of the range rounding of the points themselves decides the derivative.
    scaled = np.array(length) / scale_of(manifold)
    inside = np.flatnonzero((scaled > 1e-5) & (scaled < 0.95 * cut_of(manifold)))
    for one, other in zip(jax.tree.leaves(forward), jax.tree.leaves(reverse), strict=True):
        np.testing.assert_allclose(one[inside], other[inside], atol=3e3 * tolerance(dtype))
    if dtype == jnp.float64:
        inside = np.flatnonzero((scaled > 1e-2) & (scaled < 0.95 * cut_of(manifold)))
        direction = jax.random.normal(jax.random.key(5), first.shape, dtype)
        step = 1e-6
        above, below = (batched(first + s * direction, second + s * direction) for s in (step, -step))
        for name, blocks in forward.items():
            slope = sum(jnp.einsum("b...n,bn->b...", block, direction) for block in blocks)
            difference = (above[name] - below[name]) / (2 * step)
            np.testing.assert_allclose(slope[inside], difference[inside], rtol=1e-6, atol=1e-6, err_msg=name)


def moments(manifold, i):
    """Second and fourth moment of coordinate i: each is a normal one or one of a uniform unit vector."""
    match manifold:
        case Euclidean():
            return 1.0, 3.0
        case Product(factors=(first, *others)):
            inside = i < first.ambient_dim
            return moments(first, i) if inside else moments(Product(tuple(others)), i - first.ambient_dim)
        case FlatTorus():
            n, radius = 2, 1.0
        case SO3():
            n, radius = 3, 1.0
        case _:
            n, radius = manifold.ambient_dim, scale_of(manifold)
    return radius**2 / n, 3 * radius**4 / (n * (n + 2))


def test_uniform_moments(manifold):
    count = 40_000
    z = np.array(manifold.uniform(jax.random.key(7), (count,)))
    assert z.shape == (count, manifold.ambient_dim)
    assert manifold.uniform(jax.random.key(0)).shape == (manifold.ambient_dim,)
    variance, fourth = np.array([moments(manifold, i) for i in range(manifold.ambient_dim)]).T
    deviation = np.sqrt(variance / count)
    np.testing.assert_array_less(np.abs(z.mean(axis=0)), 5 * deviation)
    spread = np.sqrt((fourth - variance**2) / count)
    np.testing.assert_array_less(np.abs((z**2).mean(axis=0) - variance), 5 * spread)


@pytest.mark.parametrize("manifold", all_manifolds(fast=CHEAP), ids=repr)
def test_static_argument_vmap_and_broadcasting(manifold):
    @jax.jit
    def plain(z, w):
        return manifold.distance(z, w)

    z = manifold.uniform(jax.random.key(0), (3, 1))
    w = manifold.uniform(jax.random.key(1), (4,))
    static = jax.jit(lambda space, z, w: space.distance(z, w), static_argnums=0)
    both = jax.vmap(jax.vmap(manifold.distance, (None, 0)), (0, None))(z[:, 0], w)
    assert hash(manifold) == hash(type(manifold)(*(getattr(manifold, f) for f in manifold.__dataclass_fields__)))
    for table in (plain(z, w), static(manifold, z, w), both):
        np.testing.assert_allclose(table, manifold.distance(z, w), rtol=1e-5)
    assert manifold.log(z, w).shape == (3, 4, manifold.ambient_dim)
    assert manifold.to_tangent(z, w).shape == (3, 4, manifold.ambient_dim)
    assert manifold.scalar_curvature(z).shape == (3, 1)


@pytest.mark.parametrize("manifold", [Sphere(2, radius=2.5), FlatTorus(2), SO3()], ids=repr)
def test_geodesics_start_from_the_manifold_whatever_rounding_has_done(manifold):
    """Where z is off by 1e-4, the end is not: so steps on end, in any number, do not add up their rounding."""
    z = jax.jit(lambda key: manifold.uniform(key, (4,)))(jax.random.key(0))
    off = z * (1 + 1e-4 * jax.random.uniform(jax.random.key(1), z.shape, minval=-1))
    v = 0.1 * jax.random.normal(jax.random.key(2), z.shape)
    end = jax.jit(lambda z, v: manifold.exp(z, manifold.to_tangent(manifold.project(z), v)))(off, v)
    assert not jnp.all(manifold.contains(off, 1e-5))
    assert jnp.all(manifold.contains(end, 1e-6 * scale_of(manifold)))


@pytest.mark.parametrize(
    ("manifold", "num_steps"),
    [
        (SO3(), 8000),
        *(pytest.param(m, 100_000, marks=pytest.mark.slow) for m in (Sphere(2, radius=2.5), FlatTorus(2), SO3())),
    ],
    ids=repr,
)
def test_long_ways_stay_on_the_manifold(manifold, num_steps):
    """Of geodesics end to end in float32; without care 30 000 of them lead 4e-5 away from the rotations."""
    v = jax.random.normal(jax.random.key(1), (manifold.ambient_dim,))

    def step(z, _):
        return manifold.exp(z, 0.03 * manifold.to_tangent(z, v)), None

    start = manifold.uniform(jax.random.key(0))
    end, _ = jax.jit(lambda z: jax.lax.scan(step, z, None, length=num_steps))(start)
    assert manifold.contains(end, 2e-6 * scale_of(manifold))

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from mvae.manifolds import EmbeddedTorus
from tests.precisions import DOUBLE_IS_SLOW

TORUS = EmbeddedTorus()
C, A = TORUS.major_radius, TORUS.minor_radius
TARGET = {"float32": 2e-5, "float64": 1e-9}


def random_pairs(dtype, count=200):
    return (TORUS.uniform(jax.random.key(k), (count,)).astype(dtype) for k in (1, 2))


def random_tangents(z, length):
    v = TORUS.to_tangent(z, jax.random.normal(jax.random.key(3), z.shape, z.dtype))
    return v * (length / jnp.linalg.norm(v, axis=-1))[..., None]


@functools.cache
def jitted(name):
    return jax.jit(getattr(TORUS, name))


def compiled(name):
    """The member, padded to one shape of 200 pairs, because geodesics take seconds to compile."""

    def call(z, w):
        z, w = jnp.broadcast_arrays(z, w)
        batch = z.shape[:-1]
        count = math.prod(batch)
        pad = [jnp.resize(x.reshape(-1, 3), (200, 3)) for x in (z, w)]
        return jitted(name)(*pad)[:count].reshape(*batch, *((3,) if name != "distance" else ()))

    return call


def wrap(angle):
    return (angle + math.pi) % (2 * math.pi) - math.pi


def embed(x, y):
    radius = C + A * np.cos(x)
    return np.stack([radius * np.cos(y), radius * np.sin(y), A * np.sin(x)], axis=-1)


@DOUBLE_IS_SLOW
def test_angles_invert_from_angles(dtype):
    a = jnp.array([[-3.0, 0.0], [0.0, -3.0], [1e-6, 3.0], [2.5, 2.5]], dtype)
    np.testing.assert_allclose(TORUS.from_angles(a), embed(*np.array(a).T), atol=1e-6)
    np.testing.assert_allclose(TORUS.angles(TORUS.from_angles(a)), a, atol=2e-6)


def test_volume_by_quadrature():
    area = integrate.quad(lambda x: 2 * math.pi * A * (C + A * math.cos(x)), 0, 2 * math.pi)[0]
    assert math.isclose(TORUS.volume, area, rel_tol=1e-12)
    assert math.isclose(TORUS.log_volume, math.log(area), rel_tol=1e-12)


@pytest.mark.slow
def test_curvature_from_the_second_fundamental_form():
    """Gauss: Sc = 2 det(II) / det(I), with both forms from derivatives of the parametrisation."""
    with jax.enable_x64(True):
        angles = jnp.stack([jnp.linspace(-3, 3, 13), jnp.linspace(0, 5, 13)], axis=-1)
        first = jax.vmap(jax.jacfwd(TORUS.from_angles))(angles)
        second = jax.vmap(jax.hessian(TORUS.from_angles))(angles)
        normal = jnp.cross(first[..., 0], first[..., 1])
        normal = normal / jnp.linalg.norm(normal, axis=-1, keepdims=True)
        form = jnp.einsum("bnij,bn->bij", second, normal)
        metric = jnp.einsum("bni,bnj->bij", first, first)
        expected = 2 * jnp.linalg.det(form) / jnp.linalg.det(metric)
        np.testing.assert_allclose(TORUS.scalar_curvature(TORUS.from_angles(angles)), expected, atol=1e-12)


@DOUBLE_IS_SLOW
def test_project_is_idempotent_and_the_nearest_point(dtype):
    x = 3 * jax.random.normal(jax.random.key(0), (50, 3), dtype)
    z = TORUS.project(x)
    eps = float(jnp.finfo(dtype).eps)
    assert z.dtype == dtype
    assert jnp.all(TORUS.contains(z, 20 * eps))
    np.testing.assert_allclose(TORUS.project(z), z, atol=50 * eps)
    np.testing.assert_allclose(TORUS.to_tangent(z, x - z), 0, atol=100 * eps)
    others = TORUS.uniform(jax.random.key(1), (2000, 1)).astype(dtype)
    least = jnp.min(jnp.linalg.norm(x - others, axis=-1), axis=0)
    assert jnp.all(jnp.linalg.norm(x - z, axis=-1) <= least + 20 * eps)


@pytest.mark.slow
def test_axis_and_core_circle_have_a_convention(dtype):
    x = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, C, 0.0]], dtype)
    tilt = math.hypot(C, 2)
    expected = [[C - A, 0, 0], [C - A * C / tilt, 0, A * 2 / tilt], [0, C + A, 0]]
    np.testing.assert_allclose(TORUS.project(x), expected, atol=1e-6)
    assert jnp.all(jnp.isfinite(jax.vmap(jax.jacrev(TORUS.project))(x)))
    assert jnp.all(jnp.isfinite(jax.vmap(jax.jacfwd(TORUS.project))(x)))


@DOUBLE_IS_SLOW
def test_tangent_vectors_are_orthogonal_to_the_normal(dtype):
    z, w = random_pairs(dtype)
    x, y = np.array(TORUS.angles(z)).T
    normal = np.stack([np.cos(x) * np.cos(y), np.cos(x) * np.sin(y), np.sin(x)], axis=-1)
    v = TORUS.to_tangent(z, w)
    np.testing.assert_allclose(jnp.sum(v * normal, axis=-1), 0, atol=30 * float(jnp.finfo(dtype).eps))
    np.testing.assert_allclose(TORUS.to_tangent(z, v), v, atol=30 * float(jnp.finfo(dtype).eps))
    assert TORUS.to_tangent(z[:3, None], w[:4]).shape == (3, 4, 3)


@DOUBLE_IS_SLOW
def test_meridians_are_circles(dtype):
    x = jnp.linspace(-3, 3, 7, dtype=dtype)
    z = TORUS.from_angles(jnp.stack([x, 2 * x], axis=-1))
    along = jnp.stack([-jnp.sin(x) * jnp.cos(2 * x), -jnp.sin(x) * jnp.sin(2 * x), jnp.cos(x)], axis=-1)
    turn = jnp.linspace(-3, 3, 7, dtype=dtype)
    w = compiled("exp")(z, A * turn[:, None] * along)
    np.testing.assert_allclose(w, embed(np.array(x) + np.array(turn), 2 * np.array(x)), atol=5e-6)
    np.testing.assert_allclose(compiled("distance")(z, w), A * jnp.abs(turn), atol=5e-6)


@DOUBLE_IS_SLOW
def test_equators_are_geodesics_and_the_inner_one_is_shortest(dtype):
    z = TORUS.from_angles(jnp.array([[0.0, 0.0], [math.pi, 0.0]], dtype))
    radius = np.array([C + A, C - A])
    for turn in (0.3, 1.1, 3.0):
        w = compiled("exp")(z, jnp.asarray(turn * radius[:, None] * np.array([0, 1, 0]), dtype))
        expected = embed(np.array([0, math.pi]), np.full(2, turn))
        np.testing.assert_allclose(w, expected, atol=10 * TARGET[dtype.name])
        distance = compiled("distance")(z, w)
        assert abs(distance[1] - turn * radius[1]) < TARGET[dtype.name]
        # The outer equator minimises up to its first conjugate point, pi sqrt(a (c + a)) away.
        gap = turn * radius[0] - float(distance[0])
        conjugate = turn * radius[0] > math.pi * math.sqrt(A * (C + A))
        assert gap > 0.1 if conjugate else abs(gap) < TARGET[dtype.name]


@DOUBLE_IS_SLOW
def test_exp_against_an_adaptive_integrator_of_another_equation(dtype):
    """The geodesic equation in R^3, z'' = -(z' . dn z') n, with the normal from the implicit equation."""
    z = TORUS.uniform(jax.random.key(1), (12,)).astype(dtype)
    v = random_tangents(z, jnp.linspace(0.1, 10, 12).astype(dtype))

    def right_side(_, state):
        p, u = state[:3], state[3:]
        radius = math.hypot(p[0], p[1])
        gradient = np.array([p[0] * (1 - C / radius), p[1] * (1 - C / radius), p[2]])
        flat = np.array([p[0], p[1], 0]) / radius
        bend = u @ u - C / radius * (u[0] ** 2 + u[1] ** 2 - (flat @ u) ** 2)
        return np.concatenate([u, -bend * gradient / (gradient @ gradient)])

    w = np.array(compiled("exp")(z, v), np.float64)
    for start, velocity, end in zip(*(np.array(x, np.float64) for x in (z, v)), w, strict=True):
        solution = integrate.solve_ivp(
            right_side, (0, 1), np.concatenate([start, velocity]), method="DOP853", rtol=1e-12, atol=1e-12
        )
        error = np.linalg.norm(solution.y[:3, -1] - end)
        length = np.linalg.norm(velocity)
        assert error < (1e-9 if dtype == jnp.float64 else 2e-6 * math.exp(0.6 * length))
    assert jnp.all(TORUS.contains(jnp.asarray(w), 1e-5 if dtype == jnp.float32 else 1e-13))


@pytest.mark.slow
def test_speed_is_constant_along_the_geodesic():
    """A quarter of the velocity goes a quarter of the way, and the pieces measure what they should."""
    with jax.enable_x64(True):
        z = TORUS.uniform(jax.random.key(1), (20,)).astype(jnp.float64)
        v = random_tangents(z, jnp.full(20, 1.2))
        places = compiled("exp")(z, jnp.linspace(0, 1, 5)[:, None, None] * v)
        pieces = compiled("distance")(places[:-1], places[1:])
        np.testing.assert_allclose(pieces, 0.3, atol=1e-10)
        velocity = jax.jit(lambda s: jax.jvp(lambda s: TORUS.exp(z, s * v), (s,), (1.0,))[1])(0.7)
        np.testing.assert_allclose(jnp.linalg.norm(velocity, axis=-1), 1.2, atol=1e-9)


@DOUBLE_IS_SLOW
def test_exp_of_log_is_the_identity_and_distance_symmetric(dtype):
    z, w = random_pairs(dtype)
    v, distance = compiled("log")(z, w), compiled("distance")(z, w)
    np.testing.assert_allclose(jnp.linalg.norm(v, axis=-1), distance, rtol=1e-5)
    np.testing.assert_allclose(TORUS.to_tangent(z, v), v, atol=1e-5)
    np.testing.assert_allclose(compiled("distance")(w, z), distance, atol=TARGET[dtype.name])
    # Rounding of the velocity grows with the spread of geodesics on the inner side.
    back = jnp.linalg.norm(compiled("exp")(z, v) - w, axis=-1)
    assert jnp.max(back) < (1e-10 if dtype == jnp.float64 else 3e-4)
    assert jnp.median(back) < (1e-12 if dtype == jnp.float64 else 1e-5)


@DOUBLE_IS_SLOW
def test_log_of_exp_is_the_identity_below_the_injectivity_radius(dtype):
    lengths = jnp.array([0.0, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 1.0, 1.5, 0.98 * math.pi * A], dtype)
    z = TORUS.uniform(jax.random.key(5), (20, 1)).astype(dtype)
    z = jnp.broadcast_to(z, (20, len(lengths), 3))
    v = random_tangents(z, jnp.broadcast_to(lengths, (20, len(lengths))))
    w = compiled("exp")(z, v)
    np.testing.assert_allclose(compiled("log")(z, w), v, atol=TARGET[dtype.name])
    np.testing.assert_allclose(compiled("distance")(z, w) - lengths, 0, atol=TARGET[dtype.name])


def fan(torus, start, count, places):
    """Points of a fan of geodesics, (angles and length), by a leapfrog of order 4 of its own."""
    c, a = torus.major_radius, torus.minor_radius
    direction = np.linspace(0, 2 * math.pi, count, endpoint=False)
    x, y, speed = np.full(count, start), np.zeros(count), np.cos(direction) / a
    clairaut = np.sin(direction) * (c + a * np.cos(start))
    step = math.pi * (c + a) / places / 3
    nodes = []
    for k in range(3 * places):
        for part in (1.3512071919596578, -1.7024143839193153, 1.3512071919596578):
            x = x + part * step / 2 * speed
            y = y + part * step * clairaut / (c + a * np.cos(x)) ** 2
            speed = speed - part * step * clairaut**2 * np.sin(x) / (a * (c + a * np.cos(x)) ** 3)
            x = x + part * step / 2 * speed
        if k % 3 == 2:
            nodes.append(np.stack([x, y, np.full(count, step * (k + 1))]))
    return np.concatenate(nodes, axis=1)


def least_of_fan(torus, nodes, target):
    """Upper bound of the distance: along the fan to a node, then straight in the angles."""
    c, a = torus.major_radius, torus.minor_radius
    turn = wrap(target[0] - nodes[0])
    middle = wrap(nodes[0] + turn / 2)
    nearest = np.maximum(0, np.abs(middle) - np.abs(turn) / 2)  # to the outer equator, along the way
    straight = np.hypot(a * turn, (c + a * np.cos(nearest)) * wrap(target[1] - nodes[1]))
    return np.min(nodes[2] + straight)


@pytest.mark.parametrize(
    ("radii", "count"),
    [((3.0, 0.6), 400), *(pytest.param((3.0, a), 2000, marks=pytest.mark.slow) for a in (0.3, 0.6, 1.5, 2.4))],
)
def test_distance_is_the_least_of_a_dense_search(radii, count):
    torus = EmbeddedTorus(*radii)
    generator = np.random.default_rng(0)
    with jax.enable_x64(True):
        function = jax.jit(torus.distance)
        for start in (0.0, 0.4, 1.3, 2.2, math.pi):
            targets = generator.uniform(-math.pi, math.pi, (40, 2))
            targets[:5, 0], targets[5:10, 1], targets[10:12, 1] = -start, math.pi, 1e-3
            nodes = fan(torus, start, count, count // 5)
            bound = np.array([least_of_fan(torus, nodes, target) for target in targets])
            z = torus.from_angles(jnp.array([start, 0.0]))
            distance = function(z, torus.from_angles(jnp.array(targets)))
            assert np.all(distance < bound + 1e-6)
            assert np.median(bound - distance) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"], indirect=True)
def test_derivatives_forward_reverse_and_by_differences(dtype):
    """Far, near, on the diagonal, across the tube, across the axis, and at points off the surface."""
    z, w = random_pairs(dtype, 6)
    x, y = TORUS.angles(z).T
    opposite = TORUS.from_angles(jnp.stack([x + math.pi, y], axis=-1))
    mirrored, across = TORUS.from_angles(jnp.stack([-x, y + 1], axis=-1)), z * jnp.array([-1, -1, 1], dtype)
    zero = jnp.zeros_like(z)
    ends = (w, z + 1e-4, z, opposite, mirrored, across, zero, TORUS.from_angles(jnp.stack([x * 0, y], axis=-1)))
    starts = (z, z, z, z, z, z, z, TORUS.from_angles(jnp.stack([x * 0, y + 2], axis=-1)))
    first, second = jnp.concatenate(starts), jnp.concatenate(ends)

    def members(x, y):
        start, end = TORUS.project(x), TORUS.project(y)
        v = TORUS.to_tangent(start, y)
        return {"exp": TORUS.exp(start, v), "log": TORUS.log(start, end), "distance": TORUS.distance(start, end)}

    direction = jax.random.normal(jax.random.key(5), (2, *first.shape), dtype)

    @jax.jit
    def all_of(first, second):
        value, forward = jax.jvp(members, (first, second), tuple(direction))
        _, pull = jax.vjp(members, first, second)
        reverse = [pull(jax.tree.map(lambda x: jnp.zeros_like(x), value) | {k: ones}) for k, ones in cotangents.items()]
        return value, forward, reverse

    cotangents = {
        "exp": jnp.broadcast_to(jnp.array([1.0, -2.0, 3.0], dtype), first.shape),
        "log": jnp.broadcast_to(jnp.array([1.0, -2.0, 3.0], dtype), first.shape),
        "distance": jnp.ones(first.shape[:1], dtype),
    }
    value, forward, reverse = all_of(first, second)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((value, forward, reverse)))
    far = slice(0, 6)
    for (name, cotangent), pulled in zip(cotangents.items(), reverse, strict=True):
        one = (forward[name] * cotangent).reshape(len(first), -1).sum(axis=-1)[far]
        other = sum(jnp.sum(x * y, axis=-1) for x, y in zip(pulled, direction, strict=True))[far]
        np.testing.assert_allclose(
            one, other, rtol=2e4 * float(jnp.finfo(dtype).eps), atol=1e-2 if name == "exp" else 1e-3
        )
        if dtype == jnp.float64:
            step = 1e-5
            above, below = (
                all_of(*(x + s * y for x, y in zip((first, second), direction, strict=True)))[0] for s in (step, -step)
            )
            difference = (above[name] - below[name]) / (2 * step)
            np.testing.assert_allclose(forward[name][far], difference[far], rtol=1e-5, atol=1e-5, err_msg=name)
            np.testing.assert_allclose(one, other, rtol=1e-9)


def test_uniform_moments():
    """E cos x = e/2, E cos^2 x = 1/2, E sin x = 0, and a uniform major angle, within 5 standard errors."""
    count = 100_000
    x, y = np.array(TORUS.angles(TORUS.uniform(jax.random.key(0), (count,))), np.float64).T
    for sample, expected in (
        (np.cos(x), A / C / 2),
        (np.cos(x) ** 2, 0.5),
        (np.cos(x) ** 3, 3 / 8 * A / C),
        (np.sin(x), 0),
        (np.cos(y), 0),
        (np.sin(y), 0),
        (np.cos(2 * y), 0),
        (np.cos(x) * np.cos(y), 0),
    ):
        assert abs(sample.mean() - expected) < 5 * sample.std() / math.sqrt(count)
    assert TORUS.uniform(jax.random.key(0)).shape == (3,)
    fat = EmbeddedTorus(1.0, 0.999)
    height = np.cos(np.array(fat.angles(fat.uniform(jax.random.key(1), (count,))))[:, 0], dtype=np.float64)
    assert abs(height.mean() - 0.4995) < 5 * height.std() / math.sqrt(count)


@pytest.mark.parametrize("radii", [(1.0, 1.0), (1.0, 2.0), (0.0, 0.0), (2.0, -1.0), (math.inf, 1.0), (math.nan, 1.0)])
def test_radii_are_checked_together(radii):
    with pytest.raises(ValueError, match=rf"minor_radius.*major_radius={radii[0]}, minor_radius={radii[1]}"):
        EmbeddedTorus(*radii)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="major_radius and minor_radius must be numbers"):
        EmbeddedTorus("big", 1.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="x must have a last axis of size 3"):
        TORUS.project(jnp.zeros(2))
    with pytest.raises(ValueError, match="a must have a last axis of size 2"):
        TORUS.from_angles(jnp.zeros(3))
    with pytest.raises(ValueError, match="w must have a floating dtype"):
        TORUS.distance(jnp.zeros(3), jnp.zeros(3, int))


def test_contains_and_hash():
    x = jnp.array([[C + A, 0.0, 0.0], [C, 0.0, A + 1e-3], [C, 0.0, 0.0], [jnp.nan, 0.0, 0.0]])
    np.testing.assert_array_equal(TORUS.contains(x, 1e-4), [True, False, False, False])
    assert hash(TORUS) == hash(EmbeddedTorus(3, 0.6))
    assert (TORUS.dim, TORUS.ambient_dim) == (2, 3)

"""Manifolds given by equations, against those with closed forms and against scipy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ellipeinc, ellipkinc

from mvae.manifolds import FlatTorus, Implicit, Sphere
from mvae.manifolds.implicit.equations import invert_positive
from mvae.manifolds.implicit.surfaces import genus_two
from tests.precisions import DOUBLE_IS_SLOW

MAJOR, MINOR = 3.0, 0.6
AXES = np.array([1.0, 1.5, 2.0])


def sphere(x):
    return jnp.sum(x**2) - 1


def torus(x):
    return (jnp.sum(x**2) + MAJOR**2 - MINOR**2) ** 2 - 4 * MAJOR**2 * (x[0] ** 2 + x[1] ** 2)


def ellipsoid(x):
    return jnp.sum((x / AXES.astype(x.dtype)) ** 2, keepdims=True) - 1


def circles(x):
    return jnp.stack([x[0] ** 2 + x[1] ** 2 - 1, 5 * (x[2] ** 2 + x[3] ** 2 - 1)])


SPHERE, TORUS, ELLIPSOID = (Implicit(constraint, 2, 3) for constraint in (sphere, torus, ellipsoid))
CIRCLES, GENUS_TWO = Implicit(circles, 2, 4), Implicit(genus_two, 2, 3)


def ellipsoid_area(axes):
    """Legendre's formula for half-axes c < b < a, by incomplete elliptic integrals."""
    c, b, a = axes
    angle = math.acos(c / a)
    square = a**2 * (b**2 - c**2) / (b**2 * (a**2 - c**2))
    integrals = ellipeinc(angle, square) * math.sin(angle) ** 2 + ellipkinc(angle, square) * math.cos(angle) ** 2
    return 2 * math.pi * (c**2 + a * b * integrals / math.sin(angle))


KNOWN = {
    SPHERE: 4 * math.pi,
    TORUS: 4 * math.pi**2 * MAJOR * MINOR,
    CIRCLES: 4 * math.pi**2,
    ELLIPSOID: ellipsoid_area(AXES.tolist()),
}


def first(dtype, other):
    """Runs the test in one precision by default, where compiling it takes seconds, in the other if asked to."""
    return pytest.mark.parametrize("dtype", [dtype, pytest.param(other, marks=pytest.mark.slow)], indirect=True)


FLOAT32_FIRST, FLOAT64_FIRST = first("float32", "float64"), first("float64", "float32")


def name_of(manifold):
    return manifold.constraint.__name__


def members(manifold, x, y):
    """The members as functions of two ambient arguments, extended off the manifold by `project`."""
    z, w = manifold.project(jnp.stack([x, y]))
    tangent = manifold.to_tangent(z, w)
    return {
        "project": z,
        "to_tangent": tangent,
        "exp": manifold.exp(z, tangent),
        "log": manifold.log(z, w),
        "scalar_curvature": manifold.scalar_curvature(z),
    }


def on_torus(theta, phi, radius=MINOR):
    ring = MAJOR + radius * np.cos(theta)
    return np.stack([ring * np.cos(phi), ring * np.sin(phi), radius * np.sin(theta)], axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manifold", "known", "dtype"),
    [
        (SPHERE, Sphere(2), "float32"),
        pytest.param(CIRCLES, FlatTorus(2), "float64", marks=pytest.mark.slow),
        pytest.param(SPHERE, Sphere(2), "float64", marks=pytest.mark.slow),
        pytest.param(CIRCLES, FlatTorus(2), "float32", marks=pytest.mark.slow),
    ],
    ids=["S2", "T2", "S2 in float64", "T2 in float32"],
    indirect=["dtype"],
)
def test_members_are_those_of_the_closed_form(manifold, known, dtype):
    """Far apart, near, on the diagonal; starting points up to three radii away."""
    keys = jax.random.split(jax.random.key(0), 4)
    z = known.uniform(keys[0], (60,)).astype(dtype)
    lengths = jnp.array([2.8, 1.0, 1e-2, 1e-4, 0.0], dtype).repeat(12)[:, None]
    w = known.exp(z, lengths * known.project(known.to_tangent(z, jax.random.normal(keys[1], z.shape, dtype))))
    w = jnp.where(known.distance(z, w)[:, None] < 2.9, w, z)
    x = z * jax.random.uniform(keys[2], (60, 1), dtype, 0.3, 3)
    expected = members(known, x, w)
    tolerance = 100 * float(jnp.finfo(dtype).eps)
    for name, value in jax.jit(members, static_argnums=0)(manifold, x, w).items():
        assert value.dtype == dtype
        np.testing.assert_allclose(value, expected[name], atol=10 * tolerance, rtol=tolerance, err_msg=name)
    z = manifold.project(x)
    np.testing.assert_allclose(manifold.distance(z, w), known.distance(z, w), atol=10 * tolerance)


@DOUBLE_IS_SLOW
def test_torus_projection_and_curvature_are_the_closed_forms(dtype):
    rng = np.random.default_rng(0)
    theta, phi = rng.uniform(0, 2 * math.pi, (2, 200))
    radius = np.where(np.arange(200) < 150, rng.uniform(0.2, 1.2, 200), rng.uniform(1.2, 2.5, 200))
    x = on_torus(theta, phi, radius)
    z = TORUS.project(jnp.asarray(x, dtype))
    tolerance = 500 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(z, on_torus(theta, phi), atol=tolerance)
    curvature = 2 * np.cos(theta) / (MINOR * (MAJOR + MINOR * np.cos(theta)))
    np.testing.assert_allclose(TORUS.scalar_curvature(z), curvature, atol=10 * tolerance)


@pytest.mark.slow
@DOUBLE_IS_SLOW
def test_projection_is_that_of_an_independent_solver(dtype):
    """On an ellipsoid the multiplier solves one scalar equation, outside and in the half of it near the surface."""
    directions = np.random.default_rng(1).standard_normal((40, 3))
    x = directions / np.linalg.norm(directions / AXES, axis=-1, keepdims=True)
    x = x * np.geomspace(0.8, 50, 40)[:, None]

    def closest(y):
        def gap(s):
            return float(np.sum((AXES * y / (AXES**2 + s)) ** 2) - 1)

        return AXES**2 * y / (AXES**2 + brentq(gap, -0.999, 1e4, xtol=1e-15, rtol=1e-14))

    tolerance = 100 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(ELLIPSOID.project(jnp.asarray(x, dtype)), [closest(y) for y in x], atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("manifold", [ELLIPSOID, GENUS_TWO], ids=name_of)
def test_projection_is_the_nearest_of_many_points(manifold):
    points = manifold.uniform(jax.random.key(0), (2000,))
    x = 1.5 * jax.random.normal(jax.random.key(1), (300, 3))
    z = manifold.project(x)
    assert jnp.all(manifold.contains(z, 1e-5))
    np.testing.assert_allclose(manifold.project(z), z, atol=1e-5)
    least = jnp.min(jnp.linalg.norm(x[:, None] - points, axis=-1), axis=1)
    excess = jnp.linalg.norm(x - z, axis=-1) - least
    assert jnp.mean(excess <= 1e-5) > 0.98
    assert jnp.all(excess < 0.1)  # by the medial axis, to within the spacing of the net


@pytest.mark.slow
def test_geodesics_of_the_torus():
    """The meridian closes after 2 pi a; on any other Clairaut's integral stays."""
    with jax.enable_x64(True):
        theta, phi = np.array([0.3, 2.0, -1.0]), np.array([0.1, 1.0, -2.0])
        z = jnp.asarray(on_torus(theta, phi))
        east = np.stack([-np.sin(phi), np.cos(phi), 0 * phi], axis=-1)
        north = np.cross(np.asarray(z - MAJOR * np.stack([np.cos(phi), np.sin(phi), 0 * phi], axis=-1)) / MINOR, east)
        half = TORUS.exp(z, jnp.asarray(math.pi * MINOR * north))
        np.testing.assert_allclose(half, on_torus(theta + math.pi, phi), atol=1e-11)

        v = 0.8 * east + 0.6 * north
        end = TORUS.exp(z, jnp.asarray(v))
        back = TORUS.log(end, z)
        np.testing.assert_allclose(jnp.linalg.norm(back, axis=-1), 1, rtol=1e-11)
        ring = jnp.linalg.norm(end[:, :2], axis=-1)
        momentum = -(end[:, 0] * back[:, 1] - end[:, 1] * back[:, 0])
        np.testing.assert_allclose(momentum, 0.8 * (MAJOR + MINOR * np.cos(theta)), rtol=1e-11)
        np.testing.assert_allclose(momentum / ring <= 1, True)
        np.testing.assert_allclose(TORUS.log(z, end), v, atol=1e-11)


@pytest.mark.parametrize(("length", "error"), [(math.pi, 1e-12), (3 * math.pi, 3e-8)])
def test_accuracy_of_exp_is_as_stated(length, error):
    with jax.enable_x64(True):
        end = SPHERE.exp(jnp.array([1.0, 0, 0]), jnp.array([0, length, 0]))
        np.testing.assert_allclose(end, [math.cos(length), math.sin(length), 0], atol=error)


@pytest.mark.slow
@FLOAT64_FIRST
def test_derivatives_forward_reverse_and_by_differences(dtype):
    with jax.enable_x64(True):
        x = np.asarray(ELLIPSOID.uniform(jax.random.key(0), (6,))) * np.linspace(0.8, 1.5, 6)[:, None]
        y = x + 0.3 * np.asarray(jax.random.normal(jax.random.key(1), (6, 3)))
    x, y = jnp.asarray(x, dtype), jnp.asarray(y, dtype)

    def function(x, y):
        return members(ELLIPSOID, x, y)

    forward = jax.jit(jax.vmap(jax.jacfwd(function, (0, 1))))(x, y)
    reverse = jax.jit(jax.vmap(jax.jacrev(function, (0, 1))))(x, y)
    for one, other in zip(jax.tree.leaves(forward), jax.tree.leaves(reverse), strict=True):
        np.testing.assert_allclose(one, other, atol=3e3 * float(jnp.finfo(dtype).eps))
    if dtype == jnp.float64:
        batched = jax.jit(jax.vmap(function))
        direction = jax.random.normal(jax.random.key(5), x.shape, dtype)
        above, below = (batched(x + s * direction, y + s * direction) for s in (1e-5, -1e-5))
        for name, blocks in forward.items():
            slope = sum(jnp.einsum("b...n,bn->b...", block, direction) for block in blocks)
            np.testing.assert_allclose(slope, (above[name] - below[name]) / 2e-5, rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.slow
def test_second_derivative_of_the_projection():
    with jax.enable_x64(True):
        x = jnp.array([0.3, -1.1, 0.7])
        np.testing.assert_allclose(jax.hessian(SPHERE.project)(x), jax.hessian(Sphere(2).project)(x), atol=1e-12)


@pytest.mark.slow
@FLOAT32_FIRST
def test_degenerate_points_are_finite(dtype):
    """The centre (the gradient vanishes, every point is closest), next to it, far out, the diagonal, the antipode."""
    x = jnp.array([[0, 0, 0], [1e-20, 0, 0], [1e-6, 1e-6, 0], [3e30, 0, 4e30], [1, 0, 0]], dtype)
    z = SPHERE.project(x)
    assert jnp.all(SPHERE.contains(z, 1e-5))
    np.testing.assert_allclose(z[3], [0.6, 0, 0.8], atol=1e-5)
    assert jnp.all(jnp.isnan(SPHERE.project(x.at[0].set(jnp.nan))[0]))
    pole = x[-1:]
    left = jnp.concatenate([x, pole, pole, pole])
    right = jnp.concatenate([x[::-1], -pole, pole, x[:1]])
    forward = jax.jit(jax.vmap(jax.jacfwd(lambda x, y: members(SPHERE, x, y), (0, 1))))(left, right)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(forward))
    np.testing.assert_array_equal(forward["project"][0][0], 0)


def test_gradients_that_depend_on_each_other_are_left_out():
    matrix = jnp.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    inverse, log_determinant, full = invert_positive(matrix, 1e-5)
    np.testing.assert_allclose(matrix @ inverse @ matrix, matrix, atol=1e-6)
    assert (float(log_determinant), bool(full)) == (0.0, False)


@DOUBLE_IS_SLOW
def test_inverse_of_a_positive_matrix(dtype):
    factor = jax.random.normal(jax.random.key(0), (5, 5), dtype)
    matrix = factor @ factor.T + jnp.eye(5, dtype=dtype)
    inverse, log_determinant, full = invert_positive(matrix, 1e-6)
    np.testing.assert_allclose(inverse @ matrix, np.eye(5), atol=100 * float(jnp.finfo(dtype).eps))
    np.testing.assert_allclose(log_determinant, jnp.linalg.slogdet(matrix)[1], rtol=1e-5)
    assert full


@pytest.mark.slow
@pytest.mark.parametrize("manifold", KNOWN, ids=name_of)
def test_volume_is_within_its_standard_error(manifold):
    volume, error = manifold.volume_with_error()
    assert abs(volume - KNOWN[manifold]) < 4 * error
    assert error < 1e-3 * volume
    assert (volume, math.exp(manifold.log_volume)) == (manifold.volume, pytest.approx(volume))


@pytest.mark.slow
def test_uniform_distribution_of_the_torus():
    """The minor angle has density proportional to c + a cos, the major one is uniform, and they are independent."""
    count = 30_000
    z = np.asarray(TORUS.uniform(jax.random.key(3), (count,)), np.float64)
    assert jnp.all(TORUS.contains(z[:500].astype(np.float32), 1e-4))
    theta = np.arctan2(z[:, 2], np.hypot(z[:, 0], z[:, 1]) - MAJOR)
    phi = np.arctan2(z[:, 1], z[:, 0])
    ratio = MINOR / (2 * MAJOR)
    for value, mean in [
        (np.cos(theta), ratio),
        (np.sin(theta), 0),
        (np.cos(2 * theta), 0),
        (np.cos(3 * theta), 0),
        (np.cos(phi), 0),
        (np.sin(2 * phi), 0),
        (np.cos(theta) * np.cos(phi), 0),
    ]:
        assert abs(value.mean() - mean) < 4 * value.std() / math.sqrt(count)


@pytest.mark.slow
def test_uniform_distribution_of_codimension_two():
    count = 20_000
    z = np.asarray(CIRCLES.uniform(jax.random.key(4), (count,)), np.float64)
    a, b = np.arctan2(z[:, 1], z[:, 0]), np.arctan2(z[:, 3], z[:, 2])
    for value in (np.cos(a), np.sin(b), np.cos(2 * a), np.cos(a - b), np.cos(a + b)):
        assert abs(value.mean()) < 4 * value.std() / math.sqrt(count)


@pytest.mark.slow
def test_genus_two_has_euler_characteristic_minus_two():
    """Gauss and Bonnet: the integral of Sc / 2 is 2 pi chi = -4 pi."""
    count = 20_000
    volume, error = GENUS_TWO.volume_with_error()
    curvature = np.asarray(GENUS_TWO.scalar_curvature(GENUS_TWO.uniform(jax.random.key(0), (count,))))
    total = volume * curvature.mean() / 2
    deviation = volume * curvature.std() / 2 / math.sqrt(count) + error * abs(curvature.mean()) / 2
    assert abs(total + 4 * math.pi) < 4 * deviation
    assert deviation < 0.05 * 4 * math.pi


@pytest.mark.slow
def test_genus_two_is_smooth():
    """The gradient is far from 0 on the surface: over its own size, by the reach."""
    z = GENUS_TWO.uniform(jax.random.key(1), (20_000,))
    assert jnp.min(jnp.linalg.norm(jax.vmap(jax.grad(genus_two))(z), axis=-1)) > 0.05


@pytest.mark.slow
def test_static_argument_vmap_and_broadcasting():
    z, w = (SPHERE.project(jax.random.normal(jax.random.key(k), s)) for k, s in ((0, (3, 1, 3)), (1, (4, 3))))
    static = jax.jit(lambda space, z, v: space.to_tangent(z, v), static_argnums=0)
    both = jax.vmap(jax.vmap(SPHERE.to_tangent, (None, 0)), (0, None))(z[:, 0], w)
    for table in (static(Implicit(sphere, 2, 3), z, w), both, SPHERE.to_tangent(z, w)):
        np.testing.assert_allclose(table, Sphere(2).to_tangent(z, w), atol=1e-5)
    np.testing.assert_allclose(SPHERE.distance(z, w), Sphere(2).distance(z, w), atol=1e-5)
    assert hash(SPHERE) == hash(Implicit(sphere, 2, ambient_dim=3))
    assert SPHERE.scalar_curvature(z).shape == (3, 1)
    drawn = jax.jit(lambda key: SPHERE.uniform(key, (2, 3)))(jax.random.key(0))
    assert drawn.shape == (2, 3, 3)
    assert SPHERE.uniform(jax.random.key(0)).shape == (3,)


@pytest.mark.parametrize(
    ("constraint", "dim", "ambient_dim", "message"),
    [
        (sphere, 0, 3, "dim must be an integer of at least 1"),
        (sphere, 3, 3, "ambient_dim must be an integer greater than dim, got 3 for dim 3"),
        (sphere, 2, 2.5, "ambient_dim must be an integer greater than dim, got 2.5"),
        (sphere, 1, 3, r"constraint must return an array of shape \(2,\)"),
        (circles, 2, 3, r"constraint must accept a point of shape \(3,\), it raised|must return an array of shape"),
        (lambda x: jnp.sum(x).astype(int), 2, 3, "constraint must return a floating dtype"),
        ("sphere", 2, 3, "constraint must be a function"),
    ],
)
def test_wrong_arguments_are_named(constraint, dim, ambient_dim, message):
    with pytest.raises(ValueError, match=message):
        Implicit(constraint, dim, ambient_dim)


def test_wrong_points_are_named():
    z = jnp.array([1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="x must have a last axis of size 3"):
        SPHERE.project(jnp.zeros(2))
    with pytest.raises(ValueError, match="v must have a floating dtype"):
        SPHERE.exp(z, jnp.zeros(3, int))
    with pytest.raises(ValueError, match=r"w must lie on the manifold, got a point at distance 0\.5"):
        SPHERE.log(z, 1.5 * z)


def test_manifold_must_exist_and_be_bounded():
    with pytest.raises(ValueError, match="constraint must vanish somewhere"):
        Implicit(lambda x: jnp.sum(x**2) + 1, 2, 3).project(jnp.zeros(3))
    with pytest.raises(ValueError, match="constraint must have a bounded set of zeros"):
        Implicit(lambda x: x[2] - x[0] ** 2, 2, 3).project(jnp.zeros(3))


@pytest.mark.slow
def test_second_example_of_high_codimension():
    """The circle on a curve of R^4 with three equations, and S^5."""

    def circle(x):
        return jnp.stack([x[0] ** 2 + x[1] ** 2 - 1, x[2] - x[0], x[3] - x[0] * x[1]])

    volume, error = Implicit(circle, 1, 4).volume_with_error()
    s = np.linspace(0, 2 * math.pi, 2001)
    curve = np.stack([np.cos(s), np.sin(s), np.cos(s), np.cos(s) * np.sin(s)], axis=-1)
    assert abs(volume - np.sum(np.linalg.norm(np.diff(curve, axis=0), axis=-1))) < 4 * error + 1e-4
    volume, error = Implicit(sphere, 5, 6).volume_with_error()
    assert abs(volume - Sphere(5).volume) < 4 * error


def test_nothing_is_nan_on_purpose_on_the_way():
    """Under jax_debug_nans, which stops at the first one that a compiled function returns."""
    with jax.debug_nans(True):
        z = SPHERE.uniform(jax.random.key(0), (3,))
        w = SPHERE.project(z + 0.2)
        np.testing.assert_allclose(jax.jit(SPHERE.log)(z, w), Sphere(2).log(z, w), atol=1e-5)
        assert jnp.all(jnp.isfinite(SPHERE.project(jnp.zeros(3))))

"""Every measure on maps for which it is known: exact, with a gap, folded, off the manifold, not uniform."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mvae.evaluation import reparametrization_quality
from mvae.evaluation.maps.nearest_images import chord_coordinates
from mvae.evaluation.maps.preimages import nearest_preimages
from mvae.evaluation.maps.seam import crossing_constant
from mvae.manifolds import SO3, EmbeddedTorus, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere

N = 512
TRACES = []


def circle(parameters, z):
    """The angle 2 pi (a z + b z^2) at the radius c + d z."""
    TRACES.append(None)
    a, b, c, d = parameters
    angle = 2 * jnp.pi * (a * z[0] + b * z[0] ** 2)
    return (c + d * z[0]) * jnp.stack([jnp.cos(angle), jnp.sin(angle)])


def on_circle(a=1.0, b=0.0, c=1.0, d=0.0, seed=0):
    f = Partial(circle, jnp.asarray([a, b, c, d]))
    return reparametrization_quality(jax.random.key(seed), f, Sphere(1), num_points=N, num_permutations=199)


@pytest.mark.slow
def test_exact_map_of_the_circle():
    found = on_circle()
    assert found.off_max < 1e-6
    assert abs(found.kl) < 1e-5
    assert found.total_variation < 1e-5
    assert found.area == pytest.approx(1, abs=1e-5)
    assert found.coverage == 1
    assert found.overlap == pytest.approx(0, abs=1e-5)
    assert found.hole < 1e-5
    assert found.seam == 1
    assert found.gap < 1e-5
    assert found.p_value > 0.01
    assert found.torn_share < 5 * found.torn_share_of_seam


@pytest.mark.slow
def test_resolution_is_that_of_uniform_points():
    """The nearest of N points on a circle is farther than e with the chance exp(-e N / pi)."""
    for seed in range(2):
        assert on_circle(seed=seed).resolution == pytest.approx(math.log(100) * math.pi / N, rel=0.5)


@pytest.mark.slow
def test_gap_is_a_hole_and_no_tear():
    found = on_circle(a=0.9)
    assert found.area == pytest.approx(0.9, abs=1e-5)
    assert found.kl == pytest.approx(-math.log(0.9), abs=1e-5)
    assert found.total_variation == pytest.approx(0.1, abs=1e-5)
    assert abs(found.coverage - 0.9) < 4 * found.coverage_error
    assert found.coverage_error == pytest.approx(math.sqrt(0.09 / N), rel=0.3)
    assert 0.8 * 0.1 * np.pi < found.hole < 0.1 * np.pi + 1e-5  # half of the gap, where there is a point to see it
    assert found.gap == pytest.approx(0.2 * np.pi, abs=1e-5)
    assert found.torn_share == 0
    assert found.p_value < 0.05


@pytest.mark.slow
def test_overlap_is_a_tear():
    found = on_circle(a=1.1)
    assert found.coverage == 1
    assert found.overlap == pytest.approx(0.1, abs=1e-5)
    assert found.gap == pytest.approx(0.2 * np.pi, abs=1e-5)
    # A tenth of the circle has twice the density, hence 4 in 13 of all close pairs; half of those are of two sheets.
    assert found.torn_share == pytest.approx(2 / 13, abs=0.03)


def test_two_sheets():
    """Uniform, and known from above one in that z given x has entropy log 2."""
    found = on_circle(a=2.0)
    assert found.kl == pytest.approx(-math.log(2), abs=1e-5)
    assert found.area == pytest.approx(2, abs=1e-5)
    assert found.coverage == 1
    assert found.overlap == pytest.approx(1, abs=1e-5)
    assert found.torn_share == pytest.approx(0.5, abs=0.02)
    assert found.p_value > 0.01
    assert found.gap < 1e-5


def test_distribution_that_is_not_uniform():
    """z -> 2 pi z^2 has the density 1 / (2 z) over the uniform one."""
    found = on_circle(a=0.0, b=1.0)
    assert abs(found.kl - (1 - math.log(2))) < 4 * found.kl_error
    assert found.kl_error == pytest.approx(1 / math.sqrt(8 * N), rel=0.2)  # the variance of log z is 1
    assert found.total_variation == pytest.approx(0.25, abs=4 * 0.2 / math.sqrt(8 * N))
    assert abs(found.area - 1) < 4 * found.area_error
    assert found.coverage == 1
    assert found.p_value < 0.05


def test_off_the_circle_by_known_distances():
    found = on_circle(c=1.1)
    assert [found.off_median, found.off_90, found.off_99, found.off_max] == pytest.approx([0.1] * 4, abs=1e-6)
    assert found.kl == pytest.approx(0, abs=1e-5)  # that of the projection
    assert found.coverage == 1
    spread = on_circle(d=-0.2)
    levels = [spread.off_median, spread.off_90, spread.off_99, spread.off_max]
    assert levels == pytest.approx([0.1, 0.18, 0.198, 0.2], abs=4 * 0.1 / math.sqrt(8 * N))


def test_parameters_share_a_program():
    on_circle()
    count = len(TRACES)
    on_circle(a=0.7, seed=5)
    # The check of the shapes traces once; the program is not traced again.
    assert len(TRACES) - count <= 1


@pytest.mark.slow
def test_least_distance_by_descent():
    """Points of the disc's inside and outside, and of a circle that is drawn for three quarters."""

    def arc(u):
        return jnp.stack([jnp.cos(1.5 * jnp.pi * u[0]), jnp.sin(1.5 * jnp.pi * u[0])])

    angle = np.linspace(-np.pi, np.pi, 64, endpoint=False)
    targets = 1.2 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    u = jnp.linspace(0, 1, 40)[:, None]
    ends = np.array([[1.0, 0.0], [0.0, -1.0]])
    to_ends = np.linalg.norm(targets[:, None] - ends, axis=-1).min(axis=1)
    expected = np.where((angle < 0) & (angle > -np.pi / 2), to_ends, 0.2)
    found = jax.jit(lambda y, u: nearest_preimages(arc, y, u, jax.vmap(arc)(u), (0.0, 1.0)))(jnp.asarray(targets), u)
    np.testing.assert_allclose(found.distances, expected, atol=1e-4)
    np.testing.assert_allclose(
        np.linalg.norm(targets - np.asarray(jax.vmap(arc)(found.u)), axis=1), expected, atol=1e-4
    )


@pytest.mark.parametrize("n", [1, 2, 3])
def test_crossing_constant_by_monte_carlo(n):
    x = np.random.default_rng(n).uniform(-1, 1, size=(200_000, n))
    inside = np.abs(x[np.linalg.norm(x, axis=1) < 1, 0])
    assert abs(crossing_constant(n) - inside.mean()) < 4 * inside.std() / math.sqrt(len(inside))


def test_chords_of_lines_do_not_see_the_sign():
    manifold = Product((ProjectiveSpace(2), Sphere(1)))
    z, w = (np.array([0.36, 0.48, 0.8, np.cos(a), np.sin(a)], np.float32) for a in (1.0, 1.001))
    flip = np.array([-1, -1, -1, 1, 1], np.float32)
    np.testing.assert_allclose(
        chord_coordinates(manifold, jnp.asarray(flip * z)), chord_coordinates(manifold, jnp.asarray(z))
    )
    w[:3] = np.cos(2e-3) * z[:3] + np.sin(2e-3) * np.array([0.8, -0.6, 0])  # a unit vector at a right angle to it
    chord = np.linalg.norm(chord_coordinates(manifold, jnp.asarray(flip * w)) - chord_coordinates(manifold, z))
    assert chord == pytest.approx(np.hypot(1e-3, 2e-3), rel=1e-3)


def sphere(turns, z):
    height, angle = 2 * z[1] - 1, 2 * jnp.pi * turns * z[0]
    inside = jnp.abs(height) < 1
    radius = jnp.where(inside, jnp.sqrt(jnp.where(inside, 1 - height**2, 1)), 0)
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle), height])


def rotation(z):
    """Uniform but for z_1, whose part of the volume element is (pi/2) sin(pi z_1); half a turn of the second angle."""
    a, b, c = jnp.pi / 2 * z[0], jnp.pi * z[1], 2 * jnp.pi * z[2]
    parts = jnp.cos(a) * jnp.cos(b), jnp.cos(a) * jnp.sin(b), jnp.sin(a) * jnp.cos(c), jnp.sin(a) * jnp.sin(c)
    return SO3().from_quaternion(jnp.stack(parts))


@pytest.mark.slow
def test_sphere_by_longitude_and_height():
    """Area, divergence and the wedge that is left out or covered twice, whose half-width is the hole's radius."""
    for turns in (1.0, 0.8, 1.2):
        found = reparametrization_quality(jax.random.key(1), Partial(sphere, turns), Sphere(2))
        assert found.off_max < 1e-5
        assert found.area == pytest.approx(turns, abs=1e-4)
        assert found.kl == pytest.approx(-math.log(turns), abs=1e-4)
        assert abs(found.coverage - min(turns, 1)) < 4 * found.coverage_error + 3e-3
        assert found.hole == pytest.approx(max(1 - turns, 0) * np.pi, abs=0.1)
        assert found.seam == pytest.approx(np.pi, rel=0.15)
        if turns == 1:
            assert found.gap < 1e-4
            assert found.p_value > 0.01
            assert found.torn_share == pytest.approx(found.torn_share_of_seam, rel=0.3)
        else:
            assert found.gap > 0.1
            assert found.p_value < 0.05


@pytest.mark.slow
def test_tori_and_the_normal_distribution():
    flat = FlatTorus(2)
    normal = reparametrization_quality(
        jax.random.key(2),
        Partial(lambda z: flat.from_angles(2 * jnp.pi * jax.scipy.stats.norm.cdf(z))),
        flat,
        latent="normal",
    )
    assert abs(normal.kl) < 1e-4
    assert normal.area == pytest.approx(1, abs=1e-4)
    assert normal.seam == pytest.approx(4 * np.pi, rel=0.01)
    assert normal.gap == pytest.approx(4e-3 * np.pi, rel=0.05)  # a thousandth is cut off at both ends
    assert normal.torn_share == pytest.approx(normal.torn_share_of_seam, rel=0.2)
    torus = EmbeddedTorus(3.0, 0.6)
    found = reparametrization_quality(
        jax.random.key(3), Partial(lambda z: torus.from_angles(2 * jnp.pi * z - jnp.pi)), torus
    )
    exact = -math.log((1 + math.sqrt(1 - 0.2**2)) / 2)  # mean of -log(1 + (a/c) cos x)
    assert abs(found.kl - exact) < 4 * found.kl_error
    assert found.total_variation == pytest.approx(0.2 / math.pi, abs=4 * 0.1 / math.sqrt(8192))
    assert abs(found.area - 1) < 4 * found.area_error
    assert found.seam == pytest.approx(6 * np.pi, rel=0.01)
    assert found.coverage == 1


@pytest.mark.slow
def test_rotations():
    found = reparametrization_quality(jax.random.key(4), Partial(rotation), SO3())
    assert abs(found.kl - math.log(4 / math.pi)) < 4 * found.kl_error
    assert abs(found.area - 1) < 4 * found.area_error
    assert found.coverage > 0.99
    assert found.p_value < 0.05


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"f": lambda z: z}, "f"),
        ({"f": lambda z: (z, z)}, "f"),
        ({"manifold": Euclidean(1)}, "manifold"),
        ({"latent": "cube"}, "latent"),
        ({"num_points": 49}, "num_points"),
        ({"num_permutations": 0}, "num_permutations"),
    ],
)
def test_bad_arguments_are_named(options, name):
    f = Partial(circle, jnp.ones(4))
    with pytest.raises(ValueError, match=f"^{name} "):
        reparametrization_quality(jax.random.key(0), **({"f": f, "manifold": Sphere(1)} | options))


def test_map_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match=r"^f must have finite values"):
        on_circle(c=math.nan)

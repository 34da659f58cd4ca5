"""Degree of maps of spheres, projective spaces and SO(3) whose degree is known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.evaluation import mapping_degree
from mvae.manifolds import SO3, EmbeddedTorus, ProjectiveSpace, Sphere
from mvae.topology.simplicial_degree import projective_degree

NUM_POINTS = {2: 500, 3: 1500, 4: 1600}


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def scattered(d, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(NUM_POINTS[d], d + 1)))


def power(x, k):
    """The first plane is turned k times as far: degree k, odd or even as k is."""
    radius, angle = np.hypot(x[:, 0], x[:, 1]), k * np.arctan2(x[:, 1], x[:, 0])
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), x[:, 2:]])


def reflection(x):
    return x * np.where(np.arange(x.shape[-1]) == 0, -1, 1)


def rotation(x, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(x.shape[-1],) * 2))
    q[0] *= np.linalg.det(q)
    return x @ q.T


def noisy(x, scale=0.1):
    return unit(x + scale * np.random.default_rng(1).uniform(-1, 1, size=x.shape))


def stretched(x):
    """A linear map of determinant -1.5, not orthogonal."""
    return unit(rotation(reflection(x)) * np.linspace(1, 1.5, x.shape[-1]))


def of_any_sign(x, seed=5):
    return np.random.default_rng(seed).choice([-1, 1], size=(len(x), 1)) * x


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize(
    ("mapping", "degree"),
    [
        (lambda x: x, lambda d: 1),
        (lambda x: -x, lambda d: (-1) ** (d + 1)),
        (reflection, lambda d: -1),
        (rotation, lambda d: 1),
        (stretched, lambda d: -1),
        (noisy, lambda d: 1),
        (lambda x: power(x, -2), lambda d: -2),
        (lambda x: reflection(rotation(power(x, 2))), lambda d: -2),
        (lambda x: np.broadcast_to(x[0], x.shape), lambda d: 0),
        (lambda x: np.column_stack([np.abs(x[:, 0]), x[:, 1:]]), lambda d: 0),
        (lambda x: unit(x * np.where(np.arange(x.shape[-1]) == 0, 0, 1)), lambda d: 0),
    ],
    ids=[
        "identity",
        "antipode",
        "reflection",
        "rotation",
        "linear",
        "noise",
        "power",
        "composition",
        "constant",
        "fold",
        "equator",
    ],
)
def test_spheres(d, mapping, degree):
    """The last map is onto the equator: torn at its poles, if the sample shows it, and of degree 0 in any case."""
    x = scattered(d)
    result = mapping_degree(Sphere(d), mapping(x), x)
    assert result.degree == degree(d)
    assert result.winding is None


@pytest.mark.parametrize(("first", "second"), [(2, 3), (-3, 2), (0, 2)])
def test_degrees_of_a_composition_multiply(first, second):
    x = unit(np.random.default_rng(2).normal(size=(3000, 3)))
    result = mapping_degree(Sphere(2), power(rotation(power(x, first)), second), x)
    assert result.degree == first * second
    assert result.consistent == 1.0


def test_order_of_the_points_and_radius_do_not_matter():
    x = scattered(2)
    order = np.random.default_rng(3).permutation(len(x))
    assert mapping_degree(Sphere(2, radius=5.0), 5 * power(x, 3)[order], x[order]).degree == 3


def test_grid_of_longitudes_and_latitudes():
    """Its cells are flat, and the poles come many times."""
    longitude, latitude = np.meshgrid(np.arange(24) * np.pi / 12, np.linspace(-np.pi / 2, np.pi / 2, 13))
    equatorial = np.cos(latitude)
    x = np.stack([equatorial * np.cos(longitude), equatorial * np.sin(longitude), np.sin(latitude)], -1).reshape(-1, 3)
    assert mapping_degree(Sphere(2), power(x, 2), x) == (2, None, 1.0)


def test_points_that_the_regular_values_must_not_hit():
    """Whatever seed the sample was drawn with, its images are not where the preimages are counted."""
    for seed in range(20):
        x = unit(np.random.default_rng(seed).normal(size=(200, 3)))
        assert mapping_degree(Sphere(2), x, x).degree == 1


def test_torn_sphere_has_no_degree():
    """Half of the sphere is turned by half a turn against the other."""
    x = scattered(2)
    torn = np.where(x[:, 2:] > 0, x * [-1, -1, 1], x)
    result = mapping_degree(Sphere(2), torn, x)
    assert result.degree == 0
    assert 0.5 < result.consistent < 1.0


def test_white_noise_has_no_degree():
    result = mapping_degree(Sphere(2), scattered(2, seed=1), scattered(2))
    assert result.degree == 0
    assert result.consistent < 0.3


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize(
    ("mapping", "degree"),
    [
        (lambda x: x, 1),
        (rotation, 1),
        (reflection, -1),
        (stretched, -1),
        (noisy, 1),
        (lambda x: power(x, 3), 3),
        (lambda x: power(x, -3), -3),
        (lambda x: np.broadcast_to(x[0], x.shape), 0),
        (lambda x: unit(x**2), 0),
    ],
    ids=["identity", "rotation", "reflection", "linear", "noise", "power", "inverse", "constant", "squares"],
)
def test_projective_spaces(d, mapping, degree):
    """The power map of an odd number takes antipodes to antipodes; squares lift to an even map."""
    x = scattered(d)
    result = mapping_degree(ProjectiveSpace(d), of_any_sign(mapping(x)), of_any_sign(x, seed=6))
    assert result == (degree if d == 3 else abs(degree), None, 1.0)


def test_scattered_images_of_projective_space_are_torn():
    result = mapping_degree(ProjectiveSpace(2), scattered(2, seed=1), scattered(2))
    assert result.degree == 0
    assert result.consistent < 0.7


def test_map_of_projective_space_that_is_torn_at_a_point():
    """The line of an eigenvector turns by half a turn around the point where its eigenvalue is double."""
    x = scattered(2)
    x *= np.sign(x[:, 2:])
    half = np.arctan2(x[:, 1], x[:, 0]) / 2
    height = np.sqrt(1 - x[:, 2] ** 2)
    image = np.column_stack([np.cos(half) * height, np.sin(half) * height, x[:, 2]])
    image[x[:, 2] > 0.7, 2] = 0
    result = mapping_degree(ProjectiveSpace(2), unit(image), x)
    assert result.degree == 0
    assert 0.9 < result.consistent < 1.0


def rotations(n, seed=0):
    return Rotation.random(n, rng=np.random.default_rng(seed))


def flat(rotation):
    return rotation.as_matrix().reshape(-1, 9)


FIXED = Rotation.from_rotvec([0.3, -1.1, 0.7])


@pytest.mark.parametrize(
    ("mapping", "degree"),
    [
        (lambda r: r, 1),
        (lambda r: FIXED * r, 1),
        (lambda r: r * FIXED, 1),
        (lambda r: FIXED * r * FIXED.inv(), 1),
        (lambda r: r.inv(), -1),
        (lambda r: r**2, 2),
        (lambda r: FIXED * (r * FIXED) ** -2, -2),
        (lambda r: r * FIXED * r.inv(), 0),
        (lambda r: Rotation.concatenate([FIXED] * len(r)), 0),
    ],
    ids=["identity", "left", "right", "conjugation", "transpose", "square", "composition", "orbit", "constant"],
)
def test_rotations(mapping, degree):
    """The n-th power of a unit quaternion covers S^3 n times, all alike, so that of a rotation has degree n."""
    r = rotations(1800)
    assert mapping_degree(SO3(), flat(mapping(r)), flat(r)) == (degree, None, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, -3, 4])
def test_powers_of_rotations(n):
    r = rotations(40_000)
    assert mapping_degree(SO3(), flat(r**n), flat(r)) == (n, None, 1.0)


X = scattered(2)


@pytest.mark.parametrize(
    ("manifold", "z", "source", "message"),
    [
        (Sphere(2), X, None, "source must be given"),
        (Sphere(1), X, X, "source must be None"),
        (Sphere(2), X[:, :2], X, r"z must have shape \(n, 3\), got \(500, 2\)"),
        (Sphere(2), X, X[1:], "source must have as many points as z, 500, got 499"),
        (Sphere(2), X * np.nan, X, "z must be finite"),
        (Sphere(2), 2 * X, X, "z must lie on the manifold"),
        (Sphere(2), X, 2 * X, "source must lie on the manifold"),
        (SO3(), np.ones((500, 9)), np.ones((500, 9)), "z must lie on the manifold"),
        (Sphere(2), X[:3], X[:3], "source must have 4 points or more"),
        (Sphere(2), X[:5], X[:5], "source must leave no gap"),
        (Sphere(2), X, X * np.sign(X[:, :1]), "source must leave no gap of a radius of 45 degrees, got [89]"),
        (Sphere(2), X, unit(X * [1, 1, 0]), "source must leave no gap of a radius of 45 degrees, got 90"),
        (Sphere(2), X, np.broadcast_to(X[0], X.shape), "source must leave no gap"),
    ],
)
def test_bad_input(manifold, z, source, message):
    with pytest.raises(ValueError, match=message):
        mapping_degree(manifold, z, source)


@pytest.mark.parametrize(("manifold", "z"), [(EmbeddedTorus(), X), (ProjectiveSpace(1), X[:, :2])])
def test_other_manifolds_have_no_degree(manifold, z):
    with pytest.raises(NotImplementedError, match=r"no degree of maps for .*tori, spheres"):
        mapping_degree(manifold, z, z)


def test_half_of_the_representatives_suffice():
    x = X * np.sign(X[:, :1])
    assert projective_degree(x, x).degree == 1

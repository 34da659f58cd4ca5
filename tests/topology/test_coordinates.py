"""Coordinates of clouds whose angles are known, up to a constant and an isometry of the torus."""

import jax
import numpy as np
import pytest

from mvae.manifolds import Cylinder, FlatTorus, KleinBottle, MobiusBand, ProjectiveSpace, Sphere
from mvae.models.location import location
from mvae.topology import (
    blurred_images,
    circular_coordinates,
    extend_coordinates,
    geodesic_distances,
    mapping_degree,
    projective_coordinates,
    strip_coordinates,
    toroidal_coordinates,
)
from mvae.topology.bundles import odd_modes
from mvae.topology.covers import inhomogeneity, mean_step, order_score, polished, uniform_angles, unwrapped
from mvae.topology.homogeneous import final_score, fitted, improved, spaced_by_steps, views_of

VIEWS = {"covers": (1, 2, 3, 4, 6), "num_classes": 3}


def rng(seed=0):
    return np.random.default_rng(seed)


def embedded(angles):
    angles = angles.reshape(len(angles), -1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(angles), -1)


def lifted(x, dim, noise, seed=1):
    """Turned into R^dim, with noise."""
    turn, _ = np.linalg.qr(rng(seed).normal(size=(dim, x.shape[1])))
    return x @ turn.T + noise * rng(seed + 1).normal(size=(len(x), dim))


def wrapped(difference):
    return (difference + np.pi) % (2 * np.pi) - np.pi


def error(found, true):
    """Largest difference of angles after the constant and the sign that fit best."""
    differences = [found - sign * true for sign in (1, -1)]
    return min(np.abs(np.angle(np.exp(1j * d) / np.exp(1j * d).mean())).max() for d in differences)


def degree(found, true):
    """Winding of angles in the order of the true ones, and the largest step."""
    steps = wrapped(np.diff(found[np.argsort(true)], append=found[np.argmin(true)]))
    return round(steps.sum() / (2 * np.pi)), np.abs(steps).max()


def distances_of(x):
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "noise", "bound"), [(60, 0.0, 1.1), (300, 0.0, 0.2), (300, 0.02, 0.35), (1500, 0.02, 0.2)]
)
def test_circle(n, noise, bound, dtype):
    true = rng().uniform(0, 2 * np.pi, n)
    found = circular_coordinates(lifted(embedded(true), 20, noise).astype(dtype))
    assert found.angles.shape == (n,)
    assert (np.abs(found.angles) <= np.pi).all()
    assert error(found.angles, true) < bound
    first, *others = found.bars[:, 1] - found.bars[:, 0]
    assert first > 4 * max(others, default=0)


def test_even_circle_is_found_exactly():
    true = 2 * np.pi * np.arange(40) / 40
    assert error(circular_coordinates(embedded(true)).angles, true) < 1e-6


def test_weights_make_the_coordinate_even_where_points_are_dense():
    """Four times as many points on one half: a coordinate of least energy alone would turn slower there."""
    true = np.concatenate([rng().uniform(0, np.pi, 320), rng(1).uniform(np.pi, 2 * np.pi, 80)])
    assert error(circular_coordinates(embedded(true)).angles, true) < 0.3


def test_units_do_not_matter():
    x = lifted(embedded(rng().uniform(0, 2 * np.pi, 100)), 5, 0.02)
    one, other = (circular_coordinates(scale * x) for scale in (1.0, 1e-6))
    assert error(one.angles, other.angles) < 1e-2
    assert np.allclose(1e-6 * one.bars, other.bars, rtol=1e-4)


def test_precomputed_distances_are_those_of_points():
    x = lifted(embedded(rng().uniform(0, 2 * np.pi, 100)), 5, 0.02)
    distances = distances_of(x)
    assert error(circular_coordinates(x).angles, circular_coordinates(distances, metric="precomputed").angles) < 1e-4


def test_order_of_the_points_is_not_looked_at():
    true = rng().uniform(0, 2 * np.pi, 120)
    x, order = embedded(true), rng(1).permutation(120)
    assert error(circular_coordinates(x).angles, true) < 0.5
    assert error(circular_coordinates(x[order]).angles, true[order]) < 0.5


def test_copies_have_one_angle():
    x = embedded(rng().uniform(0, 2 * np.pi, 80))
    angles = circular_coordinates(np.concatenate([x, x, x[:5]])).angles
    assert np.allclose(np.exp(1j * angles[:80]), np.exp(1j * angles[80:160]))


def test_most_persistent_loop_of_a_wedge():
    """On a figure eight of circles of radius 2 and 1, the coordinate turns around the larger, and not the smaller."""
    true = rng().uniform(0, 2 * np.pi, 400)
    large, small = 2 * embedded(true[:250]) - np.array([2, 0]), embedded(true[250:]) + np.array([1, 0])
    angles = circular_coordinates(np.concatenate([large, small])).angles
    assert abs(degree(angles[:250], true[:250])[0]) == 1
    assert degree(angles[250:], true[250:])[0] == 0
    assert np.abs(wrapped(angles[250:] - angles[250])).max() < 0.3


def test_two_circles_apart_have_two_coordinates():
    true = rng().uniform(0, 2 * np.pi, 300)
    x = np.concatenate([embedded(true[:150]), embedded(true[150:]) + np.array([8, 0])])
    angles = toroidal_coordinates(x, fractions=(0.1, 0.3)).angles
    windings = [[abs(degree(angles[part, k], true[part])[0]) for k in (0, 1)] for part in (slice(150), slice(150, 300))]
    assert sorted(windings) == [[0, 1], [1, 0]]


@pytest.mark.parametrize("radii", [(1.0, 1.0), (1.0, 0.6)])
def test_torus(radii):
    """The winding matrix of the coordinates over a grid is a signed permutation, so that the degree is ±1."""
    true, grid = rng().uniform(0, 2 * np.pi, (900, 2)), 2 * np.pi * np.indices((16, 16)).reshape(2, -1).T / 16
    stretch = np.repeat(radii, 2)
    x = lifted(embedded(np.concatenate([true, grid])) * stretch, 12, 0.02)
    found = toroidal_coordinates(x, num_landmarks=300)
    assert found.angles.shape == (len(x), 2)
    result = mapping_degree(FlatTorus(2), embedded(found.angles[900:]).reshape(16, 16, 4))
    assert abs(result.degree) == 1
    assert sorted(np.abs(result.winding).tolist()) == [[0, 1], [1, 0]]
    column = np.abs(result.winding).argmax(axis=0)
    assert all(error(found.angles[:, column[k]], np.concatenate([true, grid])[:, k]) < 0.7 for k in (0, 1))


def test_sheared_torus_gets_its_short_basis():
    """Images of (a, a + b): the lattice is the same, and its basis of least energy is a and b for a flat torus."""
    true = rng(3).uniform(0, 2 * np.pi, (350, 2))
    angles = toroidal_coordinates(embedded(true)).angles
    fits = [
        [max(abs(np.exp(1j * (angles[:, i] - s * true[:, j])).mean()) for s in (1, -1)) for j in (0, 1)] for i in (0, 1)
    ]
    assert sorted(np.argmax(fits, axis=1)) == [0, 1]
    assert np.max(fits, axis=1).min() > 0.95


def angles_between(lines):
    return np.arccos(np.clip(np.abs(lines @ lines.T), 0, 1))


@pytest.mark.parametrize(("dim", "noise", "bound"), [(1, 0.0, 0.01), (2, 0.0, 0.04), (2, 0.05, 0.06)])
def test_lines_have_the_angles_between_them(dim, noise, bound):
    """Of z zᵀ in a space of many dimensions; no isometry has to be fitted to compare the angles between lines."""
    z = rng().normal(size=(800, dim + 1))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    found = projective_coordinates(lifted(np.einsum("ni,nj->nij", z, z).reshape(800, -1), 20, noise), dim)
    assert found.points.shape == (800, dim + 1)
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1)
    assert np.abs(angles_between(found.points) - angles_between(z)).mean() < bound
    assert found.bars[0, 0] < found.scale < found.bars[0, 1]
    tilted = found.points * rng(1).choice([-1, 1], size=(800, 1))
    space = ProjectiveSpace(dim)
    assert dim == 1 or abs(mapping_degree(space, tilted.astype(np.float32), z.astype(np.float32)).degree) == 1


@pytest.mark.parametrize("space", [Cylinder(), MobiusBand(), MobiusBand(4.0, 2.0), KleinBottle()], ids=repr)
def test_strips_have_the_distances_of_their_points(space):
    """Lifted by an embedding that is not isometric; the space has few isometries, which distances do not see."""
    z = space.uniform(jax.random.key(0), (1500,))
    x = lifted(np.asarray(location(space).embed(z)), 20, 0.02)
    found = strip_coordinates(x, space)
    assert np.all(space.contains(found.points))
    z, w = np.asarray(z)[:500], found.points[:500]
    apart, recovered = (np.asarray(space.distance(points[:250], points[250:])) for points in (z, w))
    assert np.corrcoef(apart, recovered)[0, 1] > 0.95
    assert np.abs(apart - recovered).mean() < 0.07 * apart.max()


def test_odd_modes_of_a_double_cover_of_a_polygon():
    """Half-angle functions: cos(a / 2) and sin(a / 2), which come back with the other sign."""
    num = 40
    angles = 2 * np.pi * np.arange(num) / num
    distances = distances_of(embedded(angles))
    cocycle = np.zeros((num, num), int)
    cocycle[0, -1] = cocycle[-1, 0] = 1
    modes = odd_modes(distances, cocycle, 1.5 * distances[0, 1], 2)
    products, expected = modes @ modes.T, 2 * np.cos((angles[:, None] - angles) / 2)
    np.testing.assert_allclose(products, expected, atol=1e-9)
    assert odd_modes(distances, cocycle, 0.5 * distances[0, 1], 2) is None


def test_noise_and_discs_have_no_long_bar():
    x = rng().normal(size=(200, 10))
    bars = circular_coordinates(x).bars
    assert bars[0, 1] - bars[0, 0] < 0.25 * bars[0, 1]
    with pytest.raises(ValueError, match="x has not a loop: its most persistent classes live from nowhere"):
        circular_coordinates(np.linspace(0, 1, 50)[:, None])
    with pytest.raises(ValueError, match="x has not 2 loops that overlap in scale"):
        toroidal_coordinates(embedded(2 * np.pi * np.arange(30) / 30))


def test_hundred_thousand_points():
    true = rng().uniform(0, 2 * np.pi, 100_000)
    found = circular_coordinates(embedded(true), num_landmarks=100)
    assert len(found.landmarks) == 100
    assert error(found.angles, true) < 0.2


def test_extension_to_new_points():
    known = np.linspace(-np.pi, np.pi, 60, endpoint=False)
    new = rng().uniform(-np.pi, np.pi, 50)
    apart = np.linalg.norm(embedded(new)[:, None] - embedded(known)[None], axis=-1)
    assert np.abs(wrapped(extend_coordinates(known, apart) - new)).max() < 2 * np.pi / 60
    both = extend_coordinates(np.stack([known, -known], axis=1), apart)
    assert np.allclose(both[:, 0], -both[:, 1])
    own = extend_coordinates(known, distances_of(embedded(known)))
    assert np.abs(wrapped(own - known)).max() < 1e-6
    assert extend_coordinates(known, np.zeros((0, 60))).shape == (0,)
    assert np.isfinite(extend_coordinates(known, 1e-200 * apart)).all()


def folded(n, seed=0, weight=0.25):
    """Views x(θ) = f(2θ) + ε g(θ) of an object whose front is like its back, shuffled."""
    true = rng(seed).permutation(2 * np.pi * np.arange(n) / n)
    return lifted(np.concatenate([embedded(2 * true), weight * embedded(true)], axis=1), 20, 0.01), true


@pytest.mark.parametrize("seed", range(3))
def test_unwrapping_a_near_symmetry(seed):
    x, true = folded(54, seed)
    quotient = circular_coordinates(x, fractions=(0.5,))
    assert abs(degree(quotient.angles, true)[0]) == 2
    found = circular_coordinates(x, **VIEWS)
    winding, longest = degree(found.angles, true)
    assert abs(winding) == 1
    assert longest < np.pi / 2
    assert error(found.angles, true) < 0.1
    assert found.chosen == found.tried[0]
    assert found.chosen.score == min(candidate.score for candidate in found.tried)


def test_unwrapped_turns_once_where_the_coordinate_turns_thrice():
    true = rng().permutation(2 * np.pi * np.arange(60) / 60)
    distances = distances_of(np.concatenate([embedded(3 * true), 0.3 * embedded(true)], axis=1))
    assert error(unwrapped(distances, wrapped(3 * true + 1), 3), true) < 1e-6


def broken(true):
    """Evenly spaced angles in the order of the true ones, but for pieces of it that are reversed or elsewhere."""
    order = np.argsort(true)
    order = np.concatenate([order[:8], order[8:20][::-1], order[30:], order[20:30]])
    angles = np.empty(40)
    angles[order] = 2 * np.pi * np.arange(40) / 40
    return angles


def test_polishing_puts_reversed_pieces_back():
    true = rng().permutation(2 * np.pi * np.arange(40) / 40)
    assert error(polished(distances_of(embedded(true)), broken(true), 0.3), true) < 1e-6
    uneven = rng().uniform(0, 2 * np.pi, 40)
    views = views_of(distances_of(embedded(uneven)), 0.3)
    found = improved(views, fitted(views, broken(uneven)))
    assert error(uniform_angles(found.angles), uniform_angles(uneven)) < 1e-6
    assert error(found.angles, uneven) < 0.05
    assert error(broken(uneven), uneven) > 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fitted_angles_of_uneven_views(dtype):
    """The order is given, and angles in it: distances of any profile tell where in between the views are."""
    true = rng(3).uniform(0, 2 * np.pi, 60)
    x = np.concatenate([embedded(2 * true), 0.5 * embedded(true), 0.1 * embedded(5 * true)], axis=1).astype(dtype)
    views = views_of(distances_of(x).astype(np.float64), 0.3)
    start = spaced_by_steps(views.distances, true)
    assert error(uniform_angles(start), uniform_angles(true)) < 1e-6
    found = fitted(views, start, 12)
    assert error(found.angles, true) < 0.05
    assert error(uniform_angles(true), true) > 0.3
    assert final_score(views, found.angles) < final_score(views, fitted(views, rng(4).permutation(start), 12).angles)


@pytest.mark.parametrize(
    ("n", "seed"), [(60, 0), *(pytest.param(n, s, marks=pytest.mark.slow) for n in (60, 300) for s in (1, 2, 3))]
)
def test_unwrapping_views_at_random_angles(n, seed):
    true = rng(10 + seed).uniform(0, 2 * np.pi, n)
    x = lifted(np.concatenate([embedded(2 * true), 0.35 * embedded(true)], axis=1), 20, 0.005)
    assert abs(degree(circular_coordinates(x, fractions=(0.5,)).angles, true)[0]) != 1
    winding, longest = degree(circular_coordinates(x, num_landmarks=100, **VIEWS).angles, true)
    assert abs(winding) == 1
    assert longest < np.pi / 2


def test_scores_of_an_even_circle():
    true = rng().permutation(2 * np.pi * np.arange(30) / 30)
    distances = distances_of(embedded(true))
    mean = 2 * np.sin(np.pi * np.arange(1, 30) / 30).mean()
    assert np.isclose(mean_step(distances, true), 2 * np.sin(np.pi / 30) / mean)
    assert np.isclose(order_score(distances, np.argsort(true), 0.3), 2 * np.sin(np.pi / 30) / mean)
    assert inhomogeneity(distances, true[:, None]) < 1e-3
    assert 0.5 < inhomogeneity(distances, rng(1).permutation(true)[:, None]) <= 1
    assert np.allclose(np.sort(uniform_angles(true**2) % (2 * np.pi)), 2 * np.pi * np.arange(30) / 30)


def test_geodesic_distances_open_a_horseshoe():
    """Chords close an arc of 320 degrees to a loop whose bar is long; paths along it know its length."""
    angle = np.linspace(0, 320 / 180 * np.pi, 150)
    arc = embedded(angle)
    paths = geodesic_distances(arc, num_neighbors=2)
    assert np.allclose(paths, np.abs(angle[:, None] - angle[None]), rtol=1e-3)
    assert np.array_equal(geodesic_distances(arc, num_neighbors=2, sources=[3, 7]), paths[[3, 7]])
    assert circular_coordinates(arc).bars[0, 1] > 1.5
    with pytest.raises(ValueError, match="x has not a loop"):
        circular_coordinates(paths, metric="precomputed")


def test_blurred_translates_of_a_fine_picture_form_a_circle():
    """Of a random line of 24 pixels, shifted by whole pixels, neighbours have nothing in common before the blur."""
    line = rng(4).normal(size=24)
    order = rng(5).permutation(24)
    images = np.stack([np.tile(np.roll(line, k), (3, 1)) for k in order])
    found = circular_coordinates(blurred_images(images, 2.0, periodic=True), fractions=(0.3,))
    assert abs(degree(found.angles, 2 * np.pi * order / 24)[0]) == 1


def test_blur_is_of_each_picture_alone():
    images = rng().uniform(size=(7, 9, 9, 3))
    blurred = blurred_images(images, 1.5)
    assert np.allclose(blurred[3], blurred_images(images[3:4], 1.5)[0])
    assert np.allclose(blurred[..., 1], blurred_images(images[..., 1], 1.5))
    assert np.allclose(blurred_images(images, 0.0), images)
    assert np.isclose(blurred_images(images, 1.5, periodic=True).sum(), images.sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: circular_coordinates(np.zeros(5)), r"x must have shape \(n, \*event\)"),
        (lambda: circular_coordinates(np.full((5, 2), np.nan)), "x must be finite, got 10 entries"),
        (lambda: circular_coordinates(np.zeros((3, 2))), "x must have four points or more, got 3"),
        (
            lambda: circular_coordinates(np.zeros((9, 2)), metric="cosine"),
            "metric must be one of euclidean, precomputed",
        ),
        (
            lambda: circular_coordinates(np.zeros((9, 2)), metric="precomputed"),
            "x must be a square matrix of distances",
        ),
        (
            lambda: circular_coordinates(np.zeros((9, 2)), fractions=(1.0,)),
            "fractions must be numbers from 0 to below 1",
        ),
        (lambda: circular_coordinates(np.zeros((9, 2)), homogeneity=-1), "homogeneity must be a number from 0 on"),
        (lambda: circular_coordinates(np.zeros((9, 2)), covers=(0,)), "covers must be at least 1, got 0"),
        (lambda: circular_coordinates(np.zeros((9, 2))), "x must have four points or more that are not copies"),
        (lambda: toroidal_coordinates(np.zeros((9, 2)), 5), "dim must be at most 4, got 5"),
        (lambda: strip_coordinates(np.zeros((9, 2)), Sphere(2)), "space must be a Cylinder, MobiusBand or KleinBottle"),
        (
            lambda: strip_coordinates(np.arange(9.0)[:, None], Cylinder()),
            "x has not a loop: its most persistent classes",
        ),
        (lambda: projective_coordinates(np.eye(5), fraction=1.0), "fraction must be a number from 0 to below 1"),
        (lambda: projective_coordinates(np.zeros((9, 2)), 0), "dim must be at least 1, got 0"),
        (lambda: projective_coordinates(np.eye(4), 3), "x must have more than 4 points that are not copies, got 4"),
        (
            lambda: projective_coordinates(np.arange(9.0)[:, None]),
            "x has not a loop modulo two in one piece: its classes live from nowhere",
        ),
        (lambda: extend_coordinates(np.zeros(4), np.zeros((3, 5))), r"distances must have shape \(n, 4\)"),
        (lambda: geodesic_distances(np.array([[0.0], [1], [9], [10]]), num_neighbors=1), "x falls into 2 parts"),
        (lambda: blurred_images(np.zeros((4, 5)), 1.0), "images must have shape"),
        (lambda: blurred_images(np.zeros((4, 5, 5)), -1.0), "width must be a number of pixels from 0 on"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

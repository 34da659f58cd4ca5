"""Bars, lifts, harmonic forms and bases of lattices, against what is known of them."""

import numpy as np
import pytest

from mvae.topology import persistent_cohomology, scaled_distances
from mvae.topology.harmonic import harmonic_forms, integer_lift, is_cocycle, reduced_basis


def circle(n):
    angle = 2 * np.pi * np.arange(n) / n
    return angle, 2 * np.abs(np.sin((angle[:, None] - angle[None]) / 2))


def test_bar_of_a_polygon():
    """VR of n even points is a circle from the length of a side to that of an arc of a third of a turn [bauer2021]."""
    _, distances = circle(30)
    found = persistent_cohomology(distances)
    assert np.allclose(found.bars, [[2 * np.sin(np.pi / 30), np.sqrt(3)]], rtol=1e-6)
    assert all(np.array_equal(each, -each.T) for each in found.cocycles)


@pytest.mark.parametrize("prime", [3, 47])
def test_cocycle_lifts_and_winds_once(prime):
    _, distances = circle(30)
    found = persistent_cohomology(distances, prime=prime)
    linked = (distances < 1.1) & ~np.eye(30, dtype=bool)
    values = np.where(linked, found.cocycles[0], 0)
    assert is_cocycle(values, linked)
    around = np.arange(30)
    assert abs(values[around, (around + 1) % 30].sum()) == 1
    values[0, 1] += 1
    values[1, 0] -= 1
    assert not is_cocycle(values, linked)


def test_harmonic_form_of_a_polygon_is_even():
    angle, distances = circle(30)
    forms = harmonic_forms(distances, persistent_cohomology(distances).cocycles, 1.1, 47)
    around = np.arange(30)
    steps = forms.values[0, around, (around + 1) % 30]
    assert np.allclose(np.abs(steps), 1 / 30)
    assert np.allclose(forms.values[0].sum(axis=1), 0)
    phase = np.exp(1j * (forms.angles[:, 0] - np.sign(steps[0]) * angle))
    assert np.allclose(phase, phase[0])


def test_multiples_of_a_class_are_divided():
    """Thrice a class has periods that are multiples of three, and its coordinate is that of the class."""
    _, distances = circle(30)
    cocycle = persistent_cohomology(distances).cocycles[0]
    one, three = (harmonic_forms(distances, (k * cocycle,), 1.1, 47) for k in (1, 3))
    assert np.allclose(np.abs(one.values), np.abs(three.values))


def test_half_of_a_class_is_doubled():
    """Modulo 47, 24 is one half: a loop that covers another one twice is born as half of its class."""
    _, distances = circle(30)
    linked = (distances < 1.1) & ~np.eye(30, dtype=bool)
    potential = np.random.default_rng(0).integers(0, 2, 30)
    change = potential[None, :] - potential[:, None]
    cocycle = np.where(linked, persistent_cohomology(distances).cocycles[0] + change, 0)
    half = (24 * cocycle + 23) % 47 - 23
    assert not is_cocycle(half, linked)
    lift = integer_lift(half, linked, 47)
    assert np.array_equal(lift, cocycle) or np.array_equal(lift, -cocycle)


def test_dependent_classes_have_no_basis():
    _, distances = circle(30)
    cocycle = persistent_cohomology(distances).cocycles[0]
    assert harmonic_forms(distances, (cocycle, 2 * cocycle), 1.1, 47) is None


def test_no_form_of_what_is_no_cocycle():
    _, distances = circle(30)
    broken = persistent_cohomology(distances).cocycles[0].copy()
    broken[0, 1] += 1
    broken[1, 0] -= 1
    assert harmonic_forms(distances, (broken,), 1.1, 47) is None


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_reduced_basis_is_as_short_as_any(k, seed):
    """Against all vectors with coefficients up to 4 of the reduced basis, whose lattice is that of a random one."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(k, k)) @ np.diag(10.0 ** np.arange(k))
    basis = reduced_basis(matrix @ matrix.T)
    assert abs(round(np.linalg.det(basis))) == 1
    coefficients = np.array(np.meshgrid(*[np.arange(-4, 5)] * k)).reshape(k, -1).T
    lengths = np.linalg.norm(coefficients @ basis @ matrix, axis=1)
    shortest, chosen = np.sort(np.linalg.norm(basis @ matrix, axis=1)), []
    for index in np.argsort(lengths):
        if np.linalg.matrix_rank(coefficients[[*chosen, index]]) > len(chosen):
            chosen.append(index)
    assert np.allclose(lengths[chosen], shortest)


def test_scaled_distances():
    """Evenly spaced after scaling, though spacing grows tenfold: neighbours at 1 for a line of geometric steps."""
    x = 1.2 ** np.arange(20)
    distances = np.abs(x[:, None] - x[None])
    scaled = scaled_distances(distances, num_neighbors=1)
    assert np.array_equal(scaled, scaled.T)
    inner = scaled[np.arange(2, 18), np.arange(3, 19)]
    assert np.allclose(inner, inner[0])
    assert np.allclose(scaled_distances(5 * distances, num_neighbors=1), scaled)
    with pytest.raises(ValueError, match="distances must leave each point 2 others"):
        scaled_distances(np.zeros((5, 5)))


def test_what_is_refused():
    with pytest.raises(ValueError, match="distances must be of three points or more, got 2"):
        persistent_cohomology(np.array([[0.0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="distances must hold distances, symmetric"):
        persistent_cohomology(np.arange(9.0).reshape(3, 3))

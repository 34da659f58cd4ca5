"""Maps whose stretching is known: isometries, linear maps, curves, maps that glue and that tear."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from mvae.evaluation import bilipschitz
from mvae.evaluation import bilipschitz as measure

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(300, 3))


def test_isometry_and_dilation():
    moved = np.pad(Z, ((0, 0), (0, 3))) @ ortho_group.rvs(6, random_state=0) + 2
    np.testing.assert_allclose(bilipschitz(Z, moved, 5), 1, rtol=1e-9)
    np.testing.assert_allclose(bilipschitz(Z, 2 * Z, 5), 2, rtol=1e-9)
    np.testing.assert_allclose(bilipschitz(Z, 0.25 * moved, 5), 4, rtol=1e-9)
    np.testing.assert_allclose(bilipschitz(Z, 0.25 * moved, 5, rescale=True), 1, rtol=1e-9)


def test_linear_map_is_within_its_singular_values_and_reaches_them():
    values = np.array([3.0, 1.5, 0.2])
    found = bilipschitz(Z, Z * values, 299)
    assert found.max() <= 5 * (1 + 1e-9)
    assert found.min() >= 1
    assert np.median(found) > 3.5  # among 299 directions some are near the worst
    np.testing.assert_array_less(bilipschitz(Z, Z * values, 10), found + 1e-12)
    np.testing.assert_allclose(
        bilipschitz(Z, Z * values, 10, rescale=True), bilipschitz(Z, 7 * Z * values, 10, rescale=True)
    )


@pytest.mark.parametrize("k", [2, 6])
def test_circle_by_its_angle(k):
    # Neighbours are up to k/2 steps away: the chord 2 r sin(a/2) over the angle a, least for the farthest.
    n, radius = 100, 0.5
    angle = np.arange(n) * 2 * np.pi / n
    circle = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    farthest = k / 2 * 2 * np.pi / n
    expected = farthest / (2 * radius * np.sin(farthest / 2))
    np.testing.assert_allclose(bilipschitz(angle[:, None], circle, k)[k:-k], expected, rtol=1e-9)


def test_definition_with_rows_of_pictures():
    x = RNG.normal(size=(300, 2, 2, 1))
    flat = x.reshape(300, 4)
    expected = []
    for i in range(300):
        apart = np.linalg.norm(Z - Z[i], axis=1)
        near = np.argsort(apart)[1:8]
        ratios = np.linalg.norm(flat[near] - flat[i], axis=1) / apart[near]
        expected.append(max(ratios.max(), 1 / ratios.min()))
    np.testing.assert_allclose(bilipschitz(Z, x, 7), expected, rtol=1e-9)


def test_clusters_too_fine_for_float32():
    """Neighbours are those of float64, whatever precision jax has: these points are one in float32."""
    z = 1e4 * (np.arange(20) % 2) + 1e-6 * np.arange(20) ** 2
    np.testing.assert_allclose(bilipschitz(z[:, None], 2 * z[:, None], 2), 2, rtol=1e-3)
    torn = np.where(np.arange(20) < 10, 0, 1e-3)  # neighbours are moved apart only between the halves
    found = bilipschitz(z[:, None], (z + torn)[:, None], 1)
    np.testing.assert_allclose(found[[0, 1, 2, 17, 18, 19]], 1, rtol=1e-3)


def test_points_that_coincide():
    z = np.array([[0.0], [0.0], [1.0], [1.0], [5.0]])
    same, torn = np.array([[0.0], [0.0], [2.0], [2.0], [10.0]]), np.array([[0.0], [3.0], [2.0], [2.0], [10.0]])
    np.testing.assert_allclose(bilipschitz(z, same, 1), [1, 1, 1, 1, 2])
    np.testing.assert_allclose(bilipschitz(z, same, 2), [2, 2, 2, 2, 2])
    np.testing.assert_allclose(bilipschitz(z, torn, 1), [np.inf, np.inf, 1, 1, 2])
    np.testing.assert_allclose(bilipschitz(z, 0 * z, 1), [1, 1, 1, 1, np.inf])
    np.testing.assert_allclose(bilipschitz(z, same, 1, rescale=True), 1)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"z": Z[:, 0]}, "z"),
        ({"z": Z * np.nan}, "z"),
        ({"x": Z[1:]}, "x"),
        ({"k": 0}, "k"),
        ({"k": 300}, "k"),
        ({"x": 0 * Z, "rescale": True}, "rescale"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        measure(**({"z": Z, "x": Z, "k": 3} | options))

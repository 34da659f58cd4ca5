"""Degree of maps between tori whose degree is known."""

import numpy as np
import pytest

from mvae.evaluation import mapping_degree
from mvae.manifolds import FlatTorus, Sphere

A, B = np.meshgrid(*(2 * np.pi * np.arange(32) / 32,) * 2, indexing="ij")


def torus(*angles):
    return np.stack([f(angle) for angle in angles for f in (np.cos, np.sin)], axis=-1)


@pytest.mark.parametrize(
    ("first", "second", "winding", "degree"),
    [
        (A, B, [[1, 0], [0, 1]], 1),
        (B, A, [[0, 1], [1, 0]], -1),
        (A + B, B, [[1, 1], [0, 1]], 1),
        (2 * A, -B, [[2, 0], [0, -1]], -2),
        (A, A + 0.5 * np.sin(B), [[1, 0], [1, 0]], 0),
        (2 * A + B, A + B, [[2, 1], [1, 1]], 1),
        (0.3 * np.sin(A), B, [[0, 0], [0, 1]], 0),
        (A + 0.9 * np.sin(A + B) + 2, B - 0.9 * np.cos(A), [[1, 0], [0, 1]], 1),
    ],
)
def test_known_degrees(first, second, winding, degree):
    result = mapping_degree(FlatTorus(2), torus(first, second))
    assert result.winding.tolist() == winding
    assert result.degree == degree
    assert result.consistent == 1.0


def test_torn_map_has_no_degree():
    """The angle of a point of the plane around a centre inside the image: two vortices."""
    first = np.arctan2(np.sin(A) + 0.5 * np.cos(B), np.cos(A) + 0.9)
    result = mapping_degree(FlatTorus(2), torus(first, B))
    assert result.degree == 0
    assert result.consistent < 1.0


def test_degree_of_a_composition_is_the_product():
    """Homotopy invariant: small noise changes nothing."""
    noise = 0.2 * np.random.default_rng(0).uniform(-1, 1, size=(2, *A.shape))
    assert mapping_degree(FlatTorus(2), torus(A + noise[0], 3 * B + noise[1])).degree == 3


@pytest.mark.parametrize(
    ("manifold", "z", "message"),
    [
        (Sphere(2), torus(A, B), "source must be given"),
        (FlatTorus(2), torus(A, B)[:4], "shape"),
        (FlatTorus(2), torus(A), "shape"),
        (FlatTorus(2), torus(A, B) * np.nan, "finite"),
    ],
)
def test_bad_input(manifold, z, message):
    with pytest.raises(ValueError, match=message):
        mapping_degree(manifold, z)

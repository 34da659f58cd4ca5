"""Winding numbers of the circle and of tori of other dimensions than 2, which test_topology.py has."""

import numpy as np
import pytest

from mvae.evaluation import mapping_degree
from mvae.manifolds import FlatTorus, Sphere


def torus(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(*angles.shape[:-1], -1)


def grid(d, n=12):
    return np.stack(np.meshgrid(*(2 * np.pi * np.arange(n) / n,) * d, indexing="ij"), axis=-1)


@pytest.mark.parametrize("manifold", [FlatTorus(1), Sphere(1), Sphere(1, radius=3.0)])
@pytest.mark.parametrize("turns", [-3, -1, 0, 1, 2])
def test_circle(manifold, turns):
    angle = grid(1, 24)
    result = mapping_degree(manifold, torus(turns * angle + 0.4 * np.sin(angle) + 1))
    assert result.degree == turns
    assert result.winding.tolist() == [[turns]]
    assert result.consistent == 1.0


def test_torn_circle_has_no_degree():
    """An arc runs over the circle but for a jump of a third of a turn."""
    result = mapping_degree(Sphere(1), torus(grid(1, 30) * 2 / 3))
    assert result.degree == 0
    assert result.consistent == pytest.approx(29 / 30)


@pytest.mark.parametrize("d", [3, 4])
def test_linear_maps_of_tori(d):
    rng = np.random.default_rng(d)
    for _ in range(4):
        winding = rng.integers(-2, 3, size=(d, d))
        angles = grid(d, 10 if d == 3 else 8)
        result = mapping_degree(FlatTorus(d), torus(angles @ winding.T * 1.0 + 0.3 * np.sin(angles)))
        assert result.winding.tolist() == winding.tolist()
        assert result.degree == round(np.linalg.det(winding))
        assert result.consistent == 1.0


def test_torn_torus_has_no_degree():
    a, b, c = np.moveaxis(grid(3, 16), -1, 0)
    vortex = np.arctan2(np.sin(a) + 0.5 * np.cos(b), np.cos(a) + 0.9)
    result = mapping_degree(FlatTorus(3), torus(np.stack([vortex, b, c], axis=-1)))
    assert result.degree == 0
    assert result.consistent < 1.0


@pytest.mark.parametrize(
    ("manifold", "shape", "message"),
    [
        (FlatTorus(1), (7, 2), r"z must have shape \(n, 2\) with n of at least 8, got \(7, 2\)"),
        (FlatTorus(3), (8, 8, 8, 4), r"z must have shape \(n1, ..., n3, 6\)"),
        (Sphere(1), (16, 3), r"z must have shape \(n, 2\)"),
    ],
)
def test_bad_shapes(manifold, shape, message):
    with pytest.raises(ValueError, match=message):
        mapping_degree(manifold, np.ones(shape))

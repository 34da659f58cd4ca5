"""Betti numbers of spaces where they are known, from grids, uniform points and noisy ones."""

import sys

import jax
import numpy as np
import pytest

from mvae.evaluation import betti_numbers
from mvae.manifolds import SO3, EmbeddedTorus, Euclidean, FlatTorus, ProjectiveSpace, Sphere

PLANE = Euclidean(2)


def uniform(manifold, n, seed=0):
    return np.asarray(manifold.uniform(jax.random.key(seed), (n,)))


def circle(n, seed=0):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def noise(x, scale, seed=1):
    return x + scale * np.random.default_rng(seed).normal(size=x.shape)


def on_torus(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(angles), -1)


def torus_grid(n):
    return on_torus(np.stack(np.meshgrid(*(2 * np.pi * np.arange(n) / n,) * 2), axis=-1).reshape(-1, 2))


def patch(n, inner, outer, seed=0):
    """Part of the flat torus between two distances of a point."""
    angles = np.random.default_rng(seed).uniform(-outer, outer, size=(n, 2))
    distance = np.linalg.norm(angles, axis=-1)
    return on_torus(angles[(distance > inner) & (distance < outer)])


UNIFORM = [
    (Sphere(1), 500, (1, 1, 0)),
    (Sphere(2), 1500, (1, 0, 1)),
    (Sphere(2, radius=0.01), 1500, (1, 0, 1)),
    (FlatTorus(2), 2000, (1, 2, 1)),
    (ProjectiveSpace(2), 2000, (1, 1, 1)),
]


@pytest.mark.parametrize(("manifold", "n", "numbers"), UNIFORM)
def test_uniform_points(manifold, n, numbers):
    assert betti_numbers(manifold, uniform(manifold, n)).numbers == numbers


@pytest.mark.parametrize(
    ("manifold", "z", "numbers"),
    [
        (FlatTorus(2), torus_grid(40), (1, 2, 1)),
        (FlatTorus(2), torus_grid(64), (1, 2, 1)),
        (FlatTorus(2), patch(2000, 0, 1.5), (1, 0, 0)),
        (FlatTorus(2), patch(2500, 1.0, 2.5), (1, 1, 0)),
        (PLANE, noise(circle(1000), 0.1), (1, 1, 0)),
        (PLANE, np.concatenate([circle(600, seed) + np.array([2 * seed, 0]) for seed in (0, 1)]), (1, 2, 0)),
        (PLANE, np.concatenate([circle(600, seed) + np.array([3 * seed, 0]) for seed in (0, 1)]), (2, 2, 0)),
        (PLANE, noise(np.repeat([[0, 0], [5, 0]], 400, axis=0), 0.3), (2, 0, 0)),
        (PLANE, np.random.default_rng(0).uniform(size=(1000, 2)), (1, 0, 0)),
        (PLANE, np.zeros((50, 2)), (1, 0, 0)),
        (PLANE, np.repeat([[0, 0], [5, 0], [1, 1]], 20, axis=0).astype(float), (3, 0, 0)),
        (Euclidean(3), uniform(EmbeddedTorus(2.0, 1.0), 3000), (1, 2, 1)),
    ],
    ids=[
        *("grid", "fine grid", "disc", "annulus", "noisy circle", "figure eight", "two circles"),
        *("two clusters", "square", "one point", "three points", "embedded torus"),
    ],
)
def test_clouds(manifold, z, numbers):
    assert betti_numbers(manifold, z).numbers == numbers


def test_noise_within_the_manifold_changes_nothing():
    z = FlatTorus(2).project(noise(torus_grid(50), 0.05).astype(np.float32))
    assert betti_numbers(FlatTorus(2), z).numbers == (1, 2, 1)


def test_matrix_of_distances():
    """A circle of length 100, and what is returned of it."""
    apart = np.abs(np.arange(200)[:, None] - np.arange(200)) / 2
    result = betti_numbers(None, np.minimum(apart, 100 - apart), max_dim=1, num_landmarks=40)
    assert result.numbers == (1, 1)
    assert 1.0 <= result.radius <= 2.0
    assert len(result.diagrams) == 2
    assert len(result.diagrams[0]) == 40
    birth, death = result.diagrams[1][0]
    assert birth <= 3 * result.radius
    assert death == np.inf


def test_too_few_landmarks_see_no_loop():
    """Its radius says so: a loop of length l is not seen from l / 12.8 on."""
    result = betti_numbers(FlatTorus(2), uniform(FlatTorus(2), 2000), num_landmarks=30)
    assert result.numbers[1] == 0
    assert result.radius > 2 * np.pi / 12.8


@pytest.mark.parametrize(
    ("manifold", "z", "options", "message"),
    [
        (PLANE, np.zeros((100, 3)), {}, r"z must have shape \(n, 2\), got \(100, 3\)"),
        (PLANE, np.full((100, 2), np.nan), {}, "z must be finite"),
        (Sphere(1), np.zeros((100, 2)), {}, "z must lie on the manifold"),
        (PLANE, np.zeros((9, 2)), {}, "z must have 10 points or more, got 9"),
        (PLANE, np.zeros((100, 2)), {"num_landmarks": 26}, "num_landmarks must be at most a quarter of the 100 points"),
        (PLANE, np.zeros((100, 2)), {"num_landmarks": 0}, "num_landmarks must be at least 1, got 0"),
        (PLANE, np.zeros((100, 2)), {"max_dim": -1}, "max_dim must be at least 0, got -1"),
        (PLANE, np.zeros((100, 2)), {"max_dim": 1.5}, "max_dim must be an integer, got 1.5"),
        (None, np.zeros((100, 2)), {}, "z must be a square matrix"),
        (None, np.full((100, 100), np.nan), {}, "z must be finite"),
        (None, np.triu(np.ones((100, 100))), {}, "z must hold distances, symmetric"),
        (None, -np.ones((100, 100)), {}, "z must hold distances, symmetric and not negative"),
        (None, np.ones((100, 100)), {}, "z must have zeros on the diagonal"),
    ],
)
def test_bad_input(manifold, z, options, message):
    with pytest.raises(ValueError, match=message):
        betti_numbers(manifold, z, **options)


def test_without_ripser(monkeypatch):
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(ModuleNotFoundError, match=r"betti_numbers needs ripser.*pip install 'mvae\[eval\]'"):
        betti_numbers(PLANE, circle(100))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize(("manifold", "n", "numbers"), UNIFORM)
def test_uniform_points_of_many_seeds(manifold, n, numbers, seed):
    assert betti_numbers(manifold, uniform(manifold, n, seed)).numbers == numbers


@pytest.mark.slow
def test_rotations():
    """Over Z/2 those of RP^3, as far as they are computed."""
    assert betti_numbers(SO3(), uniform(SO3(), 8000)).numbers == (1, 1, 1)


@pytest.mark.slow
def test_embedded_torus_by_its_geodesics():
    torus = EmbeddedTorus(2.0, 1.0)
    assert betti_numbers(torus, uniform(torus, 2500), num_landmarks=220).numbers == (1, 2, 1)


def ring(noise, n=800, dim=100):
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.pad(np.stack([np.cos(angle), np.sin(angle)], 1), ((0, 0), (0, dim - 2))) + noise * rng.normal(
        size=(n, dim)
    )


@pytest.mark.parametrize(("scale", "numbers", "resolved"), [(0.01, (1, 1), 1), (0.05, (1, 0), 0), (0.2, (1, 0), 0)])
def test_landmarks_that_do_not_resolve_the_points_are_told(scale, numbers, resolved):
    """A ring in R¹⁰⁰ whose noise is as wide as its hole looks like a ball; so the result must say."""
    found = betti_numbers(Euclidean(100), ring(scale).astype(np.float32), max_dim=1)
    assert (found.numbers, found.resolved) == (numbers, resolved)
    assert found.birth_scale == 3 * found.radius


def test_parts_count_for_themselves():
    clouds = [np.random.default_rng(k).normal(size=(200, 100)) for k in range(2)]
    both = np.concatenate([clouds[0], clouds[1] + 20]).astype(np.float32)
    found = betti_numbers(Euclidean(100), both, max_dim=1)
    assert (found.numbers, found.resolved) == ((2, 0), 0)
    disc = np.random.default_rng(0).uniform(size=(600, 2)).astype(np.float32)
    assert betti_numbers(PLANE, disc, max_dim=1).resolved == 1
    assert betti_numbers(PLANE, np.zeros((20, 2), np.float32)).resolved == 1

"""Dimension, noise, tangent frames, orientation and boundary of clouds where they are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.topology.local_geometry import (
    boundary_share,
    local_dimension,
    neighborhood_sizes,
    number_of_ends,
    orientation_defect,
    principal_part,
    smoothed,
    tangent_frames,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def ball(n, dim, seed=0):
    z = rng(seed).normal(size=(n, dim))
    return z / np.linalg.norm(z, axis=1, keepdims=True) * rng(seed + 1).uniform(size=(n, 1)) ** (1 / dim)


def sphere(n, dim, seed=0):
    z = rng(seed).normal(size=(n, dim + 1))
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def lines(n, dim, seed=0):
    z = sphere(n, dim, seed)
    return (z[:, :, None] * z[:, None, :]).reshape(n, -1)


def lifted(x, sigma, features=50, seed=3):
    frame = np.linalg.qr(rng(seed).normal(size=(features, x.shape[1])))[0]
    return x @ frame.T + sigma * rng(seed + 1).normal(size=(len(x), features))


@pytest.mark.parametrize("n", [100, 300, 1000])
@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_noise_and_the_components_above_it(n, sigma):
    y, noise = principal_part(lifted(sphere(n, 2), sigma))
    assert y.shape == (n, 3)
    # the median of a spectrum that is known at 50 places
    assert noise == pytest.approx(sigma, rel=0.1)


def test_components_keep_distances():
    x = rng().normal(size=(30, 4)) + 5
    y, noise = principal_part(x)
    assert noise == 0
    np.testing.assert_allclose(y @ y.T, (x - x.mean(0)) @ (x - x.mean(0)).T, atol=1e-9)


def test_pure_noise_has_one_component_and_no_dimension():
    y, noise = principal_part(rng().normal(size=(500, 50)))
    assert y.shape[1] == 1
    assert local_dimension(y, noise, rng()).gaps[1] < 1.5


@pytest.mark.parametrize(
    ("cloud", "dim"),
    [
        (ball(600, 1), 1),
        (ball(600, 2), 2),
        (sphere(600, 1), 1),
        (sphere(600, 2), 2),
        (lines(600, 2), 2),
        (Rotation.random(800, random_state=0).as_matrix().reshape(-1, 9), 3),
    ],
)
@pytest.mark.parametrize("sigma", [1e-3, 0.05])
def test_dimension(cloud, dim, sigma):
    y, noise = principal_part(lifted(cloud, sigma * np.sqrt(np.square(cloud).sum(1).mean())))
    found = local_dimension(y, noise, rng())
    assert found.dim == dim
    assert found.gaps[dim] > 4


def test_full_dimension_without_known_noise_is_taken_but_not_seen():
    found = local_dimension(ball(600, 3), 0.0, rng())
    assert found.dim == 3
    assert found.gaps[3] == pytest.approx(4)


@pytest.mark.parametrize("n", [2, 9, 20, 41, 1000])
def test_sizes_of_neighbourhoods_are_possible(n):
    sizes = neighborhood_sizes(n)
    assert sizes
    assert sizes == sorted(sizes)
    assert sizes[0] >= 1
    assert sizes[-1] < n
    assert sizes[-1] <= max(8, n / 5)


@pytest.mark.parametrize("dim", [1, 2])
def test_smoothing_takes_noise_away_and_keeps_the_sphere(dim):
    exact = sphere(800, dim)
    noisy = exact + 0.05 * rng(5).normal(size=exact.shape)
    before, after = (np.abs(np.linalg.norm(z, axis=1) - 1) for z in (noisy, smoothed(noisy, dim, 60)))
    assert np.sqrt(np.mean(after**2)) < 0.35 * np.sqrt(np.mean(before**2))
    # the same without noise does nothing to see
    assert np.abs(np.linalg.norm(smoothed(exact, dim, 30), axis=1) - 1).max() < 0.02


@pytest.mark.parametrize(("cloud", "least", "most"), [(sphere(400, 2), 0, 0.005), (lines(400, 2), 0.25, 0.5)])
def test_orientation(cloud, least, most):
    frames, _ = tangent_frames(cloud, np.arange(400), 2, 12)
    assert least <= orientation_defect(cloud, frames) <= most
    flipped = frames * rng().choice([-1, 1], size=(400, 2, 1))
    assert orientation_defect(cloud, flipped) == pytest.approx(orientation_defect(cloud, frames), abs=1e-9)


def test_projective_space_of_dimension_three_is_orientable():
    cloud = lines(500, 3)
    frames, _ = tangent_frames(cloud, np.arange(500), 3, 24)
    assert orientation_defect(cloud, frames) < 0.02


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_boundary_of_a_ball_and_none_of_a_sphere(dim):
    for cloud, least, most in ((ball(1000, dim), 0.5, 2.0), (sphere(1000, dim), 0.0, 0.05)):
        _, one_sided = tangent_frames(cloud, np.arange(1000), dim, 48)
        assert least <= boundary_share(one_sided, dim, 48) <= most


@pytest.mark.parametrize(("arms", "ends"), [(1, 1), (2, 2), (3, 3), (4, 4)])
def test_ends_of_stars(arms, ends):
    angle = 2 * np.pi * rng().integers(0, arms, 800) / arms
    radius = rng(1).uniform(0 if arms > 1 else -1, 1, 800)
    if arms == 1:  # a circle with a tail
        circle = 2 * np.pi * radius
        star = np.where(
            (radius > 0)[:, None],
            np.stack([np.cos(circle), np.sin(circle)], 1),
            [[1, 0]] - 2 * radius[:, None] * [[1, 0]],
        )
    else:
        star = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    star = star + 0.01 * rng(2).normal(size=star.shape)
    _, one_sided = tangent_frames(star, np.arange(800), 1, 40)
    assert number_of_ends(star, one_sided, 40) == ends


def test_a_circle_has_no_end():
    circle = sphere(800, 1)
    _, one_sided = tangent_frames(circle, np.arange(800), 1, 40)
    assert number_of_ends(circle, one_sided, 40) == 0

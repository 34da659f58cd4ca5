"""Rotations from silhouettes: of support functions that are known, and of pictures of balls, against what made them."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.evaluation.poses import align_poses, pose_errors
from mvae.manifolds import SO3
from mvae.topology import mapping_degree, view_rotations
from mvae.topology.silhouettes import NUM_ANGLES, rotations_of_supports, support_values

ANGLES = 2 * np.pi * np.arange(NUM_ANGLES) / NUM_ANGLES


def uniform(num, seed=0):
    return Rotation.random(num, np.random.default_rng(seed)).as_matrix()


def errors(found, poses):
    """Degrees."""
    poses = poses.reshape(-1, 9)
    return np.degrees(pose_errors(align_poses(found, poses).apply(found), poses))


def seen(poses):
    """Directions of the body that are to the right, counter-clockwise to up and so on, in each view."""
    return np.cos(ANGLES)[:, None] * poses[:, None, 0] + np.sin(ANGLES)[:, None] * poses[:, None, 2]


def pictures(inside, side, light=lambda x, z: 1.0 + 0 * x, samples=4):
    """Images of [-1, 1]² where `inside`, functions of x and z, lit, each pixel the mean of some samples."""
    axis = (np.arange(side * samples) + 0.5) * 2 / (side * samples) - 1
    x, z = np.meshgrid(axis, -axis)
    fine = np.stack([np.where(each(x, z), light(x, z), 0.0) for each in inside])
    return fine.reshape(-1, side, samples, side, samples).mean(axis=(2, 4))


def ball_centres(num=6, seed=0):
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(num, 3))
    places *= (rng.uniform(0.3, 0.6, num) / np.linalg.norm(places, axis=1))[:, None]
    return places, rng.uniform(0.15, 0.35, num)


def balls(poses, side=24, light=lambda x, z: 1.0 + 0 * x):
    """Images of a body of balls."""
    places, radii = ball_centres()

    def view(pose):
        right, _, up = pose @ places.T
        return lambda x, z: ((x[..., None] - right) ** 2 + (z[..., None] - up) ** 2 < radii**2).any(axis=-1)

    return pictures([view(pose) for pose in poses], side, light, samples=3)


@pytest.mark.parametrize(("side", "tolerance"), [(16, 0.08), (48, 0.03)])
@pytest.mark.parametrize("lit", [False, True])
def test_support_of_ellipses(side, tolerance, lit):
    """h(e) = c·e + |A e|, to about half a pixel, however the light falls."""
    wide, tall, (x0, z0), tilt = 0.6, 0.3, (0.1, -0.15), 0.4

    def inside(x, z):
        along = np.cos(tilt) * (x - x0) + np.sin(tilt) * (z - z0)
        across = -np.sin(tilt) * (x - x0) + np.cos(tilt) * (z - z0)
        return (along / wide) ** 2 + (across / tall) ** 2 < 1

    light = (lambda x, z: 0.55 + 0.3 * x - 0.3 * z) if lit else (lambda x, z: 0.5 + 0 * x)
    found = support_values(pictures([inside], side, light))[0]
    extent = np.hypot(wide * np.cos(ANGLES - tilt), tall * np.sin(ANGLES - tilt))
    exact = x0 * np.cos(ANGLES) + z0 * np.sin(ANGLES) + extent
    np.testing.assert_allclose(found, exact, atol=tolerance)
    assert abs(np.mean(found - exact)) < tolerance / 2


def test_a_turn_of_the_image_turns_its_support():
    images = balls(uniform(20))
    turned = support_values(np.rot90(images, axes=(1, 2)))
    np.testing.assert_allclose(turned, np.roll(support_values(images), NUM_ANGLES // 4, axis=1), atol=1e-9)


@pytest.mark.parametrize("num", [250, pytest.param(600, marks=pytest.mark.slow)])
def test_known_support_functions_give_the_rotations(num):
    """H is a polynomial of degree 4 on the sphere, which the fit can be exactly: only rounding is left."""
    poses, centre = uniform(num, 1), np.array([0.05, 0.02, -0.04])

    def body(u):
        x, y, z = np.moveaxis(u, -1, 0)
        return 0.6 + u @ centre + 0.2 * x**2 - 0.12 * x * y + 0.08 * z**3 + 0.1 * x * y * z + 0.1 * z**2 * x**2

    found = rotations_of_supports(body(seen(poses)), num_landmarks=400)
    assert found.residual < 1e-3
    assert np.median(errors(found.rotations, poses)) < 0.05
    assert np.percentile(errors(found.rotations, poses), 90) < 1


@pytest.mark.slow
def test_views_of_balls_have_their_rotations():
    """The hull of balls is not smooth, and the light comes from the side."""
    poses = uniform(700, 2)
    found = view_rotations(balls(poses, light=lambda x, z: 0.55 + 0.3 * x - 0.3 * z), num_landmarks=500)
    assert SO3().contains(jnp.asarray(found.rotations, jnp.float32), 1e-4).all()
    assert abs(mapping_degree(SO3(), found.rotations, poses.reshape(-1, 9)).degree) == 1
    assert 0.01 < found.residual < 0.25
    assert np.median(errors(found.rotations, poses)) < 6
    later = np.median(errors(found.rotations, poses)[500:])
    assert abs(later - np.median(errors(found.rotations, poses)[:500])) < 2


def test_what_is_no_body_leaves_all():
    noise = 0.5 + 0.05 * np.random.default_rng(0).normal(size=(300, NUM_ANGLES))
    assert rotations_of_supports(noise, num_starts=1).residual > 0.5


def spots(num=120, side=12):
    images = np.zeros((num, side, side))
    images[:, 4:8, 5:9] = 1.0
    return images


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.ones((120, 8, 9)), {}, "images must be square and grey"),
        (np.ones((120, 12, 12, 3)), {}, "images must be square and grey"),
        (np.ones((120, 4, 4)), {}, "side of 8 or more"),
        (np.full((120, 8, 8), np.nan), {}, "images must be finite"),
        (np.zeros((120, 8, 8)), {}, "image 0 shows none"),
        (spots() * (np.arange(120) != 7)[:, None, None], {}, "image 7 shows none"),
        (np.ones((120, 8, 8)), {}, "dark border"),
        (spots(40), {}, "100 or more, got 40"),
        (spots(), {"num_starts": 0}, "num_starts"),
        (spots(), {"num_landmarks": 5}, "num_landmarks"),
    ],
)
def test_bad_input(images, options, message):
    with pytest.raises(ValueError, match=message):
        view_rotations(images, **options)

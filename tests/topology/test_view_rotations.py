"""Rotations from views: of exact parallel transport, and of images of balls, against the rotations that made them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.evaluation.poses import align_poses, pose_errors
from mvae.manifolds import SO3
from mvae.topology import mapping_degree
from mvae.topology.view_rotations import _frames, _Links, _rotations, view_rotations


def uniform(num, seed=0):
    return Rotation.random(num, np.random.default_rng(seed)).as_matrix()


def median_error(found, poses):
    poses = poses.reshape(-1, 9)
    return np.degrees(np.median(pose_errors(align_poses(found, poses).apply(found), poses)))


def balls(poses, side=24, num=7, seed=0):
    """Images of transparent Gaussian balls of different weights, at random places of the unit ball."""
    rng = np.random.default_rng(seed)
    places, weights = rng.normal(size=(num, 3)), rng.uniform(0.5, 2, num)
    places *= (rng.uniform(0.4, 0.8, num) / np.linalg.norm(places, axis=1))[:, None]
    seen = poses @ places.T  # (n, 3, num)
    axis = np.linspace(-1.2, 1.2, side)
    right, up = (
        np.exp(-((seen[:, k, None, :] - grid[None, :, None]) ** 2) / 0.08) for k, grid in ((0, axis), (2, -axis))
    )
    return np.einsum("nzb,nxb,b->nzx", up, right, weights)


@pytest.mark.parametrize("num_neighbors", [20, 60])
def test_exact_transport_gives_the_rotations(num_neighbors):
    """Views are linked by their directions, with the turn that brings the axes of one nearest to those of the other."""
    poses = uniform(1500)
    axes = poses[:, 0] + 1j * poses[:, 2]
    apart = np.linalg.norm(poses[:, None, 1] - poses[None, :, 1], axis=-1)
    nearest = np.argsort(apart, axis=1)[:, 1 : num_neighbors + 1]
    turns = np.angle(np.einsum("nj,nkj->nk", axes, axes[nearest].conj()))
    eigenvalues, frames, residual = _frames(_Links(nearest, turns, np.take_along_axis(apart, nearest, axis=1)))
    gaps = 1 - eigenvalues
    assert gaps[2] < 0.6 * gaps[3]  # 1 - 3/4 s and on from 1 - 2 s, s small: l = 1 thrice, then l = 2
    assert residual < 0.3
    assert median_error(_rotations(frames), poses) < 5


def test_views_of_balls_have_their_rotations():
    poses = uniform(1200, 1)
    found = view_rotations(balls(poses), num_landmarks=1000)
    assert SO3().contains(found.rotations.astype(np.float32), 1e-4).all()
    assert abs(mapping_degree(SO3(), found.rotations, poses.reshape(-1, 9)).degree) == 1
    assert median_error(found.rotations[:1000], poses[:1000]) < 12
    assert median_error(found.rotations, poses) < 12
    assert abs(median_error(found.rotations[1000:], poses[1000:]) - median_error(found.rotations, poses)) < 4


def test_a_turn_of_the_image_is_one_of_the_camera():
    """Views a quarter turn apart are exact turns of pixels, and so are the rotations that are found."""
    poses = uniform(200, 2)
    images = balls(poses)
    quarter = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])  # up to the left
    turned = np.rot90(images, axes=(1, 2))
    np.testing.assert_allclose(turned, balls(quarter @ poses), atol=1e-9)
    # one link to the turned view itself, and ten to pairs of others that are equally near
    found = view_rotations(np.concatenate([images, turned]), num_neighbors=11).rotations.reshape(2, -1, 3, 3)
    np.testing.assert_allclose(found[1], quarter @ found[0], atol=1e-3)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((20, 8, 9)), {}, "images must have shape"),
        (np.zeros((20, 4, 4)), {}, "side of 8"),
        (np.full((20, 8, 8), np.nan), {}, "images must be finite"),
        (np.zeros((6, 8, 8)), {}, "more than 10"),
        (np.zeros((20, 8, 8)), {"num_neighbors": 0}, "num_neighbors"),
    ],
)
def test_bad_input(images, options, message):
    with pytest.raises(ValueError, match=message):
        view_rotations(images, **options)

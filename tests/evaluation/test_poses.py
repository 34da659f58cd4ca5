"""Codes on SO(3) aligned with known poses, against rotations that are put in and scipy's angles."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.evaluation.poses import align_poses, pose_errors


def uniform(num, seed):
    return Rotation.random(num, np.random.default_rng(seed)).as_matrix()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_two_rotations_and_the_handedness_are_recovered(seed, transposed):
    z = uniform(200, seed)
    left, right = uniform(2, 100 + seed)
    poses = left @ (z.transpose(0, 2, 1) if transposed else z) @ right
    found = align_poses(z.reshape(-1, 9), poses.reshape(-1, 9))
    assert found.transposed == transposed
    np.testing.assert_allclose(found.left, left, atol=1e-7)
    np.testing.assert_allclose(found.right, right, atol=1e-7)
    assert pose_errors(found.apply(z.reshape(-1, 9)), poses.reshape(-1, 9)).max() < 1e-6


def test_noise_of_the_codes_is_the_error():
    """Of a normal rotation vector of standard deviation s the mean square length is 3 s²."""
    rng = np.random.default_rng(0)
    z, turns = uniform(4000, 1), Rotation.from_rotvec(0.1 * rng.normal(size=(4000, 3))).as_matrix()
    left, right = uniform(2, 2)
    poses = (left @ z @ turns @ right).reshape(-1, 9)
    errors = pose_errors(align_poses(z.reshape(-1, 9), poses).apply(z.reshape(-1, 9)), poses)
    assert abs(np.mean(errors**2) - 0.03) < 5 * 0.01 * np.sqrt(6 / 4000)


def test_errors_are_angles_of_rotations():
    a, b = uniform(50, 3), uniform(50, 4)
    expected = (Rotation.from_matrix(a).inv() * Rotation.from_matrix(b)).magnitude()
    np.testing.assert_allclose(pose_errors(a.reshape(-1, 9), b.reshape(-1, 9)), expected, atol=1e-7)
    tiny = Rotation.from_rotvec([[1e-9, 0, 0]]).as_matrix().reshape(1, 9)
    np.testing.assert_allclose(pose_errors(tiny, np.eye(3).reshape(1, 9)), 1e-9, rtol=1e-6)


def test_codes_that_know_nothing_are_far_off():
    """The angle of a uniform rotation is π/2 + 2/π on average; what an alignment gains of 2000 is little."""
    z, poses = uniform(2000, 5).reshape(-1, 9), uniform(2000, 6).reshape(-1, 9)
    assert abs(pose_errors(z, poses).mean() - (np.pi / 2 + 2 / np.pi)) < 5 * 0.65 / np.sqrt(2000)
    assert pose_errors(align_poses(z, poses).apply(z), poses).mean() > 2.0


@pytest.mark.parametrize(
    ("codes", "poses", "message"),
    [
        (np.zeros((3, 8)), np.zeros((3, 9)), "codes must have shape"),
        (np.zeros((3, 9)), np.zeros((2, 9)), "equally many"),
        (np.full((3, 9), np.nan), np.zeros((3, 9)), "codes must be finite"),
    ],
)
def test_bad_input(codes, poses, message):
    with pytest.raises(ValueError, match=message):
        align_poses(codes, poses)

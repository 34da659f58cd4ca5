import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mvae.evaluation import mean_orbit_match, orbit_match
from mvae.evaluation.orbits.orbit_match import distances_to_segments, resampled

RNG = np.random.default_rng(0)


def circle(radius, num=481, turn=1.0, dim=2):
    angle = 2 * np.pi * turn * np.linspace(0, 1, num)
    frame = np.linalg.qr(np.random.default_rng(1).normal(size=(dim, 2)))[0]
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1) @ frame.T


@pytest.mark.parametrize("dim", [2, 20])
@pytest.mark.parametrize(("ours", "theirs"), [(1.0, 1.0), (1.3, 1.0), (0.4, 2.0)])
def test_concentric_circles_are_apart_by_the_difference_of_their_radii(ours, theirs, dim):
    match = orbit_match(circle(ours, dim=dim), circle(theirs, dim=dim))
    gap = abs(ours - theirs)
    np.testing.assert_allclose(match, [gap / theirs, gap, gap, theirs], rtol=2e-4, atol=2e-4)


def test_neither_speed_nor_further_turns_nor_place_nor_units_matter():
    wave = np.linspace(0, 1, 1000)
    angle = 2 * np.pi * (2 * wave + 0.2 * np.sin(2 * np.pi * wave))  # twice round, at a speed that varies
    fast = 1.2 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    slow = 1.2 * np.stack([np.cos(angle / 2), np.sin(angle / 2)], axis=-1)
    truth = np.stack([np.cos(t := np.linspace(0, 2 * np.pi, 400)), np.sin(t)], axis=-1)
    plain = orbit_match(slow, truth)
    np.testing.assert_allclose(orbit_match(fast, truth), plain, atol=1e-4)
    assert orbit_match(1e3 * slow + 1e5, 1e3 * truth + 1e5).error == pytest.approx(plain.error, rel=1e-6)


def test_half_a_circle_lies_on_it_but_does_not_cover_it():
    match = orbit_match(circle(1.0, 241, turn=0.5), circle(1.0, 481))
    assert match.precision < 1e-6
    # From the missing half to the nearer end of the other: the chord of an angle up to a quarter turn.
    assert match.coverage == pytest.approx(0.5 * (2 / np.pi) * (4 - 4 * np.cos(np.pi / 4)), rel=1e-3)


def test_a_point_in_the_mean_of_a_circle_has_error_one():
    assert orbit_match(np.zeros((1, 2)), circle(2.0)).error == pytest.approx(1.0, rel=1e-3)
    assert orbit_match(np.zeros((5, 2)), circle(2.0)).error == pytest.approx(1.0, rel=1e-3)


def test_the_last_segment_counts_if_the_manifold_is_closed():
    open_circle = circle(1.0, 9)[:-1]
    assert orbit_match(circle(1.0, 9), open_circle, closed=True).error == pytest.approx(0.0, abs=1e-6)
    assert orbit_match(circle(1.0, 9), open_circle).precision > 1e-3


def test_points_without_order_match_up_to_their_spacing():
    truth = RNG.permutation(circle(1.0, 481)[:-1])
    match = orbit_match(circle(1.0), truth, ordered=False)
    assert match.precision == pytest.approx(2 * np.pi / 480 / 4, rel=0.02)
    assert match.coverage < 1e-4


def test_distances_agree_with_a_fine_sample_of_the_segments():
    points, start, end = RNG.normal(size=(3, 30, 4))
    end[0] = start[0]
    fine = (start[:, None] + np.linspace(0, 1, 2001)[:, None] * (end - start)[:, None]).reshape(-1, 4)
    np.testing.assert_allclose(distances_to_segments(points, start, end), cdist(points, fine).min(axis=1), atol=3e-5)


def test_resampled_points_are_evenly_spaced_along_the_line():
    curve = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 3.0]])
    np.testing.assert_allclose(resampled(curve, 4), [[0.5, 0], [1, 0.5], [1, 1.5], [1, 2.5]])


def test_segments_far_apart():
    """10⁸ from their mean the squares of products of matrices are off by one."""
    start = np.concatenate([LINE, LINE + 1e8])
    end = start + 0.1
    points = start + 0.05 + 1e-3 * np.array([1.0, -1.0, 0.0])
    offsets = points[:, None] - start
    share = np.clip(offsets.sum(-1) / 0.3, 0, 1)[..., None]
    truth = np.linalg.norm(offsets - 0.1 * share, axis=-1).min(axis=1)
    np.testing.assert_allclose(distances_to_segments(points, start, end), truth, rtol=1e-4)


def test_classes_count_the_same():
    match = mean_orbit_match([circle(1.1), circle(2.0)], [circle(1.0), circle(2.0)])
    np.testing.assert_allclose(match, [0.05, 0.05, 0.05, 1.5], atol=1e-4)


LINE = np.eye(3)


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (lambda: orbit_match(LINE[0], LINE), "orbit"),
        (lambda: orbit_match(LINE * np.nan, LINE), "orbit"),
        (lambda: orbit_match(LINE[:, :2], LINE), "orbit"),
        (lambda: orbit_match(LINE, LINE[:1]), "manifold"),
        (lambda: orbit_match(LINE, np.ones((4, 3))), "manifold"),
        (lambda: orbit_match(LINE, LINE, closed=True, ordered=False), "closed"),
        (lambda: orbit_match(LINE, LINE, num_points=1), "num_points"),
        (lambda: mean_orbit_match([LINE], []), "orbits and manifolds"),
        (lambda: mean_orbit_match([], []), "orbits and manifolds"),
    ],
)
def test_bad_arguments_are_named(score, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        score()

"""Circular correlation against its definition by pairs; readouts of known codes."""

import numpy as np
import pytest

from mvae.evaluation import angle_readout, circular_correlation

RNG = np.random.default_rng(0)


def by_pairs(a, b):
    i, j = np.triu_indices(len(a), 1)
    sin_a, sin_b = np.sin(a[i] - a[j]), np.sin(b[i] - b[j])
    return (sin_a * sin_b).sum() / np.sqrt((sin_a**2).sum() * (sin_b**2).sum())


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("spread", [0.5, 6.3])
def test_correlation_is_its_definition(noise, spread):
    a = spread * RNG.uniform(size=50)
    b = 2.0 - a + noise * RNG.normal(size=50)
    np.testing.assert_allclose(circular_correlation(a, b), by_pairs(a, b), atol=1e-9)


def test_correlation_of_known_angles():
    a = 2 * np.pi * np.arange(40) / 40
    assert circular_correlation(a, a + 1) == pytest.approx(1)
    assert circular_correlation(a, -a) == pytest.approx(-1)
    assert circular_correlation(a, 2 * a) == pytest.approx(0, abs=1e-9)  # winds twice
    assert abs(circular_correlation(a, RNG.uniform(0, 7, 40))) < 5 / np.sqrt(40)


def codes(angles, turn):
    return np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles)], axis=-1) @ turn + 5


def test_readout_finds_the_circle_in_the_codes():
    train, test = RNG.uniform(0, 2 * np.pi, 200), RNG.uniform(0, 2 * np.pi, 100)
    turn = RNG.normal(size=(3, 3))
    found = angle_readout(codes(train, turn), train, codes(test, turn), test)
    assert found.correlation > 0.999
    assert found.error < 0.05
    chance = angle_readout(RNG.normal(size=(200, 3)), train, RNG.normal(size=(100, 3)), test)
    assert abs(chance.correlation) < 0.3
    assert abs(chance.error - np.pi / 2) < 5 * np.pi / np.sqrt(12 * 100)


def test_groups_have_zeros_of_their_own():
    angles, groups = RNG.uniform(0, 2 * np.pi, 300), RNG.integers(0, 3, 300)
    turn = np.eye(3)
    z = codes(angles, turn)
    shifted = angles + 2 * groups
    train, test = slice(0, 200), slice(200, None)
    alone = angle_readout(z[train], shifted[train], z[test], shifted[test])
    each = angle_readout(
        z[train], shifted[train], z[test], shifted[test], train_groups=groups[train], test_groups=groups[test]
    )
    assert each.correlation > 0.99
    assert alone.correlation < 0.7


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [([1.0], [1.0], "two or more"), ([1.0, 2.0], [1.0], "two or more"), ([1.0, np.nan], [1.0, 2.0], "finite")],
)
def test_bad_angles(a, b, message):
    with pytest.raises(ValueError, match=message):
        circular_correlation(a, b)


def test_angles_without_spread():
    with pytest.raises(ValueError, match="all angles of a are alike"):
        circular_correlation([1.0, 1.0 + np.pi, 1.0], [0.0, 1.0, 2.0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("turns", [0, 3, 40])
def test_angles_half_turns_apart_have_no_correlation_in_the_precision_they_were_given_in(dtype, turns):
    alike = (np.array([1.0, 1.0 + np.pi, 1.0, 1.0 - np.pi]) + turns * np.pi).astype(dtype)
    others = np.array([0.1, 1.0, 2.0, 4.0], dtype)
    for a, b in ((alike, others), (others, alike)):
        with pytest.raises(ValueError, match="undefined"):
            circular_correlation(a, b)


@pytest.mark.parametrize(("dtype", "spread"), [(np.float32, 1e-4), (np.float64, 1e-4), (np.float64, 1e-9)])
def test_angles_that_differ_by_more_than_their_rounding_have_one(dtype, spread):
    away = RNG.uniform(-spread, spread, 20)
    a = away.astype(dtype)  # small numbers, so that they are stored to a relative precision
    assert circular_correlation(a, 2 * away) == pytest.approx(1, abs=1e-4)


def test_groups_must_match():
    z, angles = RNG.normal(size=(10, 3)), RNG.uniform(size=10)
    with pytest.raises(ValueError, match="together"):
        angle_readout(z, angles, z, angles, train_groups=np.zeros(10, int))
    strange = angle_readout(z, angles, z, angles, train_groups=np.zeros(10, int), test_groups=np.ones(10, int))
    assert (strange.correlation, strange.error) == (None, None)
    assert "group 1 has no training example" in strange.undefined


def test_what_cannot_be_read_is_left_out_of_the_error_and_leaves_no_correlation():
    train, test = RNG.uniform(0, 2 * np.pi, 100), RNG.uniform(0, 2 * np.pi, 5)
    z, w = codes(train, np.eye(3)), codes(test, np.eye(3))
    alone = angle_readout(z, train, w[:1], test[:1])
    assert alone.correlation is None
    assert alone.error < 0.05
    assert "one test example" in alone.undefined
    groups = np.array([0, 0, 0, 1, 2])
    some = angle_readout(z, train, w, test, train_groups=np.arange(100) % 2, test_groups=groups)
    assert some.correlation is None
    assert some.error < 0.05
    assert some.undefined.startswith("2 of 3 group(s)")
    opposite = np.array([0.0, np.pi], np.float32)
    two = angle_readout(z.astype(np.float32), train, codes(opposite, np.eye(3)).astype(np.float32), opposite)
    assert two.correlation is None
    assert two.error < 0.05


def test_two_test_examples_have_an_error_and_no_correlation():
    train, test = RNG.uniform(0, 2 * np.pi, 100), np.array([0.3, 1.9])
    assert abs(circular_correlation(test, RNG.uniform(size=2))) == pytest.approx(1)  # whatever the angles
    found = angle_readout(codes(train, np.eye(3)), train, codes(test, np.eye(3)), test)
    assert found.correlation is None
    assert found.error < 0.05
    assert "1 or -1 whatever they are" in found.undefined
    three = np.array([0.3, 1.9, 4.0])
    assert angle_readout(codes(train, np.eye(3)), train, codes(three, np.eye(3)), three).correlation > 0.99

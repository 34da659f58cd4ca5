"""p-values are uniform for uniform points, and small for distributions that each test is made against."""

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from mvae.evaluation import bingham_test, equal_area_test, rayleigh_test, watson_test

SIGNIFICANT = 1e-6


def sphere(rng, n, p):
    z = rng.normal(size=(n, p))
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def at(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


@pytest.mark.parametrize(
    ("test", "n", "p"),
    [
        (rayleigh_test, 20, 2),
        (rayleigh_test, 20, 3),
        (rayleigh_test, 20, 6),
        (bingham_test, 400, 2),
        (bingham_test, 400, 3),
        (bingham_test, 400, 5),
        (watson_test, 20, 2),
        (watson_test, 300, 2),
        (equal_area_test, 400, 3),
    ],
)
def test_p_values_of_uniform_points_are_uniform(test, n, p):
    rng = np.random.default_rng(0)
    p_values = [test(sphere(rng, n, p)).p_value for _ in range(1500)]
    assert kstest(p_values, "uniform").pvalue > 1e-3


def test_p_values_beyond_the_tables():
    """Rayleigh's and Watson's upper points of 5 % and 1 % [mardia2000, Sec. 6.3, App. 2]."""
    rng = np.random.default_rng(1)
    for level, watson in ((0.05, 0.187), (0.01, 0.268)):
        k = np.arange(1, 20)
        assert np.sum(2 * (-1.0) ** (k - 1) * np.exp(-2 * (k * np.pi) ** 2 * watson)) == pytest.approx(level, rel=0.03)
        found = watson_test(at(rng.vonmises(0, 0.1, size=500)))
        assert (found.statistic > watson) == (found.p_value < level)


def test_rayleigh_for_many_points_is_the_plain_one():
    z = sphere(np.random.default_rng(2), 100_000, 3)
    assert rayleigh_test(z).statistic == pytest.approx(3 * len(z) * np.sum(z.mean(0) ** 2), rel=1e-4)
    assert rayleigh_test(z).p_value == pytest.approx(chi2.sf(rayleigh_test(z).statistic, 3))


def test_bingham_on_the_circle_is_rayleigh_of_twice_the_angle():
    angle = np.random.default_rng(3).uniform(0, 7, size=50_000)
    plain = 2 * len(angle) * np.sum(at(2 * angle).mean(axis=0) ** 2)
    assert bingham_test(at(angle)).statistic == pytest.approx(plain, rel=1e-9)


def test_half_circle_is_seen_and_opposite_lumps_by_the_tests_that_can():
    rng = np.random.default_rng(4)
    half = at(rng.uniform(0, np.pi, size=60))
    assert rayleigh_test(half).p_value < SIGNIFICANT
    assert watson_test(half).p_value < SIGNIFICANT
    opposite = at(rng.vonmises(0, 6, size=200) + np.pi * rng.integers(2, size=200))
    assert watson_test(opposite).p_value < SIGNIFICANT
    assert bingham_test(opposite).p_value < SIGNIFICANT
    assert rayleigh_test(opposite).p_value > 1e-3


def test_caps_bands_and_lumps_on_the_sphere():
    rng = np.random.default_rng(5)
    z = sphere(rng, 400, 3)
    cap = z * np.where(z[:, 2:] < 0, -1, 1)
    assert rayleigh_test(cap).p_value < SIGNIFICANT
    assert equal_area_test(cap).p_value < SIGNIFICANT
    assert bingham_test(cap).p_value > 1e-3  # the second moments of a half sphere are those of the whole
    band = z * [1, 1, 0.4]
    assert bingham_test(band).p_value < SIGNIFICANT
    assert equal_area_test(band).p_value < SIGNIFICANT
    assert rayleigh_test(band).p_value > 1e-3


@pytest.mark.parametrize("test", [rayleigh_test, bingham_test, watson_test])
def test_turns_and_lengths_do_not_count(test):
    rng = np.random.default_rng(6)
    angle, lengths = rng.vonmises(0, 0.3, size=80), rng.uniform(0.1, 9, size=(80, 1))
    for turned in (at(angle + 2.3), lengths * at(angle), at(-angle)):
        assert test(turned).p_value == pytest.approx(test(at(angle)).p_value, rel=1e-6)


def test_evenly_spaced_points_are_never_too_uniform():
    even = at(np.arange(100) * 2 * np.pi / 100)
    assert watson_test(even).p_value == 1.0
    assert rayleigh_test(even).p_value == pytest.approx(1.0)


Z = np.eye(3)[np.arange(60) % 3]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: rayleigh_test(Z[:, 0]), "z"),
        (lambda: rayleigh_test(Z[:, :1]), "z"),
        (lambda: rayleigh_test(0 * Z), "z"),
        (lambda: bingham_test(Z * np.nan), "z"),
        (lambda: watson_test(Z), "z"),
        (lambda: equal_area_test(Z[:, :2] + 1), "z"),
        (lambda: equal_area_test(Z[:10]), "z"),
        (lambda: equal_area_test(Z, 2), "num_bands"),
    ],
)
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        call()

"""What is constant but for the rounding of its dtype is no signal, in every measure that would take it for one."""

import numpy as np
import pytest

from mvae.evaluation import (
    ambient_codes,
    angle_codes,
    class_separation,
    irs,
    mig,
    orbit_match,
)
from mvae.evaluation.rounding import rounding, settled
from mvae.evaluation.samples.mmd import median_bandwidth
from mvae.manifolds import FlatTorus, Sphere

pytestmark = pytest.mark.usefixtures("optimized")

RNG = np.random.default_rng(0)
FACTOR = np.arange(400) % 2
EPS = {np.float32: 2.0**-23, np.float64: 2.0**-52}


def nearly(value, dtype):
    """Numbers that are `value` and, where the factor is 1, the next number of the dtype above it."""
    value = dtype(value)
    return np.where(FACTOR == 1, np.nextafter(value, dtype(np.inf)), value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_that_of_the_largest_number_in_its_dtype(dtype):
    assert rounding(np.array([1.0, -3.0], dtype)) == 24 * EPS[dtype]
    assert rounding(np.array([0.5], dtype), 1.0) == 8 * EPS[dtype]
    assert rounding([3]) == 24 * EPS[np.float64]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_code_has_no_information(dtype):
    codes = np.stack([nearly(0.7, dtype), RNG.uniform(size=400).astype(dtype)], axis=1)
    factors = np.stack([FACTOR, RNG.integers(0, 3, 400)], axis=1)
    assert mig(codes, factors) < 0.1
    assert irs(codes[:, :1], factors) == 0
    wide = codes.astype(np.float64)
    if dtype == np.float32:  # in double precision the same numbers are a signal
        assert mig(wide, factors[:, :1]) > 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_codes_of_a_collapsed_encoder_are_constant(dtype):
    z = np.stack([nearly(0.6, dtype), nearly(-0.8, dtype)], axis=1)
    assert np.ptp(ambient_codes(Sphere(1), z)) == pytest.approx(1.4)
    assert np.ptp(ambient_codes(Sphere(1), z), axis=0).tolist() == [0, 0]
    assert np.ptp(angle_codes(Sphere(1), z)) == 0
    assert np.ptp(angle_codes(FlatTorus(1), z)) == 0
    spread = z + dtype(1e-3) * RNG.normal(size=z.shape).astype(dtype)
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    np.testing.assert_array_equal(ambient_codes(Sphere(1), spread), spread.astype(np.float64))


def test_columns_are_settled_one_by_one():
    x = np.array([[1e-9, 1.0], [2e-9, 1.0 + 2**-23]], np.float32)
    np.testing.assert_array_equal(settled(x, x), [[x[0, 0], 1.0], [x[1, 0], 1.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_classes_of_one_point_are_not_apart(dtype):
    codes = np.stack([nearly(0.6, dtype)] * 2, axis=1)
    codes[::7] = np.nextafter(codes[::7], dtype(0))
    assert class_separation(codes, FACTOR).gap == 0
    assert class_separation(codes + np.stack([FACTOR] * 2, axis=1).astype(dtype), FACTOR).gap == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_that_are_one_have_no_scale(dtype):
    points = np.stack([nearly(5.0, dtype)] * 2, axis=1)
    with pytest.raises(ValueError, match="differ by more than their rounding"):
        orbit_match(points, points)
    with pytest.raises(ValueError, match="coincide, but for rounding"):
        median_bandwidth(points, points)

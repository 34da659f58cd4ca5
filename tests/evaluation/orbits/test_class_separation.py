import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mvae.evaluation import class_separation

RNG = np.random.default_rng(0)


def circles(radii, num=100):
    angle = 2 * np.pi * np.arange(num) / num
    return np.concatenate([r * np.stack([np.cos(angle), np.sin(angle)], axis=-1) for r in radii])


@pytest.mark.parametrize("outer", [2.0, 1.03])
def test_concentric_circles(outer):
    separation = class_separation(circles([1.0, outer]), np.repeat(["inner", "outer"], 100))
    spacing = np.quantile(2 * np.sin(np.pi / 100) * np.repeat([1.0, outer], 100), 0.95)
    assert separation.accuracy == (1.0 if outer == 2.0 else 0.0)
    assert separation.gap == pytest.approx((outer - 1) / spacing)


def test_agrees_with_the_matrix_of_distances_and_has_no_scale():
    codes, labels = RNG.normal(size=(60, 3)), RNG.integers(0, 3, 60)
    far = cdist(codes, codes) + np.diag(np.full(60, np.inf))
    same = labels[:, None] == labels
    separation = class_separation(codes, labels)
    assert separation.accuracy == np.mean(labels[far.argmin(axis=1)] == labels)
    spacing = np.percentile(np.where(same, far, np.inf).min(axis=1), 95)
    assert separation.gap == pytest.approx(far[~same].min() / spacing)
    np.testing.assert_allclose(class_separation(1e-3 * codes + 5, labels), separation, rtol=1e-9)


@pytest.mark.parametrize(("shift", "gap", "accuracy"), [(1.0, np.inf, 1.0), (0.0, 0.0, None)])
def test_codes_that_coincide(shift, gap, accuracy):
    separation = class_separation(np.repeat([[0.0], [shift]], 4, axis=0), np.repeat([0, 1], 4))
    assert separation.gap == gap
    assert accuracy is None or separation.accuracy == accuracy


CODES = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("codes", "labels", "name"),
    [
        (CODES[0], [0, 0, 1, 1], "codes"),
        (CODES * np.nan, [0, 0, 1, 1], "codes"),
        (CODES, [0, 0, 1], "labels"),
        (CODES, [1, 1, 1, 1], "labels"),
        (CODES, [0, 0, 0, 1], "labels"),
    ],
)
def test_bad_arguments_are_named(codes, labels, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        class_separation(codes, labels)

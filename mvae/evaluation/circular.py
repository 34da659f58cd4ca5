"""Angles recovered from codes: circular correlation, and the angle that a linear map reads from codes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike


def circular_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Returns the correlation ρ_T of two angles, from -1 to 1.

    ρ_T = Σ_{i<j} sin(a_i - a_j) sin(b_i - b_j) / √(Σ_{i<j} sin²(a_i - a_j) Σ_{i<j} sin²(b_i - b_j)): ±1 exactly if
    b = ±a + constant. Neither zero nor, but for the sign, the sense of rotation of an angle matters.

    >>> round(circular_correlation([0.1, 2.0, 4.0, 5.5], [-0.1, -2.0, -4.0, -5.5]), 6)
    -1.0

    Args:
        a: Angles in radians, (n,), n ≥ 2.
        b: Angles in radians, (n,).

    Raises:
        ValueError: For other shapes, values that are not finite, or angles that are all alike modulo half a turn.

    Source: [fisher1983].
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"a and b must be two or more angles each, got shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a and b must be finite")
    # sin(a_i - a_j) sin(b_i - b_j) = ½ [cos(d_i - d_j) - cos(s_i - s_j)] with d = a - b and s = a + b; likewise sin².
    together = _resultant(a - b) - _resultant(a + b)
    alone = (len(a) ** 2 - _resultant(2 * a)) * (len(b) ** 2 - _resultant(2 * b))
    if alone <= (1e-12 * len(a) ** 2) ** 2:
        raise ValueError("a and b must each have angles that differ by more than half turns")
    return float(np.clip(together / np.sqrt(alone), -1, 1))


def _resultant(angles: Float[np.ndarray, " n"]) -> float:
    """|Σ exp(i angle)|² = Σ_{i,j} cos(angle_i - angle_j)."""
    return float(abs(np.exp(1j * angles).sum()) ** 2)


class AngleReadout(NamedTuple):
    """How well an angle can be read from codes.

    Attributes:
        correlation: Mean over the groups of the circular correlation of true and read angles.
        error: Mean absolute difference of true and read angles, radians; by chance π/2.
    """

    correlation: float
    error: float


RIDGE = 1e-3


def angle_readout(
    train_codes: Float[np.ndarray, "n k"],
    train_angles: Float[np.ndarray, " n"],
    test_codes: Float[np.ndarray, "m k"],
    test_angles: Float[np.ndarray, " m"],
    *,
    train_groups: Int[np.ndarray, " n"] | None = None,
    test_groups: Int[np.ndarray, " m"] | None = None,
) -> AngleReadout:
    """Returns how well a linear map, fitted on the training set, reads an angle from the codes of the test set.

    (cos φ, sin φ) is regressed on the codes with an intercept, by least squares with a ridge of 10⁻³ of the mean
    variance of the codes; the angle read is that of the predicted pair. With groups, such as the objects of COIL-20,
    whose zeros of azimuth have nothing to do with each other, each group has a map of its own.

    Args:
        train_codes: Codes that the map is fitted on.
        train_angles: Their angles in radians.
        test_codes: Codes that it is tried on.
        test_angles: Their angles in radians.
        train_groups: Group of each training example; None for a single group.
        test_groups: Group of each test example, of those in `train_groups`.

    Raises:
        ValueError: If only one of the two has groups, or a group of the test set has no training example.
    """
    if (train_groups is None) != (test_groups is None):
        raise ValueError("train_groups and test_groups must be given together")
    train_of = np.zeros(len(train_codes), int) if train_groups is None else np.asarray(train_groups)
    test_of = np.zeros(len(test_codes), int) if test_groups is None else np.asarray(test_groups)
    correlations, errors = [], []
    for group in np.unique(test_of):
        fit, apply = train_of == group, test_of == group
        if not fit.any():
            raise ValueError(f"test_groups has the group {group}, which train_groups lacks")
        read = _read(train_codes[fit], train_angles[fit], test_codes[apply])
        correlations.append(circular_correlation(test_angles[apply], read))
        errors.append(np.abs((read - test_angles[apply] + np.pi) % (2 * np.pi) - np.pi))
    return AngleReadout(float(np.mean(correlations)), float(np.mean(np.concatenate(errors))))


def _read(
    codes: Float[np.ndarray, "n k"], angles: Float[np.ndarray, " n"], others: Float[np.ndarray, "m k"]
) -> Float[np.ndarray, " m"]:
    codes, others = np.asarray(codes, np.float64), np.asarray(others, np.float64)
    mean = codes.mean(axis=0)
    centred = codes - mean
    target = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    gram = centred.T @ centred
    penalty = RIDGE * np.trace(gram) / len(gram) + np.finfo(float).tiny
    kernel = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (target - target.mean(axis=0)))
    predicted = (others - mean) @ kernel + target.mean(axis=0)
    return np.arctan2(predicted[:, 1], predicted[:, 0])

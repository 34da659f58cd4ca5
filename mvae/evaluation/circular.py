"""Angles recovered from codes: circular correlation, and the angle that a linear map reads from codes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from mvae.evaluation.rounding import rounding


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
        ValueError: For other shapes, values that are not finite, or angles that are all alike modulo half a turn, to
            the precision of their dtype.

    Source: [fisher1983].
    """
    roundings = rounding(a, 1.0), rounding(b, 1.0)
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"a and b must be two or more angles each, got shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a and b must be finite")
    for name, angles, noise in (("a", a, roundings[0]), ("b", b, roundings[1])):
        # sin² of the distance to the middle; its root is the distance itself where that is small.
        if np.sqrt(np.mean(np.sin(_centred(angles)) ** 2)) <= noise:
            raise ValueError(f"the correlation is undefined: all angles of {name} are alike, modulo half a turn")
    a, b = _centred(a), _centred(b)
    together = _sum_of_products(a, b)
    return float(np.clip(together / np.sqrt(_sum_of_products(a, a) * _sum_of_products(b, b)), -1, 1))


def _centred(angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Angles less their mean modulo half a turn: small numbers where all are alike, so that nothing cancels."""
    return angles - 0.5 * np.angle(np.exp(2j * angles).sum())


def _sum_of_products(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """½ Σ_{i,j} sin(a_i - a_j) sin(b_i - b_j), by the sines of differences."""
    sin_a, cos_a, sin_b, cos_b = np.sin(a), np.cos(a), np.sin(b), np.cos(b)
    return float((sin_a @ sin_b) * (cos_a @ cos_b) - (sin_a @ cos_b) * (cos_a @ sin_b))


class AngleReadout(NamedTuple):
    """How well an angle can be read from codes.

    Attributes:
        correlation: Mean over the groups of the circular correlation of true and read angles; None where a group has
            none, or two examples, of which it is ±1.
        error: Mean absolute difference of true and read angles, radians, over what can be read; by chance π/2. None
            where nothing can.
        undefined: Why the correlation or both are None; empty where they are not.
    """

    correlation: float | None
    error: float | None
    undefined: str = ""


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
        test_groups: Group of each test example. Those of a group that has no training example cannot be read.

    Raises:
        ValueError: If only one of the two has groups.
    """
    if (train_groups is None) != (test_groups is None):
        raise ValueError("train_groups and test_groups must be given together")
    train_of = np.zeros(len(train_codes), int) if train_groups is None else np.asarray(train_groups)
    test_of = np.zeros(len(test_codes), int) if test_groups is None else np.asarray(test_groups)
    correlations, errors, lacking = [], [], []
    groups = np.unique(test_of)
    for group in groups:
        fit, apply = train_of == group, test_of == group
        if not fit.any():
            lacking.append(f"group {group} has no training example")
            continue
        read = _read(train_codes[fit], train_angles[fit], test_codes[apply])
        errors.append(np.abs((read - test_angles[apply] + np.pi) % (2 * np.pi) - np.pi))
        if len(read) < 2:
            lacking.append(f"group {group} has one test example")
            continue
        try:
            correlations.append(circular_correlation(test_angles[apply], read))
        except ValueError as error:
            lacking.append(f"group {group}: {error}")
            continue
        if len(read) == 2:
            lacking.append(f"group {group} has two test examples, whose correlation is 1 or -1 whatever they are")
    undefined = f"{len(lacking)} of {len(groups)} group(s) have no correlation: {lacking[0]}" if lacking else ""
    return AngleReadout(
        None if lacking else float(np.mean(correlations)),
        float(np.mean(np.concatenate(errors))) if errors else None,
        undefined,
    )


def _read(
    codes: Float[np.ndarray, "n k"], angles: Float[np.ndarray, " n"], others: Float[np.ndarray, "m k"]
) -> Float[np.ndarray, " m"]:
    kind = np.result_type(codes, others, np.float16)  # what is read is as precise as the codes
    codes, others = np.asarray(codes, np.float64), np.asarray(others, np.float64)
    mean = codes.mean(axis=0)
    centred = codes - mean
    target = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    gram = centred.T @ centred
    penalty = RIDGE * np.trace(gram) / len(gram) + np.finfo(float).tiny
    kernel = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (target - target.mean(axis=0)))
    predicted = (others - mean) @ kernel + target.mean(axis=0)
    return np.arctan2(predicted[:, 1], predicted[:, 0]).astype(kind)

"""Whether images in order form a closed curve."""

import numpy as np
import pytest


def assert_circle(images):
    """The nearest image of each is one of its two neighbours, and one class of loops outlives all others."""
    ripser = pytest.importorskip("ripser").ripser
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    distances = np.linalg.norm(flat[:, None] - flat, axis=-1)
    nearest = (distances + np.diag(np.full(len(flat), np.inf))).argmin(axis=1)
    steps = (nearest - np.arange(len(flat))) % len(flat)
    assert set(steps.tolist()) <= {1, len(flat) - 1}
    born, gone = ripser(distances, maxdim=1, distance_matrix=True)["dgms"][1].T
    lives = np.sort(gone - born)
    assert lives[-1] > 5 * lives[:-1].max(initial=0)

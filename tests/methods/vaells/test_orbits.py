"""Orbits of data on curves, with a model that is the truth."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae import data
from mvae.methods.vaells.planar_report import best_orbits, planar_numbers

TURN = jnp.array([[0.0, -1.0], [1.0, 0.0]])


class Location(NamedTuple):
    location: jax.Array


class LinearModel:
    """Encodes by the inverse of the linear map of the data, decodes by the map."""

    def __init__(self, dataset):
        curves = dataset.curves
        radius = jnp.where(curves["label"] == 0, 0.5, 1.0)
        angle = 2 * math.pi * curves["parameter"]
        latent = radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
        self.map = jnp.linalg.lstsq(latent, curves["x"].reshape(len(latent), -1))[0]

    def encode(self, params, image):
        del params
        return Location(image.reshape(len(image), -1) @ jnp.linalg.pinv(self.map))

    def decode(self, params, z):
        del params
        return (z @ self.map).reshape(-1, self.map.shape[1])


class Truth(NamedTuple):
    dataset: data.Dataset
    model: LinearModel


@pytest.fixture(scope="module")
def truth():
    dataset = data.load("concentric_circles", num_train=60, num_test=60)
    return Truth(dataset, LinearModel(dataset))


def params_of(truth, operators):
    images, labels = truth.dataset.curves["x"], np.asarray(truth.dataset.curves["label"])
    anchors = jnp.stack([images[np.flatnonzero(labels == k)[[0, 170, 340]]] for k in (0, 1)])
    return {"operators": jnp.stack(operators), "anchors": anchors}


@pytest.mark.slow
def test_the_rotation_is_found_among_operators_and_meets_the_circles(truth):
    params = params_of(truth, [0.3 * jnp.array([[1.0, 0.0], [0.0, -1.0]]), 0.7 * TURN])
    numbers = planar_numbers(truth, params)
    assert numbers["orbit_operator"] == 1
    # A hundredth of the circle is left out at either end: its mean distance to the rest is far below a hundredth.
    assert numbers["orbit_error"] < 2e-3
    assert numbers["separation_accuracy"] == 1.0
    assert numbers["separation_gap"] > 1.0


@pytest.mark.slow
def test_operators_that_share_the_rotation_meet_the_circles_together(truth):
    shear = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    params = params_of(truth, [0.5 * TURN + 0.4 * shear, 0.5 * TURN - 0.4 * shear])
    index, match, orbits = best_orbits(truth, params)
    assert index == 2
    assert match.error < 0.02
    radii = [np.linalg.norm(orbit.latent, axis=1) for orbit in orbits]
    np.testing.assert_allclose(radii[0], 0.5, rtol=0.05)
    np.testing.assert_allclose(radii[1], 1.0, rtol=0.05)


@pytest.mark.slow
def test_a_dilation_does_not_meet_the_circles(truth):
    numbers = planar_numbers(truth, params_of(truth, [0.5 * jnp.eye(2)]))
    assert numbers["orbit_error"] > 0.3


def test_data_without_curves_have_no_such_numbers(truth):
    assert planar_numbers(Truth(truth.dataset._replace(curves=None), truth.model), {}) == {}

"""Orbits of data on curves, with a model that is the truth."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae import data
from mvae.manifolds import Euclidean
from mvae.methods.vaells.orbits import best_orbits, draw_orbits, has_orbits, orbit_numbers
from mvae.reports import EvaluationConfig, View
from mvae.reports.codes import separation_numbers
from tests.reports.truth import circle_model

TURN = jnp.array([[0.0, -1.0], [1.0, 0.0]])


def linear_model(dataset):
    """Encodes by the inverse of the linear map of the data, decodes by the map."""
    curves = dataset.curves
    radius = jnp.where(curves["label"] == 0, 0.5, 1.0)
    angle = 2 * math.pi * curves["parameter"]
    latent = radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    onto = jnp.linalg.lstsq(latent, curves["x"].reshape(len(latent), -1))[0]

    def encode(params, x):
        del params
        return Location(x.reshape(len(x), -1) @ jnp.linalg.pinv(onto))

    def decode(params, z):
        del params
        return (z @ onto).reshape(-1, onto.shape[1])

    def anchors(params):
        x = params["anchors"]
        return encode(params, x.reshape(-1, x.shape[-1])).location.reshape(*x.shape[:2], 2)

    known = {"operators": lambda params: params["operators"], "anchors": anchors}
    return circle_model(manifold=Euclidean(2), encode=encode, decode=decode, capabilities=known)


class Location(NamedTuple):
    location: jax.Array


@pytest.fixture(scope="module")
def dataset():
    return data.load("concentric_circles", num_train=60, num_test=60)


def member_of(dataset, operators):
    images, labels = dataset.curves["x"], np.asarray(dataset.curves["label"])
    anchors = jnp.stack([images[np.flatnonzero(labels == k)[np.array([0, 170, 340])]] for k in (0, 1)])
    params = {"operators": jnp.stack(operators)[None], "anchors": anchors[None]}
    return View(linear_model(dataset), dataset, EvaluationConfig(), [0], params).members[0]


@pytest.mark.slow
def test_the_rotation_is_found_among_operators_and_meets_the_circles(dataset):
    member = member_of(dataset, [0.3 * jnp.array([[1.0, 0.0], [0.0, -1.0]]), 0.7 * TURN])
    numbers = orbit_numbers(member) | separation_numbers(member)
    assert numbers["orbit_operator"] == 1
    # A hundredth of the circle is left out at either end: its mean distance to the rest is far below a hundredth.
    assert numbers["orbit_error"] < 2e-3
    assert numbers["separation_accuracy"] == 1.0
    assert numbers["separation_gap"] > 1.0


@pytest.mark.slow
def test_operators_that_share_the_rotation_meet_the_circles_together(dataset):
    shear = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    member = member_of(dataset, [0.5 * TURN + 0.4 * shear, 0.5 * TURN - 0.4 * shear])
    index, match, orbits = best_orbits(member)
    assert index == 2
    assert match.error < 0.02
    radii = [np.linalg.norm(orbit.latent, axis=1) for orbit in orbits]
    np.testing.assert_allclose(radii[0], 0.5, rtol=0.05)
    np.testing.assert_allclose(radii[1], 1.0, rtol=0.05)


@pytest.mark.slow
def test_a_dilation_does_not_meet_the_circles(dataset):
    numbers = orbit_numbers(member_of(dataset, [0.5 * jnp.eye(2)]))
    assert numbers["orbit_error"] > 0.3


def test_orbits_are_asked_of_models_with_operators_and_data_on_curves(dataset):
    view = member_of(dataset, [TURN]).view
    assert has_orbits(view)
    assert not has_orbits(View(view.model, dataset._replace(curves=None), view.settings, [0], view.params))
    plain = dataclasses.replace(view.model, capabilities={})
    assert not has_orbits(View(plain, dataset, view.settings, [0], view.params))


@pytest.mark.slow
def test_figures_of_a_latent_plane(dataset):
    view = member_of(dataset, [TURN, 0.1 * jnp.eye(2)]).view
    drawn = {name: drawing() for name, drawing in draw_orbits(view)}
    assert drawn.keys() == {"operator_orbits.png", "prior_samples.png", "paths.png"}

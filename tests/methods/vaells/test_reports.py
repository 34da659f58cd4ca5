"""How far an operator turns digits, with a model that turns them exactly and one that does not turn them at all."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import Dataset, rotate
from mvae.manifolds import Euclidean
from mvae.methods.vaells import reports
from mvae.reports import EvaluationConfig, View
from tests.reports.truth import circle_model

SIDE, CLASSES = 17, 10
NUM_TRAIN, NUM_TEST = 400, 60


class Location(NamedTuple):
    location: jax.Array


def templates():
    """An image of each class with no symmetry: three blobs of different size at places of its own."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    images = np.zeros((CLASSES, SIDE, SIDE, 1), np.float32)
    for image in images:
        for size in (1.0, 1.5, 2.2):
            angle, radius = 2 * np.pi * rng.random(), 5 * np.sqrt(rng.random())
            distance = (x - radius * np.cos(angle)) ** 2 + (y - radius * np.sin(angle)) ** 2
            image[..., 0] += np.exp(-distance / (2 * size**2))
    return jnp.asarray(images / images.max(axis=(1, 2, 3), keepdims=True))


def dataset():
    images, rng = templates(), np.random.default_rng(0)

    def rows(num):
        angle = rng.uniform(-np.pi, np.pi, num).astype(np.float32)
        return {"label": jnp.arange(num, dtype=jnp.int32) % CLASSES, "angle": jnp.asarray(angle)}

    def render(rows):
        return rows | {"x": rotate(images[rows["label"]][:, None], rows["angle"][:, None])[:, 0]}

    return Dataset("blobs", rows(NUM_TRAIN), rows(NUM_TEST), render, (SIDE, SIDE, 1), rotated_by="angle")


def view_of(data, operator):
    """Latents are an angle, as its cosine and sine, and the class; only upright images are encoded."""
    images = templates()

    def encode(params, x):
        del params
        distance = jnp.sum((x[:, None] - images) ** 2, axis=(2, 3, 4))
        upright = jnp.tile(jnp.array([1.0, 0.0]), (len(x), 1))
        return Location(jnp.concatenate([upright, jax.nn.one_hot(jnp.argmin(distance, axis=1), CLASSES)], axis=1))

    def decode(params, z):
        del params
        angle = jnp.arctan2(z[:, 1], z[:, 0])
        return rotate(images[jnp.argmax(z[:, 2:], axis=1)][:, None], angle[:, None])[:, 0]

    matrix = jnp.zeros((1, 2 + CLASSES, 2 + CLASSES)).at[:, :2, :2].set(jnp.asarray(operator))
    known = {"operators": lambda params: params["operators"]}
    space = Euclidean(2 + CLASSES)
    model = circle_model(data.event_shape, space, encode=encode, decode=decode, capabilities=known)
    return View(model, data, EvaluationConfig(), [0], {"operators": matrix[None]})


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.3, -2.0])
def test_an_operator_that_turns_digits_turns_them_all_the_way(rate, monkeypatch):
    monkeypatch.setattr(reports, "CLASSIFIER_STEPS", 600)
    view = view_of(dataset(), rate * np.array([[0.0, -1.0], [1.0, 0.0]]))
    assert reports.turns_digits(view)
    numbers = reports.rotation_numbers(view.members[0])
    assert numbers.keys() == set(reports.ROTATIONS)
    assert numbers["rotation_error"] < 3
    assert numbers["classifier_accuracy"] > 0.9
    assert numbers["rotation_class_kept"] == pytest.approx(numbers["rotation_class_real"], abs=0.03)
    assert numbers["rotation_range"] > 300
    drawn = {name: drawing() for name, drawing in (*reports.draw_rotations(view), *reports.draw_operators(view))}
    assert drawn.keys() == {"rotations.png", "posterior_samples.png"}


@pytest.mark.slow
def test_an_operator_that_turns_nothing_has_no_range(monkeypatch):
    monkeypatch.setattr(reports, "CLASSIFIER_STEPS", 600)
    view = view_of(dataset(), 0.5 * np.eye(2))
    assert reports.rotation_numbers(view.members[0])["rotation_range"] < 5


def test_rotations_are_asked_of_images_that_are_turned():
    data = dataset()
    assert not reports.turns_digits(view_of(data._replace(rotated_by=None), np.eye(2)))
    view = view_of(data, np.eye(2))
    plain = dataclasses.replace(view.model, capabilities={})
    assert not reports.turns_digits(View(plain, data, view.settings, [0], view.params))

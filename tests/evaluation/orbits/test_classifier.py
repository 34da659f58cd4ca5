import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.evaluation import accuracy, train_classifier

LABELS = np.arange(300) % 3
RNG = np.random.default_rng(0)
# Class k has its bright element in place k, of bytes.
ROWS = {
    "x": jnp.asarray(
        np.clip(200 * (np.arange(4) == LABELS[:, None]) + RNG.integers(0, 40, (300, 4)), 0, 255).reshape(300, 2, 2, 1),
        np.uint8,
    ),
    "label": jnp.asarray(LABELS),
}
TRAIN, TEST = ({name: value[part] for name, value in ROWS.items()} for part in (slice(200), slice(200, None)))
SMALL = {"num_classes": 3, "widths": (8,), "num_steps": 150, "batch_size": 16, "learning_rate": 1e-2}


def render(rows):
    return {"x": rows["x"].astype(jnp.float32) / 255, "label": rows["label"]}


@pytest.fixture(scope="module")
def classifier():
    return train_classifier(jax.random.key(0), TRAIN, render, **SMALL)


def test_learns_classes_that_are_easy_to_tell(classifier):
    assert accuracy(classifier, TEST, render) == 1.0
    labels, probabilities = classifier.predict(render(TEST)["x"])
    np.testing.assert_array_equal(labels, TEST["label"])
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=-1), labels)


def test_steps_in_parts_are_those_of_one_loop(classifier, monkeypatch):
    monkeypatch.setattr(sys.modules[train_classifier.__module__], "_STEPS_AT_ONCE", 40)
    parts = train_classifier(jax.random.key(0), TRAIN, render, **SMALL)
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, classifier.params, parts.params)))


def test_accuracy_is_the_share_of_hits(classifier):
    wrong = TEST | {"label": TEST["label"].at[:25].set((TEST["label"][:25] + 1) % 3)}
    assert accuracy(classifier, wrong, render) == 0.75


def test_the_key_decides_all(classifier):
    again = train_classifier(jax.random.key(0), TRAIN, render, **SMALL)
    other = train_classifier(jax.random.key(1), TRAIN, render, **SMALL)
    equal = [jax.tree.map(np.array_equal, classifier.params, c.params) for c in (again, other)]
    assert all(jax.tree.leaves(equal[0]))
    assert not all(jax.tree.leaves(equal[1]))


@pytest.mark.parametrize(
    ("rows", "rendering", "extra", "name"),
    [
        ({}, render, {}, "rows"),
        (TRAIN | {"label": TRAIN["label"][:5]}, render, {}, "rows"),
        ({name: value[:0] for name, value in TRAIN.items()}, render, {}, "rows"),
        (TRAIN, render, {"num_classes": 2}, "rows"),
        (TRAIN | {"label": TRAIN["label"].astype(jnp.float32)}, render, {}, "rows"),
        (TRAIN, lambda rows: {"x": rows["x"]}, {}, "render"),
        (TRAIN, lambda rows: {"x": rows["x"][0], "label": rows["label"]}, {}, "render"),
        (TRAIN, render, {"num_classes": 1}, "num_classes"),
        (TRAIN, render, {"widths": (0,)}, "widths"),
        (TRAIN, render, {"num_steps": 0}, "num_steps"),
        (TRAIN, render, {"batch_size": 0}, "batch_size"),
        (TRAIN, render, {"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_bad_arguments_are_named(rows, rendering, extra, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        train_classifier(jax.random.key(0), rows, rendering, **(SMALL | extra))


def test_images_of_another_shape_are_refused(classifier):
    with pytest.raises(ValueError, match=r"^images must"):
        classifier.predict(np.zeros((3, 2, 2)))


def test_training_that_diverges_says_so():
    with pytest.raises(FloatingPointError, match="learning_rate"):
        train_classifier(jax.random.key(0), TRAIN, render, **(SMALL | {"learning_rate": 1e38}))

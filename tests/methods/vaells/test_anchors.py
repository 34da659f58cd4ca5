"""Anchors: of the right class, none twice or evenly spread; the check names what is asked for in vain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.methods.vaells.anchors import check_anchors, choose_anchors

LABEL = jnp.asarray([0, 1, 2, 1, 0, 2, 1, 0, 0, 2, 2, 1])
IMAGE = jnp.arange(12.0).reshape(12, 1, 1, 1)  # each example shows its row


def test_random_choice_is_of_the_class_and_repeats_nothing():
    choices = []
    for seed in range(4):
        anchors = choose_anchors(jax.random.key(seed), IMAGE, LABEL, None, num_classes=3, num_anchors=3)
        assert anchors.shape == (3, 3, 1, 1, 1)
        rows = np.asarray(anchors).reshape(3, 3).astype(int)
        np.testing.assert_array_equal(LABEL[rows], np.repeat(np.arange(3)[:, None], 3, axis=1))
        assert len(np.unique(rows)) == 9
        choices.append(rows.tolist())
    assert len({str(rows) for rows in choices}) > 1
    every = choose_anchors(jax.random.key(0), IMAGE, LABEL, None, num_classes=3, num_anchors=4)
    np.testing.assert_array_equal(np.sort(every.ravel()), np.arange(12))


def test_even_choice_is_the_nearest_of_the_class():
    parameter = np.random.default_rng(0).uniform(size=12)
    anchors = choose_anchors(
        jax.random.key(0), IMAGE, LABEL, jnp.asarray(parameter, jnp.float32), num_classes=3, num_anchors=2
    )
    for number, rows in enumerate(np.asarray(anchors).reshape(3, 2).astype(int)):
        own = np.flatnonzero(np.asarray(LABEL) == number)
        expected = [min(own, key=lambda row, t=target: abs(parameter[row] - t)) for target in (0.25, 0.75)]
        assert rows.tolist() == expected


@pytest.mark.parametrize(
    ("label", "num_classes", "num_anchors", "message"),
    [
        (LABEL, 2, 1, "num_classes = 2, but labels reach from 0 to 2"),
        (LABEL - 1, 3, 1, "num_classes = 3, but labels reach from -1 to 1"),
        (LABEL, 3, 5, "num_anchors = 5, but class 0 has 4 examples"),
        (LABEL, 4, 1, "num_anchors = 1, but class 3 has 0 examples"),
        (LABEL.at[0].set(1), 3, 4, "num_anchors = 4, but class 0 has 3 examples .* raise init_batch_size"),
    ],
)
def test_anchors_that_cannot_be_had(label, num_classes, num_anchors, message):
    with pytest.raises(ValueError, match=message):
        check_anchors(label, num_classes, num_anchors)


def test_anchors_that_can_be_had():
    check_anchors(LABEL, 3, 4)

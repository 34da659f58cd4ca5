"""Rotated digits: angles of rows and anchors, and what is rendered from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.data import load, rotate
from mvae.errors import UsageError


@pytest.fixture
def rotated(digit_files):
    return lambda **options: load("rotated_mnist", dir=str(digit_files.folder), **options)


def padded(images):
    return np.pad(np.asarray(images, np.float32)[..., 0] / 255, ((0, 0), (2, 2), (2, 2)))


def test_rows_are_the_digits_with_angles(rotated, digit_files):
    dataset = rotated()
    assert dataset.event_shape == (32, 32, 1)
    for split, rows in (("train", dataset.train), ("test", dataset.test)):
        digit_files.assert_equal(split, rows["x"], rows["label"])
        assert rows.keys() == {"x", "label", "angle", "anchor_angles"}
        assert (rows["angle"].dtype, rows["anchor_angles"].dtype) == (jnp.float32, jnp.float32)
        assert rows["anchor_angles"].shape == (len(rows["label"]), 3)


def test_batch_is_padded_rotated_digits_and_anchors(rotated):
    dataset = rotated(num_anchors=2)
    rows = {key: array[:5] for key, array in dataset.train.items()}
    batch = jax.jit(dataset.render)(rows)
    assert {key: (array.shape, array.dtype) for key, array in batch.items()} == {
        "x": ((5, 32, 32, 1), jnp.float32),
        "label": ((5,), jnp.int32),
        "angle": ((5,), jnp.float32),
        "anchors": ((5, 2, 32, 32, 1), jnp.float32),
    }
    # The third angle is arctan 3/4 but for a rounding error: positions on grid lines, where floor may jump.
    np.testing.assert_allclose(rows["angle"][2], np.arctan2(3, 4), atol=1e-6)
    upright = jnp.asarray(padded(rows["x"])[..., None])
    np.testing.assert_allclose(batch["x"], rotate(upright, rows["angle"]), atol=1e-5)
    anchors = rotate(upright[:, None], rows["anchor_angles"])
    np.testing.assert_allclose(batch["anchors"], anchors, atol=1e-5)
    assert batch["x"].min() >= 0
    assert batch["x"].max() <= 1 + 1e-6


def test_quarter_turns_of_digits_are_counter_clockwise(rotated):
    dataset = rotated(num_anchors=2)
    rows = {key: array[:5] for key, array in dataset.train.items()}
    rows |= {"angle": jnp.full(5, jnp.pi / 2), "anchor_angles": jnp.full((5, 2), jnp.pi)}
    batch, upright = jax.jit(dataset.render)(rows), padded(rows["x"])
    np.testing.assert_allclose(batch["x"][..., 0], np.rot90(upright, 1, (1, 2)), atol=1e-6)
    np.testing.assert_allclose(batch["anchors"][:, 0, ..., 0], np.rot90(upright, 2, (1, 2)), atol=1e-6)


def test_without_rotation_the_digits_are_padded_alone(rotated):
    dataset = rotated(max_angle=0, anchor_spread=0.0, num_anchors=2)
    batch = jax.jit(dataset.render)(dataset.test)
    np.testing.assert_allclose(batch["x"][..., 0], padded(dataset.test["x"]), atol=1e-7)
    np.testing.assert_array_equal(batch["anchors"][:, 0], batch["x"])


@pytest.mark.parametrize(("max_angle", "spread", "num_anchors"), [(180.0, 180.0, 3), (75, 30.0, 4)])
def test_angles_are_uniform_and_anchors_evenly_spread(rotated, max_angle, spread, num_anchors):
    rows = rotated(max_angle=max_angle, anchor_spread=spread, num_anchors=num_anchors).train
    angle = np.degrees(np.asarray(rows["angle"], np.float64)) / max_angle
    assert np.all((angle > -1) & (angle <= 1))
    assert abs(angle.mean()) < 5 / np.sqrt(3 * len(angle))
    assert abs((angle**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(angle))
    offsets = np.degrees(np.asarray(rows["anchor_angles"], np.float64)) - max_angle * angle[:, None]
    phases = (offsets / spread + 1) / 2 * num_anchors - np.arange(num_anchors)
    np.testing.assert_allclose(phases, np.broadcast_to(phases[:, :1], phases.shape), atol=1e-4)
    assert phases.min() > -1e-4
    assert phases.max() < 1 + 1e-4
    assert abs(phases[:, 0].mean() - 0.5) < 5 / np.sqrt(12 * len(angle))


def test_the_seed_decides_the_angles(rotated):
    first, again, other = (rotated(seed=seed) for seed in (1, 1, 2))
    for key in ("angle", "anchor_angles"):
        assert jnp.array_equal(first.train[key], again.train[key])
        assert not jnp.array_equal(first.train[key], other.train[key])
        assert not jnp.array_equal(first.train[key][:20], first.test[key])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("num_anchors", 0),
        ("num_anchors", 1.5),
        ("seed", 2**32),
        ("num_train", -1),
        ("max_angle", 181.0),
        ("max_angle", float("nan")),
        ("max_angle", "90"),
        ("anchor_spread", -1),
        ("anchor_spread", True),
    ],
)
def test_options_out_of_range_are_named(option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load("rotated_mnist", **{option: value})

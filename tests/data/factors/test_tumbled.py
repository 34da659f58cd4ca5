"""Views under uniform rotations: what they show, their distribution, and that a seed decides."""

import jax
import numpy as np
import pytest
from scipy import stats

from mvae.data import load
from mvae.data.meshes.mesh import horn
from mvae.data.meshes.render import render_views
from mvae.errors import UsageError
from mvae.manifolds import SO3

SMALL = {"mesh": "horn", "size": 8, "num_train": 6, "num_test": 3}


def test_views_are_those_of_the_rotations():
    dataset = load("tumbled", **SMALL)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (6, 3, (8, 8, 1))
    for rows in (dataset.train, dataset.test):
        poses = np.asarray(rows["latent"])
        assert SO3().contains(poses).all()
        expected = render_views(horn(), poses.astype(np.float64).reshape(-1, 3, 3), 8)
        difference = np.abs(np.asarray(rows["x"], int) - expected)
        assert difference.mean() < 1  # of 255: the poses are kept in float32
        batch = jax.jit(dataset.render)(rows)
        np.testing.assert_allclose(batch["x"], np.asarray(rows["x"]) / 255.0, atol=1e-7)
        assert batch.keys() == {"x", "latent"}


def test_rotations_are_uniform():
    """The angle a of a uniform rotation has the distribution function (a - sin a) / π."""
    dataset = load("tumbled", **SMALL | {"size": 1, "num_train": 300})
    poses = np.asarray(dataset.train["latent"], np.float64).reshape(-1, 3, 3)
    angle = np.arccos(np.clip((np.trace(poses, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest((angle - np.sin(angle)) / np.pi, "uniform").pvalue > 1e-6


def test_the_seed_decides_and_the_test_set_does_not_depend_on_the_training_set():
    first, again, other = (
        load("tumbled", **SMALL),
        load("tumbled", **SMALL | {"num_train": 2}),
        load("tumbled", **SMALL, seed=1),
    )
    jax.tree.map(np.testing.assert_array_equal, first.test, again.test)
    assert np.abs(np.asarray(first.train["latent"]) - np.asarray(other.train["latent"])).max() > 0.1
    assert np.abs(np.asarray(first.train["latent"][:3]) - np.asarray(first.test["latent"])).max() > 0.1


@pytest.mark.parametrize("option", [{"size": 0}, {"num_train": 0}, {"num_test": 0}, {"seed": -1}, {"mesh": "bolb"}])
def test_bad_options(option):
    with pytest.raises(UsageError, match=next(iter(option))):
        load("tumbled", **SMALL | option)

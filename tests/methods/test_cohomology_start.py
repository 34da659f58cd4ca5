"""The start from persistent cohomology: the coordinate as a column, its stage, and a run that keeps the degree."""

import sys

import numpy as np
import pytest

import mvae
from mvae import data
from mvae.data.rows import ArrayRows
from mvae.errors import UsageError
from mvae.manifolds import Euclidean, FlatTorus, Sphere
from mvae.methods.dvae import METHOD, DVAEConfig
from mvae.methods.method import MethodInputs
from mvae.models import coordinate_start
from mvae.models.coordinate_start import with_coordinate
from mvae.models.optimizer import OptimizerConfig
from mvae.topology import mapping_degree

EVEN = 2 * np.pi * np.arange(48) / 48


def embedded(*angles):
    return np.stack([f(angle) for angle in angles for f in (np.cos, np.sin)], axis=-1)


def folded(angle):
    """Front nearly like the back: as a loop in R^4, it comes near itself after half a turn."""
    return np.concatenate([embedded(2 * angle), 0.3 * embedded(angle)], axis=-1).astype(np.float32)


def shuffled(x, seed=0):
    return x[np.random.default_rng(seed).permutation(len(x))]


def dataset_of(x):
    """All of x to train on, in this order; a copy of the first rows is the test set."""
    test = np.arange(len(x) + 4) >= len(x)
    return data.from_arrays(np.concatenate([x, x[:4]]).astype(np.float32), scale="none", test=test)


def config(manifold, **changes):
    return DVAEConfig(manifold=manifold, event_shape=(4,), encoder_init="cohomology", net="mlp", **changes)


@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_column_of_a_circle_has_degree_one_though_views_fold(radius):
    order = np.random.default_rng(0).permutation(48)
    dataset = with_coordinate(dataset_of(folded(EVEN)[order]), Sphere(1, radius))
    points = np.asarray(dataset.train["coordinate"])
    assert np.allclose(np.linalg.norm(points, axis=-1), radius)
    assert abs(mapping_degree(Sphere(1), points[np.argsort(order)] / radius).degree) == 1
    batch = dataset.render({name: array[:5] for name, array in dataset.train.items()})
    assert np.array_equal(batch["coordinate"], points[:5])
    assert "coordinate" not in dataset.render({name: array[:5] for name, array in dataset.test.items()})


def test_column_of_a_torus_has_degree_one():
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, (600, 2))
    grid = EVEN[::4][np.indices((12, 12)).reshape(2, -1)]
    x = np.concatenate([embedded(*angles.T), embedded(*grid)])
    dataset = with_coordinate(dataset_of(x), FlatTorus(2))
    points = np.asarray(dataset.train["coordinate"])[600:].reshape(12, 12, 4)
    assert abs(mapping_degree(FlatTorus(2), points).degree) == 1


def test_blurred_pictures_of_a_torus_are_tried():
    """Translates of a few white pixels: neighbours have nothing in common before they are blurred."""
    picture = np.zeros((12, 12))
    picture[[1, 5, 6], [2, 3, 9]] = 1
    shifts = np.stack(np.meshgrid(np.arange(12), np.arange(12), indexing="ij"), axis=-1).reshape(-1, 2)
    x = np.stack([np.roll(picture, tuple(shift), (0, 1)) for shift in shifts])[..., None]
    dataset = with_coordinate(dataset_of(x), FlatTorus(2))
    points = np.asarray(dataset.train["coordinate"]).reshape(12, 12, 4)
    assert abs(mapping_degree(FlatTorus(2), points).degree) == 1


def test_data_without_loops_are_refused():
    line = np.linspace(0, 1, 40, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    with pytest.raises(UsageError, match=r"encoder_init = cohomology: the training data of .* have no coordinate"):
        with_coordinate(dataset_of(line), Sphere(1))
    with pytest.raises(UsageError, match="have no coordinate with values in FlatTorus"):
        with_coordinate(dataset_of(embedded(EVEN)), FlatTorus(2))


def test_streamed_data_and_a_lack_of_ripser_are_refused(monkeypatch):
    dataset = dataset_of(embedded(EVEN))
    with pytest.raises(UsageError, match=r"--stream: config\.model.encoder_init = cohomology compares all"):
        with_coordinate(dataset._replace(source=ArrayRows({"x": np.zeros((3, 2))})), Sphere(1))
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(UsageError, match="a coordinate needs ripser, which is in the extra eval"):
        with_coordinate(dataset, Sphere(1))


@pytest.mark.parametrize("manifold", [Sphere(2), Euclidean(2), FlatTorus(5)])
def test_other_manifolds_are_refused(manifold):
    with pytest.raises(ValueError, match="encoder_init = 'cohomology' needs a circle, sphere:1, or a flat torus"):
        config(manifold)


@pytest.mark.parametrize(("start", "names"), [("principal", ["train"]), ("cohomology", ["coordinate", "train"])])
def test_only_this_start_has_a_stage_and_a_column(start, names):
    own = DVAEConfig(manifold=Sphere(1), event_shape=(4,), encoder_init=start, net="mlp")
    dataset = METHOD.prepare(own, dataset_of(shuffled(folded(EVEN))))
    built = METHOD.build(MethodInputs(own, dataset, OptimizerConfig(), 5, 16, 16))
    assert [stage.name for stage in built.stages] == names
    assert ("coordinate" in dataset.train) == (start == "cohomology")


@pytest.mark.slow
def test_run_keeps_the_degree(monkeypatch, tmp_path):
    """The encoder has learned the coordinate after its stage, and training both nets does not lose the degree."""
    monkeypatch.setattr("mvae.methods.dvae.NUM_STEPS", 300)
    monkeypatch.setattr(coordinate_start, "NUM_STEPS", 300)
    settings = {
        "encoder_init": "cohomology",
        "encoder_widths": (32,),
        "decoder_widths": (32,),
        "likelihood": "gaussian_learned_variance",
        "num_walk_steps": 2,
        "num_steps": 100,
        "batch_size": 48,
        "config": {"evaluation.importance_samples": 2, "evaluation.bound_samples": 2},
    }
    run = mvae.train(
        "dvae", dataset_of(shuffled(folded(EVEN))), manifold="sphere:1", workdir=tmp_path / "run", **settings
    )
    z = run[0].embed(folded(EVEN))
    assert abs(mapping_degree(Sphere(1), z).degree) == 1
    np.testing.assert_allclose(mvae.load(tmp_path / "run")[0].embed(folded(EVEN)), z, atol=1e-6)
    learned = [record for record in run.metrics() if record["stage"] == "coordinate"]
    assert learned[-1]["loss"][0] < 0.1

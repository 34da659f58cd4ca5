"""Starts from a coordinate, of cohomology or silhouettes: as a column, its stage, and a run that keeps the degree."""

import dataclasses
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import mvae
from mvae import data
from mvae.data.rows import ArrayRows
from mvae.errors import UsageError
from mvae.manifolds import SO3, Cylinder, Euclidean, FlatTorus, KleinBottle, ProjectiveSpace, Sphere
from mvae.methods.dvae import METHOD, DVAEConfig
from mvae.methods.er.method import METHOD as ER
from mvae.methods.er.model import ERConfig
from mvae.methods.er.reparametrization import ReparametrizationConfig
from mvae.methods.method import MethodInputs
from mvae.models import coordinate_start
from mvae.models.coordinate_start import (
    free_of_condition,
    known_angle,
    mean_of_nearest,
    winding_terms,
    with_coordinate,
)
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.location import location
from mvae.models.optimizer import OptimizerConfig
from mvae.topology import mapping_degree
from tests.topology.test_silhouettes import balls

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


def test_column_of_lines_is_where_the_encoder_has_them():
    space, where = ProjectiveSpace(2), location(ProjectiveSpace(2))
    z = space.uniform(jax.random.key(0), (600,))
    dataset = with_coordinate(dataset_of(where.embed(z)), space)
    column = jnp.asarray(dataset.train["coordinate"])
    points = where.retract(column)
    np.testing.assert_allclose(where.embed(points), column, atol=1e-5)
    assert abs(mapping_degree(space, points, z).degree) == 1
    own = config(space)
    built = METHOD.build(MethodInputs(own, dataset._replace(event_shape=(4,)), OptimizerConfig(), 5, 16, 16))
    assert [stage.name for stage in built.stages] == ["coordinate", "train"]
    with pytest.raises(ValueError, match=r"location = 'projected' cannot go with encoder_init = 'cohomology'"):
        config(space, location="projected")


@pytest.mark.parametrize("space", [Cylinder(), KleinBottle()], ids=repr)
def test_column_of_strips_is_where_the_encoder_has_them(space):
    where = location(space)
    z = space.uniform(jax.random.key(0), (800,))
    column = jnp.asarray(with_coordinate(dataset_of(where.embed(z)), space).train["coordinate"])
    points = where.retract(column)
    np.testing.assert_allclose(where.embed(points), column, atol=1e-4)
    apart, recovered = (np.asarray(space.distance(w[:400], w[400:])) for w in (z, points))
    assert np.corrcoef(apart, recovered)[0, 1] > 0.95


def test_column_of_views_of_a_body_has_degree_one():
    poses = Rotation.random(400, np.random.default_rng(0)).as_matrix()
    dataset = with_coordinate(dataset_of(balls(poses)[..., None]), SO3())
    points = np.asarray(dataset.train["coordinate"])
    assert SO3().contains(jnp.asarray(points), 1e-4).all()
    assert abs(mapping_degree(SO3(), points, poses.reshape(-1, 9)).degree) == 1
    assert 0 < dataset.notes["coordinate_residual"] < 0.3


def test_silhouettes_need_square_images_and_rotations():
    with pytest.raises(UsageError, match=r"= silhouettes: the training data of .* SO3.*images must be square and grey"):
        with_coordinate(dataset_of(folded(EVEN)), SO3())
    with pytest.raises(UsageError, match=r"--stream: config\.model.encoder_init = silhouettes compares all"):
        with_coordinate(dataset_of(folded(EVEN))._replace(source=ArrayRows({"x": np.zeros((3, 2))})), SO3())
    with pytest.raises(ValueError, match=r"encoder_init = 'silhouettes' needs so3, got Sphere"):
        DVAEConfig(manifold=Sphere(2), event_shape=(4,), encoder_init="silhouettes", net="mlp")
    with pytest.raises(ValueError, match=r"needs a circle.*use silhouettes, for views of a body, or another start"):
        config(SO3())


# Views in even steps that are unwrapped, and points at random.
@pytest.mark.parametrize("num", [48, 240])
def test_column_knows_no_condition(num):
    """Three cameras of other gains and offsets: copies of a state get one point, and that has degree one."""
    rng = np.random.default_rng(0)
    angle = rng.permutation(EVEN) if num == 48 else rng.uniform(0, 2 * np.pi, num)
    views = folded(angle) if num == 48 else np.concatenate([embedded(angle), 0.3 * embedded(2 * angle)], axis=-1)
    gains, offsets = (1.0, 0.3, 2.0), rng.normal(size=(3, 4))
    x = np.concatenate([gain * views + offset for gain, offset in zip(gains, offsets, strict=True)])
    camera = np.repeat(np.arange(3), num)
    order = rng.permutation(3 * num)
    dataset = data.from_arrays(
        np.concatenate([x[order], x[:4]]).astype(np.float32),
        scale="none",
        test=np.arange(3 * num + 4) >= 3 * num,
        condition=np.concatenate([camera[order], camera[:4]]),
    )
    found = np.asarray(with_coordinate(dataset, Sphere(1)).train["coordinate"])
    points = np.empty_like(found)
    points[order] = found
    first, *others = points.reshape(3, num, 2)
    np.testing.assert_allclose(others, np.broadcast_to(first, (2, num, 2)), atol=1e-3)
    assert abs(mapping_degree(Sphere(1), first[np.argsort(angle)]).degree) == 1
    batch = dataset.render({name: array[:3] for name, array in dataset.train.items()})
    assert set(batch) == {"x", "condition"}


def test_column_joins_cameras_that_see_different_views():
    """The second camera sees half of the turn, in between the views of the first."""
    angle = 2 * np.pi * np.arange(96) / 96
    camera = np.where(angle < np.pi, 0, np.arange(96) % 2)
    x = np.where(camera[:, None] == 1, 0.4 * folded(angle) + 1, folded(angle))
    seen = np.flatnonzero((np.arange(96) % 2 == 0) | (camera == 1))
    order = np.random.default_rng(0).permutation(seen)
    rows, test = np.concatenate([order, order[:2]]), np.arange(len(order) + 2) >= len(order)
    dataset = data.from_arrays(x[rows].astype(np.float32), scale="none", test=test, condition=camera[rows])
    points = np.asarray(with_coordinate(dataset, Sphere(1)).train["coordinate"])
    assert abs(mapping_degree(Sphere(1), points[np.argsort(order)]).degree) == 1


def test_examples_are_freed_of_their_condition():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3, 2)) * [1, 5]
    condition = np.tile([0, 2, 2, 7], 10)
    free = free_of_condition(x, condition)
    for category in (0, 2, 7):
        part = free[condition == category]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-12)
        assert np.mean(part**2) == pytest.approx(1)
    moved = np.where(condition[:, None, None] == 2, 3 * x + rng.normal(size=(3, 2)), x)
    np.testing.assert_allclose(free_of_condition(moved, condition), free, atol=1e-12)
    np.testing.assert_array_equal(free_of_condition(np.ones((4, 2)), np.array([0, 0, 1, 1])), np.zeros((4, 2)))


@pytest.mark.parametrize("distribution", ["poisson", pytest.param("negative_binomial", marks=pytest.mark.slow)])
def test_column_of_counts_sees_through_their_noise(distribution):
    """Rates whose logs vary by 1 along a torus, of rows that were observed for different times."""
    rng = np.random.default_rng(0)
    angles, size = rng.uniform(0, 2 * np.pi, (1200, 2)), rng.uniform(0.5, 2, 1200)
    mean = size[:, None] * np.exp(0.5 + embedded(*angles.T) @ rng.normal(size=(4, 40)) / np.sqrt(2))
    x = rng.poisson(mean) if distribution == "poisson" else rng.negative_binomial(3, 3 / (3 + mean))
    dataset = data.from_arrays(x, scale="none", size_factor=size, test=np.arange(1200) < 4)
    points = np.asarray(
        with_coordinate(dataset, FlatTorus(2), LIKELIHOODS[distribution]()).train["coordinate"], np.float64
    )
    found = np.stack([points[:, 0] + 1j * points[:, 1], points[:, 2] + 1j * points[:, 3]])
    true = np.exp(1j * angles[4:].T)
    agreement = np.abs(np.stack([found[:, None] * true, found[:, None] / true]).mean(axis=-1)).max(axis=0)
    assert np.sort(agreement.ravel())[-2:].min() > 0.85
    assert abs(np.linalg.det(np.round(agreement))) == 1


def test_few_examples_are_not_averaged():
    x = np.random.default_rng(0).normal(size=(39, 2))
    np.testing.assert_array_equal(mean_of_nearest(x), x)
    line = np.arange(200.0)[:, None, None] * np.ones((1, 2))
    np.testing.assert_allclose(mean_of_nearest(line)[100, :, 0], 100, atol=0.5)  # five on one side, four on the other
    rng = np.random.default_rng(0)
    states, noise = np.repeat(rng.normal(size=(20, 50)), 20, axis=0), 0.3 * rng.normal(size=(400, 50))
    left = mean_of_nearest(states + noise) - states
    assert np.mean(left**2) == pytest.approx(0.3**2 / 10, rel=0.5)


def test_the_encoder_learns_the_column_with_the_condition():
    """What the stage minimises depends on the condition."""
    x = shuffled(folded(EVEN))
    own = config(Sphere(1), num_conditions=2, encoder_widths=(8,), decoder_widths=(8,))
    dataset = data.from_arrays(x, scale="none", condition=np.arange(48) % 2)
    prepared = METHOD.prepare(own, dataset)
    stage = METHOD.build(MethodInputs(own, prepared, OptimizerConfig(), 5, 16, 16)).stages[0]
    batch = prepared.render({name: array[:16] for name, array in prepared.train.items()})
    state, step = stage.init(jax.random.key(0), batch, None), jax.jit(stage.step)
    swapped = batch | {"condition": 1 - batch["condition"]}
    assert step(jax.random.key(1), state, batch)[1]["loss"] != step(jax.random.key(1), state, swapped)[1]["loss"]


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


@pytest.mark.parametrize("manifold", [Sphere(2), Euclidean(2), FlatTorus(5), ProjectiveSpace(5)])
def test_other_manifolds_are_refused(manifold):
    with pytest.raises(
        ValueError, match="encoder_init = 'cohomology' needs a circle, sphere:1, or a flat torus or projective"
    ):
        config(manifold)


@pytest.mark.parametrize(("start", "names"), [("principal", ["train"]), ("cohomology", ["coordinate", "train"])])
def test_only_this_start_has_a_stage_and_a_column(start, names):
    own = DVAEConfig(manifold=Sphere(1), event_shape=(4,), encoder_init=start, net="mlp")
    dataset = METHOD.prepare(own, dataset_of(shuffled(folded(EVEN))))
    built = METHOD.build(MethodInputs(own, dataset, OptimizerConfig(), 5, 16, 16))
    assert [stage.name for stage in built.stages] == names
    assert ("coordinate" in dataset.train) == (start == "cohomology")


def er_config(**changes):
    settings = {"manifold": FlatTorus(1), "encoder_widths": (16,), "decoder_widths": (8,), "net": "mlp", "group": True}
    return ERConfig(event_shape=(4,), encoder_init="cohomology", **(settings | changes))


@pytest.mark.parametrize("learned", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_group_action_encoder_learns_the_column_before_all_else(learned):
    own = er_config(reparametrization=ReparametrizationConfig(kind="learned" if learned else "exact", num_steps=3))
    dataset = ER.prepare(own, dataset_of(shuffled(folded(EVEN))))
    stages = ER.build(MethodInputs(own, dataset, OptimizerConfig(learning_rate=3e-2), 5, 48, 48)).stages
    assert [stage.name for stage in stages] == ["reparametrization"] * learned + ["coordinate", "autoencoder"]
    batch, state = dataset.render({name: array[:48] for name, array in dataset.train.items()}), None
    for stage in stages:
        state, before = stage.init(jax.random.key(0), batch, state), state
        if stage.name == "autoencoder":
            chex.assert_trees_all_equal(state.params, before.params)  # goes on from where the coordinate led
        if stage.name == "coordinate":
            start, step, losses = state.params, jax.jit(stage.step), []
            for key in jax.random.split(jax.random.key(1), 60):
                state, metrics = step(key, state, batch)
                losses.append(float(metrics["loss"]))
            assert losses[-1] < losses[0] / 2
            chex.assert_trees_all_equal(*({**params, "encoder": ()} for params in (state.params, start)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"manifold": SO3()}, "encoder_init = 'cohomology' needs a circle"),
        ({"manifold": ProjectiveSpace(2)}, "encoder_init = 'cohomology' needs a circle or a flat torus"),
        ({"group": False}, "encoder_init = 'cohomology' needs group = True"),
        ({"encoder_init": "principal"}, "encoder_init must be one of random, cohomology, got 'principal'"),
    ],
)
def test_what_the_group_action_encoder_cannot_start_from_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(er_config(), **changes)


@pytest.mark.slow
def test_run_keeps_the_degree(monkeypatch, tmp_path):
    """The encoder has learned the coordinate after its stage, and training both nets does not lose the degree."""
    monkeypatch.setitem(coordinate_start.NUM_STEPS, "cohomology", 300)
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
    order = np.random.default_rng(0).permutation(48)
    rows = np.concatenate([order, order[:4]])
    dataset = data.from_arrays(folded(EVEN)[rows], scale="none", test=np.arange(52) >= 48, angle=EVEN[rows])
    run = mvae.train("dvae", dataset, manifold="sphere:1", workdir=tmp_path / "run", seeds=2, **settings)
    z = run[0].embed(folded(EVEN))
    assert abs(mapping_degree(Sphere(1), z).degree) == 1
    np.testing.assert_allclose(mvae.load(tmp_path / "run")[0].embed(folded(EVEN)), z, atol=1e-6)
    learned = [record for record in run.metrics() if record["stage"] == "coordinate"]
    assert learned[-1]["loss"][0] < 0.1
    for member in run.results["members"]:
        degrees = [member[name] for name in ("coordinate_degree", "degree_at_start", "degree_at_end")]
        assert degrees in ([1, 1, 1], [-1, -1, -1])
        assert member["coordinate_births"][0] < member["coordinate_deaths"][0]
        assert member["coordinate_cover"] == 2
        assert str(member["coordinate_cover"]) == min(member["coordinate_scores"], key=member["coordinate_scores"].get)


def test_winding_of_a_batch_is_that_of_its_order():
    angle = np.random.default_rng(0).permutation(EVEN).astype(np.float32)
    for turns in (1, -2, 0):
        z = embedded(turns * angle) if turns else np.tile([1.0, 0.0], (48, 1))
        assert float(winding_terms(jnp.asarray(angle), jnp.asarray(z)).mean()) == pytest.approx(turns, abs=1e-5)


def test_angle_is_known_of_one_object_alone():
    views = {"azimuth": np.zeros(6), "factors": np.stack([np.zeros(6, int), np.arange(6)], axis=1)}
    plain = dataset_of(embedded(EVEN))._replace(train=views, factor_names=("object", "azimuth"))
    assert known_angle(plain) == "azimuth"
    views["factors"][3, 0] = 1
    assert known_angle(plain) is None
    assert known_angle(dataset_of(embedded(EVEN))) is None

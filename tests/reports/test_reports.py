"""Each report against a model that is the truth: its numbers, or why there are none; its figures, or why not."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.image import imread
from scipy.spatial.transform import Rotation

from mvae.evaluation import likelihood
from mvae.manifolds import SO3, Euclidean, FlatTorus, Sphere
from mvae.methods import METHODS
from mvae.methods.dvae import BrownianPosterior
from mvae.reports import REPORTS, report
from mvae.reports.codes import colour
from mvae.reports.curves import curves
from mvae.reports.factors import degree_numbers, has_degree, has_poses, pose_numbers, score_numbers
from tests.reports.truth import circle_data, circle_model, circle_view, concluded

TURN = 2 * np.pi * np.arange(12) / 12


def factors(angles, values=None):
    """Columns of a turntable of one object: the azimuth and its number, or other factors."""
    number = np.round(np.asarray(angles) / (2 * np.pi) * 36).astype(int) % 36
    columns = np.stack([number, np.zeros_like(number)], axis=1) if values is None else values
    azimuth = np.asarray(angles, np.float32)
    return {"angles": angles, "azimuth": azimuth, "factors": columns, "label": np.zeros(len(azimuth), int)}


def turntable(train, test, **more):
    known = {"factor_names": ("azimuth", "object"), "factor_sizes": (36, 1)}
    return circle_data(train=factors(train), test=factors(test), **(known | more))


def grid(num):
    """A whole circle of views, every third one in the test set."""
    angles = 2 * np.pi * np.arange(num) / num
    test = np.arange(num) % 3 == 0
    number = np.arange(num)
    columns = [factors(angles[part], number[part][:, None]) for part in (~test, test)]
    return circle_data(
        train=columns[0],
        test=columns[1],
        factor_names=("azimuth",),
        factor_sizes=(num,),
        periodic_factors=("azimuth",),
    )


def test_degree_and_azimuth_of_the_truth(tmp_path):
    member = concluded(circle_view(dataset=grid(24)), tmp_path)["members"][0]
    assert (member["degree"], member["winding"], member["captured"]) == (1, [[1]], 1.0)
    assert member["azimuth_correlation"] == pytest.approx(1, abs=1e-4)
    assert member["latent_azimuth_correlation"] == pytest.approx(1, abs=1e-5)
    assert member["azimuth_error"] < 0.01


@pytest.mark.parametrize(("turned_over", "degree"), [(False, 1), (True, -1)])
def test_poses_are_read_up_to_a_rotation_on_either_side_and_the_handedness(turned_over, degree):
    """Codes are off by a rotation of 0.1 rad about an axis at random, and aligned by what fits the training set."""
    rng = np.random.default_rng(0)
    left, right = Rotation.random(2, rng).as_matrix()

    def columns(num):
        poses = Rotation.random(num, rng)
        axes = rng.normal(size=(num, 3))
        off = Rotation.from_rotvec(0.1 * axes / np.linalg.norm(axes, axis=1, keepdims=True))
        codes = (poses.inv() if turned_over else poses).as_matrix()
        x = np.float32((left @ codes @ right @ off.as_matrix()).reshape(num, 9))
        return {"angles": np.zeros(num), "x": x, "latent": np.float32(poses.as_matrix().reshape(num, 9))}

    model = circle_model((9,), SO3(), encode=lambda params, x: BrownianPosterior(x, jnp.ones(len(x))))
    member = circle_view(model, circle_data((9,), columns(2000), columns(1500))).members[0]
    found = degree_numbers(member)
    assert (found["degree"], found["captured"], found["winding_consistent"]) == (degree, 1.0, 1.0)
    assert pose_numbers(member) == pytest.approx({"pose_error": 0.1, "pose_error_mean": 0.1}, abs=0.01)
    assert has_degree(member.view)
    assert has_poses(member.view)
    assert not has_poses(circle_view())


def test_a_circle_of_seven_views_has_no_degree(tmp_path):
    results = concluded(circle_view(dataset=grid(7)), tmp_path)
    assert results["members"][0]["degree"] is None
    assert "8 views or more" in results["unavailable"]["degree"]
    assert results["mean"]["captured"] is None
    assert results["failed"] == {}


def test_one_test_view_has_an_error_and_no_correlation(tmp_path):
    results = concluded(circle_view(dataset=turntable(TURN, TURN[1:2])), tmp_path)
    member = results["members"][0]
    assert member["azimuth_correlation"] is None
    assert member["azimuth_error"] < 0.01
    assert "one test example" in results["unavailable"]["azimuth_correlation"]
    assert results["failed"] == {}


def test_two_views_half_a_turn_apart_have_no_correlation(tmp_path):
    results = concluded(circle_view(dataset=turntable(TURN, TURN[[0, 6]])), tmp_path)
    assert results["members"][0]["azimuth_correlation"] is None
    assert "alike" in results["unavailable"]["azimuth_correlation"]


def test_an_object_that_looks_the_same_from_all_sides(tmp_path):
    def encode(params, x):
        return BrownianPosterior(jnp.broadcast_to(jnp.array([1.0, 0.0]), (len(x), 2)), jnp.ones(len(x)))

    results = concluded(circle_view(circle_model(encode=encode), turntable(TURN, TURN)), tmp_path)
    assert results["unavailable"].keys() >= {"azimuth_correlation", "latent_azimuth_correlation"}
    assert results["failed"] == {}


def test_codes_that_are_not_finite_leave_the_other_numbers(tmp_path):
    def encode(params, x):
        return BrownianPosterior(jnp.full((len(x), 2), jnp.nan), jnp.ones(len(x)))

    results = concluded(circle_view(circle_model(encode=encode), grid(24)), tmp_path)
    assert results["mean"]["elbo"] is not None
    assert results["unavailable"].keys() >= {"degree", "azimuth_correlation"}
    assert results["figures_unavailable"].keys() >= {"latent_space_seed_3.png", "latent_space_seed_4.png"}


def test_scores_that_codes_cannot_have_are_null_and_the_others_are_there(tmp_path):
    rng = np.random.default_rng(0)
    values = [np.stack([rng.integers(0, 2, n), rng.integers(0, 2, n)], axis=1) for n in (24, 12)]
    dataset = circle_data(
        train=factors(2 * np.pi * rng.random(24), values[0]),
        test=factors(2 * np.pi * rng.random(12), values[1]),
        factor_names=("a", "b"),
        factor_sizes=(2, 2),
    )
    results = concluded(circle_view(dataset=dataset, scores=("mig", "irs")), tmp_path)
    assert 0 <= results["mean"]["mig"] <= 1
    assert 0 <= results["mean"]["irs_angles"] <= 1
    assert results["mean"]["mig_angles"] is None  # the circle has one angle
    assert "at least 2 columns" in results["unavailable"]["mig_angles"]


def test_scores_look_at_rows_drawn_from_both_sets_the_same_of_all_seeds(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    number = {"train": np.arange(240), "test": 1000 + np.arange(120)}
    parts = {part: factors(2 * np.pi * rng.random(len(n)), np.stack([n, n], axis=1)) for part, n in number.items()}
    dataset = circle_data(**parts, factor_names=("a", "b"), factor_sizes=(2000, 2000))
    seen = []

    def scored(names, codes, factors):
        seen.append((names, codes, factors))
        return dict.fromkeys(names, 0.5)

    monkeypatch.setattr(sys.modules[score_numbers.__module__], "disentanglement_scores", scored)
    concluded(circle_view(dataset=dataset, scores=("mig", "dci"), score_rows=100), tmp_path, (REPORTS["scores"],))
    assert len(seen) == 2 * 2 * 2  # seeds, scores, of points and of angles
    for _, codes, found in seen:
        np.testing.assert_array_equal(found, seen[0][2])
        drawn = np.unique(found[:, 0])
        assert len(codes) == len(drawn) == 100
        assert 15 < (drawn >= 1000).sum() < 55  # a third of them, 5 sigma
    azimuth = np.concatenate([dataset.train["azimuth"], dataset.test["azimuth"]])
    angles = dict(zip(np.concatenate(list(number.values())), azimuth, strict=True))
    codes, found = seen[0][1], seen[0][2]
    np.testing.assert_allclose(codes[:, 0], np.cos([angles[k] for k in found[:, 0]]), atol=1e-6)
    concluded(circle_view(dataset=dataset, scores=("mig",)), tmp_path, (REPORTS["scores"],))
    assert len(seen[-1][1]) == 360


def test_large_examples_are_drawn_a_batch_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "BATCH_BYTES", 4 * 48 * 10)  # ten examples
    view = circle_view(dataset=circle_data((4, 4, 3)), seeds=(3,))
    largest = []

    def decode(params, z):
        largest.append(len(z))
        return circle_model((4, 4, 3)).decode(params, z)

    view = circle_view(circle_model((4, 4, 3), decode=decode), view.dataset, seeds=(3,))
    assert concluded(view, tmp_path)["figures_unavailable"] == {}
    assert max(largest) <= 10


def test_a_model_says_itself_what_it_lacks(tmp_path):
    lacks = {"encoder": "a GAN has no encoder", "bound": "no bound", "log_likelihood": "no density"}
    results = concluded(circle_view(circle_model(lacks=lacks), grid(24), scores=("mig",)), tmp_path)
    assert results["unavailable"]["elbo"] == results["unavailable"]["kl"] == "no bound"
    assert results["unavailable"]["log_likelihood"] == "no density"
    assert results["unavailable"]["mig"] == "a GAN has no encoder"
    assert "degree" not in results["mean"]
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"samples"}


def test_terms_of_a_method_and_capabilities_come_under_their_names(tmp_path):
    known = {"likelihood_std": lambda params: 2 * params["shift"]}
    results = concluded(circle_view(circle_model(capabilities=known)), tmp_path)
    assert [member["likelihood_std"] for member in results["members"]] == [20.0, 22.0]
    assert results["mean"]["time"] == 0.5
    assert not {"loss", "reconstruction"} & results["mean"].keys()


def test_classes_of_curves_are_separated(tmp_path):
    def labelled(num):
        return {"label": np.arange(num) // (num // 2), "parameter": np.zeros(num, np.float32)}

    dataset = circle_data(train=labelled(24), test=labelled(12), curves={"label": jnp.arange(2)})
    results = concluded(circle_view(dataset=dataset), tmp_path)
    assert 0.5 <= results["mean"]["separation_accuracy"] <= 1.0


@pytest.mark.parametrize(
    "shape", [(4, 4, 2), (4, 4, 3), (4, 4, 4), (4, 4, 5), (300, 1, 1), (1, 300, 2), (4000, 1, 1), (20,)]
)
def test_events_of_any_shape_are_drawn_soon(shape, tmp_path):
    dataset = circle_data(shape)
    results = concluded(circle_view(dataset=dataset, seeds=(3,)), tmp_path)
    assert results["figures_unavailable"] == {}
    assert {"reconstructions", "decoded_grid"} <= {path.stem for path in (tmp_path / "figures").iterdir()}
    for path in (tmp_path / "figures").iterdir():
        height, width = imread(path).shape[:2]
        assert max(height, width) < 5000  # pixels: not as high as all columns on top of each other


def test_points_of_the_plane_make_no_picture(tmp_path):
    concluded(circle_view(dataset=circle_data((2,))), tmp_path)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"latent_space_seed_3", "latent_space_seed_4"}


def test_curves_are_drawn_where_there_are_records(tmp_path):
    records = [{"stage": "train", "step": k, "seconds": 1.0, "loss": [1.0], "elbo": [-1.0]} for k in (1, 2)]
    concluded(circle_view(records=records), tmp_path)
    assert (tmp_path / "figures" / "training_curves.png").exists()
    assert curves(records) == [{"stage": "train", "step": k, "elbo": [-1.0]} for k in (1, 2)]
    assert curves([{"stage": "train", "step": 1, "loss": [1.0]}]) == [{"stage": "train", "step": 1, "loss": [1.0]}]


def test_one_object_is_coloured_by_its_azimuth_several_by_their_label():
    azimuth = jnp.array([0.0, 1.0, 2.0])
    assert colour({"label": jnp.array([4, 4, 4]), "azimuth": azimuth}).keys() == {"angle"}
    assert colour({"label": jnp.array([4, 4, 5]), "azimuth": azimuth}).keys() == {"label"}
    turned = {"label": jnp.array([4, 4, 5]), "azimuth": azimuth, "elevation": azimuth}
    assert colour(turned).keys() == {"angle"}
    assert colour({"translation": jnp.zeros((3, 2))}).keys() == {"translation"}
    assert colour({"x": jnp.zeros((3, 2))}) == {}


def test_names_of_reports_are_their_own():
    for method in METHODS.values():
        names = [*REPORTS, *(report.name for report in method.reports)]
        assert len(set(names)) == len(names)


def test_what_is_shared_is_computed_once_per_seed():
    calls = []

    def encode(params, x):
        calls.append(x.shape)  # while it is traced
        return BrownianPosterior(x.reshape(len(x), -1)[:, :2], jnp.ones(len(x)))

    view = circle_view(circle_model(encode=encode))
    for _ in range(3):
        for member in view.members:
            member.codes("test")
    assert len(calls) == 1
    assert view.members[0].codes("test") is view.members[0].codes("test")
    np.testing.assert_allclose(view.members[0].codes("train"), view.dataset.train["x"].reshape(24, -1)[:, :2])


@pytest.mark.parametrize("size", [5, 4, 12])
def test_parts_of_the_test_set_give_the_numbers_of_the_whole(size, monkeypatch):
    """Draws follow from the place of a batch in the whole, and what fills up the last one does not count."""

    def noisy(params, key, batch, num_samples):
        return params["shift"] + batch["row"] + jax.random.normal(key, (num_samples, len(batch["row"]))).mean(axis=0)

    whole = (
        circle_view(circle_model(log_likelihood=noisy), batch_size=size, importance_samples=1)
        .members[0]
        .log_likelihood()
    )
    monkeypatch.setattr(likelihood, "JOINED_DRAWS", 1)
    parts = (
        circle_view(circle_model(log_likelihood=noisy), batch_size=size, importance_samples=1)
        .members[0]
        .log_likelihood()
    )
    np.testing.assert_array_equal(parts, whole)
    assert parts.shape == (12,)
    assert len(np.unique(parts - np.arange(12))) == 12  # no draw is used twice


@pytest.mark.parametrize("manifold", [Euclidean(2), Sphere(1), FlatTorus(1)])
def test_latent_spaces_are_drawn(manifold, tmp_path):
    concluded(circle_view(circle_model(manifold=manifold), seeds=(3,)), tmp_path)
    assert (tmp_path / "figures" / "latent_space_seed_3.png").stat().st_size > 1000

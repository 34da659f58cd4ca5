"""Which manifold a cloud lies on: spaces of the table, small and real clouds, and what is no manifold."""

import sys

import numpy as np
import pytest

from experiments.topology.suggest import KINDS, cloud
from mvae.manifolds import SO3, Euclidean, FlatTorus, ProjectiveSpace, Sphere
from mvae.topology import suggest_manifold
from mvae.topology.evidence import _torsion
from mvae.topology.suggest import SPACES

MANIFOLDS = {
    "interval": Euclidean(1),
    "circle": Sphere(1),
    "disc": Euclidean(2),
    "sphere": Sphere(2),
    "torus": FlatTorus(2),
    "projective_plane": ProjectiveSpace(2),
    "klein_bottle": None,
    "rotations": SO3(),
    "two_circles": None,
}
SEED = 99  # neither of those that the rule was chosen on nor of those that it is measured on


def rng(seed=0):
    return np.random.default_rng(seed)


def turning(n=72, *, share, seed=0):
    """Views of an object that looks nearly alike after half a turn, shuffled."""
    angle = 2 * np.pi * np.arange(n) / n
    waves = [np.cos(k * angle) for k in (2, 4)] + [np.sin(k * angle) for k in (2, 4)]
    odd = [share * np.cos(k * angle) for k in (1, 3)] + [share * np.sin(k * angle) for k in (1, 3)]
    x = np.stack(waves + odd, axis=1) @ rng(seed).normal(size=(8, 100))
    return x[rng(seed + 1).permutation(n)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_space_comes_first(kind):
    first, second = suggest_manifold(cloud(kind, 1, 6, 0.05, SEED), max_landmarks=100)[:2]
    assert first.name == KINDS[kind].name
    assert first.manifold == MANIFOLDS[kind]
    assert first.agreement > 2 * second.agreement
    assert not second.certain
    assert all(isinstance(reason, str) and "\n" not in reason for reason in first.reasons)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_space_comes_first_in_most_clouds_and_no_other_is_certain(kind):
    found = [suggest_manifold(cloud(kind, i, 10, 0.05, SEED))[0] for i in range(10)]
    right = [each.name == KINDS[kind].name for each in found]
    assert sum(right) >= 9
    assert not any(each.certain for each, is_right in zip(found, right, strict=True) if not is_right)


def test_order_rotation_and_scale_do_not_matter():
    x = cloud("circle", 0, 6, 0.05, SEED)
    frame = np.linalg.qr(rng().normal(size=(50, 50)))[0]
    ours, other = suggest_manifold(x)[0], suggest_manifold(100 * x[::-1] @ frame + 7)[0]
    assert ours.name == other.name == "circle"
    assert ours.certain
    assert other.certain


def test_an_isolated_point_hides_nothing():
    x = np.concatenate([cloud("circle", 0, 6, 0.05, SEED), np.full((1, 50), 1e6)])
    first = suggest_manifold(x)[0]
    assert first.name == "circle"
    assert first.reasons[-1] == "1 isolated point(s) left out"


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_units_do_not_matter(scale):
    assert suggest_manifold(scale * cloud("circle", 0, 6, 0.05, SEED)[:300])[0].name == "circle"


def test_equal_seeds_give_equal_suggestions():
    x = cloud("circle", 0, 6, 0.05, SEED)[:200]
    assert suggest_manifold(x) == suggest_manifold(x.reshape(len(x), 5, 10))


def test_distances_do_as_well():
    x = cloud("circle", 0, 6, 0.05, SEED)[:200]
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1)
    assert suggest_manifold(distances, metric="precomputed")[0].name == "circle"


def test_a_turning_object_is_a_circle_and_its_cover_is_said():
    first = suggest_manifold(turning(share=0.15))[0]
    assert first.manifold == Sphere(1)
    assert "a 2-fold cover fits better" in first.reasons[-1]
    assert not first.certain
    first = suggest_manifold(turning(share=3.0))[0]
    assert first.manifold == Sphere(1)
    assert first.certain


def test_an_open_curve_of_few_points_is_an_interval():
    t = np.linspace(0, 1, 72)
    x = np.stack([np.cos(5 * t), np.sin(5 * t), t], axis=1)
    assert suggest_manifold(x[rng().permutation(72)])[0].manifold == Euclidean(1)


@pytest.mark.parametrize("arms", [3, 4])
def test_a_star_is_no_interval(arms):
    angle = 2 * np.pi * rng().integers(0, arms, 800) / arms
    star = rng(1).uniform(size=(800, 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    first = suggest_manifold(star + 0.01 * rng(2).normal(size=star.shape))[0]
    assert first.name == "none of these"


def test_a_figure_eight_is_no_circle():
    angle = 2 * np.pi * rng().uniform(size=800)
    eight = np.stack([np.where(rng(1).uniform(size=800) < 0.5, 1, -1) * (1 - np.cos(angle)), np.sin(angle)], axis=1)
    assert suggest_manifold(eight + 0.02 * rng(2).normal(size=eight.shape))[0].name == "none of these"


@pytest.mark.parametrize("dim", [6, 50])
def test_a_normal_distribution_of_many_dimensions_is_none_of_these(dim):
    first = suggest_manifold(rng().normal(size=(400, dim)))[0]
    assert first.name == "none of these"
    assert first.manifold is None
    assert not first.certain


@pytest.mark.parametrize("kind", ["sphere", "two_circles"])
def test_few_points_are_never_certain_of_another_space(kind):
    first = suggest_manifold(cloud(kind, 0, 6, 0.05, SEED)[:60])[0]
    assert not first.certain or first.name == KINDS[kind].name


def test_torsion_is_the_difference_of_the_diagrams():
    ours = [np.zeros((1, 2)), np.array([[1.0, 4.0], [2.0, 3.0]])]
    other = [np.zeros((1, 2)), np.array([[2.0, 3.0], [1.0, 2.0]])]
    assert _torsion({2: ours, 3: ours}) == 0
    assert _torsion({2: ours, 3: other}) == pytest.approx(np.log(2))
    # over one field the class has length 0 and is not listed
    assert _torsion({2: ours, 3: [other[0], other[1][:1]]}) == pytest.approx(np.log(4))


def test_no_two_spaces_of_the_table_are_alike():
    seen = {space[2:] for space in SPACES}
    assert len(seen) == len(SPACES)
    assert len({space.name for space in SPACES}) == len(SPACES)
    for space in SPACES:
        assert space.manifold is None or space.manifold.dim == space.dim


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros(30), {}, r"x must have shape \(n, \*event\), got \(30,\)"),
        (np.full((30, 3), np.nan), {}, "x must be finite, got 90 entries"),
        (np.zeros((30, 3)), {}, "20 points or more that are not copies of each other, got 1"),
        (np.zeros((5, 5)), {"metric": "precomputed"}, "20 points or more, got 5"),
        (np.ones((30, 30)), {"metric": "precomputed"}, "zeros on the diagonal"),
        (np.zeros((30, 3)), {"metric": "cosine"}, "metric must be one of euclidean, precomputed, got 'cosine'"),
        (np.zeros((30, 3)), {"seed": -1}, "seed must be at least 0, got -1"),
        (rng().normal(size=(30, 3)), {"max_landmarks": 3}, "max_landmarks must be at least 20, got 3"),
    ],
)
def test_bad_input(x, options, message):
    with pytest.raises(ValueError, match=message):
        suggest_manifold(x, **options)


def test_without_ripser(monkeypatch):
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(ModuleNotFoundError, match=r"suggest_manifold needs ripser, .* pip install 'mvae\[eval\]'"):
        suggest_manifold(rng().normal(size=(30, 3)))

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvae.data import load, surface_distance
from mvae.data.meshes.mesh import Mesh, horn, icosphere
from mvae.data.meshes.mesh_points import bunny_mesh, standardised, triangle_areas, uniform_on_mesh
from mvae.data.meshes.triangle_distance import mesh_distance, triangle_distance
from mvae.errors import UsageError
from tests.data.meshes.mesh_files import write_ellipsoid
from tests.paths import SHARED


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small mesh under the name of the bunny. Not to be changed."""
    folder = tmp_path_factory.mktemp("bunny")
    write_ellipsoid(folder / "stanford-bunny.obj.gz")
    return str(folder)


def vectors(rows):
    assert rows["x"].shape[1:] == (3,)
    assert rows["x"].dtype == jnp.float32
    return np.asarray(rows["x"], np.float64)


def assert_standard(points):
    """Mean 0 and mean square 1, to five standard errors."""
    assert np.all(abs(points.mean(axis=0)) < 5 * points.std(axis=0) / np.sqrt(len(points)))
    squares = np.sum(points**2, axis=1)
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(len(points))


def assert_uniform(points, mesh, *, halvings=0):
    """Shares of the area below planes; a triangle whose centroid is below counts as below, after some halvings."""
    fine = mesh.vertices[mesh.faces]
    for _ in range(halvings):
        a, b, c = fine.transpose(1, 0, 2)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        fine = np.concatenate(
            [np.stack(part, axis=1) for part in [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]]
        )
    areas = np.linalg.norm(np.cross(fine[:, 1] - fine[:, 0], fine[:, 2] - fine[:, 0]), axis=1)
    for direction in np.random.default_rng(0).normal(size=(10, 3)):
        heights = fine.mean(axis=1) @ direction
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            below = areas[heights < np.quantile(points @ direction, share)].sum() / areas.sum()
            assert abs(below - share) < 5 * np.sqrt(share * (1 - share) / len(points))


def test_areas_and_moments_of_known_surfaces():
    triangle = Mesh(np.array([(0.0, 0, 0), (3, 0, 0), (0, 4, 0)]), np.array([(0, 1, 2)]))
    np.testing.assert_allclose(triangle_areas(triangle), [6])
    # About its centroid the mean square of a triangle is the sum of its squared sides over 36.
    np.testing.assert_allclose(
        standardised(triangle).vertices, (triangle.vertices - [1, 4 / 3, 0]) / np.sqrt(50 / 36), atol=1e-15
    )
    sphere = icosphere(5)
    np.testing.assert_allclose(triangle_areas(sphere).sum(), 4 * np.pi, rtol=2e-3)
    moved = standardised(Mesh(7 * sphere.vertices + [5, -3, 2], sphere.faces))
    np.testing.assert_allclose(moved.vertices, sphere.vertices, atol=1e-3)
    np.testing.assert_array_equal(moved.faces, sphere.faces)


def test_points_of_a_triangle_are_uniform():
    corners = np.random.default_rng(0).normal(size=(3, 3))
    points = uniform_on_mesh(np.random.default_rng(1), Mesh(corners, np.array([(0, 1, 2)])), 20_000)
    weights = np.linalg.solve(corners.T, points.T).T
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    for column in weights.T:  # the weight of a corner has the distribution Beta(1, 2)
        assert stats.kstest(column, stats.beta(1, 2).cdf).pvalue > 1e-6
    for ratio in (weights[:, 0] / (1 - weights[:, 2]), weights[:, 1] / (1 - weights[:, 0])):
        assert stats.kstest(ratio, stats.uniform.cdf).pvalue > 1e-6


def test_triangles_are_drawn_by_their_areas(folder):
    mesh = bunny_mesh(folder)
    areas = triangle_areas(mesh)
    assert areas.max() > 5 * areas.min()
    points = uniform_on_mesh(np.random.default_rng(0), mesh, 50_000)
    assert mesh_distance(mesh, points).max() < 1e-14
    a, b, c = mesh.vertices[mesh.faces.T]
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # The surface is convex: a point's triangle is that whose plane it lies on, the outermost.
    outward = np.where(np.sum(normals * a, axis=1, keepdims=True) > 0, normals, -normals)
    heights = points @ outward.T - np.sum(outward * a, axis=1)
    counts = np.bincount(np.abs(heights).argmin(axis=1), minlength=len(areas))
    assert stats.chisquare(counts, 50_000 * areas / areas.sum()).pvalue > 1e-6


def test_data_set(folder):
    dataset = load("bunny", dir=folder)
    assert (dataset.num_train, dataset.num_test, dataset.event_shape) == (20_000, 1000, (3,))
    assert dataset.render(dataset.train).keys() == {"x"}
    for rows in (dataset.train, dataset.test):
        assert_standard(vectors(rows))
        assert surface_distance("bunny", vectors(rows), dir=folder).max() < 1e-6
    mesh = bunny_mesh(folder)
    assert_uniform(vectors(dataset.train), mesh, halvings=3)
    np.testing.assert_array_equal(np.argsort(np.ptp(mesh.vertices, axis=0)), [2, 1, 0])  # the file's y is up


def test_seed_and_noise(folder):
    first, again, other = (
        load("bunny", dir=folder, num_train=num, num_test=30, seed=seed) for num, seed in ((50, 3), (80, 3), (50, 4))
    )
    jax.tree.map(np.testing.assert_array_equal, first.test, again.test)
    assert not np.allclose(first.test["x"], other.test["x"], atol=0.1)
    assert not np.allclose(first.train["x"][:30], first.test["x"], atol=0.1)
    clean, noisy = (vectors(load("bunny", dir=folder, num_train=4000, noise=noise).train) for noise in (0, 0.1))
    for column in ((noisy - clean) / 0.1).T:
        assert stats.kstest(column, stats.norm.cdf).pvalue > 1e-6


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(UsageError) as raised:
        load("bunny", dir=str(tmp_path))
    message = str(raised.value)
    assert message.startswith(f"bunny not found. Looked at: {tmp_path} (has none of stanford-bunny.obj.gz, ")
    assert f"{tmp_path / 'bunny'} (no such folder)" in message
    assert "put the Stanford bunny in the format OBJ" in message
    assert "blob" not in message
    with pytest.raises(UsageError, match=r"bunny needs the folder of its files: pass --config\.data\.dir=DIR"):
        load("bunny")
    path = tmp_path / "stanford-bunny.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    with pytest.raises(UsageError, match=f"^{path}: no triangle has an area"):
        load("bunny", dir=str(tmp_path))


@pytest.mark.parametrize(("option", "value"), [("num_train", 0), ("num_test", 0), ("seed", -1), ("noise", -1.0)])
def test_options_out_of_range_are_named(option, value):
    with pytest.raises(UsageError, match=f"data option {option}={value!r}: must be "):
        load("bunny", **{option: value})


def test_points_for_a_seed_are_those_of_the_first_release():
    expected = [
        [-0.10448103352767862, 0.5891969802147534, -0.18831290112409405],
        [-0.060633341793621856, 0.4816964274208808, -0.4854838903303784],
        [0.22528288168214897, 0.059952927404901, 0.6088040656984625],
    ]
    np.testing.assert_allclose(uniform_on_mesh(np.random.default_rng(5), horn(), 3), expected, rtol=1e-12)


def test_real_bunny():
    folder = os.environ.get("MVAE_DATA_DIR") or str(SHARED)
    if not (Path(folder) / "bunny" / "stanford-bunny.obj.gz").exists():
        pytest.skip(f"needs bunny/stanford-bunny.obj.gz in {folder} (or in the folder that MVAE_DATA_DIR names)")
    dataset, mesh = load("bunny", dir=folder), bunny_mesh(folder)
    points = vectors(dataset.train)
    few = load("bunny", dir=folder, num_train=3, num_test=2, seed=1)
    np.testing.assert_allclose(vectors(few.train)[0], [0.15349391, 0.45272872, 1.42985880], rtol=1e-6)
    np.testing.assert_allclose(vectors(few.test)[1], [-0.77375758, 0.32236671, -0.06394935], rtol=1e-6)
    assert_standard(points)
    assert_uniform(points, mesh)
    assert mesh_distance(mesh, points[:5000]).max() < 1e-6
    beside = points[:30] + 0.1 * np.random.default_rng(0).normal(size=(30, 3))
    brute = [triangle_distance(point, mesh.vertices[mesh.faces]).min() for point in beside]
    np.testing.assert_allclose(mesh_distance(mesh, beside), brute, rtol=1e-14)

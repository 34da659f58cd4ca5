"""Points of the surface of a triangle mesh, and the data set of those of the Stanford bunny."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mvae.data.dataset import Dataset, Rows, integer_option, number_option
from mvae.data.factors.known_factors import find
from mvae.data.factors.turntable import BUNNY, BUNNY_REMEDY, read_in_unit_ball
from mvae.data.meshes.mesh import Mesh, trimesh_module
from mvae.data.point_clouds import LARGEST_SEED, render


def bunny(
    *, dir: str = "", num_train: int = 20_000, num_test: int = 1000, seed: int = 0, noise: float = 0.0
) -> Dataset:
    """Returns points of the surface of the Stanford bunny, uniform in area; see `bunny_mesh` for its place and size.

    With noise, the standard deviation σ, x + σ ε is kept in place of x, ε standard normal in R³. Training and test
    points are drawn afresh: the test set does not depend on `num_train`. Batches have `"x"`, float32
    `(B, 3)`.

    Args:
        dir: The folder that holds `stanford-bunny.obj.gz` or `stanford-bunny.obj`, directly or in a subfolder `bunny`.
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range, or the file is missing or damaged.
    """
    integer_option("num_train", num_train, 1)
    integer_option("num_test", num_test, 1)
    integer_option("seed", seed, 0, LARGEST_SEED)
    noise = number_option("noise", noise, 0.0)
    mesh = bunny_mesh(dir)

    def rows(source: np.random.SeedSequence, num: int) -> Rows:
        rng = np.random.default_rng(source)
        points = uniform_on_mesh(rng, mesh, num)
        points = points + noise * rng.standard_normal(points.shape)
        return {"x": jnp.asarray(points, jnp.float32)}

    for_train, for_test = np.random.SeedSequence(seed).spawn(2)
    return Dataset(
        name="bunny",
        train=rows(for_train, num_train),
        test=rows(for_test, num_test),
        render=render,
        event_shape=(3,),
    )


def bunny_mesh(dir: str) -> Mesh:
    """Returns the Stanford bunny, `standardised`; z is up, and -y is the front.

    Args:
        dir: As in `bunny`.

    Raises:
        UsageError: If the file is missing or damaged.
    """
    return standardised(read_in_unit_ball(find("bunny", "bunny", dir, BUNNY, BUNNY_REMEDY)))


def standardised(mesh: Mesh) -> Mesh:
    """Returns the mesh moved and scaled so that uniform points x of its surface have E x = 0 and E |x|² = 1.

    Both are integrals over the triangles (a, b, c), exact: the mean of x over one is (a + b + c)/3 and that of |x|²
    is (|a|² + |b|² + |c|² + |a + b + c|²)/12.

    Args:
        mesh: A mesh, at least one triangle with an area.
    """
    weights = triangle_areas(mesh)
    weights = weights / weights.sum()
    vertices = mesh.vertices - weights @ mesh.vertices[mesh.faces].mean(axis=1)
    corners = vertices[mesh.faces]
    squares = (np.sum(corners**2, axis=(1, 2)) + np.sum(corners.sum(axis=1) ** 2, axis=1)) / 12
    return Mesh(vertices / np.sqrt(weights @ squares), mesh.faces)


def triangle_areas(mesh: Mesh) -> Float[np.ndarray, " F"]:
    """Returns the area of every triangle."""
    return trimesh_module().triangles.area(mesh.vertices[mesh.faces])


def uniform_on_mesh(rng: np.random.Generator, mesh: Mesh, num: int) -> Float[np.ndarray, "num 3"]:
    """Returns independent points of the surface, uniform in area.

    A triangle (a, b, c) is drawn with a probability proportional to its area, then its point
    (1 - √u) a + √u (1 - v) b + √u v c with u and v uniform on [0, 1).

    Float64 throughout: the probabilities of a scan, some 10⁻⁵ each, add up with an error of a hundredth of that in
    float32. `trimesh.sample` draws other points of the same distribution: data sets would change.

    Args:
        rng: Source of randomness; its state advances.
        mesh: A mesh, at least one triangle with an area.
        num: Number of points.

    Source: [osada2002, Sec. 4.2].
    """
    areas = triangle_areas(mesh)
    a, b, c = mesh.vertices[mesh.faces[rng.choice(len(areas), num, p=areas / areas.sum())].T]
    root, v = np.sqrt(rng.random((num, 1))), rng.random((num, 1))
    return (1 - root) * a + root * (1 - v) * b + root * v * c

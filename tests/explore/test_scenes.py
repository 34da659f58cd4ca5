"""Latent spaces on the screen: codes and decoded points lie where the manifold says, triangles cover what is shown."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.explore.scenes import scene, spread
from mvae.manifolds import SO3, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere

EXACT = [
    (Sphere(2, radius=0.5), "solid", "sphere"),
    (ProjectiveSpace(2), "solid", "projective"),
    (FlatTorus(2), "square", "torus"),
    (FlatTorus(1), "circle", "sphere"),
    (Sphere(1, radius=3.0), "circle", "sphere"),
    (Euclidean(1), "line", "flat"),
    (Euclidean(2), "plane", "flat"),
]
PROJECTED = [
    (Sphere(10), "plane"),
    (FlatTorus(3), "square"),
    (Euclidean(5), "plane"),
    (ProjectiveSpace(4), "plane"),
    (Product((Sphere(2), Euclidean(2))), "plane"),
]


def codes_of(manifold, num=400):
    if isinstance(manifold, Euclidean):
        return np.random.default_rng(0).normal(size=(num, manifold.dim)).astype(np.float32)
    if isinstance(manifold, Product):
        return np.concatenate([codes_of(factor, num) for factor in manifold.factors], axis=1)
    return np.asarray(manifold.uniform(jax.random.key(0), (num,)))


@pytest.mark.parametrize(("manifold", "kind", "geodesic"), EXACT, ids=repr)
def test_spaces_that_are_shown_as_they_are(manifold, kind, geodesic):
    codes = codes_of(manifold)
    shown = scene(manifold, codes, 500)
    assert (shown.kind, shown.geodesic) == (kind, geodesic)
    assert shown.nodes.shape == (len(shown.mesh.places), manifold.ambient_dim)
    assert bool(manifold.contains(jnp.asarray(shown.nodes, jnp.float32), 1e-5).all())
    placed = shown.place(shown.nodes)
    off = np.abs(placed - shown.mesh.places)
    period = 2 * np.pi if kind == "square" else np.inf  # of which -π and π are one angle
    np.testing.assert_allclose(np.minimum(off, np.abs(off - period)), 0, atol=1e-6)
    assert shown.mesh.cells.max() < len(shown.nodes)
    assert spread(shown, shown.place(codes)).shape == (400, shown.mesh.places.shape[1])


@pytest.mark.parametrize(("manifold", "kind"), PROJECTED, ids=repr)
def test_what_decodes_in_a_projection_is_the_mean_of_the_codes_there(manifold, kind):
    codes = codes_of(manifold)
    shown = scene(manifold, codes, 500)
    assert (shown.kind, shown.geodesic) == (kind, "")
    assert bool(manifold.contains(jnp.asarray(shown.nodes, jnp.float32), 1e-4).all())
    assert shown.mesh.cells.max() < len(shown.nodes)
    # Of codes that all lie next to one point that point decodes everywhere.
    near = manifold.exp(codes[:1], 1e-3 * manifold.to_tangent(codes[:1], codes_of(Euclidean(manifold.ambient_dim))))
    close = scene(manifold, np.asarray(near), 500)
    assert float(np.asarray(manifold.distance(jnp.asarray(close.nodes), codes[:1])).max()) < 0.02


def test_rotations_are_axes_times_angles():
    space, angles = SO3(), np.array([0.0, 0.5, 3.0])
    turns = np.stack([np.cos(angles / 2), np.zeros(3), np.sin(angles / 2), np.zeros(3)], axis=1)
    codes = np.asarray(space.from_quaternion(jnp.asarray(turns)))
    shown = scene(space, codes, 500)
    np.testing.assert_allclose(shown.place(codes), angles[:, None] * [[0, 1, 0]], atol=1e-5)
    assert (shown.kind, shown.nodes) == ("space", None)


def test_a_manifold_of_ones_own():
    cylinder = Product((Sphere(1), Euclidean(1)))
    assert scene(cylinder, codes_of(cylinder), 500).kind == "space"

"""Latent spaces on the screen: codes and decoded points lie where the manifold says, triangles cover what is shown."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.explore.scenes import scene, spread
from mvae.manifolds import (
    SO3,
    Cylinder,
    Euclidean,
    FlatTorus,
    Hyperbolic,
    Interval,
    KleinBottle,
    LensSpace,
    MobiusBand,
    Product,
    ProjectiveSpace,
    Quotient,
    RotationQuotient,
    Sphere,
)

EXACT = [
    (Sphere(2, radius=0.5), "solid", "sphere"),
    (ProjectiveSpace(2), "solid", "sphere"),
    (Quotient(Sphere(2, radius=2.0), np.diag([1.0, 1.0, -1.0])), "solid", "sphere"),
    (FlatTorus(2), "square", "box"),
    (KleinBottle(), "square", "box"),
    (MobiusBand(length=2.0, width=3.0), "square", "box"),
    (Cylinder(circumference=2.0, height=5.0), "square", "box"),
    (Hyperbolic(2), "disc", "hyperbolic"),
    (Hyperbolic(2, curvature=-4.0), "disc", "hyperbolic"),
    (Interval(2.0), "line", "flat"),
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
    (LensSpace(5, 2), "plane"),
    pytest.param(Hyperbolic(4), "plane", marks=pytest.mark.slow),
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
    if "glued" in shown.edges or "flipped" in shown.edges:  # of which places on a side are shown at one of two
        low, high = np.array(shown.sides).T
        inner = np.all((shown.mesh.places > low + 1e-6) & (shown.mesh.places < high - 1e-6), axis=1)
        assert inner.sum() > 300
        off = off[inner]
    np.testing.assert_allclose(off, 0, atol=1e-5)
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


def test_a_point_of_a_quotient_is_shown_at_one_place_whichever_representative_is_given():
    for manifold in (RotationQuotient("dihedral", 3), LensSpace(5, 2), KleinBottle(), Interval()):
        codes = codes_of(manifold)
        shown = scene(manifold, codes, 300)
        for images in np.asarray(manifold.orbit(codes)):
            np.testing.assert_allclose(shown.place(images), shown.place(codes), atol=2e-4)


def test_the_images_of_a_place_are_those_of_the_points():
    half = Quotient(Sphere(2), np.diag([1.0, 1.0, -1.0]))
    codes = codes_of(half)
    shown = scene(half, codes, 300)
    np.testing.assert_allclose(shown.images, [np.eye(3), np.diag([1, 1, -1])])
    many = Quotient(Sphere(2), RotationQuotient("octahedral").rotations)  # 24 dots for each code would be too many
    assert (scene(many, codes, 300).kind, scene(many, codes, 300).images) == ("space", None)
    np.testing.assert_allclose(shown.place(np.asarray(half.orbit(codes)[1])), codes @ shown.images[1].T, atol=1e-6)


def test_hyperbolic_space_of_three_dimensions_is_a_ball():
    shown = scene(Hyperbolic(3), codes_of(Hyperbolic(3)), 300)
    assert shown.kind == "space"
    assert np.linalg.norm(shown.place(codes_of(Hyperbolic(3))), axis=1).max() < 1

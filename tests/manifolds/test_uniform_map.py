import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvae.manifolds import (
    SO3,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Implicit,
    Product,
    ProjectiveSpace,
    Sphere,
    uniform_map,
)

MANIFOLDS = [
    Sphere(1),
    Sphere(2, radius=2.0),
    Sphere(3),
    Sphere(7),
    ProjectiveSpace(1),
    ProjectiveSpace(2),
    ProjectiveSpace(3),
    FlatTorus(3),
    EmbeddedTorus(1.0, 0.99),
    EmbeddedTorus(),
    SO3(),
    Product((Sphere(2), FlatTorus(1), SO3())),
]


@pytest.mark.parametrize("manifold", MANIFOLDS, ids=str)
@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.slow)])
def test_volume_element_is_constant_and_points_lie_on_the_manifold(manifold, dtype):
    with jax.enable_x64(dtype == jnp.float64):
        inside = np.random.default_rng(0).uniform(0.02, 0.98, (200, manifold.dim))
        u = jnp.asarray(np.concatenate([inside, np.zeros_like(inside[:1]), np.ones_like(inside[:1])]), dtype)
        z, jacobian = jax.jit(jax.vmap(lambda u: (uniform_map(manifold)(u), jax.jacfwd(uniform_map(manifold))(u))))(u)
        assert z.dtype == dtype
        assert bool(jnp.all(jnp.isfinite(jacobian)))  # at the corners of the cube too
        eps = float(jnp.finfo(dtype).eps)
        assert bool(jnp.all(manifold.contains(z, 50 * eps)))
        element = np.prod(np.linalg.svd(jacobian[:200], compute_uv=False), axis=-1)
        np.testing.assert_allclose(element, manifold.volume, rtol=3e4 * eps)


@pytest.mark.slow
@pytest.mark.parametrize("manifold", MANIFOLDS, ids=str)
def test_push_forward_has_the_distribution_of_uniform(manifold):
    """The mean of functions that separate points: distances to a few fixed points, against manifold.uniform."""
    if isinstance(manifold, EmbeddedTorus):
        pytest.skip("distances on it are computed by descent; its volume element says the same")
    u_key, z_key, w_key = jax.random.split(jax.random.key(1), 3)
    pushed = uniform_map(manifold)(jax.random.uniform(u_key, (4000, manifold.dim)))
    drawn = manifold.uniform(z_key, (4000,))
    for w in manifold.uniform(w_key, (3,)):
        distances = jax.jit(jax.vmap(lambda z, w=w: manifold.distance(z, w)))
        assert stats.ks_2samp(distances(pushed), distances(drawn)).pvalue > 1e-3


@pytest.mark.slow
def test_half_of_the_sphere_covers_the_projective_space_once():
    for dim in (1, 2, 3):
        space = ProjectiveSpace(dim)
        z = np.asarray(uniform_map(space)(jax.random.uniform(jax.random.key(2), (500, dim))))
        both = np.concatenate([z, -z])
        full = uniform_map(Sphere(dim))
        u = jax.random.uniform(jax.random.key(3), (1000, dim))
        distances = [
            np.linalg.norm(points[:, None] - np.asarray(full(u))[None, :20], axis=-1)
            for points in (both, np.asarray(full(u)[20:]))
        ]
        for j in range(20):
            assert stats.ks_2samp(distances[0][:, j], distances[1][:, j]).pvalue > 1e-4


@pytest.mark.parametrize(
    ("manifold", "reason"),
    [
        (Sphere(4), "even and above 2"),
        (ProjectiveSpace(6), "even and above 2"),
        (Euclidean(2), "Euclidean"),
        (Product((Sphere(1), Euclidean(1))), "Euclidean"),
        (Implicit(lambda x: jnp.sum(x**2) - 1, dim=2, ambient_dim=3), "Implicit"),
    ],
)
def test_refuses_what_has_no_closed_form(manifold, reason):
    with pytest.raises(NotImplementedError, match=reason):
        uniform_map(manifold)


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match="u must have a last axis of size 2"):
        uniform_map(Sphere(2))(jnp.zeros(3))

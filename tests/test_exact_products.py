"""Every product of matrices in the geometry asks for exact factors, which accelerators round by default."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from mvae import diffusion, spectral, transport
from mvae.manifolds import (
    SO3,
    EmbeddedTorus,
    FlatTorus,
    Product,
    ProjectiveSpace,
    Sphere,
    log_volume_element,
    pushforward_log_density,
    uniform_map,
)
from mvae.manifolds.implicit.surfaces import SURFACES
from mvae.spectral import modes

KEY = jax.random.key(0)
SPACES = {
    "sphere": Sphere(2),
    "flat_torus": FlatTorus(2),
    "projective": ProjectiveSpace(3),
    "so3": SO3(),
    "embedded_torus": EmbeddedTorus(),
    "product": Product((Sphere(2), SO3())),
    "genus_two": SURFACES["genus_two"],
}
FAST = ("sphere", "so3")
CLOSED = ("sphere", "flat_torus", "projective", "so3", "product")


def array(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def points(space):
    return array(4, SPACES[space].ambient_dim)


def inexact(function, *arguments):
    """The products of a function and of its gradient whose factors may be rounded, as lowered."""

    def gradients(*arguments):
        def total(*arguments):
            return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(function(*arguments)) if leaf.dtype.kind == "f")

        return jax.grad(total, argnums=tuple(range(len(arguments))))(*arguments)

    texts = [jax.jit(each).lower(*arguments).as_text() for each in (function, gradients)]
    products = [line for text in texts for line in text.splitlines() if "dot_general" in line]
    return [line for line in products if "precision = [HIGHEST, HIGHEST]" not in line]


METHODS = [(space, name) for space in SPACES for name in ("project", "to_tangent", "exp", "log", "distance")]
SLOW = {("genus_two", name) for name in ("project", "exp", "log", "distance")} | {
    ("embedded_torus", name) for name in ("exp", "log", "distance")
}


def slow_if(condition, *values):
    return pytest.param(*values, marks=[pytest.mark.slow] if condition else [])


@pytest.mark.parametrize(("space", "name"), [slow_if(each in SLOW, *each) for each in METHODS])
def test_manifolds(space, name):
    numbers = 1 if name == "project" else 2
    try:
        found = inexact(getattr(SPACES[space], name), *[points(space)] * numbers)
    except NotImplementedError:
        pytest.skip(f"{space} has no {name}")
    assert not found


@pytest.mark.parametrize("space", [slow_if(name not in FAST, name) for name in SPACES])
def test_densities(space):
    kernel = functools.partial(diffusion.log_heat_kernel, SPACES[space])
    method = "exact" if space in (*CLOSED, "embedded_torus") else "asymptotic"
    divergence = functools.partial(diffusion.kl_to_uniform, SPACES[space], method=method)
    assert not inexact(kernel, array(4), points(space), points(space))
    assert not inexact(divergence, array(4), points(space))


@pytest.mark.parametrize("space", [slow_if(name not in FAST, name) for name in SPACES])
def test_draws(space):
    manifold = SPACES[space]
    for kind in ("projection", "geodesic"):
        walk = functools.partial(diffusion.random_walk, KEY, manifold, num_steps=2, kind=kind)
        assert not inexact(lambda z, t, walk=walk: walk(z=z, t=t), points(space), array(4))
    if space in CLOSED:
        assert not inexact(lambda z, t: diffusion.sample(KEY, manifold, z, t), points(space), array(4))


@pytest.mark.parametrize("space", ["sphere", "embedded_torus", "so3"])
def test_changes_of_variables(space):
    manifold, dim = SPACES[space], SPACES[space].dim
    carried = uniform_map(manifold)
    assert not inexact(lambda u: carried(u), array(4, dim))
    assert not inexact(lambda u: log_volume_element(carried, u), array(4, dim))
    assert not inexact(lambda u: pushforward_log_density(carried, lambda u: -jnp.sum(u**2), u), array(4, dim))


def infer(operators, z0, z1):
    return transport.infer_coefficients(KEY, operators, z0, z1, l1_weight=0.1).coefficients


def implicit(operators, z0, z1):
    c = infer(operators, z0, z1)
    return transport.implicit_coefficients(operators, c, z0, z1, l1_weight=0.1)


def graph_sums(x, values, *graph):
    return spectral.graph_sums(x, spectral.PointwiseGraph(*graph), values)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(transport.expm_action, [array(5, 4, 4), array(5, 4)], id="expm_action"),
        pytest.param(transport.transport, [array(3, 4, 4), array(5, 3), array(5, 4)], id="transport"),
        pytest.param(transport.path, [array(3, 4, 4), array(5, 3), array(5, 4), array(7)], id="path"),
        pytest.param(infer, [array(3, 4, 4), array(5, 4), array(5, 4)], id="infer"),
        pytest.param(implicit, [array(3, 4, 4), array(5, 4), array(5, 4)], id="implicit", marks=pytest.mark.slow),
        pytest.param(spectral.squared_distances, [array(30, 9)], id="squared_distances"),
        pytest.param(spectral.gaussian_affinity, [array(30, 9)], id="gaussian_affinity"),
        pytest.param(lambda x: spectral.nearest_neighbors(x, 5).distances, [array(30, 9)], id="nearest_neighbors"),
        pytest.param(lambda y: spectral.orthonormalize(y).values, [array(30, 3)], id="orthonormalize"),
        pytest.param(lambda x: spectral.local_covariance(x, num_neighbors=5), [array(30, 9)], id="local_covariance"),
        pytest.param(graph_sums, [array(30, 9), array(30, 2), *[array(30)] * 4], id="graph_sums"),
        pytest.param(
            lambda x, y: spectral.nystrom(spectral.diffusion_map(x, 2, method="dense"), x, y),
            [array(30, 9), array(4, 9)],
            id="diffusion_map and nystrom",
        ),
    ],
)
def test_transport_and_spectra(function, arguments):
    assert not inexact(function, *arguments)


def test_sparse_products_of_lobpcg(monkeypatch):
    seen = []

    def lowered(apply, start, **options):
        seen.append(jax.jit(apply).lower(start).as_text())
        return None, start, None

    monkeypatch.setattr(modes, "lobpcg_standard", lowered)
    matrix = scipy.sparse.csr_array(np.eye(30))
    modes._lobpcg(matrix, np.full((30, 1), 30**-0.5), 2, np.dtype(np.float32), 1e-3, 3)
    products = [line for line in seen[0].splitlines() if "dot_general" in line]
    assert len(products) == 3
    assert all("precision = [HIGHEST, HIGHEST]" in line for line in products)


def test_a_rounded_product_is_found():
    assert len(inexact(lambda x: x @ x.T, array(3, 4))) > 1

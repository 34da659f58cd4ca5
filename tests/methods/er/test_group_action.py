"""Groups that act on latent spaces: the distributions of a group action, isometry, and transitivity."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvae.manifolds import SO3, EmbeddedTorus, Euclidean, FlatTorus, Product, ProjectiveSpace, Sphere
from mvae.methods.er.group_action import group_action

MANIFOLDS = [
    Sphere(1, 2.0),
    Sphere(2, 0.5),
    Sphere(3),
    SO3(),
    FlatTorus(3),
    ProjectiveSpace(2),
    Product((Sphere(2), Product((FlatTorus(1), Sphere(3))))),
]
NAMES = ["SO(2)", "SO(3)", "unit quaternions", "SO(3)", "SO(2)^3", "SO(3)", "SO(3) x SO(2) x unit quaternions"]
ON_GROUP = [Sphere(1), SO3(), Sphere(3), SO3(), FlatTorus(3), SO3(), Product((SO3(), FlatTorus(1), Sphere(3)))]
IDS = [type(manifold).__name__ + str(manifold.dim) for manifold in MANIFOLDS]
RNG = np.random.default_rng(0)
CASES = list(zip(MANIFOLDS, ON_GROUP, NAMES, IDS, strict=True))
SLOW = pytest.mark.slow  # a second or two each, most of it to compile the projection onto the rotations


def cases(precisions, fast):
    """Every manifold in these precisions; all but the `fast` ones are slow."""
    for index, x64 in itertools.product(range(len(CASES)), precisions):
        manifold, group, name, label = CASES[index]
        marks = [] if (index, x64) in fast else SLOW
        yield pytest.param(manifold, group, name, x64, marks=marks, id=f"{label}-{'float64' if x64 else 'float32'}")


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), float)


def points(manifold, num):
    return manifold.project(normal(num, manifold.ambient_dim))


@pytest.mark.parametrize(("manifold", "group", "name", "x64"), cases((False, True), {(0, False)}))
def test_it_is_an_action_by_isometries(manifold, group, name, x64):
    atol = 1e-13 if x64 else 1e-5
    action = group_action(manifold)
    assert action.name == name
    with jax.enable_x64(x64):
        identity = jnp.asarray(action.identity, float)
        outputs, z, w = normal(20, action.num_outputs), points(manifold, 20), points(manifold, 20)
        outputs = outputs.at[0].set(0)
        g = jax.jit(action.element)(outputs)
        act = jax.jit(action.act)
        moved, other = act(g, z), act(g, w)
        assert g.dtype == moved.dtype == z.dtype
        assert np.all(group.contains(g, atol))
        assert np.all(manifold.contains(moved, atol))
        np.testing.assert_allclose(manifold.distance(moved, other), manifold.distance(z, w), atol=10 * atol)
        np.testing.assert_allclose(jax.jit(action.element)(g), g, atol=atol)  # what is on the group stays
        np.testing.assert_array_equal(g[0], identity)
        np.testing.assert_array_equal(moved[0], z[0])
        if group == manifold:  # it acts on itself by its own product, which is associative
            np.testing.assert_allclose(act(g, act(z, w)), act(moved, w), atol=10 * atol)


@pytest.mark.parametrize(("manifold", "group", "name", "x64"), cases((False,), set()))
def test_leading_axes_broadcast(manifold, group, name, x64):
    del group, name, x64
    action = group_action(manifold)
    g, z = action.element(normal(3, 1, action.num_outputs)), points(manifold, 4)
    moved = action.act(g, z)
    assert moved.shape == (3, 4, manifold.ambient_dim)
    np.testing.assert_allclose(moved[1, 2], action.act(g[1, 0], z[2]), atol=1e-6)
    np.testing.assert_allclose(action.act(g[1, 0], z), moved[1], atol=1e-6)


def test_matrices_and_quaternions_are_those_of_scipy():
    turns, others = Rotation.random(10, rng=np.random.default_rng(1)), Rotation.random(10, rng=np.random.default_rng(2))
    with jax.enable_x64(True):
        g = jnp.asarray(turns.as_matrix().reshape(10, 9))
        z = RNG.normal(size=(10, 3))
        np.testing.assert_allclose(group_action(Sphere(2)).act(g, jnp.asarray(z)), turns.apply(z), atol=1e-14)
        w = jnp.asarray(others.as_matrix().reshape(10, 9))
        both = (turns * others).as_matrix().reshape(10, 9)
        np.testing.assert_allclose(group_action(SO3()).act(g, w), both, atol=1e-14)
        q, p = (jnp.asarray(each.as_quat(scalar_first=True)) for each in (turns, others))
        found = np.asarray(group_action(Sphere(3)).act(q, p))
    both = (turns * others).as_quat(scalar_first=True)
    np.testing.assert_allclose(found * np.sign(np.sum(found * both, axis=1, keepdims=True)), both, atol=1e-14)


def carrying(manifold, z, w):
    """An element with g z = w, by other means than the action."""
    if isinstance(manifold, Product):
        parts = zip(manifold.factors, manifold.split(z), manifold.split(w), strict=True)
        return np.concatenate([carrying(*part) for part in parts], axis=-1)
    z, w = np.asarray(z, np.float64), np.asarray(w, np.float64)
    if isinstance(manifold, SO3):
        return (w.reshape(-1, 3, 3) @ z.reshape(-1, 3, 3).swapaxes(1, 2)).reshape(-1, 9)
    if manifold.dim == 2:
        turns = [Rotation.align_vectors(b[None], a[None])[0].as_matrix() for a, b in zip(z, w, strict=True)]
        return np.stack(turns).reshape(-1, 9)
    if isinstance(manifold, Sphere) and manifold.dim == 3:
        a, b = (Rotation.from_quat(x, scalar_first=True) for x in (z, w))
        return (b * a.inv()).as_quat(scalar_first=True)
    ratio = (w[:, 0::2] + 1j * w[:, 1::2]) / (z[:, 0::2] + 1j * z[:, 1::2])
    return np.stack([ratio.real, ratio.imag], axis=-1).reshape(len(z), -1)


@pytest.mark.parametrize(("manifold", "group", "name", "x64"), cases((True,), {(2, True)}))
def test_some_element_carries_any_point_to_any_other(manifold, group, name, x64):
    del group, name
    action = group_action(manifold)
    with jax.enable_x64(x64):
        z, w = (manifold.project(jnp.asarray(RNG.normal(size=(10, manifold.ambient_dim)))) for _ in range(2))
        g = jax.jit(action.element)(jnp.asarray(3.0 * carrying(manifold, z, w)))
        np.testing.assert_allclose(action.act(g, z), w, atol=1e-10)


@pytest.mark.parametrize(("manifold", "group", "name", "x64"), cases((False, True), {(0, True), (2, False)}))
def test_gradients_are_finite_differences_and_finite_near_zero(manifold, group, name, x64):
    del group, name
    action = group_action(manifold)
    with jax.enable_x64(x64):
        z, w = points(manifold, 4), normal(manifold.ambient_dim)
        outputs, direction = normal(4, action.num_outputs), normal(4, action.num_outputs)
        outputs = outputs * jnp.asarray([[1.0], [0.0], [1e-30], [1e-4]], float)

        @jax.jit
        def moved_and_gradient(outputs):
            moved, pullback = jax.vjp(lambda outputs: action.act(action.element(outputs), z) @ w, outputs)
            return moved, pullback(jnp.ones_like(moved))[0]

        step = 1e-5 if x64 else 1e-2
        moved, gradient = moved_and_gradient(outputs)
        forward, backward = (moved_and_gradient(outputs + sign * step * direction)[0] for sign in (1, -1))
        along, difference = gradient[0] @ direction[0], (forward - backward)[0] / (2 * step)
    assert np.isfinite(moved).all()
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(along, difference, rtol=1e-7 if x64 else 0.02, atol=1e-8 if x64 else 5e-3)


@pytest.mark.parametrize(
    "manifold", [Euclidean(2), EmbeddedTorus(), Sphere(4), Product((Sphere(1), Euclidean(1)))], ids=str
)
def test_manifolds_without_a_group_are_named(manifold):
    named = manifold.factors[1] if isinstance(manifold, Product) else manifold
    with pytest.raises(NotImplementedError) as caught:
        group_action(manifold)
    assert str(named) in str(caught.value)


def test_wrong_shapes_are_named():
    action = group_action(Product((Sphere(1), SO3())))
    with pytest.raises(ValueError, match="outputs must have a last axis of size 11"):
        action.element(jnp.ones(10))
    with pytest.raises(ValueError, match="g must have a last axis of size 11"):
        action.act(jnp.ones(2), jnp.ones(11))
    with pytest.raises(ValueError, match="z must have a last axis of size 3"):
        group_action(Sphere(2)).act(jnp.ones(9), jnp.ones(9))

"""Arrays of 16 bits: every function of the geometry against itself in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvae.diffusion import kl_to_uniform, log_heat_kernel, log_prior, random_walk, sample
from mvae.manifolds import (
    SO3,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Product,
    ProjectiveSpace,
    Sphere,
    check_values,
    log_volume_element,
    uniform_map,
)
from mvae.manifolds.implicit.surfaces import SURFACES

FAST = [Sphere(2, radius=2.5), Product((FlatTorus(1), Euclidean(1)))]
COSTLY = [ProjectiveSpace(3), SO3(), EmbeddedTorus(), SURFACES["genus_two"]]  # to compile
SLOW = pytest.mark.slow
HALVES = [jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float16)]
CASES = [
    *(pytest.param(manifold, HALVES[k % 2], id=f"{manifold}") for k, manifold in enumerate(FAST)),
    *(pytest.param(manifold, half, marks=SLOW) for manifold in COSTLY for half in HALVES),
]


def assert_rounded(function, arguments, half, scale):
    """Checks the dtype, and that the values are those in float32 up to a few roundings."""
    expected = jax.jit(function)(*arguments)
    found = jax.jit(function)(*(x.astype(half) for x in arguments))
    rounding = 4 * float(jnp.finfo(half).eps)
    for name, value in found.items():
        assert value.dtype == half, name
        value = np.asarray(value, np.float64)
        np.testing.assert_allclose(value, expected[name], rtol=rounding, atol=rounding * scale, err_msg=name)


@pytest.mark.parametrize(("manifold", "half"), CASES)
def test_methods_give_the_dtype_and_the_value(manifold, half):
    key_x, key_v, key_z = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(key_x, (5, manifold.ambient_dim)).astype(half).astype(jnp.float32)
    z, v = manifold.uniform(key_z, (5,)), jax.random.normal(key_v, (5, manifold.ambient_dim))
    step = 0.3 * manifold.to_tangent(z, v)
    w = manifold.exp(z, step)

    def methods(x, z, v, step, w):
        return {
            "project": manifold.project(x),
            "to_tangent": manifold.to_tangent(z, v),
            "exp": manifold.exp(z, step),
            "log": manifold.log(z, w),
            "distance": manifold.distance(z, w),
            "scalar_curvature": manifold.scalar_curvature(z),
        }

    assert_rounded(methods, (x, z, v, step, w), half, 8)
    assert jnp.all(manifold.contains(z.astype(half)))
    manifold.check_on("z", z.astype(half))


@pytest.mark.parametrize(("manifold", "half"), [pytest.param(*CASES[0].values, marks=SLOW), *CASES[1:]])
def test_diffusion_gives_the_dtype_and_the_value(manifold, half):
    key = jax.random.key(0)
    z = manifold.uniform(key, (5,))
    method = "exact" if kl_to_uniform.knows(manifold) else "asymptotic"

    def functions(z, w, t):
        found = {
            "projection": random_walk(key, manifold, z, t, num_steps=3),
            "geodesic": random_walk(key, manifold, z, t, num_steps=3, kind="geodesic"),
            "log_heat_kernel": log_heat_kernel(manifold, t, z, w),
            "log_prior": log_prior(manifold, z),
            "kl_to_uniform": kl_to_uniform(manifold, t, z, method=method),
        }
        return found | ({"sample": sample(key, manifold, z, t)} if sample.knows(manifold) else {})

    assert_rounded(functions, (z, manifold.project(z + 0.2), jnp.array(0.5)), half, 8)


def test_maps_and_other_methods_of_points():
    def functions(u, v, a, q):
        return {
            "sphere": uniform_map(Sphere(2))(u),
            "log_volume_element": log_volume_element(lambda u: jnp.concatenate([u, 2 * u**2]), v),
            "from_angles": FlatTorus(2).from_angles(a),
            "angles": FlatTorus(2).angles(FlatTorus(2).from_angles(a)),
            "from_quaternion": SO3().from_quaternion(q),
            "project": SO3().project(jnp.concatenate([q, q[::-1], q[:1]])),
            "circles": EmbeddedTorus().circles(q[:3]),
        }

    u, a = jnp.array([[0.1, 0.6], [0.9, 0.3]]), jnp.array([[0.3, -2.0]])
    q = jnp.array([0.5, 0.125, -0.25, 0.75])
    assert_rounded(functions, (u, u, a, q), HALVES[0], 8)


def test_derivatives():
    z, w = jnp.array([0.6, 0.0, 0.8]), jnp.array([0.0, 0.6, 0.8])
    assert_rounded(lambda z, w: {"slope": jax.grad(Sphere(2).distance)(z, w)}, (z, w), HALVES[1], 2)


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_points_off_the_manifold_are_refused(half):
    manifold = Sphere(2)
    z = jnp.array([0.6, 0.0, 0.8], half)
    off = jnp.array([0.0, 0.7, 0.8], half)
    with pytest.raises(ValueError, match=r"^w must lie on the manifold"):
        manifold.distance(z, off)
    with pytest.raises(ValueError, match=r"^w must lie on the manifold"):
        check_values(jax.jit(manifold.distance))(z, off)
    assert not manifold.contains(off)


def test_wider_arrays_and_mixtures():
    z = jax.ShapeDtypeStruct((3,), jnp.bfloat16)
    for other, dtype in ((jnp.float32, jnp.float32), (jnp.float16, jnp.float32), (jnp.bfloat16, jnp.bfloat16)):
        assert jax.eval_shape(Sphere(2).distance, z, jax.ShapeDtypeStruct((3,), other)).dtype == dtype
    assert jax.eval_shape(lambda z: kl_to_uniform(Sphere(2), np.float64(0.1), z), z).dtype == jnp.bfloat16


def test_eight_bits_are_refused_by_name():
    x = jnp.ones(3, jnp.float8_e4m3fn)
    with pytest.raises(ValueError, match=r"^x must have one of the dtypes .*, got float8_e4m3fn"):
        Sphere(2).project(x)


@pytest.mark.parametrize("method", ["exp", "distance", "log"])
def test_programs_of_wider_arrays_are_those_without_the_decorator(method):
    z, manifold = jnp.eye(3)[0], Sphere(2)
    plain = getattr(Sphere, method).__wrapped__
    expected = jax.make_jaxpr(lambda z, w: plain(manifold, z, w))(z, z)
    assert str(jax.make_jaxpr(getattr(manifold, method))(z, z)) == str(expected)

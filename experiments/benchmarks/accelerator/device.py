"""Parts a and e: what the device does by itself, and walks, densities and KLs as shares of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from experiments.benchmarks.accelerator.cells import Cell, Setting, spread, times_of
from mvae.diffusion import kl_to_uniform, log_heat_kernel, random_walk
from mvae.engine import products_in
from mvae.manifolds import SO3, EmbeddedTorus, FlatTorus, Manifold, ProjectiveSpace, Sphere

PRECISIONS = ("default", "float32", "tensorfloat32", "bfloat16")
WALKS: dict[str, Manifold] = {"sphere2": Sphere(2), "flat_torus": FlatTorus(2), "so3": SO3()}
SPACES: dict[str, Manifold] = WALKS | {"embedded_torus": EmbeddedTorus(), "projective3": ProjectiveSpace(3)}
TIME = 0.1


def rate_of(setting: Setting, count: float, function: Callable[[], Any]) -> dict[str, float]:
    """Returns so many things per second, of a function that does `count` of them."""
    (times,) = times_of(setting, function)
    return spread([count / taken for taken in times])


def device_cells(setting: Setting) -> list[Cell]:
    """The cells of part a."""
    products = [
        Cell(f"product_{name}", partial(product_rate, setting, name), 8) for name in (*PRECISIONS, "bfloat16_arrays")
    ]
    return [
        Cell("device", lambda: describe(setting), 5),
        *products,
        Cell("copy", partial(copy_rate, setting), 8),
        Cell("normals", partial(normal_rate, setting), 8),
    ]


def describe(setting: Setting) -> dict[str, Any]:
    """Returns what the device says of itself, and the seconds of a call that does next to nothing."""
    device = jax.devices()[0]
    add = jax.jit(lambda x: x + 1)
    (waiting,) = times_of(setting, lambda: jax.block_until_ready(add(jnp.float32(1))))
    return {
        "kind": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        "platform_version": device.client.platform_version,
        "memory": (device.memory_stats() or {}).get("bytes_limit"),
        "call_seconds": spread(waiting),
    }


def product_rate(setting: Setting, name: str) -> dict[str, Any]:
    """Returns FLOP/s of a large product: of float32 factors rounded as the name says, or of bfloat16 ones."""
    size = setting.choose(8192, 128)
    arrays = jax.random.normal(jax.random.key(0), (2, size, size), jnp.float32)
    if name == "bfloat16_arrays":
        arrays, name = arrays.astype(jnp.bfloat16), "default"
    product = jax.jit(jnp.matmul)
    with products_in(name):
        return {"size": size, "flops": rate_of(setting, 2.0 * size**3, lambda: product(*arrays))}


def copy_rate(setting: Setting) -> dict[str, Any]:
    """Returns bytes per second, those read and those written, of adding one to a large array."""
    array = jnp.zeros(setting.choose(2**28, 2**16), jnp.float32)
    add = jax.jit(lambda x: x + 1)
    return {"bytes": array.nbytes, "bytes_per_second": rate_of(setting, 2 * array.nbytes, lambda: add(array))}


@partial(jax.jit, static_argnames="count")
def draw(key: Key[Array, ""], count: int) -> Array:
    """Normal numbers, into memory."""
    return jax.random.normal(key, (count,))


def normal_rate(setting: Setting) -> dict[str, Any]:
    """Returns normal numbers per second."""
    count, key = setting.choose(10**8, 10**4), jax.random.key(0)
    return {"count": count, "normals_per_second": rate_of(setting, count, lambda: draw(key, count))}


def walk_cells(setting: Setting) -> list[Cell]:
    """The cells of part e."""
    cells = []
    for particles in setting.choose((10**5, 10**7), (200,)):
        for space in setting.choose(tuple(WALKS), ("so3",)):
            name = f"walk_{space}_{particles}"
            cells.append(Cell(name, partial(walk_rates, setting, space, particles), 20, "walk"))
    spaces = setting.choose(tuple(SPACES), ("sphere2",))
    return cells + [Cell(f"density_{space}", partial(density_rates, setting, space), 25, "density") for space in spaces]


@partial(jax.jit, static_argnames=("manifold", "kind", "num_steps"))
def walk(key: Key[Array, ""], manifold: Manifold, z: Array, kind: str, num_steps: int) -> Array:
    """The library's walk."""
    return jnp.asarray(random_walk(key, manifold, z, TIME, num_steps=num_steps, kind=kind))


def walk_rates(setting: Setting, space: str, particles: int) -> dict[str, Any]:
    """Returns steps of one particle per second, both kinds of walk, and shares of the rate of drawing their noise."""
    manifold, key, num_steps = WALKS[space], jax.random.key(0), setting.choose(10, 2)
    z = manifold.uniform(key, (particles,))
    kinds = ("projection", "geodesic")
    walks = [partial(walk, key, manifold, z, kind, num_steps) for kind in kinds]
    *times, noise = times_of(setting, *walks, partial(draw, key, num_steps * z.size))
    return {
        kind: {
            "steps_per_second": spread([particles * num_steps / taken for taken in taking]),
            "of_noise": spread([drawn / taken for drawn, taken in zip(noise, taking, strict=True)]),
        }
        for kind, taking in zip(kinds, times, strict=True)
    }


def density_rates(setting: Setting, space: str) -> dict[str, Any]:
    """Returns log densities and KLs per second, values alone and with their gradients in time."""
    manifold, count = SPACES[space], setting.choose(10**6, 100)
    keys = jax.random.split(jax.random.key(0))
    z, w = (manifold.uniform(key, (count,)) for key in keys)
    t = jnp.asarray(np.geomspace(1e-3, 1.0, count), jnp.float32)

    def gradient(function: Callable[..., Array]) -> Callable[..., Array]:
        return jax.grad(lambda t, *points: jnp.sum(function(t, *points)))

    def density(t: Array, z: Array, w: Array) -> Array:
        return log_heat_kernel(manifold, t, z, w)

    def divergence(t: Array, z: Array) -> Array:
        return kl_to_uniform(manifold, t, z)

    functions = {
        "densities": (density, (t, z, w)),
        "density_gradients": (gradient(density), (t, z, w)),
        "kls": (divergence, (t, z)),
        "kl_gradients": (gradient(divergence), (t, z)),
    }
    return {
        name: rate_of(setting, count, partial(jax.jit(function), *arguments))
        for name, (function, arguments) in functions.items()
    }

"""Pairs of points per second whose heat kernel is computed in float32, beside the exact code and GeometricKernels.

    taskset -c 0 python -m experiments.benchmarks.densities [--points=1000] [--rounds=5] [--seconds=0.5]

All densities between two sets of points at time 0.3, compiled, in turns in one run. The exact code is the contour
integral and the series with the rules of float32, on the distance of the points. GeometricKernels' Matérn kernel with
nu = infinity runs on its JAX backend, where it is installed and has the space. Then a time for each row, a time for
each pair of two lists, and the gradient in both ends and the time; last the seconds of the first call, which builds
the table and compiles, and of building the table alone.
"""

import math
import time
import warnings
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from experiments.benchmarks.timing import in_turns, over_rounds
from mvae.diffusion import log_heat_kernel, radial_table
from mvae.diffusion.heat_kernel import SO3_RADIUS, log_line_kernel, log_radial_kernel
from mvae.manifolds import SO3, Manifold, ProjectiveSpace, Sphere
from mvae.programs import launch

TIME = 0.3
SPACES: tuple[Manifold, ...] = (Sphere(2), Sphere(9), ProjectiveSpace(3), SO3())

_POINTS = flags.DEFINE_integer("points", 1000, "Points in each of the two sets.", lower_bound=2)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds over everything; medians are printed.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 0.5, "Seconds that one timing takes, about.", lower_bound=0.01)

Density = Callable[..., jax.Array]


def exact_density(manifold: Manifold, t: jax.Array, z: jax.Array, w: jax.Array) -> jax.Array:
    """Log density by the exact code, without a table."""
    angle = manifold.distance(z, w)
    if isinstance(manifold, SO3):
        times, angle = jnp.broadcast_arrays(t / SO3_RADIUS**2, angle / SO3_RADIUS)
        return log_line_kernel(3, times, angle) - 3 * math.log(SO3_RADIUS)
    kernel = log_radial_kernel if isinstance(manifold, Sphere) else log_line_kernel
    return kernel(manifold.dim, *jnp.broadcast_arrays(t, angle))


def their_density(manifold: Manifold) -> Density | None:
    """GeometricKernels' density between all z and w, (z, w) -> (n, m); None where it is not installed or has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import geometric_kernels.jax  # pyright: ignore[reportMissingImports]  # noqa: F401
            from geometric_kernels import kernels, spaces  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    if isinstance(manifold, Sphere):
        space, levels, ratio, shape = spaces.Hypersphere(manifold.dim), 40, 1.0, (manifold.ambient_dim,)
    elif isinstance(manifold, SO3):
        space, levels, ratio, shape = spaces.SpecialOrthogonal(3), 25, 0.5, (3, 3)
    else:
        return None
    kernel = kernels.MaternKarhunenLoeveKernel(space, levels, normalize=False)
    params = {
        "nu": jnp.array([jnp.inf], jnp.float32),
        "lengthscale": jnp.array([math.sqrt(ratio * TIME)], jnp.float32),
    }

    def density(z: jax.Array, w: jax.Array) -> jax.Array:
        return kernel.K(params, z.reshape(-1, *shape), w.reshape(-1, *shape)) / manifold.volume

    return density


def repeated(function: Density, *arguments: jax.Array) -> Callable[[int], None]:
    """What calls a compiled function any number of times."""
    compiled = jax.jit(function)

    def run(number: int) -> None:
        for _ in range(number):
            jax.block_until_ready(compiled(*arguments))

    return run


def time_space(manifold: Manifold) -> None:
    """Prints the lines of one space."""
    num = _POINTS.value
    z, w = (manifold.uniform(jax.random.key(k), (num,)) for k in (0, 1))
    t = jnp.float32(TIME)
    ours, exact = partial(log_heat_kernel, manifold), partial(exact_density, manifold)

    began = time.perf_counter()
    jax.block_until_ready(jax.jit(ours)(t, z[:, None], w))
    first = time.perf_counter() - began
    dim = 3 if isinstance(manifold, SO3) else manifold.dim
    radial_table._table.cache_clear()
    began = time.perf_counter()
    radial_table._table(dim)
    built = time.perf_counter() - began

    lists = (jnp.repeat(z, num, axis=0), jnp.tile(w, (num, 1)))
    gradient = jax.grad(lambda *ends: jnp.sum(ours(*ends)), (0, 1, 2))
    cases = {
        "table": repeated(lambda z, w: ours(t, z[:, None], w), z, w),
        "exact": repeated(lambda z, w: exact(t, z[:, None], w), z, w),
        "a time for each row": repeated(ours, jnp.full((num, 1), t), z[:, None], w),
        "a time for each pair": repeated(ours, jnp.full(num**2, t), *lists),
        "gradient": repeated(gradient, t, z[:, None], w),
        "gradient, exact": repeated(
            jax.grad(lambda *ends: jnp.sum(exact(*ends)), (0, 1, 2)), jnp.full((num, 1), t), z[:, None], w
        ),
    }
    theirs = their_density(manifold)
    if theirs is not None:
        cases["GeometricKernels"] = repeated(theirs, z, w)
        ratio = np.asarray(theirs(z, w)) / np.exp(np.asarray(ours(t, z[:, None], w)))
        print(f"{manifold!r}: theirs over ours, median {np.median(ratio):.6f}")
    table = dict(zip(cases, in_turns(list(cases.values()), _ROUNDS.value, _SECONDS.value), strict=True))
    for name, times in table.items():
        rates = over_rounds([1e-6 * num**2 / taken for taken in times])
        ratios = over_rounds([taken / own for taken, own in zip(times, table["table"], strict=True)], 1)
        print(f"{manifold!r} {name:20s} {rates} million pairs/s, the table takes 1/{ratios}", flush=True)
    print(f"{manifold!r} first call {first:.2f} s, of which the table {built:.3f} s", flush=True)


def main(argv: list[str]) -> None:
    """Prints the lines."""
    del argv
    print(f"device {jax.devices()[0].device_kind}, {_POINTS.value}² pairs, float32")
    for manifold in SPACES:
        time_space(manifold)


if __name__ == "__main__":
    launch(main)

"""Pairs of points per second whose heat kernel is computed in float32, beside the exact code and GeometricKernels.

    taskset -c 0 python -m experiments.benchmarks.densities [--points=1000] [--rounds=5] [--seconds=0.5]

All densities between two sets of points at time 0.3, compiled, in turns in one run: from the tables of float32; by the
exact code, that of float64; and by GeometricKernels' Matérn kernel with nu = infinity on its JAX backend, where it is
installed and has the space. Then a time for each row, a time for each pair of two lists, and the gradient in both ends
and the time; last the seconds of the first call, which builds the table and compiles. With the tree of a commit before
the tables on the path, the same file gives the rates of the exact code by the rules of float32.
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

from experiments.benchmarks.timing import in_turns, over_rounds, repeated
from mvae.diffusion import log_heat_kernel
from mvae.manifolds import SO3, Manifold, ProjectiveSpace, Sphere
from mvae.programs import launch

TIME = 0.3
SPACES: tuple[Manifold, ...] = (Sphere(2), Sphere(9), ProjectiveSpace(3), SO3())

_POINTS = flags.DEFINE_integer("points", 1000, "Points in each of the two sets.", lower_bound=2)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds over everything; medians are printed.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 0.5, "Seconds that one timing takes, about.", lower_bound=0.01)

Density = Callable[..., jax.Array]


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


def in_float64(run: Callable[[int], object]) -> Callable[[int], object]:
    """The same with 64 bits."""

    def wide(number: int) -> None:
        with jax.enable_x64(True):
            run(number)

    return wide


def time_space(manifold: Manifold) -> None:
    """Prints the lines of one space."""
    num = _POINTS.value
    z, w = (manifold.uniform(jax.random.key(k), (num,)) for k in (0, 1))
    t = jnp.float32(TIME)
    ours = partial(log_heat_kernel, manifold)

    began = time.perf_counter()
    jax.block_until_ready(jax.jit(ours)(t, z[:, None], w))
    first = time.perf_counter() - began

    lists = (jnp.repeat(z, num, axis=0), jnp.tile(w, (num, 1)))
    gradient = jax.grad(lambda *ends: jnp.sum(ours(*ends)), (0, 1, 2))
    cases = {
        "table": repeated(lambda z, w: ours(t, z[:, None], w), z, w),
        "a time for each row": repeated(ours, jnp.full((num, 1), t), z[:, None], w),
        "a time for each pair": repeated(ours, jnp.full(num**2, t), *lists),
        "gradient": repeated(gradient, jnp.full((num, 1), t), z[:, None], w),
    }
    with jax.enable_x64(True):
        doubles = [jnp.asarray(x, jnp.float64) for x in (t, z[:, None], w)]
        cases["exact, float64"] = in_float64(repeated(ours, *doubles))
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
    print(f"{manifold!r} first call {first:.2f} s with compilation", flush=True)


def main(argv: list[str]) -> None:
    """Prints the lines."""
    del argv
    print(f"device {jax.devices()[0].device_kind}, {_POINTS.value}² pairs, float32")
    for manifold in SPACES:
        time_space(manifold)


if __name__ == "__main__":
    launch(main)

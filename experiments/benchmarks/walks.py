"""Steps per second of random walks for 100 000 particles on S², T² and SO(3), beside NumPy and geomstats.

    python -m experiments.benchmarks.walks [--particles=100000] [--rounds=5]

One step is drawing the noise, adding it and projecting. The NumPy reference is the same walk, vectorised over the
particles, written with numpy.random and numpy.linalg alone; the other reference takes its projection from geomstats,
if that is installed (its own Brownian motion takes one path at a time, in intrinsic coordinates, and fails on S²).
The last column is the share of this machine's rate of drawing normal numbers, measured in the same run: a walk
cannot be faster than its noise.
"""

import statistics
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from experiments.benchmarks.timing import seconds
from mvae.diffusion import random_walk
from mvae.manifolds import SO3, FlatTorus, Manifold, Sphere
from mvae.programs import launch

NUM_STEPS = 10
TIME = 0.1

_PARTICLES = flags.DEFINE_integer("particles", 100_000, "Particles that walk at once.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds over everything; medians are printed.", lower_bound=1)


def sphere_step(x: np.ndarray) -> np.ndarray:
    """Projection to the unit sphere."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def torus_step(x: np.ndarray) -> np.ndarray:
    """Projection of each pair of coordinates to the unit circle."""
    return sphere_step(x.reshape(-1, 2, 2)).reshape(x.shape)


def rotation_step(x: np.ndarray) -> np.ndarray:
    """Projection to SO(3) by the singular value decomposition."""
    left, _, right = np.linalg.svd(x.reshape(-1, 3, 3))
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    return (left @ right).reshape(x.shape)


def numpy_walk(project: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """The projection walk in NumPy."""
    rng = np.random.default_rng(0)
    for _ in range(NUM_STEPS):
        z = project(z + np.float32(np.sqrt(TIME / NUM_STEPS)) * rng.standard_normal(z.shape, np.float32))
    return z


@partial(jax.jit, static_argnames=("manifold", "kind"))
def walk(key: jax.Array, manifold: Manifold, z: jax.Array, kind: str) -> jax.Array:
    """The library's walk."""
    end = random_walk(key, manifold, z, TIME, num_steps=NUM_STEPS, kind=kind)
    return jnp.asarray(end)


@partial(jax.jit, static_argnames="count")
def draw(key: jax.Array, count: int) -> jax.Array:
    """Normal numbers."""
    return jax.random.normal(key, (count,))


def geomstats_projections() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Projections of geomstats' spaces, vectorised over particles; empty where it is not installed."""
    try:
        from geomstats.geometry.hypersphere import Hypersphere  # pyright: ignore[reportMissingImports]
        from geomstats.geometry.special_orthogonal import SpecialOrthogonal  # pyright: ignore[reportMissingImports]
    except ImportError:
        return {}
    sphere, circle, rotations = Hypersphere(2), Hypersphere(1), SpecialOrthogonal(3)
    return {
        "Sphere": sphere.projection,
        "FlatTorus": lambda x: circle.projection(x.reshape(-1, 2)).reshape(x.shape),
        "SO3": lambda x: rotations.projection(x.reshape(-1, 3, 3)).reshape(x.shape),
    }


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    particles = _PARTICLES.value
    key = jax.random.key(0)
    print(f"device {jax.devices()[0].device_kind}, {particles} particles, {NUM_STEPS} steps, float32")
    print("space      kind          steps/s     NumPy  ratio  geomstats  ratio  of noise")
    others = geomstats_projections()
    spaces: list[tuple[Manifold, Callable[[np.ndarray], np.ndarray]]] = [
        (Sphere(2), sphere_step),
        (FlatTorus(2), torus_step),
        (SO3(), rotation_step),
    ]
    for manifold, project in spaces:
        z = manifold.uniform(key, (particles,))
        host, name = np.asarray(z), type(manifold).__name__
        other = others.get(name)
        count = NUM_STEPS * z.size
        seconds(partial(draw, key, count))
        for kind in ("projection", "geodesic"):
            seconds(partial(walk, key, manifold, z, kind))
            rows = [
                (
                    seconds(partial(walk, key, manifold, z, kind)),
                    seconds(partial(numpy_walk, project, host)),
                    seconds(partial(numpy_walk, other, host)) if other else float("nan"),
                    seconds(partial(draw, key, count)),
                )
                for _ in range(_ROUNDS.value)
            ]
            ours, reference, geomstats, noise = (statistics.median(column) for column in zip(*rows, strict=True))
            steps = particles * NUM_STEPS
            print(
                f"{name:10s} {kind:11s} {steps / ours:9.2e} {steps / reference:9.2e} {reference / ours:6.1f} "
                f"{steps / geomstats:10.2e} {geomstats / ours:6.1f} {noise / ours:9.2f}"
            )


if __name__ == "__main__":
    launch(main)

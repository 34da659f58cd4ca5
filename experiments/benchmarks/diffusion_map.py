"""Seconds of exact nearest neighbours and of the four ways to a diffusion map, each beside its yardstick.

    python -m experiments.benchmarks.diffusion_map [--max_dense=2000] [--sizes=2000,10000] [--queries=6000]

Neighbours: ten nearest of `queries` rows among `rows`, float32, beside the matrix product alone that the search cannot
do without, in one run. Maps: six modes with default settings of points on a circle, a sphere and, where
MVAE_DATA_DIR holds MNIST, of its images: seconds with the search for neighbours, the largest difference of an
eigenvalue from Lanczos' in units of 1 - λ, or how a solver failed. All maps are made in float64.
"""

import gzip
import os
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from experiments.benchmarks.timing import seconds
from mvae.programs import launch
from mvae.spectral import diffusion_map, nearest_neighbors

NUM_MODES = 6
_IMAGES = "mnist/train-images-idx3-ubyte.gz"

_SIZES = flags.DEFINE_list("sizes", ["2000", "10000"], "Numbers of points of the maps.")
_MAX_DENSE = flags.DEFINE_integer("max_dense", 2000, "The most points that are decomposed densely: O(n³).")
_ROWS = flags.DEFINE_integer("rows", 60_000, "Points that neighbours are sought among.", lower_bound=20)
_QUERIES = flags.DEFINE_integer("queries", 6_000, "Points whose neighbours are sought.", lower_bound=1)
_BLOCK = 256


def pictures() -> np.ndarray | None:
    """MNIST's training images as rows in [0, 1], if they are there."""
    path = Path(os.environ.get("MVAE_DATA_DIR", "")) / _IMAGES
    if not path.is_file():
        return None
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / np.float32(255)


@jax.jit
def products(x: jax.Array, queries: jax.Array) -> jax.Array:
    """The matrix product of the search, and the largest entry of each row so that it is not left out."""
    blocks = queries[: len(queries) // _BLOCK * _BLOCK].reshape(-1, _BLOCK, x.shape[1])
    return jax.lax.map(lambda rows: jnp.max(jnp.matmul(rows, x.T, precision=jax.lax.Precision.HIGHEST), axis=1), blocks)


def time_neighbors(name: str, x: np.ndarray) -> None:
    """One line for one cloud, calls that compile left out."""
    points = jnp.asarray(x[: _ROWS.value], jnp.float32)
    queries = points[: max(_BLOCK, _QUERIES.value // _BLOCK * _BLOCK)]
    search, yardstick = partial(nearest_neighbors, points, 10, queries=queries), partial(products, points, queries)
    for compiled in (search, yardstick):
        seconds(compiled)
    ours, least = seconds(search), seconds(yardstick)
    work = 2e-9 * len(queries) * points.size
    print(
        f"neighbours {name:8s} {points.shape} {len(queries)} queries: {ours:7.2f} s, product {least:7.2f} s"
        f" ({work / least:.0f} GFLOP/s), ratio {least / ours:.2f}"
    )


def time_maps(name: str, x: np.ndarray) -> None:
    """A line for each method."""
    points, exact = jnp.asarray(x, jnp.float64), None
    for method in ("lanczos", "inverse", "lobpcg", "dense"):
        if method == "dense" and len(x) > _MAX_DENSE.value:
            continue
        began = time.perf_counter()
        try:
            found = jax.block_until_ready(diffusion_map(points, NUM_MODES, method=method, allow_disconnected=True))
        except RuntimeError as error:
            print(f"{name:8s} {len(x):6d} {method:8s} {time.perf_counter() - began:8.2f} s  {error}", flush=True)
            continue
        spent, values = time.perf_counter() - began, np.asarray(found.eigenvalues)
        exact = values if exact is None else exact
        note = "complete graph" if method == "dense" else f"off by {np.max(abs(values - exact) / (1 - exact)):.0e}"
        print(f"{name:8s} {len(x):6d} {method:8s} {spent:8.2f} s  1 - λ_1 {1 - values[0]:.1e}  {note}", flush=True)


def main(argv: list[str]) -> None:
    """Prints the lines."""
    del argv
    rng = np.random.default_rng(0)
    digits = pictures()
    print(f"device {jax.devices()[0].device_kind}")
    clouds = {"normal": rng.normal(size=(_ROWS.value, 784)), "space": rng.normal(size=(_ROWS.value, 3))}
    for name, cloud in (clouds if digits is None else clouds | {"mnist": digits}).items():
        time_neighbors(name, cloud)
    jax.config.update("jax_enable_x64", val=True)
    for size in map(int, _SIZES.value):
        angles, sphere = rng.uniform(0, 2 * np.pi, size), rng.normal(size=(size, 3))
        maps = {
            "circle": np.stack([np.cos(angles), np.sin(angles)], axis=-1),
            "sphere": sphere / np.linalg.norm(sphere, axis=1, keepdims=True),
        }
        for name, cloud in (maps if digits is None else maps | {"mnist": digits[:size]}).items():
            time_maps(name, cloud)


if __name__ == "__main__":
    launch(main)

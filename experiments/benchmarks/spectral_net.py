"""SpectralNet beside dense eigenvectors: how far apart the spans are, and how the time of each grows with the points.

    python -m experiments.benchmarks.spectral_net
    python -m experiments.benchmarks.spectral_net --sizes=2000,10000 --max_dense=10000
    python -m experiments.benchmarks.spectral_net --data_dir=DIR --sizes=2000,10000,60000 --max_dense=2000

The first table has a row for each data set: mean squared sine of the principal angles between the span of the network's
coordinates and that of the slowest eigenvectors of the random walk on the same graph, decomposed densely, both in
float32, and the seconds of each. The second has the times at several sizes, on the sphere, or on MNIST with a
--data_dir, whose graph has 30 neighbours for each image: the graph, training, and the dense decomposition up to
--max_dense points. Times of training include compilation.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from absl import flags

from experiments.benchmarks.problems import learn, settings
from mvae.data import Dataset, load, rendered, with_graph
from mvae.errors import UsageError
from mvae.programs import launch
from mvae.spectral import PointwiseGraph, pair_affinities

_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds of the network.", lower_bound=1)
_SIZES = flags.DEFINE_list("sizes", [], "Numbers of points of the table of times; left out, it is not made.")
_MAX_DENSE = flags.DEFINE_integer("max_dense", 2000, "Largest number of points that are decomposed densely.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of MNIST's files, for the table of times.")

# Coordinates at which a group of equal eigenvalues of the manifold ends, and the steps of training.
CASES = {
    "circle": (4, 1000),
    "torus": (6, 1500),
    "sphere": (8, 1000),
    "two_moons": (3, 2000),
}
NUM_POINTS = 2000


def dense_modes(data: Dataset, num: int) -> tuple[float, np.ndarray]:
    """Seconds and the slowest eigenvectors, but the constant one, of the random walk on the whole graph."""
    x = rendered(data, data.train).reshape(data.num_train, -1)
    graph = PointwiseGraph(*(data.train[name] for name in PointwiseGraph._fields))

    @jax.jit
    def modes(x: jax.Array) -> jax.Array:
        edges = pair_affinities(x, graph)
        root = jnp.sqrt(jnp.sum(edges, axis=1))
        _, vectors = jnp.linalg.eigh(edges / (root[:, None] * root))
        return vectors[:, -1 - num : -1] / root[:, None]

    began = time.perf_counter()
    found = np.asarray(jax.block_until_ready(modes(x)))
    return time.perf_counter() - began, found


def sine_squares(found: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Mean squared sine of the principal angles of two spans, in the measure `weight`."""
    root = np.sqrt(np.asarray(weight, np.float64))[:, None]
    angles = scipy.linalg.subspace_angles(root * np.asarray(found), root * np.asarray(truth))
    return float(np.mean(np.sin(angles) ** 2))


def accuracy_table() -> None:
    """Prints the first table."""
    print(
        "| data | n | coordinates | mean squared sine, per seed | s, training | s, dense |\n|---|---|---|---|---|---|"
    )
    for name, (dim, steps) in CASES.items():
        data = with_graph(load(name, num_train=NUM_POINTS), scale_neighbor=10)
        seconds, truth = dense_modes(data, dim)
        found = [learn(data, settings(steps), dim, seed) for seed in range(_SEEDS.value)]
        sines = [sine_squares(each.embed(data.train["x"]), truth, np.asarray(data.train["weight"])) for each in found]
        times = ", ".join(f"{each.seconds:.1f}" for each in found)
        print(f"| {name} | {NUM_POINTS} | {dim} | {', '.join(f'{s:.4f}' for s in sines)} | {times} | {seconds:.1f} |")


def time_table(sizes: list[int]) -> None:
    """Prints the second table."""
    mnist = _DATA_DIR.value is not None
    name, dim, neighbors = ("mnist", 10, 30) if mnist else ("sphere", 8, 64)
    options = {"dir": _DATA_DIR.value} if mnist else {}
    config = settings(1000, neighbors)
    print("| data | n | s, graph | s, training | s, dense |\n|---|---|---|---|---|")
    for size in sizes:
        plain = load(name, num_train=size, **options)
        began = time.perf_counter()
        data = with_graph(plain, num_neighbors=neighbors, scale_neighbor=10)
        jax.block_until_ready(data.train)
        graph = time.perf_counter() - began
        learned = learn(data, config, dim, 0)
        dense = f"{dense_modes(data, dim)[0]:.1f}" if size <= _MAX_DENSE.value else "-"
        print(f"| {name} | {size} | {graph:.1f} | {learned.seconds:.1f} | {dense} |", flush=True)


def main(argv: list[str]) -> None:
    """Prints the tables."""
    del argv
    try:
        sizes = [int(size) for size in _SIZES.value]
    except ValueError as error:
        raise UsageError(f"--sizes: {error}") from error
    accuracy_table()
    if sizes:
        print()
        time_table(sizes)


if __name__ == "__main__":
    launch(main)

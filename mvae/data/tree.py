"""A binary tree in R^n, whose squared distances are the numbers of edges between nodes, nearly.

Each edge is a step of its own in a random direction: the node of a path of edges e is x = sum of ε_e, with
ε_e ~ N(0, I/n), so that nodes k edges apart have E |x - y|² = k, with a relative spread of sqrt(2/(k n)). Rows are
nodes drawn uniformly, with noise. Trees grow as hyperbolic space does, exponentially with the distance.

Source: branching diffusions as in [mathieu2019].
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mvae.data.dataset import Dataset, Rows, integer_option
from mvae.data.point_clouds import LARGEST_SEED, dataset_of_points

_TREE = 2  # folded into the key of `net_seed`
_DEEPEST = 12


def binary_tree(
    *,
    depth: int = 6,
    ambient_dim: int = 100,
    num_train: int = 4096,
    num_test: int = 1024,
    seed: int = 0,
    net_seed: int = 0,
    noise: float = 0.02,
) -> Dataset:
    """Returns noisy nodes of the full binary tree of a depth, in R^n; see the module's docstring.

    Batches have `"x"`, float32 `(B, n)`; `"label"`, int32 `(B,)`, the depth of the node, 0 for the root; and `"node"`,
    int32 `(B,)`, its number, level by level from 0 for the root.

    Args:
        depth: Edges from the root to a leaf, 1 to 12.
        ambient_dim: n, at least 1.
        num_train: Number of training points, at least 1.
        num_test: Number of test points, at least 1.
        seed: Seed of the points and of the noise, in [0, 2³²).
        net_seed: Seed of the edges, in [0, 2³²).
        noise: Standard deviation of the noise, 0 or more.

    Raises:
        UsageError: If an option is out of range.
    """
    nodes = jnp.asarray(tree_nodes(depth=depth, ambient_dim=ambient_dim, net_seed=net_seed))
    levels = jnp.asarray(_levels(len(nodes)), jnp.int32)

    def draw(key: Key[Array, ""], num: int) -> Rows:
        node = jax.random.randint(key, (num,), 0, len(nodes), jnp.int32)
        return {"x": nodes[node], "label": levels[node], "node": node}

    return dataset_of_points("binary_tree", draw, num_train, num_test, seed, noise)


def tree_nodes(*, depth: int = 6, ambient_dim: int = 100, net_seed: int = 0) -> Float[np.ndarray, "m n"]:
    """Returns the nodes without noise, level by level, m = 2^(depth+1) - 1; options as of `binary_tree`."""
    integer_option("depth", depth, 1, _DEEPEST)
    integer_option("ambient_dim", ambient_dim, 1)
    key = jax.random.fold_in(jax.random.key(integer_option("net_seed", net_seed, 0, LARGEST_SEED)), _TREE)
    num = 2 ** (depth + 1) - 1
    steps = np.asarray(jax.random.normal(key, (num, ambient_dim))) / np.float32(ambient_dim) ** 0.5
    nodes = np.zeros((num, ambient_dim), np.float32)
    for node in range(1, num):
        nodes[node] = nodes[(node - 1) // 2] + steps[node]
    return nodes


@functools.cache
def tree_distances(depth: int) -> np.ndarray:
    """Returns the numbers of edges between all pairs of nodes, (m, m).

    >>> tree_distances(1).tolist()
    [[0, 1, 1], [1, 0, 2], [1, 2, 0]]
    """
    num = 2 ** (depth + 1) - 1
    levels = _levels(num)
    distances = np.zeros((num, num), int)
    for i in range(num):
        for j in range(i):
            a, b = i, j
            while a != b:
                a, b = ((a - 1) // 2, b) if a > b else (a, (b - 1) // 2)
            distances[i, j] = distances[j, i] = levels[i] + levels[j] - 2 * levels[a]
    return distances


def _levels(num: int) -> np.ndarray:
    """Depth of each node."""
    return np.floor(np.log2(np.arange(1, num + 1))).astype(int)

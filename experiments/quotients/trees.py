"""Do hyperbolic codes keep the distances of a tree? A ΔVAE on H² beside R² and R³, of a binary tree in R¹⁰⁰.

    python experiments/quotients/trees.py --workdir=runs/trees

Distortion is the mean over pairs of nodes of |s d(z, z') / k - 1|, d the distance of codes of nodes without noise, k
the number of edges between, and s the scale at which it is least, for each run its own. What a row gave is a JSON file
in the workdir; a row that is there is not run again.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from scipy.optimize import minimize_scalar

import mvae
from mvae.data.tree import tree_distances, tree_nodes
from mvae.manifolds import Manifold
from mvae.programs import launch

_SPACES = flags.DEFINE_list("spaces", ["hyperbolic:2:prior_time=6.0", "euclidean:2", "euclidean:3"], "Texts.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the rows' files.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Runs of each row.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3000, "Training steps.", lower_bound=1)
_DEPTH = flags.DEFINE_integer("depth", 6, "Of the tree.", lower_bound=1)
_SCALE = flags.DEFINE_float("scale", 8.0, "Length of an edge in R¹⁰⁰, in standard deviations of the likelihood.")


def distortion(space: Manifold, codes: np.ndarray, depth: int) -> float:
    """Returns the mean relative error of the distances of codes, at the best scale."""
    pairs = np.triu_indices(len(codes), 1)
    z = jnp.asarray(codes)
    distances = np.asarray(jax.jit(lambda z: space.distance(z[:, None], z))(z), float)[pairs]
    edges = tree_distances(depth)[pairs]

    def error(log_scale: float) -> float:
        return float(np.mean(np.abs(np.exp(log_scale) * distances / edges - 1)))

    middle = float(np.log(np.mean(edges) / np.mean(distances)))
    return error(minimize_scalar(error, bounds=(middle - 2, middle + 2), method="bounded").x)


def row(text: str, folder: Path) -> dict[str, Any]:
    """Trains a row, or reads it."""
    path = folder / f"{text.replace(':', '-')}.json"
    if path.exists():
        return json.loads(path.read_text())
    rng = np.random.default_rng(0)
    nodes = _SCALE.value * tree_nodes(depth=_DEPTH.value)
    drawn = nodes[rng.integers(len(nodes), size=5000)]
    x = (drawn + rng.normal(size=drawn.shape)).astype(np.float32)
    run = mvae.train(
        "dvae",
        mvae.data.from_arrays(x, scale="none", test_fraction=0.2),
        manifold=text,
        seeds=_SEEDS.value,
        num_steps=_STEPS.value,
        batch_size=128,
        encoder_widths=(256, 256),
        decoder_widths=(256, 256),
        initial_time=0.05,
        sampler="exact",
        kl="sampled",
    )
    held_out = (nodes[rng.integers(len(nodes), size=1000)] + rng.normal(size=(1000, nodes.shape[1]))).astype(np.float32)
    result = {
        "space": text,
        "distortion": [distortion(run[i].manifold, run[i].embed(nodes), _DEPTH.value) for i in range(len(run))],
        "elbo": [float(np.mean(run[i].elbo(held_out))) for i in range(len(run))],
    }
    path.write_text(json.dumps(result))
    return result


def main(argv: Sequence[str]) -> None:
    """Trains and prints all rows."""
    del argv
    folder = Path(_WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    for text in _SPACES.value:
        found = row(text, folder)
        apart, elbo = (np.array(found[name]) for name in ("distortion", "elbo"))
        print(f"{text:30} distortion {apart.mean():.4f} ± {apart.std():.4f}  ELBO {elbo.mean():.2f} ± {elbo.std():.2f}")


if __name__ == "__main__":
    launch(main)

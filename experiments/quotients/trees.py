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
from training import train

from mvae.data import tree_distances, tree_nodes
from mvae.manifolds import Manifold
from mvae.methods.dvae import DVAEConfig, dvae
from mvae.programs import launch
from mvae.runs import parse_manifold

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
    noisy = nodes[rng.integers(len(nodes), size=6000)] + rng.normal(size=(6000, nodes.shape[1])).astype(np.float32)
    x, held_out = jnp.asarray(noisy[:5000]), jnp.asarray(noisy[5000:])
    space = parse_manifold(text)
    model = dvae(
        DVAEConfig(
            manifold=space,
            event_shape=x.shape[1:],
            encoder_widths=(256, 256),
            decoder_widths=(256, 256),
            sampler="exact",
            kl="sampled",
        )
    )
    params = train(model, x, _SEEDS.value, _STEPS.value)
    codes = jax.jit(jax.vmap(lambda p: model.encode(p, jnp.asarray(nodes)).location))(params)
    bounds = jax.jit(jax.vmap(lambda p: jnp.mean(model.loss_terms(p, jax.random.key(1), {"x": held_out}).elbo)))
    result = {
        "space": text,
        "distortion": [distortion(space, np.asarray(one), _DEPTH.value) for one in codes],
        "elbo": np.asarray(bounds(params), float).tolist(),
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

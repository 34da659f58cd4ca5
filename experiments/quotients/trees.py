"""Do hyperbolic codes keep the distances of a tree? A ΔVAE on H² beside R² and R³, of a binary tree in R¹⁰⁰.

    python experiments/quotients/trees.py --workdir=runs/trees

Distortion is the mean over pairs of nodes of |s d(z, z') / k - 1|, d the distance of codes of nodes without noise, k
the number of edges between, and s the scale at which it is least, for each run its own. What a row gave is a JSON file
in the workdir; a row that is there is not run again. Beside it stands the yardstick `least`, of nodes that are laid out
in the space without any data.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags
from scipy.optimize import minimize_scalar

from mvae.data import tree_distances, tree_nodes
from mvae.manifolds import Hyperbolic, Manifold
from mvae.methods.dvae import DVAEConfig, dvae
from mvae.models import Model, OptimizerConfig, Params, adam
from mvae.programs import launch
from mvae.runs import parse_manifold

_SPACES = flags.DEFINE_list("spaces", ["hyperbolic:2:prior_time=3.0", "euclidean:2", "euclidean:3"], "Texts.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the rows' files.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Runs of each row.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3000, "Training steps.", lower_bound=1)
_DEPTH = flags.DEFINE_integer("depth", 6, "Of the tree.", lower_bound=1)
_SCALE = flags.DEFINE_float("scale", 8.0, "Length of an edge in R¹⁰⁰, in standard deviations of the likelihood.")

_BATCH, _INIT = 128, 512


def train(model: Model, x: jax.Array, seeds: int, steps: int) -> Params:
    """Returns the parameters of all runs, on a leading axis: one program, and nothing but the steps.

    Args:
        model: What is trained.
        x: Examples, (n, ...).
        seeds: Number of runs.
        steps: Steps of each, with batches of 128 drawn with replacement.
    """
    optimizer = adam(OptimizerConfig(), steps)

    def run(params: Params, loop_key: jax.Array, x: jax.Array) -> Params:
        def step(carry: tuple[Any, Any], number: jax.Array) -> tuple[tuple[Any, Any], None]:
            params, state = carry
            row_key, loss_key = jax.random.split(jax.random.fold_in(loop_key, number))
            batch = {"x": x[jax.random.randint(row_key, (_BATCH,), 0, len(x))]}
            slopes = jax.grad(lambda p: jnp.mean(model.loss_terms(p, loss_key, batch, number).loss))(params)
            updates, state = optimizer.update(slopes, state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(steps))[0][0]

    keys = jax.vmap(jax.random.split)(jax.random.split(jax.random.key(0), seeds))
    # In turn, since a start from a diffusion map factorises matrices, and with examples that are no constants of it.
    starts = jax.jit(lambda keys, x: jax.lax.map(lambda key: model.init(key, {"x": x}), keys))(keys[:, 0], x[:_INIT])
    return jax.jit(jax.vmap(run, in_axes=(0, 0, None)))(starts, keys[:, 1], x)


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


def least(space: Manifold, depth: int, steps: int = 3000) -> float:
    """Returns the distortion of nodes laid out by descent on the mean square of |s d(z, z') / k - 1|, s free.

    From a drawing of the tree: levels are circles, the branches share the angle of theirs. The edges drawn are half as
    long as the radius of curvature, since longer ones end in worse places.
    """
    between = tree_distances(depth)
    levels = between[0]  # from the root
    angles = 2 * math.pi * (np.arange(1, len(levels) + 1) - 2.0**levels + 0.5) / 2.0**levels
    drawn = 0.5 * levels[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    drawn = np.pad(drawn, ((0, 0), (0, space.dim - 2)))
    drawn += 1e-3 * np.random.default_rng(0).normal(size=drawn.shape)
    edges, apart = jnp.asarray(between, jnp.float32), 1 - jnp.eye(len(levels))
    at = space.from_tangent if isinstance(space, Hyperbolic) else lambda v: v

    def loss(layout: dict[str, jax.Array]) -> jax.Array:
        z = at(layout["points"])
        relative = jnp.exp(layout["log_scale"]) * space.distance(z[:, None], z) / (edges + 1 - apart) - 1
        return jnp.sum(apart * relative**2) / jnp.sum(apart)

    optimizer = optax.adam(optax.cosine_decay_schedule(0.03, steps))

    def descend(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        layout, state = carry
        updates, state = optimizer.update(jax.grad(loss)(layout), state)
        return (optax.apply_updates(layout, updates), state), None

    start = {"points": jnp.asarray(drawn, jnp.float32), "log_scale": jnp.zeros(())}
    carry = (start, optimizer.init(start))
    (layout, _), _ = jax.jit(lambda carry: jax.lax.scan(descend, carry, None, length=steps))(carry)
    return distortion(space, np.asarray(at(layout["points"])), depth)


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
        yardstick = least(parse_manifold(text), _DEPTH.value)
        print(
            f"{text:30} distortion {apart.mean():.4f} ± {apart.std():.4f}  ELBO {elbo.mean():.2f} ± {elbo.std():.2f}  "
            f"least {yardstick:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    launch(main)

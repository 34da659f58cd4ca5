"""What a run says of a model that generates by a random walk: how fast it mixes, and the figures."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mvae import figures
from mvae.evaluation.likelihood import map_batches
from mvae.evaluation.progress import with_progress
from mvae.methods.vdae.latent_walk import mixing_steps, seed_share
from mvae.reports import Member, Report, View
from mvae.reports.report import Drawing, Figure

NUM_SEEDS, NUM_CHAINS = 20, 50
NUM_STEPS = 50
SHARE_STEPS = 10
SHOWN_STEPS = (1, 2, 5, 10, 20)
NUM_POINTS = 2000
NUM_ROWS, NUM_GRIDS, SIDE = 8, 4, 5
GRID_STEPS = 5
WALK_SEED = 11
WALK_BYTES = 2**30  # at most, of the paths that are in memory together


def walk(member: Member, x: Any, num_steps: int) -> Float[Array, "t b *event"]:
    """Paths of the walk from examples on."""
    view = member.view
    walked = view.programs.jit("walk", view.model.capabilities["walk"], static_argnums=3)
    return walked(member.params, jax.random.key(WALK_SEED), x, num_steps)


def walk_numbers(member: Member) -> dict[str, Any]:
    """Numbers of the walk.

    "self_mse" is the squared error of decode(ψ(x)) against x itself, per entry, on the test set. "seed_share" is the
    share of the variance of codes that the seeds of chains explain after ten steps. "mixing_steps" is after how many
    steps they have forgotten them, see `mvae.methods.vdae.latent_walk.mixing_steps`; where they have not after
    fifty, as in clusters that the walk does not leave, it is None.
    """
    codes = _codes_of_walks(member)
    steps = mixing_steps(codes)
    if steps is None:
        member.say_why("mixing_steps", f"chains still remember their seeds after {NUM_STEPS} steps of the walk")
    return {
        "seed_share": float(seed_share(codes)[SHARE_STEPS]),
        "mixing_steps": None if steps is None else float(steps),
        "self_mse": _self_error(member),
    }


def _codes_of_walks(member: Member) -> Float[np.ndarray, "t s m d"]:
    """Codes of chains from each of some seeds; chains of large examples in parts, which bounds the memory."""
    view = member.view

    def encode(params: Any, path: Array) -> Array:
        return jax.lax.map(lambda x: view.model.encode(params, x).location, path)

    encoded = view.programs.jit("codes of a walk", encode)
    seeds = view.spread(NUM_SEEDS)
    size = 4 * math.prod(view.dataset.event_shape) * len(seeds) * (NUM_STEPS + 1)
    together = max(1, min(NUM_CHAINS, WALK_BYTES // size))
    parts, key = [], jax.random.key(WALK_SEED)
    walked = view.programs.jit("walk", view.model.capabilities["walk"], static_argnums=3)
    starts = range(0, NUM_CHAINS, together)
    for part, start in enumerate(with_progress(starts, f"walks, {together} chains at a time")):
        chains = min(together, NUM_CHAINS - start)
        own = key if part == 0 else jax.random.fold_in(key, part)
        path = walked(member.params, own, jnp.repeat(seeds, chains, axis=0), NUM_STEPS)
        parts.append(np.asarray(encoded(member.params, path)).reshape(len(path), len(seeds), chains, -1))
    return np.concatenate(parts, axis=2)


def _self_error(member: Member) -> float:
    view = member.view

    def errors(params: Any, rows: Any) -> Array:
        def of_batch(key: Any, batch: Any) -> Array:
            del key
            decoded = view.model.decode(params, view.model.encode(params, batch["x"]).location)
            return jnp.mean((decoded - batch["x"]) ** 2, axis=tuple(range(1, batch["x"].ndim)))

        size = min(view.programs.batch_size, NUM_POINTS)
        return map_batches(of_batch, jax.random.key(0), rows, view.dataset.render, size)

    found = view.programs.jit("self error", errors)(member.params, view.first("test", NUM_POINTS))
    return float(np.asarray(found, np.float64).mean())


def draw_walks(view: View) -> Iterator[tuple[str, Drawing]]:
    """Walks from seeds: points after a number of steps, or rows and grids of images [vdae, Figs. 2 to 5]."""
    member = view.members[0]
    if view.shows == "image":
        yield "walks.png", partial(_walks, member)
        yield "around_seeds.png", partial(_around_seeds, member)
    elif view.dataset.event_shape in ((2,), (3,)):
        yield "walk.png", partial(_point_walk, member)


def _point_walk(member: Member) -> Figure:
    """Many chains from one seed."""
    data = np.asarray(member.view.spread(NUM_POINTS))
    path = walk(member, np.broadcast_to(data[:1], (NUM_POINTS, *data.shape[1:])), max(SHOWN_STEPS))
    points = np.asarray(path)[np.array(SHOWN_STEPS)]
    return figures.walk_steps(points, steps=SHOWN_STEPS, seed=data[0], data=data)


def _walks(member: Member) -> Figure:
    seeds = np.asarray(member.view.spread(NUM_ROWS))
    path = np.asarray(walk(member, seeds, max(SHOWN_STEPS)))
    seeds, path = figures.shown_images(seeds, path[np.array(SHOWN_STEPS)])
    return figures.seeded_walks(seeds, path, steps=SHOWN_STEPS)


def _around_seeds(member: Member) -> Figure:
    seeds = np.asarray(member.view.spread(NUM_ROWS))
    few = seeds[:: max(1, len(seeds) // NUM_GRIDS)][:NUM_GRIDS]
    chains = SIDE**2 - 1
    samples = np.asarray(walk(member, np.repeat(few, chains, axis=0), GRID_STEPS))[-1]
    few, samples = figures.shown_images(few, samples.reshape(len(few), chains, *samples.shape[1:]))
    return figures.seeded_grids(few, samples)


REPORTS = (
    Report("walk", lambda view: view.has("walk"), walk_numbers, draw_walks, ("seed_share", "mixing_steps", "self_mse")),
)

"""Does a ΔVAE find the quotient that its data lie on? Ten seeds each, on the right space and on wrong ones.

    python experiments/quotients/capture.py --kinds=klein,mobius --workdir=runs/quotients
    python experiments/quotients/capture.py --kinds=rod --locations=embedded,projected --wrong=False --workdir=runs/rods

Two things are looked at. Paths: an encoder should take closed paths of the space to closed paths of the same class;
codes are followed along each, from representative to nearest representative, and where they end tells the class, see
`path_class`. An encoder that is the identity on the fundamental group is homotopic to one that is one to one. A path
whose codes jump by more than `_JUMP` is torn; on RP² the degree must be ±1 besides. Homology: the codes of all pictures
should have the Betti numbers of the space, of as many points of it measured alike. On a space with a boundary they may,
and paths may not: an annulus lies on a cylinder around it, or within a disc of it. What a row gave is a JSON file in
the workdir; a row that is there is not run again.
"""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from pictures import KINDS, SIZE, Kind

import mvae
from mvae.data import from_arrays
from mvae.manifolds import FlatQuotient, Manifold, ProjectiveSpace, RotationQuotient
from mvae.methods.dvae import ENCODER_INITS
from mvae.programs import launch
from mvae.runs import text_of
from mvae.topology import betti_numbers, mapping_degree

_KINDS = flags.DEFINE_list("kinds", list(KINDS), f"Of {', '.join(KINDS)}.")
_LOCATIONS = flags.DEFINE_list("locations", ["embedded"], "Of embedded, projected: how encoders reach the right space.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the rows' files.", required=True)
_STARTS = flags.DEFINE_list("starts", ["spectral"], f"Of {', '.join(ENCODER_INITS)}: where encoders start.")
_WRONG = flags.DEFINE_bool("wrong", default=True, help="Whether wrong spaces are trained, too.")
_SEEDS = flags.DEFINE_integer("seeds", 10, "Runs of each row.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 1500, "Training steps.", lower_bound=1)

_TRAIN, _TEST = 4000, 1000
_JUMP = 0.6  # of codes between neighbours on a path of 240 steps: lengths of paths are below 9


def uniform(space: Manifold, num: int, seed: int) -> np.ndarray:
    """Returns points of the space, (num, ambient_dim)."""
    return np.asarray(space.uniform(jax.random.key(seed), (num,)))


def followed(space: Manifold, codes: np.ndarray) -> np.ndarray:
    """Returns the representatives of codes along a path that follow each other without a jump."""

    def step(before: jax.Array, code: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = space.nearest_representative(before, code)  # type: ignore[attr-defined]
        return after, after

    return np.asarray(jax.lax.scan(step, jnp.asarray(codes[0]), jnp.asarray(codes))[1])


def path_class(space: Manifold, codes: np.ndarray) -> tuple[int, ...] | None:
    """Returns the class of a closed path of codes; None where it is torn.

    On a flat quotient the half turns of each angle of the cover, on RP^d 1 for a path that ends at the opposite
    representative, on the poses of a symmetric body the order of the rotation that it ends with.
    """
    path = followed(space, codes)
    cover = space.cover  # type: ignore[attr-defined]
    if float(jnp.max(cover.distance(jnp.asarray(path[1:]), jnp.asarray(path[:-1])))) > _JUMP:
        return None
    if isinstance(space, FlatQuotient):
        pairs = path.reshape(len(path), -1, 2)
        angles = np.unwrap(np.arctan2(pairs[..., 1], pairs[..., 0]), axis=0)
        return tuple(round(float(turn)) for turn in np.abs(angles[-1] - angles[0]) / math.pi)
    if isinstance(space, ProjectiveSpace):
        return (int(path[0] @ path[-1] < 0),)
    assert isinstance(space, RotationQuotient)
    turned = path[0].reshape(3, 3).T @ path[-1].reshape(3, 3)
    angle = math.acos(np.clip((np.trace(turned) - 1) / 2, -1, 1))
    return (1 if angle < 0.1 else round(2 * math.pi / angle),)


def captured(kind: Kind, encode: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """Returns whether an encoder has the right classes on all paths, and its codes the right homology, and both."""
    found: dict[str, Any] = {}
    good = True
    for name, path in kind.loops.items():
        right, here = path_class(kind.space, path), path_class(kind.space, encode(kind.render(path)))
        # The glide of a code may go on to other sheets across: what it does along the bottle tells it.
        compared = slice(0, 1) if name == "glide" else slice(None)
        good &= here is not None and right is not None and here[compared] == right[compared]
        found[name] = here
    source = uniform(kind.space, 6000, 7)
    codes = encode(kind.render(source))
    if isinstance(kind.space, ProjectiveSpace):
        found["degree"] = mapping_degree(kind.space, codes[:2000], source[:2000]).degree
        good &= abs(found["degree"]) == 1
    highest = 2 if kind.space.dim == 2 else 1
    right, here = (betti_numbers(kind.space, z, max_dim=highest).numbers for z in (source, codes))
    return found | {"betti": here, "paths": bool(good), "homology": here == right}


def row(name: str, manifold: str, location: str, start: str, folder: Path) -> dict[str, Any]:
    """Trains a row, or reads it."""
    kind = KINDS[name]
    path = folder / f"{name}_{manifold.replace('/', '-').replace(':', '-')}_{location}_{start}.json"
    if path.exists():
        return json.loads(path.read_text())
    examples = kind.render(np.concatenate([uniform(kind.space, _TRAIN, 1), uniform(kind.space, _TEST, 2)]))
    alone = start == "cohomology" or name == "cube"  # where the start is right, the decoder learns alone first
    run = mvae.train(
        "dvae",
        from_arrays(examples, scale="none", test=np.arange(len(examples)) >= _TRAIN),
        manifold=manifold,
        seeds=_SEEDS.value,
        num_steps=_STEPS.value,
        batch_size=128,
        net="mlp",
        encoder_widths=(128, 128),
        decoder_widths=(128, 128),
        location=location,
        encoder_init=start,
        # What an encoder has learned stands still while the decoder learns what it is.
        encoder_warmup_steps=_STEPS.value // 2 if alone else 0,
        initial_time=0.005 if alone else 0.05,
        config={"evaluation.importance_samples": 1},
    )
    result: dict[str, Any] = {"data": name, "manifold": manifold, "location": location, "start": start}
    result["elbo"] = [member["elbo"] for member in run.results["members"]]
    if manifold == text_of(kind.space):
        outcomes = [captured(kind, run[seed].embed) for seed in range(_SEEDS.value)]
        result["found"] = outcomes
    path.write_text(json.dumps(result))
    return result


def main(argv: Sequence[str]) -> None:
    """Trains and prints all rows."""
    del argv
    folder = Path(_WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{SIZE} × {SIZE} pixels, {_STEPS.value} steps, {_SEEDS.value} seeds")
    for name in _KINDS.value:
        right = text_of(KINDS[name].space)
        rows = [(right, location) for location in _LOCATIONS.value]
        rows += [(wrong, "embedded") for wrong in KINDS[name].wrong] if _WRONG.value else []
        for start, (manifold, location) in itertools.product(_STARTS.value, rows):
            found = row(name, manifold, location, start, folder)
            elbo = np.array(found["elbo"])
            share = "a wrong space"
            if "found" in found:
                counts = {what: sum(each[what] for each in found["found"]) for what in ("paths", "homology")}
                share = ", ".join(f"{what} right {count} of {len(elbo)}" for what, count in counts.items())
            print(
                f"{name:9} {manifold:18} {location:9} {start:9} ELBO {elbo.mean():8.2f} ± {elbo.std():5.2f}  {share}",
                flush=True,
            )


if __name__ == "__main__":
    launch(main)

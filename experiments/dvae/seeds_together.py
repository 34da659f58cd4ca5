"""Do ten vmapped seeds give what ten lone runs give? Prints, seed by seed, how far apart they are after 20 steps.

    python experiments/dvae/seeds_together.py [--num_seeds=10] [--steps=20]

Full-size configs/dvae_torus.py: relative difference of the loss summed over the steps, and |a - b| / |b| over all
parameters. float32 rounds at 6e-8; the parameters part faster than the loss, because Adam makes a step of full size
of any gradient, also of one that is zero but for rounding.
"""

from pathlib import Path

import jax
import numpy as np
from absl import flags

from mvae.engine import build_program, seed_keys
from mvae.programs import launch
from mvae.runs import build_experiment, load_config

_NUM_SEEDS = flags.DEFINE_integer("num_seeds", 10, "Members of the seed axis.", lower_bound=2)
_STEPS = flags.DEFINE_integer("steps", 20, "Training steps.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Prints one line per seed."""
    del argv
    path = Path(__file__).parents[2] / "configs" / "dvae_torus.py"
    experiment = build_experiment(load_config(path).to_dict())
    run, stage = experiment.run, experiment.stages[0]

    def trained(seed: int, num_seeds: int) -> tuple[np.ndarray, list[np.ndarray]]:
        keys = seed_keys(seed, num_seeds, 0)
        program = build_program(stage, experiment.dataset, run.batch_size, run.init_batch_size, keys)
        progress, _ = program.run(program.init(None), program.orders(0), 0, _STEPS.value)
        return np.asarray(progress.sums["loss"]), [np.asarray(leaf) for leaf in jax.tree.leaves(progress.state.params)]

    losses, together = trained(run.seed, _NUM_SEEDS.value)
    for member in range(_NUM_SEEDS.value):
        loss, alone = trained(run.seed + member, 1)
        squares = sum(np.sum((a[member] - b[0]) ** 2) for a, b in zip(together, alone, strict=True))
        distance = np.sqrt(squares / sum(np.sum(b**2) for b in alone))
        apart = abs(losses[member] - loss[0]) / loss[0]
        print(f"seed {run.seed + member}: loss {apart:.1e}, parameters {distance:.1e} after {_STEPS.value} steps")


if __name__ == "__main__":
    launch(main)

"""Speed of the ΔVAE's training step as a share of this machine's matmul rate, both measured in one run.

    python -m experiments.benchmarks.dvae_step [--rounds=10] [--steps=93] [--num_seeds=1]

Matmul: 640 × 784 × 512, 2 FLOP per multiply-add, one call each. Step: configs/dvae_mnist.py at its batch size on
random digits of the same shape, counted as 6 FLOP per weight and example (forward 2, backward 4); the walk, the KL,
the optimiser and the drawing of the batch count as nothing. Rounds alternate between the two, so that both see the
same machine.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from experiments.benchmarks.timing import seconds
from mvae.data import Dataset
from mvae.data.digits import render
from mvae.engine import build_program, seed_keys
from mvae.methods.dvae import DVAEConfig, dvae
from mvae.models import adam, gradient_stage
from mvae.programs import launch
from mvae.runs import load_config, resolve
from mvae.typed import typed

ROWS, INNER, COLUMNS = 640, 784, 512
PRODUCTS = 200
NUM_DIGITS = 60_000

_ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds of one matmul and one training measurement.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 93, "Training steps per round; 93 are an epoch of MNIST.", lower_bound=1)
_NUM_SEEDS = flags.DEFINE_integer("num_seeds", 1, "Members of the seed axis.", lower_bound=1)


def matmul() -> Callable[[], object]:
    """A function that does PRODUCTS products, one call each, waited for."""
    left_key, right_key = jax.random.split(jax.random.key(0))
    left = jax.random.normal(left_key, (ROWS, INNER))
    right = jax.random.normal(right_key, (INNER, COLUMNS))
    product = jax.jit(jnp.dot)

    def products():
        for _ in range(PRODUCTS):
            jax.block_until_ready(product(left, right))

    return products


def training(num_seeds: int, steps: int) -> tuple[Callable[[], object], int, int]:
    """A function that does `steps` training steps, the number of weights, and the batch size."""
    path = Path(__file__).parents[2] / "configs" / "dvae_mnist.py"
    resolved = resolve(load_config(path))
    run, block = resolved.run, resolved.block["model"]
    digits = np.random.default_rng(0).integers(0, 256, (NUM_DIGITS, 28, 28, 1), np.uint8)
    rows = {"x": jnp.asarray(digits), "label": jnp.zeros(NUM_DIGITS, jnp.int32)}
    dataset = Dataset("random digits", rows, rows, render, (28, 28, 1))
    model = dvae(typed(DVAEConfig, block, "config.model", manifold=resolved.manifold, event_shape=(28, 28, 1)))
    optimizer = adam(resolved.optimizer, run.steps(NUM_DIGITS))
    stage = gradient_stage("train", 1, lambda key, batch, _: model.init(key, batch), model.loss_terms, optimizer)
    program = build_program(stage, dataset, run.batch_size, run.init_batch_size, seed_keys(0, num_seeds, 0))
    carry = [program.init(None), program.orders(0)]
    weights = sum(
        leaf.size // num_seeds
        for path, leaf in jax.tree_util.tree_leaves_with_path(carry[0].state.params)
        if "kernel" in str(path[-1])
    )

    def train():
        carry[:] = program.run(*carry, 0, steps)
        return carry

    return train, weights, run.batch_size


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    products = matmul()
    train, weights, batch_size = training(_NUM_SEEDS.value, _STEPS.value)
    seconds(products)
    seconds(train)
    matmul_rates, step_rates, ratios, step_times = [], [], [], []
    for _ in range(_ROUNDS.value):
        matmul_rate = PRODUCTS * 2 * ROWS * INNER * COLUMNS / seconds(products)
        taken = seconds(train) / _STEPS.value
        step_rate = 6 * weights * batch_size * _NUM_SEEDS.value / taken
        matmul_rates.append(matmul_rate / 1e9)
        step_rates.append(step_rate / 1e9)
        ratios.append(step_rate / matmul_rate)
        step_times.append(taken)
    step_time = statistics.median(step_times)
    print(f"device {jax.devices()[0].device_kind}, {_NUM_SEEDS.value} seed(s), batch {batch_size}, {weights} weights")
    print(f"matmul {ROWS} × {INNER} × {COLUMNS}: median {statistics.median(matmul_rates):.0f} GFLOP/s")
    print(f"training step: median {statistics.median(step_rates):.0f} GFLOP/s, {1e3 * step_time:.1f} ms")
    print(f"epoch of {NUM_DIGITS} digits: median {NUM_DIGITS // batch_size * step_time:.2f} s")
    print(f"step / matmul: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    launch(main)

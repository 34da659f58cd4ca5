"""Time of a training step of the VAELLS, and the share of it that the inference of coefficients takes.

    python experiments/benchmarks/vaells_step.py [--rounds=10] [--steps=50]

The alternating stage of configs/vaells_circles.py at its batch size: 30 draws, each inferred from its own encoding and
from 3 anchors, 2 random starts each. Steps of the networks and of the operators are timed apart, and so is the
inference alone, at the same parameters and on the same batch; the share is that of inference in the step. Parameters
are those after the warm-up and `--trained` steps in turns. Rounds alternate between the three, so that all see the same
machine.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import app, flags

from mvae import data
from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.methods.vaells.model import VAELLSConfig, vaells
from mvae.methods.vaells.training import alternating_stages
from mvae.models.optimizer import adam
from mvae.runs.config_file import load_config
from mvae.runs.overrides import Resolved, resolve
from mvae.typed import typed

_ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds of one measurement of each kind.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 50, "Steps per round of each kind.", lower_bound=1)
_TRAINED = flags.DEFINE_integer("trained", 2000, "Steps of the alternating stage before the first.", lower_bound=0)


def seconds(function: Callable[[], object]) -> float:
    """Wall time of a call, results waited for."""
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def read_config() -> Resolved:
    """configs/vaells_circles.py with its defaults."""
    path = Path(__file__).parents[2] / "configs" / "vaells_circles.py"
    return resolve(load_config(path))


def measured(num_steps: int, trained: int) -> dict[str, Callable[[], object]]:
    """Functions that do `num_steps` network steps, operator steps, and inferences."""
    config = read_config()
    run = config.run
    dataset = data.load(**config.block["data"])
    given = {"manifold": config.manifold, "event_shape": dataset.event_shape}
    model_config = typed(VAELLSConfig, config.block["model"], "config.model", **given)
    turns = model_config.training
    method = vaells(model_config)
    optimizer = adam(config.optimizer, run.steps(dataset.num_train))
    stages = alternating_stages(method, turns, (optimizer, optimizer), run.steps(dataset.num_train), model_config.beta)
    state = None
    for index, (stage, count) in enumerate(zip(stages, (turns.warm_up_steps, trained), strict=True)):
        program = build_program(stage, dataset, run.batch_size, run.init_batch_size, seed_keys(0, 1, index))
        progress, _ = program.run(program.init(state), program.orders(0), 0, count)
        state = progress.state
    state = jax.tree.map(lambda leaf: leaf[0], state)
    batch = dataset.render({name: array[: run.batch_size] for name, array in dataset.train.items()})
    network_turn = turns.operator_warm_up_steps  # the number of a step, and so whose turn it is
    operator_turn = network_turn + turns.network_steps

    @jax.jit
    def steps(state, number):
        def body(index, state):
            key = jax.random.fold_in(jax.random.key(1), index)
            return stages[1].step(key, state.replace(step=number), batch)[0]

        return jax.lax.fori_loop(0, num_steps, body, state)

    @jax.jit
    def inferences(params):
        def body(index, total):
            found = method.infer(params, jax.random.fold_in(jax.random.key(1), index), batch)
            return total + jnp.sum(found.posterior_coefficients) + jnp.sum(found.prior_coefficients)

        return jax.lax.fori_loop(0, num_steps, body, jnp.zeros(()))

    return {
        "network step": lambda: steps(state, jnp.int32(network_turn)),
        "operator step": lambda: steps(state, jnp.int32(operator_turn)),
        "inference": lambda: inferences(state.params),
    }


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    functions = measured(_STEPS.value, _TRAINED.value)
    for function in functions.values():
        seconds(function)
    times = {name: [] for name in functions}
    for _ in range(_ROUNDS.value):
        for name, function in functions.items():
            times[name].append(1e3 * seconds(function) / _STEPS.value)
    print(f"device {jax.devices()[0].device_kind}, {_ROUNDS.value} rounds of {_STEPS.value}")
    for name, values in times.items():
        shares = [alone / whole for alone, whole in zip(times["inference"], values, strict=True)]
        share = "" if name == "inference" else f"; inference {statistics.median(shares):.0%} of it"
        print(f"{name}: median {statistics.median(values):.2f} ms, {min(values):.2f} to {max(values):.2f}{share}")


if __name__ == "__main__":
    app.run(main)

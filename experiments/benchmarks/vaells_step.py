"""Time of a training step of the VAELLS, and the share of it that the inference of coefficients takes.

    python -m experiments.benchmarks.vaells_step [--rounds=10] [--steps=50]

The alternating stage of configs/vaells_circles.py at its batch size: 30 draws, each inferred from its own encoding and
from 3 anchors, 2 random starts each. Steps of the networks and of the operators are timed apart, and so is the
inference alone, at the same parameters and on the same batch; the share is that of inference in the step. Parameters
are those after the warm-up and `--trained` steps in turns. Rounds alternate between the three, so that all see the same
machine.
"""

import statistics

import jax
from absl import flags

from experiments.benchmarks.problems import vaells_steps
from experiments.benchmarks.timing import seconds
from mvae.programs import launch

_ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds of one measurement of each kind.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 50, "Steps per round of each kind.", lower_bound=1)
_TRAINED = flags.DEFINE_integer("trained", 2000, "Steps of the alternating stage before the first.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    functions = vaells_steps(_STEPS.value, _TRAINED.value)
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
    launch(main)

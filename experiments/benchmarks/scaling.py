r"""How training scales: time to the first step, steps per second, seeds in one program, runs in one, devices.

    python -m experiments.benchmarks.scaling
    python -m experiments.benchmarks.scaling --models=dvae_mnist --parts=start,seeds --seeds=1,2,4,8
    python -m experiments.benchmarks.scaling --models=er:quick --rounds=1 --seconds=0.05 --seeds=2 \
        --together=2 --run_steps=10 --run_rounds=1 --devices=2 --matmul_size=256

Models are files of configs/, or paths without .py; MNIST is replaced by random images of its shape, so no files are
needed. A stage with others before it starts from their initialisation. Parts, each of which prints a table in Markdown
for every model:

start: seconds from the stage to its first step, caches emptied before each round; then steps per second, and the rate
  of a step's FLOP (as XLA counts the program before it optimises it) over that of a large matrix product.
seeds: seed-steps per second of so many seeds in one program, vmapped, over those of one seed.
together: seeds in one program, on the devices there are (--cpu_devices=2 makes two of the CPU), against as many runs
  one after the other: steps alone; training with data, compilation, metrics and checkpoints; whole runs with evaluation
  and figures too.
devices: the step on so many devices over that on one, seeds shared out ("replica") or batches ("data"). On CPU the
  devices are simulated, in a process of its own, and share the same cores: there the ratio is overhead, no speedup.

Both sides of every ratio are measured in turns, in one process; printed are medians over rounds, with smallest and
largest. What warms up is left out. Products are those of the device's default precision on both sides.
"""

import logging
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

import jax
from absl import flags

from experiments.benchmarks.timing import in_turns, over_rounds, products
from experiments.benchmarks.workloads import Started, config_of, most_seeds, random_digits, start, whole_run
from mvae.engine import build_mesh, seeds_mesh, use_cpu_devices
from mvae.errors import UsageError
from mvae.programs import launch
from mvae.runs import Experiment, build_experiment, log_to_console
from mvae.sweep import line

PARTS = ("start", "seeds", "together", "devices")
SIMULATED = "--xla_force_host_platform_device_count"
_MODELS = flags.DEFINE_list("models", ["er:quick", "dvae_torus:quick", "dvae_mnist"], "FILE or FILE:ARGUMENT.")
_PARTS = flags.DEFINE_list("parts", list(PARTS), f"Of {', '.join(PARTS)}.")
_SEEDS = flags.DEFINE_list("seeds", ["1", "2", "4", "8", "16", "32", "64"], "Numbers of seeds in one program.")
_TOGETHER = flags.DEFINE_integer("together", 10, "Seeds in one program, and runs of one seed beside it.", lower_bound=2)
_RUN_STEPS = flags.DEFINE_integer(
    "run_steps", 200, "config.num_steps of the whole runs; 0 for the config's own.", lower_bound=0
)
_RUN_ROUNDS = flags.DEFINE_integer("run_rounds", 1, "Rounds of whole runs.", lower_bound=1)
_DEVICES = flags.DEFINE_list("devices", ["1", "2", "4", "8"], "Numbers of devices.")
_CPU_DEVICES = flags.DEFINE_integer(
    "cpu_devices", None, "As how many devices the CPU counts in the part together, as for mvae.main.", lower_bound=1
)
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds of everything else.", lower_bound=1)
_SECONDS = flags.DEFINE_float(
    "seconds", 1.0, "Of each timing of steps or products; seeds in turn copy their states once in it.", lower_bound=1e-3
)
_MATMUL_SIZE = flags.DEFINE_integer("matmul_size", 2048, "Rows and columns of the product's matrices.", lower_bound=1)


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [line(cells) for cells in (header, ["---"] * len(header), *rows)]
    print("\n".join(["", *lines]), flush=True)


def _timed(*started: Started, product: bool = True) -> tuple[list[list[float]], list[float]]:
    """Seconds of a step of each program, over rounds, and FLOP/s of the product, if it is measured with them."""
    multiply, flops = products(_MATMUL_SIZE.value)
    times = in_turns([each.run for each in started] + ([multiply] if product else []), _ROUNDS.value, _SECONDS.value)
    return times[: len(started)], [flops / taken for taken in times[-1]] if product else []


def _shares(flops: float, times: Sequence[float], rates: Sequence[float]) -> list[float]:
    """Rate of a step's FLOP over that of the product, over rounds."""
    return [flops / taken / rate for taken, rate in zip(times, rates, strict=True)]


def _cold_start(experiment: Experiment) -> Started:
    """Starts one seed with nothing traced or compiled before."""
    jax.clear_caches()
    return start(experiment, 1)


def _start_table(name: str, experiment: Experiment) -> None:
    """Prints time to first step, rate and share of the product's rate of one seed."""
    times = [_cold_start(experiment).times for _ in range(_ROUNDS.value)]
    started = start(experiment, 1)
    (steps,), rates = _timed(started)
    cells = [over_rounds(column) for column in (*zip(*times, strict=True), [sum(each) for each in times])]
    _print_table(
        [
            *(f"{name}, one seed: s, tracing", "s, compiling", "s, initialising and first step", "s, all"),
            *("steps/s", "GFLOP of a step", "GFLOP/s of the product", "step / product"),
        ],
        [
            [
                *cells,
                over_rounds([1 / taken for taken in steps], 1),
                f"{started.flops / 1e9:.3g}",
                f"{statistics.median(rates) / 1e9:.0f}",
                over_rounds(_shares(started.flops, steps, rates)),
            ]
        ],
    )


def _seeds_table(name: str, experiment: Experiment, numbers: Sequence[int]) -> None:
    """Prints seed-steps per second of several seeds over those of one."""
    one, most, rows = start(experiment, 1), most_seeds(experiment), []
    for number in numbers:
        if number > most:
            rows.append([f"{number}: memory for {most}", *["–"] * 4])
            continue
        several = start(experiment, number, sequential=False)
        (alone, together), rates = _timed(one, several)
        rows.append(
            [
                str(number),
                f"{1e3 * statistics.median(together):.3g}",
                f"{number / statistics.median(together):.1f}",
                over_rounds([number * a / b for a, b in zip(alone, together, strict=True)]),
                over_rounds(_shares(several.flops, together, rates)),
            ]
        )
        del several  # before the next one is made: their states may not fit side by side
    header = [f"{name}: seeds", "ms a step of all", "seed-steps/s", "over one seed", "step / product"]
    _print_table(header, rows)


def _together_table(name: str, experiment: Experiment) -> None:
    """Prints so many runs one after the other over one program of all their seeds."""
    number = _TOGETHER.value
    several = start(experiment, number, seeds_mesh(number))
    (alone, together), _ = _timed(start(experiment, 1), several, product=False)
    del several
    pairs = {"a step of each": [(number * a, b) for a, b in zip(alone, together, strict=True)]}
    config = config_of(name)
    if _RUN_STEPS.value:
        config["num_steps"] = _RUN_STEPS.value
    length = f"num_steps = {config['num_steps']}"
    runs = []
    for _ in range(_RUN_ROUNDS.value):
        first = config["seed"]
        lone = [whole_run(config | {"seed": first + member, "num_seeds": 1}) for member in range(number)]
        packed = whole_run(config | {"num_seeds": number})
        runs.append(([sum(column) for column in zip(*lone, strict=True)], list(packed)))
    for index, kind in enumerate((f"training, {length}", "evaluation and figures too")):
        pairs[kind] = [(lone[index], packed[index]) for lone, packed in runs]
    rows = [
        [
            kind,
            f"{statistics.median(lone for lone, _ in found):.3g}",
            f"{statistics.median(packed for _, packed in found):.3g}",
            over_rounds([lone / packed for lone, packed in found]),
        ]
        for kind, found in pairs.items()
    ]
    _print_table([f"{name}: {number} seeds", "s, one after the other", "s, in one program", "ratio"], rows)


def _devices_table(name: str, experiment: Experiment, numbers: Sequence[int]) -> None:
    """Prints steps per second on several devices over those on one."""
    seeds, batch = max(numbers), experiment.run.batch_size
    available, rows = jax.device_count(), []
    for axis, num_seeds in (("replica", seeds), ("data", 1)):
        one = start(experiment, num_seeds)
        for number in numbers:
            if number > available:
                rows.append([axis, f"{number}: there are {available}", str(num_seeds), "–", "–"])
                continue
            replicas = number if axis == "replica" else 1
            mesh = build_mesh(num_seeds, batch, num_devices=number, replicas=replicas) if number > 1 else None
            (alone, shared), _ = _timed(one, start(experiment, num_seeds, mesh), product=False)
            ratio = over_rounds([a / b for a, b in zip(alone, shared, strict=True)])
            rows.append([axis, str(number), str(num_seeds), f"{1e3 * statistics.median(shared):.3g}", ratio])
        del one
    _print_table([f"{name}: axis", "devices", "seeds", "ms a step of all", "steps/s over one device"], rows)


def _simulate(numbers: Sequence[int]) -> None:
    """Measures the devices in a process that sees so many of them on this machine's CPU."""
    flag = f"{SIMULATED}={max(numbers)}"
    print(f"\nCPU devices are simulated ({flag}) and share the same cores: ratios are overhead.", flush=True)
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()}
    child = subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.scaling", *sys.argv[1:], "--parts=devices"],
        env=environment,
        check=False,
    )
    if child.returncode:
        sys.exit(child.returncode)  # it has said why


def _numbers(flag: str, texts: Sequence[str]) -> list[int]:
    if not texts or any(not text.isdecimal() or int(text) < 1 for text in texts):
        raise UsageError(f"--{flag}={','.join(texts)}: give whole numbers from 1 up, such as 1,2,4")
    return [int(text) for text in texts]


def _check_devices(name: str, batch_size: int, numbers: Sequence[int]) -> None:
    """Raises, before the other parts take their time, if batches or as many seeds as devices cannot be shared out."""
    for number in numbers:
        if batch_size % number or max(numbers) % number:
            raise UsageError(
                f"--devices: {number} must divide the batches of {name}, {batch_size} examples, and the {max(numbers)} "
                "seeds, as many as the most devices"
            )


def main(argv: list[str]) -> None:
    """Prints the tables that were asked for."""
    del argv
    log_to_console(logging.WARNING)
    if wrong := set(_PARTS.value) - set(PARTS):
        raise UsageError(f"--parts: no {', '.join(sorted(wrong))}; there are {', '.join(PARTS)}")
    if _CPU_DEVICES.value is not None and set(_PARTS.value) != {"together"}:
        raise UsageError("--cpu_devices is of --parts=together alone; the part devices has its own")
    use_cpu_devices(_CPU_DEVICES.value)
    seeds, devices = _numbers("seeds", _SEEDS.value), _numbers("devices", _DEVICES.value)
    experiments = {name: build_experiment(config_of(name), load=random_digits) for name in _MODELS.value}
    simulated = SIMULATED in os.environ.get("XLA_FLAGS", "")
    for name, experiment in experiments.items() if "devices" in _PARTS.value else ():
        _check_devices(name, experiment.run.batch_size, devices)
    if not simulated:
        device = jax.devices()[0]
        print(f"{jax.device_count()} device(s), {device.platform}, {device.device_kind}, {os.cpu_count()} cores")
    for name, experiment in experiments.items():
        if "start" in _PARTS.value:
            _start_table(name, experiment)
        if "seeds" in _PARTS.value:
            _seeds_table(name, experiment, seeds)
        if "together" in _PARTS.value:
            _together_table(name, experiment)
        if "devices" in _PARTS.value and (simulated or jax.default_backend() != "cpu"):
            _devices_table(name, experiment, devices)
    if "devices" in _PARTS.value and jax.default_backend() == "cpu" and not simulated:
        _simulate(devices)


if __name__ == "__main__":
    launch(main)

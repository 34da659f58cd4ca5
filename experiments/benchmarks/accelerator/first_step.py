"""A process that does one step of the ΔVAE and prints how long it took to get there, as JSON.

python -m experiments.benchmarks.accelerator.first_step --seeds=10
"""

import argparse
import json
import time

BEGAN = time.perf_counter()


def main() -> None:
    """Prints seconds: of imports, of data and model, of tracing, compiling and the first step, and of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()

    import jax

    from experiments.benchmarks.accelerator.steps import step_config
    from experiments.benchmarks.workloads import random_digits, start
    from mvae.training.experiment import build_experiment

    jax.devices()
    imported = time.perf_counter()
    experiment = build_experiment(step_config(rehearse=options.rehearse), load=random_digits)
    built = time.perf_counter()
    started = start(experiment, options.seeds)
    seconds = {"imports": imported - BEGAN, "data_and_model": built - imported} | started.times._asdict()
    print(json.dumps(seconds | {"all": time.perf_counter() - BEGAN}))


if __name__ == "__main__":
    main()

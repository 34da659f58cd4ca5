"""Log-likelihoods of finished VAELLS runs with the coefficients at their maxima, as published, and integrated out.

    python experiments/vaells/likelihoods.py --runs=runs/vaells_mnist

For every run folder, made by `python -m mvae.main`, the first member's parameters are read from its last checkpoint,
and `--num_test` test examples get both importance-sampled log-likelihoods, from the same draws of the posterior. The
maxima stand for densities that are not normalised: of M operators, posterior and prior then differ by
M log(b_prior/b_posterior) even where they are much the same distribution. With the coefficients integrated out both are
densities.
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags, logging

from mvae.errors import UsageError
from mvae.evaluation import importance_log_likelihood
from mvae.methods.vaells import VAELLSConfig, vaells
from mvae.programs import launch
from mvae.runs import RunFolder, build_experiment, build_manifold, train
from mvae.typed import typed

_RUNS = flags.DEFINE_list("runs", None, "Folders of finished runs, with commas between.", required=True)
_NUM_TEST = flags.DEFINE_integer("num_test", 200, "Test examples.", lower_bound=2)
_SAMPLES = flags.DEFINE_integer("samples", 20, "Draws of the posterior per example.", lower_bound=1)
_DRAWS = flags.DEFINE_integer("draws", 128, "Draws of the coefficients per density.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 10, "Examples at a time.", lower_bound=1)


def read_config(path: Path) -> dict[str, Any]:
    """Returns the config of a run folder of a VAELLS."""
    folder = RunFolder(path)
    try:
        config = json.loads(folder.config.read_text())["config"]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"--runs: {folder.config} cannot be read ({error})") from error
    if config["method"] != "vaells" or not folder.results.exists():
        raise UsageError(f"--runs: {path} is not the folder of a finished run of the method vaells")
    return config


def row(path: Path) -> str:
    """Returns one line of the table."""
    config = read_config(path)
    experiment = build_experiment(config)
    params = jax.tree.map(lambda leaf: leaf[0], train(experiment, RunFolder(path)))
    block = typed(
        VAELLSConfig,
        config["model"],
        "config.model",
        manifold=build_manifold(config["manifold"]),
        event_shape=experiment.dataset.event_shape,
    )
    rows = {name: array[: _NUM_TEST.value] for name, array in experiment.dataset.test.items()}
    cells = []
    for draws in (0, _DRAWS.value):
        found = importance_log_likelihood(
            vaells(block, marginal_draws=draws).model,
            params,
            jax.random.key(0),
            rows,
            experiment.dataset.render,
            num_samples=_SAMPLES.value,
            batch_size=min(_BATCH.value, len(rows["label"])),
        )
        values = np.asarray(jnp.asarray(found), np.float64)
        cells.append(f"{values.mean():.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}")
    return f"| {path.name} | {block.num_operators} | {block.num_anchors} | {cells[0]} | {cells[1]} |"


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    logging.set_verbosity(logging.WARNING)
    print("| run | M | N_a | maxima | integrated |\n|---|---|---|---|---|")
    for name in _RUNS.value:
        print(row(Path(name)), flush=True)
    print(f"{_NUM_TEST.value} test examples, {_SAMPLES.value} draws; ± is the standard error of the mean over examples")


if __name__ == "__main__":
    launch(main)

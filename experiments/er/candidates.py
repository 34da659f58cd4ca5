"""Candidate latent spaces, their runs on data of every space, and how often the right one is chosen."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from mvae.engine import write_json
from mvae.evaluation import importance_log_likelihood
from mvae.runs import RunFolder, build_experiment, load_config, train
from mvae.sweep import Member, build_members, line

CONFIG = Path(__file__).parents[2] / "configs" / "er.py"
ENCODER_INITS = ("random", "cohomology")
NOISE = 0.01
NUM_TRAIN, NUM_TEST = 16_384, 2000
SAMPLES = 500  # of the importance-sampled log-likelihood
TIE = 2.0  # standard errors within which candidates tie, and the one of least dimension is taken
MARGIN = 0.1  # nats, within which they tie too: what another seed may change
MEASURED = "log_likelihoods.json"
_STREAM = 0x1AE


class Candidate(NamedTuple):
    """A latent space: its dimension, and its name in tables."""

    dim: int
    title: str


CANDIDATES = {
    "interval": Candidate(1, "interval"),
    "circle": Candidate(1, "circle"),
    "sphere": Candidate(2, "sphere"),
    "torus": Candidate(2, "torus"),
    "plane": Candidate(2, "R²"),
    "so3": Candidate(3, "SO(3)"),
}


def name_of(space: str, candidate: str, network: int) -> str:
    """Name of the run folder."""
    return f"{space}.{candidate}.{network}"


def members(
    data: Sequence[str],
    candidates: Sequence[str],
    *,
    networks: int,
    seeds: int,
    noise: float,
    num_steps: int,
    start: str,
) -> list[Member]:
    """Returns the runs: exact maps and, where there is a group, the group-action encoder.

    `start` is the `encoder_init` of circle and torus.
    """
    found = []
    for candidate in candidates:
        config: Any = load_config(CONFIG, candidate)
        config.num_seeds, config.num_steps = seeds, num_steps
        config.data.noise, config.data.num_train, config.data.num_test = noise, NUM_TRAIN, NUM_TEST
        config.evaluation.importance_samples = SAMPLES
        config.model.reparametrization.kind = "exact"
        config.model.group = candidate not in ("interval", "plane")
        if candidate in ("circle", "torus"):
            config.model.encoder_init = start
            config.optimizer.encoder_warmup_steps = 100 if start == "cohomology" else 0
        runs = [
            (name_of(space, candidate, network), {"data.space": space, "data.net_seed": network})
            for space in data
            for network in range(networks)
        ]
        found += build_members(config, runs)
    return sorted(found, key=lambda member: (member.name.split(".")[::2], member.name))


def render(folder: Path, data: Sequence[str], candidates: Sequence[str], *, networks: int) -> str:
    """Returns the table of log-likelihoods and the confusion matrices of what is there.

    A choice is made for each network that carries the data: from single seeds, the same one of every candidate, and
    from the best seed of each, which is what somebody would do who has to decide. It is made by the greatest
    log-likelihood, and by the least dimension among those that tie with it, within `TIE` standard errors of the mean
    difference or `MARGIN` nats.
    """
    found = {
        (space, network): _values(folder, space, candidates, network) for space in data for network in range(networks)
    }
    found = {key: each for key, each in found.items() if len(each) == len(candidates)}
    best = {
        key: [{name: seeds[seeds.mean(axis=1).argmax()] for name, seeds in each.items()}] for key, each in found.items()
    }
    single = {key: _by_seed(each) for key, each in found.items()}
    titles = [CANDIDATES[name].title for name in candidates]
    header = line(["data", *titles]) + "\n" + line(["---"] * (len(titles) + 1))
    parts = [f"log p(x), nats, best seed, mean over networks less the greatest\n\n{header}"]
    parts += [_likelihoods(space, candidates, best) for space in data]
    for which, trials in (("single seeds", single), ("best seeds", best)):
        for title, choose in (("greatest log p(x)", greatest), ("least dimension of those that tie", simplest)):
            parts.append(f"\n{title}, {which}: how often each candidate is chosen\n\n{header}")
            parts += [_chosen(space, candidates, trials, choose) for space in data]
    return "\n".join(parts)


def _by_seed(values: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    num_seeds = min(len(seeds) for seeds in values.values())
    return [{name: seeds[index] for name, seeds in values.items()} for index in range(num_seeds)]


def measure(member: Member, folder: Path) -> None:
    """Writes log p(x) of every test point, (seeds, points), beside a finished run, if it is not there."""
    path = folder / member.name / MEASURED
    if path.exists():
        return
    experiment = build_experiment(member.config)
    params = train(experiment, RunFolder(path.parent))
    found = []
    for index in range(experiment.run.num_seeds):
        values = importance_log_likelihood(
            experiment.model,
            jax.tree.map(lambda leaf, i=index: leaf[i], params),
            jax.random.key(_STREAM),
            experiment.dataset.test,
            experiment.dataset.render,
            num_samples=SAMPLES,
            batch_size=100,
        )
        found.append(np.asarray(values, np.float64).tolist())
    write_json(path, {"log_likelihood": found})


def _values(folder: Path, space: str, candidates: Sequence[str], network: int) -> dict[str, np.ndarray]:
    """Log p(x) of the test points by each seed of each candidate, (seeds, points)."""
    found = {}
    for candidate in candidates:
        path = folder / name_of(space, candidate, network) / MEASURED
        if path.exists():
            found[candidate] = np.array(json.loads(path.read_text())["log_likelihood"])
    return found


def greatest(values: dict[str, np.ndarray]) -> str:
    """The candidate with the greatest mean."""
    return max(values, key=lambda name: values[name].mean())


def simplest(values: dict[str, np.ndarray]) -> str:
    """Of those whose mean difference from the greatest, point by point, is within `TIE` standard errors or `MARGIN`."""
    best = values[greatest(values)]
    differences = {name: best - value for name, value in values.items()}
    near = [
        name
        for name, each in differences.items()
        if each.mean() <= max(MARGIN, TIE * each.std(ddof=1) / np.sqrt(len(each)))
    ]
    least = min(CANDIDATES[name].dim for name in near)
    return max((name for name in near if CANDIDATES[name].dim == least), key=lambda name: values[name].mean())


Trials = dict[tuple[str, int], list[dict[str, np.ndarray]]]  # by space and network: log p(x) by candidate


def _likelihoods(space: str, candidates: Sequence[str], best: Trials) -> str:
    rows = [row for (of, _), trials in best.items() if of == space for row in trials]
    if not rows:
        return line([CANDIDATES[space].title, *["-"] * len(candidates)])
    relative = np.array([[row[name].mean() for name in candidates] for row in rows])
    relative = (relative - relative.max(axis=1, keepdims=True)).mean(axis=0)
    return line([CANDIDATES[space].title, *(f"{value:.2f}" for value in relative)])


def _chosen(
    space: str, candidates: Sequence[str], trials: Trials, choose: Callable[[dict[str, np.ndarray]], str]
) -> str:
    chosen = [choose(row) for (of, _), rows in trials.items() if of == space for row in rows]
    counts = [chosen.count(name) for name in candidates]
    cells = [f"**{count}**" if name == space else str(count) for name, count in zip(candidates, counts, strict=True)]
    return line([CANDIDATES[space].title, *cells])

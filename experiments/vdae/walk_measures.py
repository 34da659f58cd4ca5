"""Measures of a VDAE's walk on data whose truth is known, as tables in Markdown."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvae import figures
from mvae.data import surface_distance
from mvae.evaluation import bingham_test, equal_area_test, rayleigh_test, train_classifier, watson_test
from mvae.models import Params
from mvae.runs import Experiment
from mvae.sweep import line

NUM_CHAINS = 1000
SHOWN_STEPS = (1, 2, 5, 10, 20)
QUANTILES = (0.5, 0.9, 0.99)
FAR = 4.0  # standard deviations from the nearest centre
NUM_GRID = 10_000
SEEDS_PER_CLASS = 100
CLASS_STEPS = (1, 2, 3, 5, 10, 20)
CLASSIFIER_STEPS = 3000
_KEY = 0x3A1C

TESTS: dict[str, dict[str, Callable[..., Any]]] = {
    "circle": {"Rayleigh": rayleigh_test, "Watson": watson_test},
    "sphere": {"Rayleigh": rayleigh_test, "Bingham": bingham_test, "equal areas": equal_area_test},
}


def walk_from(experiment: Experiment, params: Params, image: jax.Array, num_steps: int, member: int = 0) -> np.ndarray:
    """Paths from these images, (num_steps + 1, b, h, w, c), with draws of each member's own."""
    walk = experiment.model.capabilities.get("walk")
    assert walk is not None
    key = jax.random.fold_in(jax.random.key(_KEY), member)
    return np.asarray(jax.jit(walk, static_argnums=3)(params, key, image, num_steps))


def single_seed_walk(experiment: Experiment, params: Params, member: int = 0) -> np.ndarray:
    """Points of many chains that all start at the first training point, (t, n, m)."""
    image = experiment.dataset.train["x"][:1]
    path = walk_from(experiment, params, jnp.repeat(image, NUM_CHAINS, axis=0), max(SHOWN_STEPS), member)
    return path.reshape(*path.shape[:2], -1)


def uniformity_table(experiment: Experiment, members: list[Params]) -> str:
    """p-values of every seed and quantiles of the distance from the manifold, after each number of steps."""
    name = experiment.dataset.name
    paths = [single_seed_walk(experiment, params, member) for member, params in enumerate(members)]
    tests = TESTS[name]
    lines = [line(["steps", *(f"{test}, p" for test in tests), *(f"distance, {q:.0%} quantile" for q in QUANTILES)])]
    lines.append(line(["---"] * (1 + len(tests) + len(QUANTILES))))
    for step in SHOWN_STEPS:
        found = [[f"{test(path[step]).p_value:.2g}" for path in paths] for test in tests.values()]
        distances = np.concatenate([surface_distance(name, path[step]) for path in paths])
        lines.append(
            line([str(step), *map(", ".join, found), *(f"{np.quantile(distances, q):.4f}" for q in QUANTILES)])
        )
    return "\n".join(lines)


def far_table(experiment: Experiment, members: list[Params]) -> str:
    """Share of samples beyond `FAR` standard deviations of every centre, and of each centre's share of samples."""
    lines = [
        line(["seed", f"beyond {FAR:.0f} sigma", "root of mean squared distance / sigma", "least, largest cluster"])
    ]
    lines.append(line(["---"] * 4))
    for index, params in enumerate(members):
        sample = experiment.model.sample(params, jax.random.fold_in(jax.random.key(_KEY), index), NUM_GRID)
        points = np.asarray(sample).reshape(NUM_GRID, 2)
        distance = surface_distance("gaussian_grid", points)
        centre = np.clip(np.round(points), -2, 2) @ [5, 1]
        _, counts = np.unique(centre, return_counts=True)
        least = counts.min() if len(counts) == 25 else 0
        lines.append(
            line(
                [
                    str(index),
                    f"{np.mean(distance > FAR):.4f}",
                    f"{np.sqrt(np.mean(distance**2)):.2f}",
                    f"{least / NUM_GRID:.3f}, {counts.max() / NUM_GRID:.3f}",
                ]
            )
        )
    return "\n".join(lines)


def class_table(experiment: Experiment, members: list[Params]) -> str:
    """Share of chains with the class of their seed after each number of steps, mean and least over the digits."""
    dataset = experiment.dataset
    classifier = train_classifier(
        jax.random.key(_KEY), dataset.train, dataset.render, num_classes=10, num_steps=CLASSIFIER_STEPS
    )
    label = np.asarray(dataset.render({name: array[:5000] for name, array in dataset.test.items()})["label"])
    rows = np.concatenate([np.flatnonzero(label == digit)[:SEEDS_PER_CLASS] for digit in range(10)])
    batch = dataset.render({name: array[rows] for name, array in dataset.test.items()})
    label = np.asarray(batch["label"])
    real = np.mean(classifier.predict(np.asarray(batch["x"]))[0] == label)
    kept = []
    for member, params in enumerate(members):
        path = walk_from(experiment, params, batch["x"], max(CLASS_STEPS), member)
        found = [classifier.predict(path[step])[0] == label for step in CLASS_STEPS]
        kept.append([[np.mean(each[label == digit]) for digit in range(10)] for each in found])
    shares = np.array(kept)  # (members, steps, digits)
    lines = [line(["steps", "class kept, mean (std over seeds)", *map(str, range(10))]), line(["---"] * 12)]
    lines.append(line(["0", f"{real:.3f}", *[""] * 10]))
    for index, step in enumerate(CLASS_STEPS):
        means = shares[:, index].mean(axis=1)
        deviation = f" ({means.std(ddof=1):.3f})" if len(means) > 1 else ""
        digits = shares[:, index].mean(axis=0)
        lines.append(line([str(step), f"{means.mean():.3f}{deviation}", *(f"{share:.2f}" for share in digits)]))
    return "\n".join(lines)


MEASURES: dict[str, Callable[[Experiment, list[Params]], str]] = {
    "circle": uniformity_table,
    "sphere": uniformity_table,
    "gaussian_grid": far_table,
    "mnist": class_table,
}


def figure_of(experiment: Experiment, params: Params, data: str) -> Any:
    """The walk from one seed for points; for images, grids of samples around one seed of each digit (Fig. 5)."""
    if data != "mnist":
        path = single_seed_walk(experiment, params)
        cloud = np.asarray(experiment.dataset.train["x"])[:2000].reshape(-1, path.shape[-1])
        return figures.walk_steps(path[np.array(SHOWN_STEPS)], steps=SHOWN_STEPS, seed=path[0, 0], data=cloud)
    dataset = experiment.dataset
    label = np.asarray(dataset.test["label"][:1000])
    rows = np.array([np.flatnonzero(label == digit)[0] for digit in (0, 2, 4, 5, 7, 8)])
    seeds = dataset.render({name: array[rows] for name, array in dataset.test.items()})["x"]
    chains = 24
    path = walk_from(experiment, params, jnp.repeat(seeds, chains, axis=0), 3)
    return figures.seeded_grids(np.asarray(seeds), path[-1].reshape(len(rows), chains, *path.shape[2:]), columns=3)

"""What is measured of a trained model beside data: Gromov-Wasserstein, bi-Lipschitz, MMD [li2020, Sec. 6.4]."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from mvae import data
from mvae.data import Dataset, rendered
from mvae.engine import write_json
from mvae.evaluation import bilipschitz, gromov_wasserstein, mmd
from mvae.manifolds import Euclidean
from mvae.models import Model, Params
from mvae.runs import Experiment, RunFolder, build_experiment, train

LOGGER = logging.getLogger("mvae.experiments")
MEASURED = "geometry.json"
REFERENCE = "reference.json"
COMPARED = 500  # samples, and training examples where there are so many
BILIPSCHITZ_NEIGHBORS = 10
STARTS = 10  # of each G-W
_STREAM = 0xB11


class Generated(NamedTuple):
    """Samples of a model.

    Attributes:
        image: Images, drawn as the model generates, (n, h, w, c).
        code: Points of the latent distribution, (n, d): of the prior, or the codes of the samples of a walk.
        decoded: What these decode to, (n, h, w, c).
    """

    image: np.ndarray
    code: np.ndarray
    decoded: np.ndarray


def generate(model: Model, params: Params, key: Key[Array, ""], num: int) -> Generated:
    """Draws samples, with the latent points that their bi-Lipschitz measure is about."""
    if "walk" in model.capabilities:
        image = jax.jit(model.sample, static_argnums=2)(params, key, num)
        code = model.encode(params, image).location
        return Generated(np.asarray(image), np.asarray(code), np.asarray(model.decode(params, code)))
    euclidean = isinstance(model.manifold, Euclidean)
    shape = (num, model.manifold.dim)
    code = jax.random.normal(key, shape) if euclidean else model.manifold.uniform(key, (num,))
    decoded = np.asarray(model.decode(params, code))
    return Generated(decoded, np.asarray(code), decoded)


def originals(dataset: Dataset, seed: int, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns two disjoint random samples of the training images, or the same one twice where there are too few."""
    rows = np.random.default_rng(seed).permutation(dataset.num_train)
    second = rows[num : 2 * num] if len(rows) >= 2 * num else rows[:num]
    first, second = (
        np.asarray(rendered(dataset, {name: array[part] for name, array in dataset.train.items()}))
        for part in (rows[:num], second)
    )
    return first, second


def member_measures(dataset: Dataset, model: Model, params: Params, seed: int) -> dict[str, float]:
    """Returns the numbers of one seed."""
    key = jax.random.fold_in(jax.random.key(np.uint32(seed)), _STREAM)
    found = generate(model, params, key, COMPARED)
    real, _ = originals(dataset, seed, min(COMPARED, dataset.num_train))
    return {
        "gromov_wasserstein": gromov_wasserstein(real, found.image, num_starts=STARTS),
        "mmd": mmd(real, found.image),
    } | distortion(found.code, found.decoded)


def distortion(code: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    """Returns the median bi-Lipschitz measure as it is, and after one scaling of all latent distances.

    A decoder that maps most points to one has an infinite one, and no scaling changes that.
    """
    plain = float(np.median(bilipschitz(code, decoded, BILIPSCHITZ_NEIGHBORS)))
    scaled = plain
    if np.isfinite(plain):
        scaled = float(np.median(bilipschitz(code, decoded, BILIPSCHITZ_NEIGHBORS, rescale=True)))
    return {"bilipschitz": plain, "bilipschitz_rescaled": scaled}


def measure(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the measures of a finished run, per seed, from its folder or afresh.

    Args:
        config: The config of the run.
        folder: Its folder.
    """
    path = folder / MEASURED
    if path.exists():
        return json.loads(path.read_text())
    experiment = build_experiment(config)
    params = train(experiment, RunFolder(folder))
    members = []
    for index in range(experiment.run.num_seeds):
        seed = experiment.run.seed + index
        LOGGER.info("measuring seed %d of %s", seed, folder)
        member = jax.tree.map(lambda leaf, i=index: leaf[i], params)
        members.append({"seed": seed} | member_measures(experiment.dataset, experiment.model, member, seed))
    found = {"members": members}
    write_json(path, found)
    return found


def reference(config: Mapping[str, Any], folder: Path, *, seeds: int) -> dict[str, Any]:
    """Returns the G-W of two samples of the data themselves, which no model can be expected to go below.

    Args:
        config: A config with the data.
        folder: Where it is kept.
        seeds: How many pairs.
    """
    path = folder / REFERENCE
    if path.exists():
        return json.loads(path.read_text())
    dataset = data.load(**{name: value for name, value in config["data"].items() if value is not None})
    num = min(COMPARED, dataset.num_train)
    values = []
    if dataset.num_train >= 2 * num:
        values = [gromov_wasserstein(*originals(dataset, seed, num), num_starts=STARTS) for seed in range(seeds)]
    found = {"gromov_wasserstein": values}
    write_json(path, found)
    return found


def load_member(folder: Path, *, data_dir: str | None, folder_of_data: str | None) -> tuple[Experiment, Params]:
    """Returns experiment and parameters of the first seed of a finished run.

    Args:
        folder: The run's folder.
        data_dir: Folder with the folders of the data.
        folder_of_data: The one of this data set, None for generated data.

    Raises:
        FileNotFoundError: If there are no results.
    """
    json.loads((folder / "results.json").read_text())
    config = json.loads((folder / "config.json").read_text())["config"]
    if folder_of_data is not None:
        config["data"]["dir"] = str(Path(data_dir or ".") / folder_of_data)
    experiment = build_experiment(config)
    params = train(experiment, RunFolder(folder))
    return experiment, jax.tree.map(lambda leaf: leaf[0], params)

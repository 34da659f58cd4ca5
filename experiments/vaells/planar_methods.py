"""The four methods compared on curves of the plane: their configs, and what is measured of a trained one."""

import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from mvae.evaluation import evaluate_bound, importance_log_likelihood
from mvae.runs import RunFolder, build_experiment, load_config, train

CONFIGS = Path(__file__).parents[2] / "configs"
DATA = {"swiss_roll": "vaells_swiss_roll.py", "concentric_circles": "vaells_circles.py"}
MEASURED = "planar.npz"
_KEY = 0x91A4


class Method(NamedTuple):
    """A method of the comparison.

    Attributes:
        title: Name in table and figure.
        config: File of its config; None for the one that the data set has.
        manifold: The latent space.
        model: What its config.model has of its own.
    """

    title: str
    config: str | None
    manifold: dict[str, Any]
    model: dict[str, Any]


_PLANE = {"name": "euclidean", "dim": 2}
METHODS = {
    "vae": Method("VAE", "vae.py", _PLANE, {"initial_variance": 2.5e-3}),
    "svae": Method("Hyperspherical VAE", "svae.py", {"name": "sphere", "dim": 1}, {"initial_concentration": 800.0}),
    "vamp": Method(
        "VAE with VampPrior",
        "vamp.py",
        _PLANE,
        {
            "initial_variance": 2.5e-3,
            "num_pseudo_inputs": 50,
            "pseudo_input_noise": 0.01,
            "clip_pseudo_inputs": False,
        },
    ),
    "vaells": Method("VAELLS", None, _PLANE, {}),
}
_COMMON = ("net", "encoder_widths", "decoder_widths", "likelihood", "beta", "min_capacity", "max_capacity")


def config_of(
    name: str,
    data: str,
    seed: int,
    *,
    num_steps: int | None = None,
    variance: float | None = None,
    quick: bool = False,
) -> dict[str, Any]:
    """Returns the whole config of a run, as plain dicts.

    VAELLS has its own config of the data set. The others have the networks, likelihood, β, optimiser, batches and
    evaluation of that one, and as many steps as its two stages together.

    Args:
        name: Of `METHODS`.
        data: Of `DATA`.
        seed: The seed.
        num_steps: Steps of VAELLS after its warm-up; None for those of its config.
        variance: β, the variance of p(x | z); None for that of VAELLS's config.
        quick: Whether that is the quick one.
    """
    ours = load_config(CONFIGS / DATA[data], "quick" if quick else "").to_dict()
    ours |= {"seed": seed, "num_seeds": 1, "num_steps": num_steps or ours["num_steps"]}
    if variance is not None:
        ours["model"]["beta"] = variance
    method = METHODS[name]
    if method.config is None:
        return ours
    config = load_config(CONFIGS / method.config).to_dict()
    config |= {key: value for key, value in ours.items() if key not in ("method", "manifold", "model")}
    config["num_steps"] += ours["model"]["training"]["warm_up_steps"]
    config["manifold"] = dict(method.manifold)
    config["model"] |= {key: ours["model"][key] for key in _COMMON} | {"capacity_steps": None} | method.model
    return config


def measure(config: Mapping[str, Any], folder: Path) -> None:
    """Writes what the comparison needs of a finished run to its folder; does nothing if it is there.

    ELBO and log-likelihood are those of the model that was trained: with β as the variance of p(x | z), where the
    run's own results have variance 1.

    Args:
        config: The config of the run.
        folder: Its folder.
    """
    path = folder / MEASURED
    if path.exists():
        return
    experiment = build_experiment(config)
    params = jax.tree.map(lambda leaf: leaf[0], train(experiment, RunFolder(folder)))
    location = experiment.model.encode(params, experiment.dataset.test["x"]).location
    variance = config["model"]["beta"]
    model = build_experiment({**config, "model": config["model"] | {"likelihood": "gaussian_learned_variance"}}).model
    params |= {"likelihood": {"log_std": jax.numpy.asarray(0.5 * math.log(variance))}}
    bound_key, likelihood_key = jax.random.split(jax.random.fold_in(jax.random.key(config["seed"]), _KEY))
    given = (experiment.dataset.test, experiment.dataset.render)
    settings = experiment.evaluation
    terms = evaluate_bound(model, params, bound_key, *given, num_samples=settings.bound_samples)
    log_likelihood = importance_log_likelihood(
        model,
        params,
        likelihood_key,
        *given,
        num_samples=settings.importance_samples,
        batch_size=settings.batch_size,
    )
    numbers = {"elbo": terms.elbo, "kl": terms.kl, "mse": terms.mse, "log_likelihood": log_likelihood}
    means = {name: np.asarray(value, np.float64).mean() for name, value in numbers.items()}
    _write(path, codes=np.asarray(location), **means)


def _write(path: Path, **arrays: np.ndarray) -> None:
    """Writes arrays, atomically."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(buffer.getvalue())
    os.replace(temporary, path)

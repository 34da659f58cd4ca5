"""From a config to data, model and stages."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from mvae import data
from mvae.data import Dataset
from mvae.errors import UsageError, unknown
from mvae.methods.build import METHODS, OWN_REPORTS, PREPARED, Given, StagesAt
from mvae.methods.vaells.anchors import check_anchors
from mvae.models import Model
from mvae.models.stage import Stage
from mvae.reports import REPORTS, EvaluationConfig, Report, check_evaluation
from mvae.runs.config import OptimizerConfig, RunConfig, build_manifold, typed

BLOCKS = ("method", "data", "manifold", "model", "optimizer", "evaluation")


class Experiment(NamedTuple):
    """What a config stands for.

    Attributes:
        run: Seeds, batches, steps.
        evaluation: How the result is judged.
        dataset: The data, on the device.
        model: The model.
        stages: The stages of training, in order.
        params_of: Final state of the last stage -> parameters of the model.
        stages_at: Values of `mvae.models.traced.TRACED` by their dotted names -> the stages with them, in which they
            may be tracers; None for a method that takes them as constants.
        reports: What is asked of the trained model.
    """

    run: RunConfig
    evaluation: EvaluationConfig
    dataset: Dataset
    model: Model
    stages: tuple[Stage, ...]
    params_of: Callable[[Any], Any]
    stages_at: StagesAt | None = None
    reports: tuple[Report, ...] = REPORTS


def build_experiment(
    config: Mapping[str, Any], *, load: Callable[..., Dataset] | None = None, streamed: bool = False
) -> Experiment:
    """Builds everything a config names, checking all of it before anything is trained or written.

    Args:
        config: The resolved config as plain dicts (`ConfigDict.to_dict()`).
        load: Returns the data of the options in config.data; None for `mvae.data.load`, or `load_streamed`.
        streamed: Whether the training data are to stay on the host.

    Raises:
        UsageError: For anything unknown, missing or out of range, naming the key; for data that are to be streamed to
            a method that needs all of them at once.
    """
    if missing := [name for name in BLOCKS if name not in config]:
        raise UsageError(f"config lacks {', '.join(missing)}")
    if config["method"] not in METHODS:
        raise unknown("method", config["method"], METHODS)
    rest = {name: value for name, value in config.items() if name not in BLOCKS}
    run = typed(RunConfig, rest, "config")
    optimizer = typed(OptimizerConfig, config["optimizer"], "config.optimizer")
    evaluation = typed(EvaluationConfig, config["evaluation"], "config.evaluation")
    manifold = build_manifold(config["manifold"])
    if streamed and config["method"] in PREPARED:
        raise UsageError(
            f"--stream: the method {config['method']} needs all training data on the device, which it compares with "
            "each other; leave out the flag, and take fewer examples by config.data.num_train if they do not fit"
        )
    options = {name: value for name, value in config["data"].items() if value is not None}
    load = load or (data.load_streamed if streamed else data.load)
    dataset = load(**options)
    check_evaluation(evaluation, dataset, manifold)
    try:
        num_steps = run.steps(dataset.num_train)
    except ValueError as error:
        raise UsageError(f"config: {error}") from error
    run = dataclasses.replace(run, init_batch_size=min(run.init_batch_size, dataset.num_train))
    if config["method"] in PREPARED:
        dataset = PREPARED[config["method"]](config["model"], dataset)
    built = METHODS[config["method"]](Given(config["model"], manifold, dataset, optimizer, num_steps))
    _check_anchor_choice(config["model"], dataset, run.init_batch_size)
    _check_spectral_sizes(config["model"], manifold.dim, run)
    reports = REPORTS + OWN_REPORTS.get(config["method"], ())
    return Experiment(run, evaluation, dataset, built.model, built.stages, built.params_of, built.stages_at, reports)


def _check_anchor_choice(block: Mapping[str, Any], dataset: Dataset, init_batch_size: int) -> None:
    """Raises if a method with anchors cannot have the ones it asks for; `block` is one that the method has accepted."""
    if "anchors" not in block:
        return
    first = dataset.render({name: jnp.asarray(array[:init_batch_size]) for name, array in dataset.train.items()})
    needed = {"batch": "anchors", "even": "parameter"}.get(block["anchors"], "label")
    if needed not in first:
        raise UsageError(f"config.model.anchors = {block['anchors']!r} needs data with {needed}, not {dataset.name}")
    if block["anchors"] == "batch":
        given = first["anchors"].shape[1]
        if (block["num_anchors"], block["num_classes"]) != (given, 1):
            raise UsageError(
                f"config.model: each example of {dataset.name} brings {given} anchors of its own: num_anchors must be "
                f"{given} and num_classes 1, got {block['num_anchors']} and {block['num_classes']}"
            )
        return
    if "label" not in first:
        raise UsageError(f"config.model.anchors: {dataset.name} has no labels, which say which anchors are whose")
    try:
        check_anchors(first["label"], block["num_classes"], block["num_anchors"])
    except ValueError as error:
        raise UsageError(f"config.model: {error}") from error


def _check_spectral_sizes(block: Mapping[str, Any], dim: int, run: RunConfig) -> None:
    """Raises if batches are too small for a VDAE; `block` is one that the method has accepted."""
    if "spectral" not in block:
        return
    outputs = dim + block["spectral"]["num_extra"]
    rows = run.batch_size // 2 if block["spectral"]["separate_batch"] else run.batch_size
    if rows < outputs + 1:
        raise UsageError(
            f"config.batch_size = {run.batch_size}: {outputs} outputs are to be orthonormal on {rows} examples; take "
            "more, or config.model.spectral.separate_batch=False"
        )
    neighbors = block["num_neighbors"] or 2
    if neighbors > run.init_batch_size:
        raise UsageError(
            f"config.model.num_neighbors = {neighbors}: neighbours are sought among {run.init_batch_size} examples, "
            "the smaller of config.init_batch_size and the training set"
        )

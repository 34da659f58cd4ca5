"""From a config to data, model and stages."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvae import data
from mvae.data import Dataset
from mvae.data.dataset import check_finite
from mvae.errors import UsageError
from mvae.kept import NOTHING_KEPT, Kept
from mvae.manifolds import Manifold
from mvae.methods import METHODS, MethodInputs
from mvae.methods.method import StagesAt
from mvae.models import Model
from mvae.models.autoencoder import Networks
from mvae.models.stage import Stage
from mvae.reports import REPORTS, EvaluationConfig, Report, check_evaluation
from mvae.runs.config import RunConfig
from mvae.runs.overrides import resolve
from mvae.typed import typed


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
        config: The resolved config, as plain dicts.
        networks: A user's own.
    """

    run: RunConfig
    evaluation: EvaluationConfig
    dataset: Dataset
    model: Model
    stages: tuple[Stage, ...]
    params_of: Callable[[Any], Any]
    stages_at: StagesAt | None = None
    reports: tuple[Report, ...] = ()
    config: Mapping[str, Any] = {}
    networks: Networks = Networks()


def build_experiment(
    config: Mapping[str, Any],
    *,
    load: Callable[..., Dataset] | None = None,
    streamed: bool = False,
    networks: Networks | None = None,
    kept: Kept = NOTHING_KEPT,
) -> Experiment:
    """Builds everything a config names, checking all of it before anything is trained or written.

    Args:
        config: The config, whole or in part: see `mvae.runs.overrides.resolve`.
        load: Returns the data of the options in config.data; None for `mvae.data.load`, or `load_streamed`.
        streamed: Whether the training data are to stay on the host.
        networks: A user's own, in place of those of the config.
        kept: What a run has kept of what is computed from its data before training.

    Raises:
        UsageError: For anything unknown, missing or out of range, naming the key; for data that are to be streamed to
            a method that needs all of them at once.
    """
    resolved = resolve(config)
    config, run, manifold = resolved.block, resolved.run, resolved.manifold
    method = METHODS[config["method"]]
    if method.latent(manifold) != manifold:
        raise UsageError(
            f"config.manifold: the latent space of the method {method.name} is {method.latent(manifold)} or its like, "
            f"got {manifold}"
        )
    if streamed and method.needs_all_data:
        raise UsageError(
            f"--stream: the method {config['method']} needs all training data on the device, which it compares with "
            "each other; leave out the flag, and take fewer examples by config.data.num_train if they do not fit"
        )
    load = load or (data.load_streamed if streamed else data.load)
    dataset = load(**config["data"])
    check_finite(dataset)
    check_evaluation(resolved.evaluation, dataset, manifold)
    try:
        num_steps = run.steps(dataset.num_train)
    except ValueError as error:
        raise UsageError(f"config: {error}") from error
    run = dataclasses.replace(run, init_batch_size=min(run.init_batch_size, dataset.num_train))
    check_own_networks(networks or Networks(), manifold, dataset)
    num_conditions = len(dataset.condition_names)
    if num_conditions and not method.conditional:
        able = ", ".join(name for name, each in METHODS.items() if each.conditional)
        raise UsageError(f"config.method: {method.name} knows no condition, which {dataset.name} has; use {able}")
    of_data = {"event_shape": dataset.event_shape} | ({"num_conditions": num_conditions} if num_conditions else {})
    model_config = typed(method.config, config["model"], "config.model", manifold=manifold, **of_data)
    dataset = method.prepare(model_config, dataset, kept)
    networks = networks or Networks()
    inputs = MethodInputs(
        model_config, dataset, resolved.optimizer, num_steps, run.batch_size, run.init_batch_size, networks
    )
    built = method.build(inputs)
    return Experiment(
        run,
        resolved.evaluation,
        dataset,
        built.model,
        built.stages,
        built.params_of,
        built.stages_at,
        tuple({report.name: report for report in (*REPORTS.values(), *method.reports)}.values()),
        config,
        networks,
    )


def check_own_networks(networks: Networks, manifold: Manifold, dataset: Dataset) -> None:
    """Raises if a user's own network does not take or give what it should; nothing is computed.

    Raises:
        UsageError: Naming the network and what is wrong with it.
    """
    event = dataset.event_shape
    for name, given in (("encoder", (2, *event)), ("decoder", (2, manifold.ambient_dim))):
        network, x = getattr(networks, name), jax.ShapeDtypeStruct(given, jnp.float32)
        if network is None:
            continue
        try:
            output = jax.eval_shape(network.apply, jax.eval_shape(network.init, jax.random.key(0), x), x)
        except Exception as error:
            message = " ".join(str(error).split())[:300]
            raise UsageError(f"{name} fails on a batch of shape {given}: {type(error).__name__}: {message}") from error
        shape = getattr(output, "shape", None)
        if name == "encoder" and (shape is None or len(shape) != 2 or shape[0] != 2):
            raise UsageError(f"encoder must give features (b, k) of x, of x {given} it gives {shape or output}")
        if name == "decoder" and shape != (2, *event):
            raise UsageError(f"decoder must give {(2, *event)} of points {given}, it gives {shape or output}")

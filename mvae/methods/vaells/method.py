"""The method vaells: a warm-up of the networks, then networks and operators in turns."""

import dataclasses

import jax.numpy as jnp

from mvae.data import Dataset
from mvae.errors import UsageError
from mvae.methods.method import Method, MethodInputs, MethodOutputs, completed, euclidean
from mvae.methods.vaells.anchors import check_anchors
from mvae.methods.vaells.model import VAELLSConfig, vaells
from mvae.methods.vaells.reports import REPORTS
from mvae.methods.vaells.training import alternating_stages
from mvae.models.optimizer import adam


def _build(inputs: MethodInputs) -> MethodOutputs:
    if inputs.config.beta <= 0:
        raise UsageError("config.model.beta must be positive for the method vaells, whose operators need a prior")
    config: VAELLSConfig = completed(inputs)
    _check_anchor_choice(config, inputs.dataset, inputs.init_batch_size)
    method = vaells(config, inputs.networks)
    constant = dataclasses.replace(inputs.optimizer, decay_fraction=0.0)
    num_network_steps = config.training.num_network_steps(inputs.num_steps)
    optimizers = (adam(constant, config.training.warm_up_steps), adam(inputs.optimizer, num_network_steps))
    stages = alternating_stages(method, config.training, optimizers, inputs.num_steps, config.beta)
    return MethodOutputs(method.model, stages)


def _check_anchor_choice(config: VAELLSConfig, dataset: Dataset, init_batch_size: int) -> None:
    """Raises if the data cannot give the anchors that are asked for."""
    first = dataset.render({name: jnp.asarray(array[:init_batch_size]) for name, array in dataset.train.items()})
    needed = {"batch": "anchors", "even": "parameter"}.get(config.anchors, "label")
    if needed not in first:
        raise UsageError(f"config.model.anchors = {config.anchors!r} needs data with {needed}, not {dataset.name}")
    if config.anchors == "batch":
        given = first["anchors"].shape[1]
        if (config.num_anchors, config.num_classes) != (given, 1):
            raise UsageError(
                f"config.model: each example of {dataset.name} brings {given} anchors of its own: num_anchors must be "
                f"{given} and num_classes 1, got {config.num_anchors} and {config.num_classes}"
            )
        return
    if "label" not in first:
        raise UsageError(f"config.model.anchors: {dataset.name} has no labels, which say which anchors are whose")
    try:
        check_anchors(first["label"], config.num_classes, config.num_anchors)
    except ValueError as error:
        raise UsageError(f"config.model: {error}") from error


METHOD = Method(
    "vaells",
    VAELLSConfig,
    _build,
    latent=euclidean,
    reports=REPORTS,
    model=lambda config, num_train, networks: vaells(config, networks).model,
)

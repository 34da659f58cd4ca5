"""The noun Method: what makes a model and its training of a config."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from mvae.data import Dataset
from mvae.data.dataset import Rows
from mvae.errors import UsageError
from mvae.manifolds import Euclidean, Manifold
from mvae.models.autoencoder import Networks
from mvae.models.likelihood import LIKELIHOODS
from mvae.models.model import Model
from mvae.models.objective import VariationalConfig
from mvae.models.optimizer import OptimizerConfig, adam
from mvae.models.stage import Stage, gradient_stage
from mvae.models.traced import with_values
from mvae.reports import Report

ROWS = 4096  # that are looked at together

StagesAt = Callable[[Mapping[str, Any]], tuple[Stage, ...]]


class MethodInputs(NamedTuple):
    """What a method is built from.

    Attributes:
        config: The method's typed config.
        dataset: The data, with what the method's `prepare` adds.
        optimizer: Learning rates.
        num_steps: Steps of the last stage.
        batch_size: Examples per step.
        init_batch_size: Examples shown to data-dependent initialisation.
        networks: A user's own.
    """

    config: Any
    dataset: Dataset
    optimizer: OptimizerConfig
    num_steps: int
    batch_size: int
    init_batch_size: int
    networks: Networks = Networks()


class MethodOutputs(NamedTuple):
    """What a method makes of its inputs.

    Attributes:
        model: The model.
        stages: Stages of training, in order.
        stages_at: Values of `mvae.models.traced.TRACED` by their dotted names -> the stages with them, in which they
            may be tracers; None for a method that takes them as constants.
        params_of: Final state of the last stage -> parameters of the model.
    """

    model: Model
    stages: tuple[Stage, ...]
    stages_at: StagesAt | None = None
    params_of: Callable[[Any], Any] = lambda state: state.params


class Method(NamedTuple):
    """A method: a row of `mvae.methods.METHODS`.

    Attributes:
        name: As `config.method` has it.
        config: Its frozen dataclass, whose fields have defaults but for `manifold` and `event_shape`.
        build: Inputs -> model and stages; raises `UsageError` for what does not go together.
        latent: Manifold -> the latent space of this method that is nearest to it: itself wherever it will do.
        prepare: (config, dataset, kept) -> the data with what the method needs beside them, from what a run has kept
            of them where it has.
        traceable: Whether `build` gives `stages_at`.
        conditional: Whether its encoder and decoder take a condition of the data.
        needs_all_data: Whether it compares all training examples with each other, so that they cannot be streamed.
        reports: What a run says of its models beside `mvae.reports.REPORTS`; one that has the name of one of them takes
            its place.
        model: (config, number of training examples, networks) -> the model alone, as `mvae.load` builds it, where there
            are no data; None for a method whose runs cannot be loaded.
    """

    name: str
    config: type
    build: Callable[[MethodInputs], MethodOutputs]
    latent: Callable[[Manifold], Manifold] = lambda manifold: manifold
    prepare: Callable[..., Dataset] = lambda config, dataset, kept=None: dataset
    traceable: bool = False
    conditional: bool = False
    needs_all_data: bool = False
    reports: tuple[Report, ...] = ()
    model: Callable[[Any, int, Networks], Model] | None = None


def euclidean(manifold: Manifold) -> Manifold:
    """Returns R^d of the manifold's dimension, itself if it is Euclidean: the `latent` of methods on R^d."""
    return manifold if isinstance(manifold, Euclidean) else Euclidean(manifold.dim)


def one_stage(make: Callable[..., Model], inputs: MethodInputs) -> MethodOutputs:
    """Returns the model that `make(config, networks)` gives, and the one stage that minimises its loss."""
    config = completed(inputs)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        model = make(with_values(config, "model", values), inputs.networks)
        stage = gradient_stage(
            "train",
            inputs.num_steps,
            lambda key, batch, previous: model.init(key, batch),
            model.loss_terms,
            adam(with_values(inputs.optimizer, "optimizer", values), inputs.num_steps),
        )
        return model, (stage,)

    return traceable(at)


def traceable(at: Callable[[Mapping[str, Any]], tuple[Model, tuple[Stage, ...]]]) -> MethodOutputs:
    """Returns what `at`, values of `mvae.models.traced.TRACED` -> model and stages, gives for those of the config."""
    model, stages = at({})
    return MethodOutputs(model, stages, lambda values: at(values)[1])


def completed(inputs: MethodInputs) -> Any:
    """Returns the config with the capacity rising over the whole training, if it does not say over what.

    Raises:
        UsageError: For a likelihood that the data cannot have: Bernoulli beyond [0, 1], one of counts of what are none;
            for a capacity that the space cannot give.
    """
    config: VariationalConfig = inputs.config
    if LIKELIHOODS[config.likelihood]().counts:
        check_counts(inputs.dataset, config.likelihood)
    limit = math.inf if config.max_capacity is None else capacity_limit(config.manifold)
    if config.max_capacity is not None and config.max_capacity > limit:
        raise UsageError(
            f"config.model.max_capacity = {config.max_capacity:g} nats: {config.manifold!r} gives {limit:.1f} at most, "
            "with posteriors as narrow as a hundred roundings: lower it, or take a space of more dimensions"
        )
    if config.likelihood == "bernoulli":
        check_unit_range(inputs.dataset, "likelihood = 'bernoulli'", "use gaussian or gaussian_learned_variance")
    if config.max_capacity is not None and config.capacity_steps is None:
        return dataclasses.replace(config, capacity_steps=inputs.num_steps)
    return config


def capacity_limit(manifold: Manifold) -> float:
    """Returns the KL in nats of a normal distribution of d dimensions, a hundred roundings wide, to the uniform one.

    A closed manifold of dimension d is like a cube of sides 2π in units of that width's; below it, draws are as coarse
    as their dtype. A space without a uniform distribution has no limit.

    >>> from mvae.manifolds import Euclidean, Sphere
    >>> [round(capacity_limit(manifold), 1) for manifold in (Sphere(1), Sphere(2), Euclidean(1))]
    [11.8, 23.5, inf]
    """
    if manifold.log_volume == math.inf:
        return math.inf
    width = 100 * float(jnp.finfo(jnp.zeros(()).dtype).eps)
    return manifold.dim * (math.log(2 * math.pi / width) - 0.5 * (math.log(2 * math.pi) + 1))


def check_unit_range(dataset: Dataset, setting: str, remedy: str) -> None:
    """Raises if training examples leave [0, 1], which a setting of config.model needs; `remedy` ends the message."""
    ranges = [(float(jnp.min(x)), float(jnp.max(x))) for x in _looked_at(dataset, dataset.train)]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low < 0 or high > 1 + 1e-6:
        remedy += "" if dataset.scaling is None else ", or scale the data by scale=unit"
        raise UsageError(
            f"config.model.{setting} needs values in [0, 1], those of {dataset.name} reach from {low:.2f} to "
            f"{high:.2f}: {remedy}"
        )


def check_counts(dataset: Dataset, likelihood: str) -> None:
    """Raises if examples are no counts, which a likelihood is of."""
    for x in itertools.chain(_looked_at(dataset, dataset.train), _looked_at(dataset, dataset.test)):
        if (wrong := (x < 0) | (x != jnp.round(x))).any():
            raise UsageError(
                f"config.model.likelihood = {likelihood!r} is of counts, whole numbers from 0 on; {dataset.name} has "
                f"{float(x[wrong][0]):g}: give counts as they are, unscaled by scale=none, or use "
                "gaussian_feature_variance"
            )


def _looked_at(dataset: Dataset, rows: Rows) -> Iterator[Array]:
    """Examples as a batch has them: all of a user's own, of which nothing is known, and the first ones of others."""
    if dataset.scaling is None:
        yield first_examples(dataset)
        return
    for start in range(0, len(rows["x"]), ROWS):
        yield dataset.render({name: jnp.asarray(array[start : start + ROWS]) for name, array in rows.items()})["x"]


def first_examples(dataset: Dataset) -> Array:
    """Returns the first examples of the training set, as a batch has them."""
    return dataset.render({name: jnp.asarray(array[:64]) for name, array in dataset.train.items()})["x"]


def check_no_warmup(inputs: MethodInputs, method: str, reason: str) -> None:
    """Raises if an encoder is to start after the decoder in a method where none is trained."""
    if inputs.optimizer.encoder_warmup_steps:
        raise UsageError(f"config.optimizer.encoder_warmup_steps must be 0 for the method {method}{reason}")

"""The method vdae: the diffusion map, then the autoencoder around it."""

from collections.abc import Mapping
from typing import Any

from mvae.data import Dataset
from mvae.data.graph import with_graph
from mvae.errors import UsageError
from mvae.kept import NOTHING_KEPT, Kept
from mvae.methods.method import Method, MethodInputs, MethodOutputs, check_no_warmup, completed, euclidean, traceable
from mvae.methods.vdae.model import VDAEConfig, vdae
from mvae.methods.vdae.reports import REPORTS
from mvae.methods.vdae.training import spectral_stages
from mvae.models.model import Model
from mvae.models.optimizer import adam
from mvae.models.stage import Stage
from mvae.models.traced import with_values


def _with_graph(config: VDAEConfig, dataset: Dataset, kept: Kept = NOTHING_KEPT) -> Dataset:
    """The data with the graph that the first stage learns from."""
    return with_graph(
        dataset,
        num_neighbors=config.spectral.num_neighbors,
        scale_neighbor=config.spectral.scale_neighbor,
        alpha=config.spectral.density_power,
        recall=config.spectral.recall,
        kept=kept,
    )


def _build(inputs: MethodInputs) -> MethodOutputs:
    check_no_warmup(inputs, "vdae", ": its encoder is fixed")
    config = completed(inputs)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        method = vdae(with_values(config, "model", values), inputs.dataset.num_train, inputs.networks)
        rates = adam(with_values(inputs.optimizer, "optimizer", values), inputs.num_steps)
        return method.model, spectral_stages(method, config.spectral, rates, inputs.num_steps)

    built = traceable(at)
    _check_sizes(config, inputs)
    return built


def _check_sizes(config: VDAEConfig, inputs: MethodInputs) -> None:
    """Raises if batches are too small."""
    outputs = config.dim + config.spectral.num_extra
    rows = inputs.batch_size // 2 if config.spectral.separate_batch else inputs.batch_size
    if rows < outputs + 1:
        raise UsageError(
            f"config.batch_size = {inputs.batch_size}: {outputs} outputs are to be orthonormal on {rows} examples; "
            "take more, or config.model.spectral.separate_batch=False"
        )
    neighbors = config.num_neighbors or 2
    if neighbors > inputs.init_batch_size:
        raise UsageError(
            f"config.model.num_neighbors = {neighbors}: neighbours are sought among {inputs.init_batch_size} examples, "
            "the smaller of config.init_batch_size and the training set"
        )


METHOD = Method(
    "vdae",
    VDAEConfig,
    _build,
    latent=euclidean,
    prepare=_with_graph,
    traceable=True,
    needs_all_data=True,
    reports=REPORTS,
    model=lambda config, num_train, networks: vdae(config, num_train, networks).model,
)

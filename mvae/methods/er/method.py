"""The method er: the reparametrisation, where it is learned, then the VAE behind it."""

from collections.abc import Mapping
from typing import Any

from mvae.errors import UsageError
from mvae.methods.coordinate_report import COORDINATE
from mvae.methods.er.model import ERConfig, er
from mvae.methods.er.reports import REPORTS
from mvae.methods.er.training import reparametrization_stages
from mvae.methods.method import Method, MethodInputs, MethodOutputs, completed, traceable
from mvae.models.coordinate_start import prepare_coordinate
from mvae.models.model import Model
from mvae.models.stage import Stage
from mvae.models.traced import with_values


def _build(inputs: MethodInputs) -> MethodOutputs:
    config = completed(inputs)

    def at(values: Mapping[str, Any]) -> tuple[Model, tuple[Stage, ...]]:
        method = er(with_values(config, "model", values), inputs.networks)
        rates = with_values(inputs.optimizer, "optimizer", values)
        return method.model, reparametrization_stages(method, config, rates, inputs.num_steps)

    try:
        return traceable(at)
    except (NotImplementedError, ValueError) as error:
        raise UsageError(f"config.model: {error}") from error


METHOD = Method(
    "er",
    ERConfig,
    _build,
    prepare=prepare_coordinate,
    traceable=True,
    reports=(*REPORTS, COORDINATE),
    model=lambda config, num_train, networks: er(config, networks).model,
)

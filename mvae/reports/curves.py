"""How training went: the curves of its metrics."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mvae import figures
from mvae.reports.report import Drawing, Report, View


def curves(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the records of training without what says nothing of it.

    That is wall time, and the loss where it is minus the ELBO, or the sum of a GAN's other metrics.
    """
    left_out = {"seconds", "reconstruction"}
    if all({"elbo", "loss"} <= record.keys() for record in records) and all(
        np.allclose(record["loss"], -np.asarray(record["elbo"], np.float64)) for record in records
    ):
        left_out.add("loss")
    if all("wasserstein" in record for record in records):
        left_out.add("loss")
    return [{name: value for name, value in record.items() if name not in left_out} for record in records]


def draw(view: View) -> Iterator[tuple[str, Drawing]]:
    """The curves of all metrics, for all seeds."""
    yield "training_curves.png", lambda: figures.training_curves(curves(view.records))


CURVES = Report("curves", lambda view: bool(view.records), figures=draw)

"""One tiny trained run of each method, shared by the tests of this folder."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import mvae
from mvae.methods import METHODS
from mvae.models.model import Params
from mvae.reports import REPORTS
from mvae.runs import RunFolder, build_experiment, conclude, resolve, train
from mvae.runs.experiment import Experiment
from tests.test_methods import smallest


class Finished(NamedTuple):
    folder: Any
    experiment: Experiment
    params: Params  # seeds on the first axis
    run: mvae.Run  # loaded

    @property
    def x(self) -> np.ndarray:
        return np.asarray(self.experiment.dataset.render(self.experiment.dataset.test)["x"])

    @property
    def columns(self) -> dict:
        """What the bound needs beside x."""
        batch = self.experiment.dataset.render(self.experiment.dataset.test)
        return {name: np.asarray(batch[name]) for name in self.experiment.model.columns}


SLOW = ("er", "svae", "vaells", "vamp", "vdae")  # to compile; tests/test_methods.py trains them in the fast lane


@pytest.fixture(
    scope="session",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in sorted(METHODS)],
)
def finished(request, tmp_path_factory):
    config = resolve(smallest(request.param)).block
    folder = RunFolder(tmp_path_factory.mktemp("runs") / request.param)
    experiment = build_experiment(config)
    folder.claim(config, [])
    params = train(experiment, folder)
    conclude(experiment._replace(reports=(REPORTS["bound"],)), params, folder)
    return Finished(folder.path, experiment, params, mvae.load(folder.path))

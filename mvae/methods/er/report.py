"""What a run says of the map that it has learned onto its manifold: how well it keeps the law, and its picture."""

import logging
from typing import Any

import jax
from jax.tree_util import Partial

from mvae import figures
from mvae.evaluation import reparametrization_quality
from mvae.methods.er.hidden_law import GAUSSIAN
from mvae.models.model import Params
from mvae.runs.experiment import Experiment
from mvae.runs.run_folder import RunFolder

LOGGER = logging.getLogger(__name__)

NUM_POINTS = 512
REPORTED = ("off_median", "off_99", "kl", "coverage", "overlap", "gap")
_KEY = 0x3A9


def reparametrization_numbers(experiment: Experiment, params: Params) -> dict[str, Any]:
    """Measures of `mvae.evaluation.ReparametrizationQuality`, named "map_...", of a learned map; empty without one."""
    lifted = experiment.model.capabilities.get("reparametrization")
    if lifted is None or lifted.loss is None:
        return {}
    found = reparametrization_quality(
        jax.random.key(_KEY),
        Partial(lifted.apply, params["reparametrization"]),
        experiment.model.manifold,
        latent=_law(lifted),
        num_points=NUM_POINTS,
    )
    return {f"map_{name}": float(getattr(found, name)) for name in REPORTED}


def draw_reparametrization(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    """Draws the learned map of one member into reparametrization.png, on a manifold that there is a picture of."""
    lifted = experiment.model.capabilities.get("reparametrization")
    if lifted is None or lifted.loss is None:
        return
    f = Partial(lifted.apply, params["reparametrization"])
    try:
        picture = figures.reparametrization(f, experiment.model.manifold, latent=_law(lifted))
    except NotImplementedError as error:
        LOGGER.info("no picture of the learned map: %s", error)
        return
    figures.save(picture, folder.figures / "reparametrization.png")


def _law(lifted: Any) -> str:
    return "normal" if lifted.law.name == GAUSSIAN else "uniform"

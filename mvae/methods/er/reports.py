"""What a run says of its learned map onto the manifold: how well it keeps the distribution, and its figure."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
from jax.tree_util import Partial

from mvae import figures
from mvae.evaluation import reparametrization_quality
from mvae.methods.er.hidden_distribution import GAUSSIAN
from mvae.reports import Member, Report, View
from mvae.reports.report import Drawing, Figure

NUM_POINTS = 512
REPORTED = ("off_median", "off_99", "kl", "coverage", "overlap", "gap")
_KEY = 0x3A9


def has_learned_map(view: View) -> bool:
    """Whether the model has a map onto its manifold that was learned."""
    return view.has("reparametrization") and view.model.capabilities["reparametrization"].loss is not None


def map_numbers(member: Member) -> dict[str, Any]:
    """Measures of `mvae.evaluation.ReparametrizationQuality`, named "map_...", of the learned map."""
    found = reparametrization_quality(
        jax.random.key(_KEY),
        _map(member),
        member.view.model.manifold,
        latent=_latent(member.view),
        num_points=NUM_POINTS,
    )
    return {f"map_{name}": float(getattr(found, name)) for name in REPORTED}


def draw_map(view: View) -> Iterator[tuple[str, Drawing]]:
    """The learned map of the first member, on a manifold that there is a figure of."""
    yield "reparametrization.png", partial(_figure, view)


def _figure(view: View) -> Figure:
    return figures.reparametrization(_map(view.members[0]), view.model.manifold, latent=_latent(view))


def _map(member: Member) -> Partial:
    """The map of one point, which shares a program with those of other seeds."""
    lifted = member.view.model.capabilities["reparametrization"]
    return Partial(lifted.apply, member.params["reparametrization"])


def _latent(view: View) -> str:
    return "normal" if view.model.capabilities["reparametrization"].distribution.name == GAUSSIAN else "uniform"


REPORTS = (Report("map", has_learned_map, map_numbers, draw_map, tuple(f"map_{name}" for name in REPORTED)),)

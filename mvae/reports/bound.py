"""How well a model explains the test set: its bound, and the importance-sampled log-likelihood."""

from typing import Any

import numpy as np

from mvae.models import LossTerms
from mvae.reports.report import Member, Report

# What is minimised depends on the schedules, and the reconstruction is the ELBO and the KL over again.
LEFT_OUT = ("loss", "reconstruction", "extra")
TERMS = tuple(name for name in LossTerms._fields if name not in LEFT_OUT)


def bound_numbers(member: Member) -> dict[str, Any]:
    """Means of the loss terms over the test set: nats per example, squared error per entry of it.

    Terms that a method has beside the common ones come under their own names.
    """
    if reason := member.view.model.lacks.get("bound"):
        return member.undefined(TERMS, reason)
    terms = member.bound()
    values = {name: getattr(terms, name) for name in TERMS} | dict(terms.extra)
    return {name: float(np.asarray(value, np.float64).mean()) for name, value in values.items()}


def likelihood_numbers(member: Member) -> dict[str, Any]:
    """Mean log-likelihood in nats, and the standard deviation of the likelihood where that is learned."""
    model = member.view.model
    found: dict[str, Any] = {}
    if "likelihood_std" in model.capabilities:
        found["likelihood_std"] = float(model.capabilities["likelihood_std"](member.params))
    if reason := model.lacks.get("log_likelihood"):
        return found | member.undefined(["log_likelihood"], reason)
    return found | {"log_likelihood": float(np.asarray(member.log_likelihood(), np.float64).mean())}


BOUND = Report("bound", lambda view: True, bound_numbers, gives=TERMS)
LIKELIHOOD = Report("likelihood", lambda view: True, likelihood_numbers, gives=("log_likelihood",))
